/* Three classes of 1351, 116 and 33 points, far apart. Samples must have the class shares of the
 * data: in few eval, in eval_every, with a saved reference, in the teacher's pairs and in few loop.
 * Classes of two sets are matched by name. */
#include "base/rng.h"
#include "data/files.h"
#include "few/eval.h"
#include "few/loop.h"
#include "few/train.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "once.h"

enum { N = 1500, CLASSES = 3 };
static const int64_t counts[CLASSES] = {1351, 116, 33};
static char data[512];

static const char recipe[] =
    "net = mlp\nwidth = 16\nlayers = 2\nobjective = diffusion\nsteps = 400\nbatch = 128\n"
    "shards = 2\nlr = 5e-3\nlr_shape = cosine\nema = 4000\nworkers = 1\n";

static void write_data(struct files *f) {
  static float x[N * 2];
  static int32_t label[N];
  static const float centre[CLASSES][2] = {{0, 0}, {4, 0}, {0, 4}};
  for (int64_t i = 0; i < N; i++) {
    const struct few_rng r = {.row = (uint64_t)i, .purpose = FEW_RNG_CHECK};
    label[i] = i < counts[0] ? 0 : i < counts[0] + counts[1] ? 1 : 2;
    few__rng_normal_f32(&r, 2, x + 2 * i);
    for (int k = 0; k < 2; k++) x[2 * i + k] = 0.3F * x[2 * i + k] + centre[label[i]][k];
  }
  assert_ok(f->ctx,
            few__npy_write(f->ctx, files_path(f, "x.npy"), FEW_STORE_F32, 2, (int64_t[]){N, 2}, x));
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "y.npy"), FEW_STORE_I32, 1, (int64_t[]){N},
                                   label));
  snprintf(data, sizeof data, "npy:%s,%s", files_path(f, "x.npy"), files_path(f, "y.npy"));
  files_write(f, "points.ini", recipe, sizeof recipe - 1);
}

static void train(struct files *f, const char *run, const char *a, const char *b) {
  char key[600];
  snprintf(key, sizeof key, "data=%s", data);
  const char *const overrides[] = {key, a, b};
  const struct few_train_opts o = {.version = FEW_TRAIN_OPTS_VERSION,
                                   .recipe = files_path(f, "points.ini"),
                                   .run = files_path(f, run),
                                   .n_overrides = 3,
                                   .overrides = overrides};
  assert_ok(f->ctx, few_train(f->ctx, &o));
}

static struct few_eval_report *eval(struct files *f, const char *reference, int label) {
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  struct few_eval_report *r;
  o.source = files_path(f, "run/model.safetensors");
  o.reference = reference;
  o.metrics = "fd";
  o.n = N;
  o.label = label;
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  return r;
}

static double check(struct few_eval_report *r, const char *labels, const int64_t want[CLASSES]) {
  const double fd = r->number[0].value;
  assert_string_equal(r->labels, labels);
  assert_int_equal(r->classes, CLASSES);
  for (int i = 0; i < CLASSES; i++) assert_int_equal(r->label_counts[i], want[i]);
  few_eval_report_free(r);
  return fd;
}

/* Samples have the class shares of the reference or, if it has no labels, those of the training
 * data; or equal shares on request. With equal shares fd is large although the model is good,
 * because the shares differ from the reference's. */
static void test_eval(void **state) {
  struct files *f = *state;
  static const int64_t even[CLASSES] = {500, 500, 500};
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  write_data(f);
  train(f, "run", "label_dropout=0", "eval_every=400");
  const double fd = check(eval(f, data, FEW_LABEL_SHARES), "reference", counts);
  const double unlabelled =
      check(eval(f, files_path(f, "x.npy"), FEW_LABEL_SHARES), "training data", counts);
  const double flat = check(eval(f, data, FEW_LABEL_EACH), "even", even);
  assert_true(fd == unlabelled);
  assert_true(flat > 2 && fd < 0.01 * flat);
  o.reference = data;
  const char *saved = files_path(f, "saved.safetensors");
  assert_ok(f->ctx, few_eval_save_reference(f->ctx, &o, saved));
  assert_true(check(eval(f, saved, FEW_LABEL_SHARES), "reference", counts) == fd);
  char *log;
  size_t n;
  assert_ok(f->ctx, few__file_read(f->ctx, &log, &n, files_path(f, "run/log.jsonl"), 1 << 20));
  const char *line = strstr(log, "\"labels\":\"reference\",\"fd\":");
  assert_non_null(line);
  assert_true(atof(strchr(line + 12, ':') + 1) <
              0.02 * flat); /* this evaluation has fewer images */
  few__free(f->ctx, log);
}

