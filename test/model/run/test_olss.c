/* Schedules fitted to a model. With as many steps as the long run they give the long run. A file is
 * read back to the bit. Images do not depend on their batch. Also what is refused. */
#include "model/models.h"
#include "model/run/olss_file.h"

#include <unistd.h>

#include "io/file.h"

enum { DIMS = 64, N = 4 };

struct scratch {
  few_ctx *ctx;
  char path[64];
};

static struct scratch scratch_new(void) {
  struct scratch s = {.ctx = test_ctx()};
  snprintf(s.path, sizeof s.path, "/tmp/few-test-olss-%d.json", (int)getpid());
  return s;
}

static void scratch_free(struct scratch *s) {
  unlink(s->path);
  few_ctx_free(s->ctx);
}

static struct few_sample_opts by_file(const struct scratch *s, int64_t n) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = n;
  o.schedule = s->path;
  return o;
}

/* A network of this size with random weights amplifies rounding by far less than 1000. */
static void test_the_long_run(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
  struct few_olss_step step[10];
  f.full = f.steps = 10;
  f.n = 11;
  assert_ok(s.ctx,
            few__model_set_times(m, 1, (double[]){0.5})); /* does not matter to the long run */
  assert_ok(s.ctx, once_olss(m, &f, s.path, step));
  float want[N * DIMS], out[N * DIMS], last[DIMS];
  struct few_sample_opts o = by_file(&s, N), ddim = FEW_SAMPLE_OPTS_INIT;
  ddim.n = N;
  ddim.sampler = "ddim";
  ddim.steps = 10;
  ddim.seed = o.seed = 3;
  int nfe;
  assert_ok(s.ctx, once_sample(m, &ddim, want, NULL, NULL));
  assert_ok(s.ctx, once_sample(m, &o, out, NULL, &nfe));
  assert_int_equal(nfe, 10);
  for (int i = 0; i < N * DIMS; i++) assert_close(out[i], want[i], 10 * 4 * 1000 * 0x1p-24);
  for (int k = 0; k < 10; k++) assert_true(step[k].rms <= step[k].ddim_rms + 1e-13);
  o.n = 1;
  o.first = N - 1;
  o.batch = 1;
  assert_ok(s.ctx, once_sample(m, &o, last, NULL, NULL));
  assert_memory_equal(last, out + (N - 1) * DIMS, sizeof last);
  few_model_free(m);
  scratch_free(&s);
}

/* Fewer steps, with guidance, end closer to the long run than DDIM on the same times. */
static void test_few_steps(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  for (int even = 0; even < 2; even++) {
    struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
    struct few_olss_step step[4];
    struct few_olss *o;
    f.full = 20;
    f.steps = 4;
    f.guidance = 2;
    f.even = even;
    assert_ok(s.ctx, once_olss(m, &f, s.path, step));
    assert_ok(s.ctx, few__olss_read(s.ctx, &o, s.path));
    assert_int_equal(o->steps, 4);
    double times[4], e = 0, e_ddim = 0;
    for (int k = 0; k < 4; k++) {
      times[k] = o->t[k];
      assert_true(o->t[k] == step[k].t && step[k].rms <= step[k].ddim_rms + 1e-13);
    }
    few__olss_free(s.ctx, o);
    float want[16 * DIMS], out[16 * DIMS], ddim[16 * DIMS];
    struct few_sample_opts a = by_file(&s, 16), b = FEW_SAMPLE_OPTS_INIT;
    b.n = 16;
    b.sampler = "ddim";
    b.guidance = a.guidance = 2;
    b.steps = 20;
    assert_ok(s.ctx, once_sample(m, &a, out, NULL, NULL));
    assert_ok(s.ctx, once_sample(m, &b, want, NULL, NULL));
    b.steps = b.n_times = 4;
    b.times = times;
    assert_ok(s.ctx, once_sample(m, &b, ddim, NULL, NULL));
    for (int i = 0; i < 16 * DIMS; i++) {
      e += pow((double)out[i] - (double)want[i], 2);
      e_ddim += pow((double)ddim[i] - (double)want[i], 2);
    }
    if (!(e < e_ddim)) fail_msg("even %d: %g, DDIM %g", even, e, e_ddim);
  }
  few_model_free(m);
  scratch_free(&s);
}

