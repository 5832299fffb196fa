/* Objectives of a recipe: single ones and sums, their keys, stages, and what is refused. */
#include <unistd.h>

#include "testing.h"
#include "train/phase.h"

#define TEACHER "teacher=" FEW_TEST_DIR "/../models/toy-teacher.safetensors"
#define LABELS "teacher=" FEW_TEST_DIR "/../models/toy-labels-teacher.safetensors"

static few_status open_recipe(few_ctx *ctx, struct few_setup *r, const char *const *settings) {
  char path[] = "/tmp/few-recipe-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
  const char *all[16] = {"data=toy:mixture", "net=mlp", "preview_every=0"};
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  o.recipe = path;
  o.run = "/tmp/few-none";
  for (o.n_overrides = 3; settings[o.n_overrides - 3]; o.n_overrides++)
    all[o.n_overrides] = settings[o.n_overrides - 3];
  o.overrides = all;
  few_status st = few__setup_open(ctx, r, &o);
  unlink(path);
  return st;
}

static void test_two_added(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  const char *const s[] = {TEACHER,     "labels=no",     "objective=scd + sct",
                           "p_mean=-2", "sct.p_mean=-3", "balance=minnorm",
                           NULL};
  assert_ok(ctx, open_recipe(ctx, &r, s));
  assert_int_equal(r.config.n_objectives, 2);
  assert_string_equal(r.config.objective[0].def->name, "scd");
  assert_string_equal(r.config.objective[1].def->name, "sct");
  assert_string_equal(r.config.objective[1].prefix, "sct.");
  assert_string_equal(r.config.balance->name, "minnorm");
  for (int i = 0; i < 2; i++) {
    const struct few_option *o = few_option_find(r.config.objective[i].def->options, "p_mean");
    const void *at = (const char *)r.config.objective[i].opts + o->offset;
    assert_close(*(const double *)at, i ? -3 : -2, 0);
  }
  struct few_text text = {0};
  assert_ok(ctx, few__setup_text(ctx, &r, &text));
  assert_non_null(strstr(text.at, "\np_mean = -2\n"));
  assert_non_null(strstr(text.at, "\nsct.p_mean = -3\n"));
  few__text_free(ctx, &text);
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

/* A student inherits the guidance input and its range from a teacher that has them. If the teacher
 * has none, the recipe gives the range, here with the labelled teacher. */
static void test_guidance(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  const char *const s[] = {LABELS, "objective=scd", "guidance_max=3", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, s));
  assert_true(r.spec.guidance);
  assert_close(r.guidance_min, 1, 0);
  assert_close(r.guidance_max, 3, 0);
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

static double real_of(const struct few_setup *r, int i, const char *key) {
  const struct few_option *o = few_option_find(r->config.objective[i].def->options, key);
  assert_non_null(o);
  return *(const double *)(const void *)((const char *)r->config.objective[i].opts + o->offset);
}

/* Guidance belongs to the student: a scale given to one objective is used for all, and the fake
 * network has the same guidance input as the student. */
static void test_guidance_of_added(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  const char *const fixed[] = {LABELS, "objective=scd + vsd", "guidance_min=2", "guidance_max=2",
                               NULL};
  assert_ok(ctx, open_recipe(ctx, &r, fixed));
  assert_close(r.guidance_min, 2, 0);
  assert_close(real_of(&r, 1, "guidance_min"), 2, 0);
  assert_false(r.spec.guidance || r.fake->spec.guidance);
  few__setup_close(ctx, &r);
  const char *const second[] = {LABELS, "objective=scd + vsd", "vsd.guidance_max=3", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, second));
  assert_close(r.guidance_max, 3, 0);
  assert_close(real_of(&r, 0, "guidance_max"), 3, 0);
  assert_true(r.spec.guidance && r.fake->spec.guidance && !r.teacher->spec.guidance);
  struct few_text text = {0};
  assert_ok(ctx, few__setup_text(ctx, &r, &text));
  assert_non_null(strstr(text.at, "\nguidance_max = 3\n")); /* the resolved recipe */
  assert_non_null(strstr(text.at, "\nvsd.guidance_max = 3\n"));
  few__text_free(ctx, &text);
  few__setup_close(ctx, &r);
  const char *const both[] = {LABELS, "objective=scd + vsd", "guidance_max=2",
                              "vsd.guidance_max=2.0", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, both));
  few__setup_close(ctx, &r);
  const char *const none[] = {LABELS, "objective=scd", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, none));
  assert_null(r.fake);
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