static void refused(struct files *f, const char *a, const char *b) {
  char key[600], teacher[300];
  snprintf(key, sizeof key, "data=%s", data);
  snprintf(teacher, sizeof teacher, "teacher=%s", files_path(f, "run/model.safetensors"));
  const char *const overrides[] = {key, teacher, a, b};
  const struct few_train_opts o = {.version = FEW_TRAIN_OPTS_VERSION,
                                   .recipe = files_path(f, "points.ini"),
                                   .run = files_path(f, "refused"),
                                   .n_overrides = 4,
                                   .overrides = overrides};
  if (few_train(f->ctx, &o) != FEW_E_INVALID || !strstr(few_error(f->ctx), "without a label"))
    fail_msg("%s %s: %s", a, b, few_error(f->ctx));
}

/* A teacher whose training rows all had labels cannot be evaluated without a label. Objectives and
 * options that need this are refused. */
static void test_unlabelled(void **state) {
  struct files *f = *state;
  few_model *m;
  refused(f, "objective=scd", "guidance_max=3");
  refused(f, "objective=cd", "guidance_max=2");
  refused(f, "objective=guided", "guidance_max=3");
  refused(f, "objective=vsd", "guidance_max=3");
  refused(f, "objective=progressive", "joint=yes");
  refused(f, "objective=scd", "label_dropout=0.1");
  refused(f, "objective=direct", "pairs_guidance=2");
  refused(f, "objective=meanflow", "omega=2");
  refused(f, "objective=shortcut", "guidance=2");
  train(f, "dropped", "steps=1", "label_dropout=-1"); /* the default, 0.1 for a teacher */
  assert_ok(f->ctx, few_model_load(&m, f->ctx, files_path(f, "dropped/model.safetensors")));
  assert_int_equal(m->spec.unlabelled, FEW_YES);
  assert_non_null(strstr(m->provenance, "label_dropout = 0.1"));
  few_model_free(m);
}

/* Samples in a file. If they have all classes equally often, a warning says that their class shares
 * differ from the reference's. */
static void test_written(void **state) {
  struct files *f = *state;
  static int32_t label[N];
  char spec[512];
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  struct few_eval_report *r;
  for (int even = 0; even < 2; even++) {
    const struct few_shares shares = {CLASSES, even ? NULL : counts};
    assert_ok(f->ctx, few__labels(f->ctx, &shares, 0, N, label));
    assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "w.npy"), FEW_STORE_I32, 1,
                                     (int64_t[]){N}, label));
    snprintf(spec, sizeof spec, "npy:%s,%s", files_path(f, "x.npy"), files_path(f, "w.npy"));
    o.source = spec;
    o.reference = data;
    o.metrics = "fd";
    f->warnings = 0;
    assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
    few_eval_report_free(r);
    assert_int_equal(f->warnings, even);
  }
  assert_non_null(strstr(f->warning, "57 % of it"));
}

/* If the model file has no class counts and the reference no labels, samples have equal shares.
 * With a labelled reference they have its shares. */
static void test_unknown(void **state) {
  struct files *f = *state;
  few_model *m;
  const char *path = files_path(f, "run/model.safetensors");
  assert_ok(f->ctx, few_model_load(&m, f->ctx, path));
  few__free(f->ctx, m->class_counts);
  m->class_counts = NULL;
  assert_ok(f->ctx, few_model_save(m, path));
  few_model_free(m);
  check(eval(f, files_path(f, "x.npy"), FEW_LABEL_SHARES), "unknown", (int64_t[]){500, 500, 500});
  check(eval(f, data, FEW_LABEL_SHARES), "reference", counts);
}

