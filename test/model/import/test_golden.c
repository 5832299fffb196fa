/* Imported networks compute what the library computes that they come from: golden.py makes sources
 * with random weights, and F at several times. */
#include "testing.h"

#include "few/import.h"
#include "few/run.h"
#include "few/sample.h"
#include "io/safetensors.h"

/* Rounding of a few dozen layers in single precision, relative to the rms of a row. A time that
 * is a number up to about a thousand is rounded, and so is the angle of its fastest sinusoid. */
static const double layers = 50 * 0x1p-24, number = 1000 * 0x1p-24;

static const struct {
  const char *name;
  bool numbered;
} cases[] = {{"cm", true},       {"adm_edm", false}, {"adm_edm_v", false},
             {"adm_flow", true}, {"adm_scm", false}, {"ddpm", true},
             {"ddpm_v", true},   {"ddpm_x", true},   {"ddpm_zero_snr", true},
             {"dit", true},      {"dit_flow", true}};

static void path_of(char *out, size_t size, const char *name, const char *rest) {
  snprintf(out, size, FEW_TEST_DIR "/model/import/data/%s%s", name, rest);
}

static few_model *imported(few_ctx *ctx, const char *name) {
  char path[400];
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  few_model *m = NULL;
  path_of(path, sizeof path, name, "");
  o.source = path;
  o.format = "diffusers";
  assert_ok(ctx, few_import(&m, ctx, &o));
  return m;
}

static const void *tensor(const struct few_st *st, const char *name) {
  const struct few_st_tensor *t = few__st_find(st, name);
  assert_non_null(t);
  return t->data;
}

static void compare(few_ctx *ctx, const char *name, double bound) {
  char path[400];
  struct few_st golden;
  few_runner *r;
  few_model *m = imported(ctx, name);
  path_of(path, sizeof path, name, "/golden.safetensors");
  assert_ok(ctx, few__st_read(ctx, &golden, path, 1 << 24));
  const struct few_st_tensor *want = few__st_find(&golden, "F");
  assert_non_null(want);
  const int64_t n = want->dim[0], each = want->count / n;
  float *F = calloc((size_t)want->count, sizeof *F);
  assert_non_null(F);
  struct few_inputs in = FEW_INPUTS_INIT;
  in.n = n;
  in.x = tensor(&golden, "x");
  in.t = tensor(&golden, "t");
  in.label = tensor(&golden, "label");
  assert_ok(ctx, few_runner_create(&r, ctx, m));
  assert_ok(ctx, few_runner_eval(F, r, &in));
  for (int64_t i = 0; i < n; i++) {
    double error = 0, size = 0;
    for (int64_t k = i * each; k < (i + 1) * each; k++) {
      const double w = (double)((const float *)want->data)[k];
      error += ((double)F[k] - w) * ((double)F[k] - w);
      size += w * w;
    }
    if (!(sqrt(error / size) <= bound))
      print_error("%s, row %d: relative rms %.3g\n", name, (int)i, sqrt(error / size));
    assert_true(sqrt(error / size) <= bound);
  }
  free(F);
  few_runner_free(r);
  few__st_free(ctx, &golden);
  few_model_free(m);
}

/* ---- Sampling, step by step as the source's scheduler ---- */

static double meta(const struct few_st *st, const char *key) {
  const char *text = few__st_meta(st, key);
  assert_non_null(text);
  return atof(text);
}

/* The relative rms distance of few's image from that of the scheduler. */
static double sampled(few_ctx *ctx, const char *name, int i) {
  char path[400], file[40];
  struct few_st golden;
  few_runner *r;
  few_model *m = imported(ctx, name);
  snprintf(file, sizeof file, "/sampled-%d.safetensors", i);
  path_of(path, sizeof path, name, file);
  assert_ok(ctx, few__st_read(ctx, &golden, path, 1 << 24));
  const struct few_st_tensor *want = few__st_find(&golden, "images");
  const struct few_st_tensor *times = few__st_find(&golden, "times");
  assert_true(want && times && want->dim[0] == 1);
  float *image = calloc((size_t)want->count, sizeof *image);
  assert_non_null(image);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = few__st_meta(&golden, "sampler");
  o.label = (int)meta(&golden, "label");
  o.guidance = meta(&golden, "guidance");
  o.clip = meta(&golden, "clip");
  o.n_times = (int)times->count;
  o.times = times->data;
  assert_ok(ctx, few_runner_create(&r, ctx, m));
  assert_ok(ctx, few_sample_from(image, NULL, NULL, r, &o, tensor(&golden, "noise")));
  double error = 0, size = 0;
  for (int64_t k = 0; k < want->count; k++) {
    const double w = (double)((const float *)want->data)[k];
    error += ((double)image[k] - w) * ((double)image[k] - w);
    size += w * w;
  }
  free(image);
  few_runner_free(r);
  few__st_free(ctx, &golden);
  few_model_free(m);
  return sqrt(error / size);
}

/* The tables of schedulers are in single precision. From sigma_max the sigma_min of consistency
 * models, which few's do not have, makes a difference of 0.002/80. */
static void test_sampling(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int i;
  } runs[] = {{"ddpm", 0},     {"ddpm", 1},    {"ddpm", 2},     {"ddpm_v", 0},
              {"ddpm_x", 0},   {"dit", 0},     {"dit_flow", 0}, {"adm_edm", 0},
              {"adm_flow", 0}, {"adm_scm", 0}, {"cm", 0}};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(runs); i++) {
    const double error = sampled(ctx, runs[i].name, runs[i].i);
    if (!(error < 1e-4)) print_error("%s, run %d: %.3g\n", runs[i].name, runs[i].i, error);
    assert_true(error < 1e-4);
  }
  few_ctx_free(ctx);
}

static void test_golden(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++)
    compare(ctx, cases[i].name, layers + (cases[i].numbered ? number : 0));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden),
                                     cmocka_unit_test(test_sampling)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