/* The noise from which a generator starts is shared in the same way. */
static void test_start_of_added(void **state) {
  (void)state;
  static const char *const keys[] = {"sigma_init=2.5", "mid_share=0.5", "mid_time=0.9"};
  static const double value[] = {2.5, 0.5, 0.9};
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  const char *const s[] = {TEACHER,
                           "labels=no",
                           "objective=scd + vsd + adversarial",
                           "vsd.sigma_init=2.5",
                           "adversarial.mid_share=0.5",
                           "adversarial.mid_time=0.9",
                           NULL};
  assert_ok(ctx, open_recipe(ctx, &r, s));
  for (int i = 1; i < 3; i++)
    for (int k = 0; k < FEW_COUNT(keys); k++) {
      char key[32];
      snprintf(key, sizeof key, "%.*s", (int)strcspn(keys[k], "="), keys[k]);
      assert_close(real_of(&r, i, key), value[k], 0);
    }
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

/* Names in a line of the log are unique. */
static void test_names(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  struct few_params head = {0}, fake_head = {0};
  struct few_phase p = {0};
  few_model *m;
  const char *const s[] = {TEACHER, "labels=no", "objective=scd + sct + ect", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, s));
  assert_ok(ctx, few__model_declare(ctx, &m, r.net, r.net_opts, &r.spec));
  const struct few_networks w = {&r, m, &head, &fake_head};
  assert_ok(ctx, few__phase_create(ctx, &p, FEW_PHASE_STUDENT, &w, 2, few__backend_find("ref")));
  static const char *const terms[] = {"scm", "sct_scm", "consistency"};
  static const char *const logs[] = {"tangent", "mse", "sct_tangent", "sct_mse", "ect_mse"};
  assert_int_equal(p.n_terms, FEW_COUNT(terms));
  assert_int_equal(p.n_logs, FEW_COUNT(logs));
  for (int i = 0; i < p.n_terms; i++) assert_string_equal(p.term_name[i], terms[i]);
  for (int i = 0; i < p.n_logs; i++) assert_string_equal(p.log_name[i], logs[i]);
  few__phase_free(ctx, &p);
  few__params_free(ctx, &head);
  few__params_free(ctx, &fake_head);
  few_model_free(m);
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

/* The model of a generator has its sampling times. */
static void test_times(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  const char *const s[] = {TEACHER,          "labels=no",     "objective=sid",
                           "sigma_init=2.5", "mid_share=0.5", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, s));
  const struct few_clock at = few__config_clock(&r.config, 0, 1);
  static struct few_use use;
  r.config.objective[0].def->use(&use, r.config.objective[0].opts, &at, 0.5);
  assert_int_equal(use.n_times, 2);
  assert_close(use.times[0], atan(5), 1e-15);
  assert_close(use.times[1], 1.1, 0);
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

static void refused(const char *const *settings, const char *says) {
  few_ctx *ctx = test_ctx();
  struct few_setup r;
  assert_int_equal(open_recipe(ctx, &r, settings), FEW_E_INVALID);
  if (!strstr(few_error(ctx), says)) fail_msg("`%s` does not say `%s`", few_error(ctx), says);
  few_ctx_free(ctx);
}

/* Writes a teacher like the labelled one, and the text "teacher=PATH" into key. */
static void make_teacher(char key[64], bool input, const char *sampler, const char *dropout) {
  few_ctx *ctx = test_ctx();
  few_model *from, *to;
  snprintf(key, 64, "teacher=/tmp/few-teacher-XXXXXX");
  int fd = mkstemp(strchr(key, '=') + 1);
  assert_true(fd >= 0);
  close(fd);
  assert_ok(ctx, few_model_load(&from, ctx, strchr(LABELS, '=') + 1));
  struct few_net_spec spec = from->spec;
  spec.guidance = input;
  assert_ok(ctx, few_option_set(from->net_opts, ctx, from->net->options, "dropout", dropout));
  assert_ok(ctx, few__model_create(ctx, &to, from->net, from->net_opts, &spec, 1));
  snprintf(to->objective, sizeof to->objective, "a test");
  snprintf(to->sampler, sizeof to->sampler, "%s", sampler);
  to->data_scale = from->data_scale;
  to->guidance_max = input ? 4 : 1;
  assert_ok(ctx, few_model_save(to, strchr(key, '=') + 1));
  few_model_free(from);
  few_model_free(to);
  few_ctx_free(ctx);
}

/* Objectives that give the student no guidance scale are tried with a teacher that has the input,
 * and in a sum with an objective that gives the scale. */
static void test_no_guidance_fed(void **state) {
  (void)state;
  static const char *const alone[] = {"diffusion", "ct",       "ict",     "ect",
                                      "sct",       "shortcut", "meanflow"};
  char teacher[64];
  make_teacher(teacher, true, "heun", "0");
  for (int i = 0; i < FEW_COUNT(alone); i++) {
    char objective[32], says[80];
    snprintf(objective, sizeof objective, "objective=%s", alone[i]);
    snprintf(says, sizeof says, "%s: the teacher takes a guidance scale", alone[i]);
    refused((const char *[]){teacher, objective, NULL}, says);
  }
  unlink(strchr(teacher, '=') + 1);
  refused((const char *[]){LABELS, "objective=sct + vsd", "vsd.guidance_max=2", NULL},
          "sct does not feed it");
  refused((const char *[]){LABELS, "objective=scd + diffusion", "guidance_max=2", NULL},
          "diffusion does not feed it");
}

/* A consistency model has no velocity field, so it cannot be distilled. But training from data may
 * start with its weights. */
static void test_no_field(void **state) {
  (void)state;
  char teacher[64];
  struct few_setup r;
  few_ctx *ctx = test_ctx();
  make_teacher(teacher, false, "consistency", "0");
  refused((const char *[]){teacher, "objective=scd", NULL},
          "jumps of consistency, so it has no velocity field");
  refused((const char *[]){teacher, "objective=sct + vsd", NULL}, "no velocity field");
  const char *const further[] = {teacher, "objective=sct", NULL};
  assert_ok(ctx, open_recipe(ctx, &r, further));
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
  unlink(strchr(teacher, '=') + 1);
}

static double dropout_of(const struct few_net_def *net, const void *opts) {
  const struct few_option *o = few_option_find(net->options, "dropout");
  assert_non_null(o);
  return *(const double *)(const void *)((const char *)opts + o->offset);
}

/* A student inherits its teacher's network, but not its dropout. The dropout of the recipe is used
 * for all networks that the run trains. */
static void test_dropout(void **state) {
  (void)state;
  char teacher[64];
  struct few_setup r;
  few_ctx *ctx = test_ctx();
  make_teacher(teacher, false, "heun", "0.13");
  const char *const none[] = {teacher, "objective=scd + vsd", NULL};
  const char *const own[] = {teacher, "objective=scd + vsd", "dropout=0.2", NULL};
  for (int i = 0; i < 2; i++) {
    assert_ok(ctx, open_recipe(ctx, &r, i ? own : none));
    assert_close(dropout_of(r.teacher->net, r.teacher->net_opts), 0.13, 0);
    assert_close(dropout_of(r.net, r.net_opts), i ? 0.2 : 0, 0);
    assert_close(dropout_of(r.fake->net, r.fake->net_opts), i ? 0.2 : 0, 0);
    few__setup_close(ctx, &r);
  }
  few_ctx_free(ctx);
  unlink(strchr(teacher, '=') + 1);
}

static void test_refusals(void **state) {
  (void)state;
  refused((const char *[]){"objective=scd", NULL}, "give teacher = MODEL.safetensors");
  refused((const char *[]){"objective=nonsense", NULL}, "there is no such objective");
  refused((const char *[]){"objective=", NULL}, "with + between");
  refused((const char *[]){"objective=sct + ", NULL}, "with + between");
  refused((const char *[]){TEACHER, "labels=no", "objective=sct + sct", NULL}, "twice");
  refused((const char *[]){TEACHER, "labels=no", "objective=scd+sct+diffusion+classifier", NULL},
          "at most 3");
  refused((const char *[]){TEACHER, "labels=no", "objective=vsd", "guidance_max=2", NULL},
          "cannot be guided");
  refused((const char *[]){TEACHER, "labels=no", "objective=sid", "sigma_min=90", NULL},
          "is not below sigma_max");
  refused((const char *[]){TEACHER, "labels=no", "objective=adversarial", "mid_share=1",
                           "mid_time=1.5", "sigma_init=2.5", NULL},
          "is not below the start");
  refused((const char *[]){TEACHER, "labels=no", "objective=sct + classifier", NULL},
          "cannot be added");
  refused((const char *[]){TEACHER, "labels=no", "objective=scd + cd + ct", NULL},
          "cd and ct cannot be added: each has a target network");
  refused((const char *[]){TEACHER, "labels=no", "objective=progressive + cd", "steps=8", NULL},
          "progressive and cd cannot be added");
  refused((const char *[]){TEACHER, "labels=no", "objective=sct", "balance=often", NULL},
          "fixed, gradnorm, minnorm, primary");
  refused((const char *[]){TEACHER, "labels=no", "objective=scd + sct", "sct.p_maen=1", NULL},
          "sct.p_maen");
  refused((const char *[]){TEACHER, "labels=no", "objective=scd", "guidance_max=2", NULL},
          "no labels");
  refused(
      (const char *[]){LABELS, "objective=scd + vsd", "guidance_max=2", "vsd.guidance_max=4", NULL},
      "guidance_max = 2 and vsd.guidance_max = 4");
  refused(
      (const char *[]){LABELS, "objective=scd + vsd", "guidance_max=1", "vsd.guidance_max=2", NULL},
      "guidance_max = 1 and vsd.guidance_max = 2");
  refused((const char *[]){LABELS, "objective=cd + guided", NULL},
          "guided.guidance_max = 5 by def");
  refused((const char *[]){TEACHER, "labels=no", "objective=vsd + adversarial", "sigma_init=2.5",
                           "adversarial.sigma_init=80", NULL},
          "sigma_init = 2.5 and adversarial.sigma_init = ");
}

/* ---- warnings ---- */

static void keep_warning(void *user, few_log_level level, const char *message) {
  if (level == FEW_LOG_WARN) snprintf(user, 512, "%s", message);
}

static void warned(const char *const *settings, const char *says) {
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  struct few_setup r;
  char heard[512] = "";
  few_ctx *ctx;
  co.log = keep_warning;
  co.user = heard;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  assert_ok(ctx, open_recipe(ctx, &r, settings));
  if (says ? !strstr(heard, says) : *heard != 0)
    fail_msg("`%s` is not about `%s`", heard, says ? says : "nothing");
  few__setup_close(ctx, &r);
  few_ctx_free(ctx);
}

/* Warnings: two times are so close that the difference of f is rounding; a run is shorter than the
 * tangent's warm-up. */
static void test_warnings(void **state) {
  (void)state;
  warned((const char *[]){"objective=ect", "q=4", NULL}, "ect: q^doublings = 65536");
  warned((const char *[]){"objective=ect", "q=4", "doublings=4", NULL}, NULL);
  warned((const char *[]){"objective=ect", NULL}, NULL);
  warned((const char *[]){"objective=ict", "s1=100000", NULL}, "ict: s1 = 100000");
  warned((const char *[]){"objective=ict", NULL}, NULL);
  warned((const char *[]){TEACHER, "labels=no", "objective=cd", "points=40000", NULL},
         "cd: points");
  warned((const char *[]){TEACHER, "labels=no", "objective=vsd + scd", NULL},
         "end before scd.tangent_warmup");
  warned((const char *[]){TEACHER, "labels=no", "objective=scd + vsd", "tangent_warmup=0",
                          "vsd.sigma_init=2.5", NULL},
         "give another vsd.sigma_init");
  warned((const char *[]){TEACHER, "labels=no", "objective=scd + vsd", "tangent_warmup=0", NULL},
         NULL);
  warned(
      (const char *[]){TEACHER, "labels=no", "objective=vsd + adversarial", "sigma_init=2.5", NULL},
      NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_added),
                                     cmocka_unit_test(test_guidance),
                                     cmocka_unit_test(test_guidance_of_added),
                                     cmocka_unit_test(test_start_of_added),
                                     cmocka_unit_test(test_names),
                                     cmocka_unit_test(test_no_guidance_fed),
                                     cmocka_unit_test(test_no_field),
                                     cmocka_unit_test(test_dropout),
                                     cmocka_unit_test(test_warnings),
                                     cmocka_unit_test(test_times),
                                     cmocka_unit_test(test_refusals)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