/* The teacher's pairs have the class shares of its data. */
static void test_pairs(void **state) {
  struct files *f = *state;
  char teacher[300];
  struct few_st made;
  double mean = 0;
  snprintf(teacher, sizeof teacher, "teacher=%s", files_path(f, "run/model.safetensors"));
  train(f, "pairs", "objective=direct", teacher);
  char path[400];
  DIR *d = opendir(files_path(f, "pairs"));
  for (struct dirent *e; (e = readdir(d));)
    if (!strncmp(e->d_name, "pairs-", 6))
      snprintf(path, sizeof path, "%s/%.60s", files_path(f, "pairs"), e->d_name);
  closedir(d);
  assert_ok(f->ctx, few__st_read(f->ctx, &made, path, SIZE_MAX / 2));
  assert_true(made.n == 1 && made.at[0].rank == 2 && made.at[0].dim[0] == N);
  const float *x = made.at[0].data;
  for (int64_t i = 0; i < N; i++) mean += (double)x[2 * i] / N;
  few__st_free(f->ctx, &made);
  assert_close(mean, 4. * 116 / N, 0.1); /* with equal shares it would be 4/3 */
}

static void test_loop(void **state) {
  struct files *f = *state;
  char key[600];
  struct few_loop_opts o = FEW_LOOP_OPTS_INIT;
  const char *const overrides[] = {key, "steps=20"};
  snprintf(key, sizeof key, "data=%s", data);
  o.recipe = files_path(f, "points.ini");
  o.overrides = overrides;
  o.n_overrides = 2;
  o.generations = 2;
  o.steps = 2;
  for (int even = 0; even < 2; even++) {
    struct few_npy labels;
    int64_t seen[CLASSES] = {0};
    o.run = files_path(f, even ? "even" : "loop");
    o.even = even;
    assert_ok(f->ctx, few_loop(f->ctx, &o));
    assert_ok(f->ctx, few__npy_read(f->ctx, &labels,
                                    files_path(f, even ? "even/generation-002/data.labels.npy"
                                                       : "loop/generation-002/data.labels.npy"),
                                    1 << 20));
    assert_int_equal(labels.count, N);
    for (int64_t i = 0; i < N; i++) seen[((const int32_t *)labels.data)[i]]++;
    for (int k = 0; k < CLASSES; k++) assert_int_equal(seen[k], even ? N / 3 : counts[k]);
    few__npy_free(f->ctx, &labels);
  }
  o.run = files_path(f, "small");
  o.even = false;
  o.n_synthetic = 12;
  assert_int_equal(few_loop(f->ctx, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "is of class 2, which is 2.2 %"));
}

/* ---- classes by name: labels 10, 20, 30 in a file are the class names ---- */

static void name(few_model *m, const char *const names[CLASSES]) {
  for (int i = 0; i < CLASSES; i++) {
    few__free(m->ctx, m->class_names[i]);
    m->class_names[i] = few__strdup(m->ctx, names[i]);
  }
}

/* Writes a model with the data's classes in another order, and a model with other classes. */
static void write_named(struct files *f, char named[512]) {
  static const char *const turned[CLASSES] = {"30", "10", "20"}, *const others[CLASSES] = {"1", "2",
                                                                                           "3"};
  static int32_t label[N];
  few_model *m;
  for (int64_t i = 0; i < N; i++) label[i] = i < counts[0] ? 10 : i < N - counts[2] ? 20 : 30;
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "z.npy"), FEW_STORE_I32, 1, (int64_t[]){N},
                                   label));
  snprintf(named, 512, "npy:%s,%s", files_path(f, "x.npy"), files_path(f, "z.npy"));
  assert_ok(f->ctx, few_model_load(&m, f->ctx, files_path(f, "dropped/model.safetensors")));
  m->class_counts[0] = counts[2];
  m->class_counts[1] = counts[0];
  m->class_counts[2] = counts[1];
  name(m, others);
  assert_ok(f->ctx, few_model_save(m, files_path(f, "others.safetensors")));
  name(m, turned);
  assert_ok(f->ctx, few_model_save(m, files_path(f, "turned.safetensors")));
  few_model_free(m);
}

