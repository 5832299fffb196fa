/* Each coordinate is trained on its own scale. So multiplying a coordinate by a power of two
 * changes only its scale: every weight has the same bits, and samples differ only by that power. */
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"
#include "few/eval.h"
#include "few/train.h"
#include "io/npy.h"
#include "once.h"
#include "testing.h"

enum { N = 200, SAMPLES = 20 };

struct bench {
  few_ctx *ctx;
  char dir[64], warning[1024];
  int warnings;
};

static void on_log(void *user, few_log_level level, const char *message) {
  struct bench *b = user;
  if (level != FEW_LOG_WARN) return;
  b->warnings++;
  snprintf(b->warning, sizeof b->warning, "%s", message);
}

static int setup(void **state) {
  struct bench *b = calloc(1, sizeof *b);
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  if (!b) return -1;
  snprintf(b->dir, sizeof b->dir, "/tmp/few-scales-XXXXXX");
  o.user = b;
  o.log = on_log;
  o.workers = 1;
  *state = b;
  return !mkdtemp(b->dir) || few_ctx_create(&b->ctx, &o);
}

static int teardown(void **state) {
  struct bench *b = *state;
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", b->dir);
  few_ctx_free(b->ctx);
  const int code = system(command);
  free(b);
  return code;
}

/* Points (x, factor y + 3 factor), x and y normal. */
static void write_set(struct bench *b, const char *name, double factor) {
  float p[N][2];
  double z[2];
  char path[200];
  for (int i = 0; i < N; i++) {
    few__rng_normal_f64(&(struct few_rng){.row = (uint64_t)i, .purpose = FEW_RNG_TOY}, 2, z);
    p[i][0] = (float)z[0];
    p[i][1] = (float)(z[1] + 3) * (float)factor;
  }
  snprintf(path, sizeof path, "%s/%s.npy", b->dir, name);
  assert_ok(b->ctx, few__npy_write(b->ctx, path, FEW_STORE_F32, 2, (int64_t[]){N, 2}, p));
}

/* Trains on a set, from a teacher if one is named, and loads the result. */
static few_model *train(struct bench *b, const char *set, const char *run, const char *teacher,
                        const char *more) {
  char data[300], path[300], from[300];
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_model *m = NULL;
  snprintf(data, sizeof data, "data=npy:%s/%s.npy", b->dir, set);
  snprintf(path, sizeof path, "%s/%s", b->dir, run);
  snprintf(from, sizeof from, "teacher=%s/%s/model.safetensors", b->dir, teacher ? teacher : "");
  const char *overrides[] = {data, "steps=4", "batch=16",         "shards=2", "seed=2",
                             more, from,      "objective=direct", "pairs=8",  "pairs_steps=2"};
  o.recipe = FEW_TEST_DIR "/cli/moons.ini";
  o.run = path;
  o.overrides = overrides;
  o.n_overrides = teacher ? 10 : 6;
  b->warnings = 0;
  assert_ok(b->ctx, few_train(b->ctx, &o));
  snprintf(path, sizeof path, "%s/%s/model.safetensors", b->dir, run);
  assert_ok(b->ctx, few_model_load(&m, b->ctx, path));
  return m;
}

static void sample(struct bench *b, few_model *m, float *out) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = SAMPLES;
  o.steps = 3;
  assert_ok(b->ctx, once_sample(m, &o, out, NULL, NULL));
}

static void assert_scaled(struct bench *b, few_model *one, few_model *other, float factor) {
  float x[SAMPLES][2], y[SAMPLES][2];
  assert_memory_equal(one->values, other->values, (size_t)one->params.total * sizeof(float));
  sample(b, one, x[0]);
  sample(b, other, y[0]);
  for (int i = 0; i < SAMPLES; i++) {
    assert_true(x[i][0] == y[i][0]);
    assert_true(factor * x[i][1] == y[i][1]);
  }
}

static void test_powers_of_two(void **state) {
  struct bench *b = *state;
  write_set(b, "near", 1);
  write_set(b, "far", 4096);
  few_model *near = train(b, "near", "a", NULL, "data_scale=each");
  few_model *far = train(b, "far", "b", NULL, "data_scale=auto");
  assert_true(near->scales && far->scales);
  assert_scaled(b, near, far, 4096);
  few_model *student = train(b, "near", "c", "a", "flip=no");
  few_model *other = train(b, "far", "d", "b", "flip=no");
  assert_int_equal(b->warnings, 0);
  assert_scaled(b, student, other, 4096);
  few_model_free(near);
  few_model_free(far);
  few_model_free(student);
  few_model_free(other);
}

/* One scale is used if coordinates are similar, and if the recipe selects it. */
static void test_one_scale(void **state) {
  struct bench *b = *state;
  write_set(b, "near", 0.5);
  write_set(b, "far", 4096);
  few_model *m = train(b, "near", "a", NULL, "data_scale=auto");
  assert_null(m->scales);
  few_model_free(m);
  m = train(b, "far", "b", NULL, "data_scale=one");
  assert_null(m->scales);
  few_model_free(m);
}

/* A teacher's units need not fit the data. */
static void test_foreign_units(void **state) {
  struct bench *b = *state;
  write_set(b, "near", 0.5);
  write_set(b, "far", 8);
  few_model_free(train(b, "near", "a", NULL, "flip=no"));
  few_model_free(train(b, "near", "b", "a", "flip=no"));
  assert_int_equal(b->warnings, 0);
  few_model_free(train(b, "far", "c", "a", "flip=no"));
  assert_int_equal(b->warnings, 1);
  assert_non_null(strstr(b->warning, "times the standard deviation with which it was trained"));
}

/* Metrics have one scale for all coordinates, so measuring coordinates of different scales gives a
 * warning. */
static void test_measured(void **state) {
  struct bench *b = *state;
  static const char *const sets[] = {"near", "far"};
  write_set(b, "near", 1);
  write_set(b, "far", 4096);
  for (int i = 0; i < 2; i++) {
    char spec[200];
    struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
    struct few_eval_report *r = NULL;
    snprintf(spec, sizeof spec, "npy:%s/%s.npy", b->dir, sets[i]);
    o.source = o.reference = spec;
    o.metrics = "energy";
    b->warnings = 0;
    assert_ok(b->ctx, few_eval(&r, b->ctx, &o));
    assert_int_equal(b->warnings, i);
    few_eval_report_free(r);
  }
  assert_non_null(strstr(b->warning, "standard deviations of its coordinates are from"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_powers_of_two, setup, teardown),
      cmocka_unit_test_setup_teardown(test_one_scale, setup, teardown),
      cmocka_unit_test_setup_teardown(test_foreign_units, setup, teardown),
      cmocka_unit_test_setup_teardown(test_measured, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