/* A network conditioned on the step size is used as a field, with step size 0. */
static void test_told_of_steps(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_MAP);
  struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
  float out[2];
  int nfe;
  f.full = 5;
  f.steps = 2;
  assert_ok(s.ctx, once_olss(m, &f, s.path, NULL));
  struct few_sample_opts o = by_file(&s, 1);
  assert_ok(s.ctx, once_sample(m, &o, out, NULL, &nfe));
  assert_int_equal(nfe, 2);
  few_model_free(m);
  scratch_free(&s);
}

static void refuse_fit(few_model *m, const struct few_olss_opts *f, const char *says) {
  assert_int_equal(once_olss(m, f, "nowhere/x.json", NULL), FEW_E_INVALID);
  if (!strstr(few_error(m->ctx), says)) fail_msg("%s: no \"%s\"", few_error(m->ctx), says);
}

static void refuse(few_model *m, const struct few_sample_opts *o, const char *says) {
  float out[DIMS];
  assert_int_equal(once_sample(m, o, out, NULL, NULL), FEW_E_INVALID);
  if (!strstr(few_error(m->ctx), says)) fail_msg("%s: no \"%s\"", few_error(m->ctx), says);
}

static void test_refused(void **state) {
  (void)state;
  struct scratch s = scratch_new();
  few_model *m = test_model_new(s.ctx, TEST_MLP);
  struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
  f.steps = 101;
  refuse_fit(m, &f, "no more than");
  f.steps = 3;
  f.n = 50; /* of two values: 201 are needed */
  refuse_fit(m, &f, "at least 101");
  f.n = 0;
  f.sampler = "heun";
  refuse_fit(m, &f, "one evaluation");
  f.sampler = "ddim";
  f.version = 0;
  refuse_fit(m, &f, "version");
  f = (struct few_olss_opts)FEW_OLSS_OPTS_INIT;
  f.full = 5;
  f.steps = 2;
  assert_ok(s.ctx, once_olss(m, &f, s.path, NULL));
  struct few_sample_opts o = by_file(&s, 1);
  o.sampler = "ddim";
  refuse(m, &o, "for olss");
  o.sampler = "olss";
  o.steps = 3;
  refuse(m, &o, "its own 2 steps");
  o.steps = 2;
  float out[2];
  assert_ok(s.ctx, once_sample(m, &o, out, NULL, NULL));
  o.schedule = NULL;
  refuse(m, &o, "few olss");
  o.schedule = s.path;
  m->spec.sigma_data = 0.6;
  refuse(m, &o, "sigma_data");
  o.schedule = "nowhere.json";
  assert_int_equal(once_sample(m, &o, out, NULL, NULL), FEW_E_IO);
  few_model_free(m);
  scratch_free(&s);
}

static void test_files(void **state) {
  (void)state;
  static const char *const names[] = {"y_one",       "y_two",      "n_rising",       "n_short_row",
                                      "n_short_x",   "n_no_steps", "n_no_deviation", "n_version",
                                      "n_no_number", "n_cut"};
  few_ctx *ctx = test_ctx();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[400];
    struct few_olss *o;
    snprintf(path, sizeof path, FEW_TEST_DIR "/model/run/data/olss/%s.json", names[i]);
    few_status st = few__olss_read(ctx, &o, path);
    if ((st == FEW_OK) != (names[i][0] == 'y')) fail_msg("%s: %d", path, (int)st);
    assert_true(!st == !!o);
    if (st) assert_non_null(strstr(few_error(ctx), names[i]));
    few__olss_free(ctx, o);
  }
  few_ctx_free(ctx);
}

static int stop_while_fitting(void *user, const struct few_progress *p) {
  const bool fitting = !strcmp(p->what, "fitting steps");
  *(int *)user += fitting;
  return fitting && p->done == 3;
}

/* The fit reports progress and can be cancelled. No file is left then. */
static void test_stops(void **state) {
  (void)state;
  int rounds = 0;
  struct scratch s = scratch_new();
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
  few_ctx *ctx;
  c.user = &rounds;
  c.progress = stop_while_fitting;
  assert_int_equal(few_ctx_create(&ctx, &c), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_UNET);
  f.full = 10;
  f.steps = 3;
  f.n = 11;
  assert_int_equal(once_olss(m, &f, s.path, NULL), FEW_E_CANCELLED);
  assert_int_equal(rounds, 3);
  assert_int_equal(access(s.path, F_OK), -1);
  few_model_free(m);
  few_ctx_free(ctx);
  scratch_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_long_run),  cmocka_unit_test(test_few_steps),
      cmocka_unit_test(test_told_of_steps), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_files),         cmocka_unit_test(test_stops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
