/* Limits of denoised images, and samples from given noise. In one step of a network that is zero,
 * the denoised image is cos(t) x_t, so the results have closed forms. */
#include "model/models.h"

#include <stdlib.h>
#include <unistd.h>

#include "io/npy.h"

enum { N = 40 };
static const double t0 = 0.6;

static few_model *zero(few_ctx *ctx, int which) {
  few_model *m = test_model_new(ctx, which), *out;
  assert_ok(ctx, few__model_create(ctx, &out, m->net, m->net_opts, &m->spec, 1));
  few_model_free(m);
  return out;
}

static struct few_sample_opts one_step(void) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = "consistency";
  o.n = N;
  o.n_times = 1;
  o.times = &t0;
  return o;
}

static void test_clip(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = zero(ctx, TEST_MLP);
  m->data_mean = 0.5;
  m->data_scale = 0.25;
  struct few_sample_opts o = one_step();
  float plain[N * 2], clipped[N * 2];
  int low = 0, high = 0;
  assert_ok(ctx, once_sample(m, &o, plain, NULL, NULL));
  o.clip = 2.5;
  assert_ok(ctx, once_sample(m, &o, clipped, NULL, NULL));
  for (int i = 0; i < N * 2; i++) {
    if (fabs((double)plain[i]) < 2.5) {
      assert_true(clipped[i] == plain[i]); /* the same bits where nothing is limited */
      continue;
    }
    low += plain[i] < 0;
    high += plain[i] > 0;
    assert_close(clipped[i], plain[i] < 0 ? -2.5 : 2.5, 0x1p-24 * 64);
  }
  assert_true(low > 0 && high > 0);
  few_model_free(m);
  few_ctx_free(ctx);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void test_threshold(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = zero(ctx, TEST_UNET);
  struct few_sample_opts o = one_step();
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  float *plain = test_malloc((size_t)(N * dims) * 2 * sizeof *plain), *out = plain + N * dims;
  double *size = test_malloc((size_t)dims * sizeof *size);
  int raised = 0;
  m->data_scale = 0.5;
  assert_ok(ctx, once_sample(m, &o, plain, NULL, NULL));
  o.clip = 1.5;
  o.threshold = 0.9;
  assert_ok(ctx, once_sample(m, &o, out, NULL, NULL));
  for (int i = 0; i < N; i++) {
    const float *x = plain + i * dims;
    for (int64_t k = 0; k < dims; k++) size[k] = fabs((double)x[k]);
    qsort(size, (size_t)dims, sizeof *size, by_value);
    const double at = 0.9 * (double)(dims - 1), part = at - floor(at);
    const double q = size[(int)at] * (1 - part) + size[(int)at + 1] * part;
    const double limit = fmax(1.5, q);
    raised += q > 1.5;
    for (int64_t k = 0; k < dims; k++) {
      const double want = fmax(-limit, fmin(limit, (double)x[k])) * 1.5 / limit;
      assert_close(out[i * dims + k], want, 0x1p-24 * 64);
    }
  }
  assert_true(raised > 0 && raised < N);
  test_free(size);
  test_free(plain);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = zero(ctx, TEST_UNET);
  struct few_sample_opts o = one_step();
  few_runner *r;
  assert_ok(ctx, few_runner_create(&r, ctx, m));
  o.threshold = 0.9;
  assert_int_equal(few_sample_plan(NULL, NULL, r, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "give clip"));
  o.clip = NAN;
  assert_int_equal(few_sample_plan(NULL, NULL, r, &o), FEW_E_INVALID);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Noise that few itself would draw gives the same images; [n,c,h,w] is read as [n,h,w,c]. */
static void test_noise(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m;
  few_runner *r;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_model_opts mo = FEW_MODEL_OPTS_INIT;
  mo.net = "mlp";
  mo.h = 3;
  mo.w = 4;
  mo.c = 2;
  mo.classes = 3;
  assert_ok(ctx, few_model_create(&m, ctx, &mo));
  const int64_t h = m->spec.h, w = m->spec.w, c = m->spec.c, dims = h * w * c;
  float *z = test_malloc((size_t)(N * dims) * 5 * sizeof *z);
  float *a = z + N * dims, *b = a + N * dims, *planar = b + N * dims, *back = planar + N * dims;
  int32_t la[N], lb[N];
  int64_t n;
  char dir[] = "/tmp/few-noise-XXXXXX", path[64];
  assert_non_null(mkdtemp(dir));
  snprintf(path, sizeof path, "%s/noise.npy", dir);
  assert_ok(ctx, few_runner_create(&r, ctx, m));
  for (int i = 0; i < N; i++)
    few__rng_normal_f32(&(struct few_rng){.seed = 5, .row = (uint64_t)i, .purpose = FEW_RNG_SAMPLE},
                        dims, z + i * dims);
  o.n = N;
  o.seed = 5;
  o.steps = 2;
  o.sampler = "heun";
  assert_ok(ctx, few_sample(a, la, NULL, r, &o));
  assert_ok(ctx, few_sample_from(b, lb, NULL, r, &o, z));
  assert_memory_equal(a, b, (size_t)(N * dims) * sizeof *a);
  assert_memory_equal(la, lb, sizeof la);
  assert_ok(ctx, few_noise_write(r, path, N, z));
  assert_ok(ctx, few_noise_read(NULL, &n, r, path));
  assert_int_equal(n, N);
  assert_ok(ctx, few_noise_read(back, &n, r, path));
  assert_memory_equal(z, back, (size_t)(N * dims) * sizeof *a);
  for (int64_t i = 0; i < N; i++)
    for (int64_t p = 0; p < h * w; p++)
      for (int64_t k = 0; k < c; k++) planar[(i * c + k) * h * w + p] = z[(i * h * w + p) * c + k];
  const int64_t first[] = {N, c, h, w};
  assert_ok(ctx, few__npy_write(ctx, path, FEW_STORE_F32, 4, first, planar));
  assert_ok(ctx, few_noise_read(back, &n, r, path));
  assert_memory_equal(z, back, (size_t)(N * dims) * sizeof *a);
  const int64_t wrong[] = {N, w, h, c};
  assert_ok(ctx, few__npy_write(ctx, path, FEW_STORE_F32, 4, wrong, z));
  assert_int_equal(few_noise_read(back, &n, r, path), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "this model needs"));
  z[3] = NAN;
  const int64_t shape[] = {N, h, w, c};
  assert_ok(ctx, few__npy_write(ctx, path, FEW_STORE_F32, 4, shape, z));
  assert_int_equal(few_noise_read(back, &n, r, path), FEW_E_FORMAT);
  unlink(path);
  rmdir(dir);
  test_free(z);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_clip),
      cmocka_unit_test(test_threshold),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_noise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