static void check_eval(struct files *f, const char *named) {
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  struct few_eval_report *r;
  o.source = files_path(f, "turned.safetensors");
  o.reference = named;
  o.metrics = "fd";
  o.n = N;
  o.sampling.steps = 2;
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  check(r, "reference", (int64_t[]){33, 1351, 116});
  o.label_word = "20"; /* a name: class 2 of the model, 1 of the data */
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  assert_int_equal(r->label, 2);
  assert_string_equal(r->label_name, "20");
  assert_int_equal(r->n_reference, 116);
  few_eval_report_free(r);
  o.label_word = "0"; /* if names are numbers, a number is never an index */
  assert_int_equal(few_eval(&r, f->ctx, &o), FEW_E_INVALID);
  o.label_word = "30";
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  assert_int_equal(r->label, 0);
  assert_int_equal(r->n_reference, 33);
  few_eval_report_free(r);
  o.label_word = NULL;
  o.source = files_path(f, "others.safetensors");
  assert_int_equal(few_eval(&r, f->ctx, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "(10, 20, 30) are not those of"));
  o.label = FEW_LABEL_EACH;
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o)); /* equal shares need no match of classes */
  few_eval_report_free(r);
}

/* A student takes its class numbers from its teacher or from `init`. A model with other classes is
 * refused. */
static void check_train(struct files *f, const char *named) {
  char key[600], model[300];
  static const char *const from[] = {"teacher", "init"};
  snprintf(key, sizeof key, "data=%s", named);
  for (int k = 0; k < 2; k++) {
    for (int other = 0; other < 2; other++) {
      const char *overrides[] = {key, model, "steps=2", k ? "seed=2" : "objective=scd"};
      few_model *m;
      snprintf(model, sizeof model, "%s=%s", from[k],
               files_path(f, other ? "others.safetensors" : "turned.safetensors"));
      const struct few_train_opts o = {.version = FEW_TRAIN_OPTS_VERSION,
                                       .recipe = files_path(f, "points.ini"),
                                       .run = files_path(f, from[k]),
                                       .n_overrides = 4,
                                       .overrides = overrides};
      const few_status st = few_train(f->ctx, &o);
      if (other) {
        assert_int_equal(st, FEW_E_INVALID);
        assert_non_null(strstr(few_error(f->ctx), "(10, 20, 30) are not those of"));
        continue;
      }
      assert_ok(f->ctx, st);
      char path[64];
      snprintf(path, sizeof path, "%s/model.safetensors", from[k]);
      assert_ok(f->ctx, few_model_load(&m, f->ctx, files_path(f, path)));
      assert_string_equal(few_model_class_name(m, 0), "30");
      assert_true(m->class_counts[0] == 33 && m->class_counts[1] == 1351);
      few_model_free(m);
    }
  }
}

static void test_names(void **state) {
  struct files *f = *state;
  char named[512];
  few_model *a, *b;
  few_data *d;
  float x[2];
  int32_t map[CLASSES];
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  write_named(f, named);
  check_eval(f, named);
  check_train(f, named);
  assert_ok(f->ctx, few_model_load(&a, f->ctx, files_path(f, "turned.safetensors")));
  assert_ok(f->ctx, few_model_load(&b, f->ctx, files_path(f, "teacher/model.safetensors")));
  s.autoguide = once_runner(b);
  s.sampler = "ddim";
  s.steps = 1;
  assert_ok(f->ctx, once_sample(a, &s, x, NULL, NULL));
  assert_ok(f->ctx, few_data_open(&d, f->ctx, named, NULL));
  assert_ok(f->ctx, few_model_match_data(map, a, d));
  assert_true(map[0] == 1 && map[1] == 2 && map[2] == 0);
  struct few_tangent_bin bins[FEW_TANGENT_BINS];
  struct few_tangent_opts t = FEW_TANGENT_OPTS_INIT;
  t.data = d;
  t.rows = 1;
  assert_ok(f->ctx, once_tangent(a, &t, bins));
  few_runner_free(s.autoguide);
  few_model_free(b);
  assert_ok(f->ctx, few_model_load(&b, f->ctx, files_path(f, "others.safetensors")));
  s.autoguide = once_runner(b);
  assert_int_equal(once_sample(a, &s, x, NULL, NULL), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "trained on the same classes"));
  few_runner_free(s.autoguide);
  assert_int_equal(few_model_match_model(map, a, b), FEW_E_INVALID);
  assert_int_equal(once_tangent(b, &t, bins), FEW_E_INVALID);
  few_data_free(d);
  few_model_free(a);
  few_model_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_eval),       cmocka_unit_test(test_pairs),
      cmocka_unit_test(test_unlabelled), cmocka_unit_test(test_written),
      cmocka_unit_test(test_unknown),    cmocka_unit_test(test_names),
      cmocka_unit_test(test_loop)};
  return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
