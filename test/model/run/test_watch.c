/* The steps that few_sample shows, noises between two, and images that differ by their starts
 * only. */
#include "model/models.h"

#include "few/ext/common.h"

enum { N = 21, DIMS = 64, STEPS = 3, MOST = 40 };

struct seen {
  int64_t n, dims;
  int last, stop_at; /* evaluations; stop_at 0: never */
  int images[MOST];  /* shown at each evaluation */
  double t[MOST];    /* -1: not seen */
  float x[MOST][N * DIMS], denoised[MOST][N * DIMS];
  few_ctx *ctx;
};

static few_status watch(void *user, const struct few_sample_step *step) {
  struct seen *s = user;
  const int k = step->evaluation;
  assert_true(k >= 0 && k < MOST && step->first >= 0 && step->first + step->n <= s->n);
  if (s->stop_at && k == s->stop_at) return few_ctx_fail(s->ctx, FEW_E_IO, "no more: stop");
  assert_true(!s->images[k] || s->t[k] == step->t);
  s->images[k] += (int)step->n;
  s->t[k] = step->t;
  if (k > s->last) s->last = k;
  const size_t bytes = (size_t)(step->n * s->dims) * sizeof(float);
  memcpy(s->x[k] + step->first * s->dims, step->x, bytes);
  memcpy(s->denoised[k] + step->first * s->dims, step->denoised, bytes);
  return FEW_OK;
}

static struct seen *seen_new(few_ctx *ctx, const few_model *m, int64_t n) {
  struct seen *s = few__alloc(ctx, sizeof *s);
  assert_non_null(s);
  *s = (struct seen){.n = n, .dims = m->spec.h * m->spec.w * m->spec.c, .ctx = ctx};
  return s;
}

/* Each image is shown once at each evaluation, however they are grouped; the last step has the
 * samples. */
static void test_steps(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  few_runner *r = once_runner(m);
  float out[N * DIMS];
  struct seen *first = seen_new(ctx, m, N), *again = seen_new(ctx, m, N);
  for (int way = 0; way < 2; way++) {
    struct seen *s = way ? again : first;
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.n = N;
    o.first = 5;
    o.steps = STEPS;
    o.sampler = "heun";
    o.batch = way ? 8 : 0;
    o.watch = watch;
    o.watch_user = s;
    assert_ok(ctx, few_sample(out, NULL, NULL, r, &o));
    assert_int_equal(s->last, 2 * STEPS - 1); /* the last step of Heun is Euler's */
    for (int k = 0; k <= s->last; k++) {
      assert_int_equal(s->images[k], N);
      assert_memory_equal(s->x[k], first->x[k], sizeof out);
    }
    assert_true(s->t[0] > 1.5 && s->t[s->last] == 0 && s->t[1] < s->t[0]);
    assert_memory_equal(s->x[s->last], out, sizeof out);
    assert_memory_equal(s->denoised[s->last], out, sizeof out);
  }
  few__free(ctx, first);
  few__free(ctx, again);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* An untrained network has F = 0: x_t stays the noise, sigma_d z, and its estimate is x_t cos t. In
 * the units of the data these are divided by their scale and moved by their mean. */
static void test_units(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *old = test_model_new(ctx, TEST_MLP), *m;
  assert_ok(ctx, few__model_create(ctx, &m, old->net, old->net_opts, &old->spec, 1));
  few_model_free(old);
  m->data_mean = 3;
  m->data_scale = 0.25;
  few_runner *r = once_runner(m);
  struct seen *s = seen_new(ctx, m, N);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float z[2 * N], out[2 * N];
  o.n = N;
  o.sampler = "euler";
  o.steps = STEPS;
  o.watch = watch;
  o.watch_user = s;
  assert_ok(ctx, few_noise_draw(z, r, 0, 0, N));
  assert_ok(ctx, few_sample(out, NULL, NULL, r, &o));
  for (int k = 0; k < s->last; k++)
    for (int i = 0; i < 2 * N; i++) {
      const double x = m->spec.sigma_data * (double)z[i], c = cos(s->t[k]);
      /* z, x_t after each of k steps, and the results are rounded once */
      const double eps = 0x1p-24 * ((k + 3) * fabs(x / 0.25) + 3);
      assert_close(s->x[k][i], x / 0.25 + 3, 2 * eps);
      assert_close(s->denoised[k][i], c * x / 0.25 + 3, 2 * eps);
    }
  few__free(ctx, s);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_stop(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP);
  few_runner *r = once_runner(m);
  struct seen *s = seen_new(ctx, m, N);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float out[2 * N];
  o.n = N;
  o.steps = 5;
  o.watch = watch;
  o.watch_user = s;
  s->stop_at = 2;
  assert_int_equal(few_sample(out, NULL, NULL, r, &o), FEW_E_IO);
  assert_string_equal(few_error(ctx), "no more: stop");
  assert_int_equal(s->last, 1);
  few__free(ctx, s);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* The noise that is drawn is that from which few_sample starts; so are the labels. */
static void test_draw(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  few_runner *r = once_runner(m);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float a[N * DIMS], b[N * DIMS], z[N * DIMS];
  int32_t la[N], lb[N];
  o.n = N;
  o.first = 3;
  o.steps = 2;
  o.seed = 77;
  o.label = FEW_LABEL_SHARES;
  assert_ok(ctx, few_sample(a, la, NULL, r, &o));
  assert_ok(ctx, few_noise_draw(z, r, 77, 3, N));
  assert_ok(ctx, few_sample_from(b, NULL, NULL, r, &o, z));
  assert_memory_equal(a, b, sizeof a);
  assert_ok(ctx, few_sample_labels(lb, r, &o));
  assert_memory_equal(la, lb, sizeof la);
  o.label = FEW_LABEL_NONE;
  assert_ok(ctx, few_sample_labels(lb, r, &o));
  assert_int_equal(lb[N - 1], -1);
  o.label = 1000;
  assert_int_equal(few_sample_labels(lb, r, &o), FEW_E_INVALID);
  assert_int_equal(few_noise_draw(z, r, 0, -1, 1), FEW_E_INVALID);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Later noise is that of the first image, so equal starts give equal images. */
static void test_same_noise(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  few_runner *r = once_runner(m);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float first[N * DIMS], out[N * DIMS], z[N * DIMS];
  o.n = N;
  o.first = 2;
  o.steps = 3;
  o.label = 1;
  o.sampler = "ddpm";
  assert_ok(ctx, few_noise_draw(z, r, 0, 2, 1));
  for (int i = 1; i < N; i++) memcpy(z + i * DIMS, z, DIMS * sizeof *z);
  assert_ok(ctx, few_sample_from(first, NULL, NULL, r, &o, z));
  assert_true(memcmp(first, first + DIMS, DIMS * sizeof *first) != 0);
  o.same_noise = true;
  for (o.batch = 0; o.batch < 16; o.batch += 8) {
    assert_ok(ctx, few_sample_from(out, NULL, NULL, r, &o, z));
    assert_memory_equal(out, first, DIMS * sizeof *out);
    for (int k = 0; k < N * DIMS; k++) assert_close(out[k], out[k % DIMS], 1e-5);
  }
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

static double dot(int64_t n, const float *a, const float *b) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

/* Equal angles from the first to the last, which are exactly the two that were given. */
static void test_between(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  few_runner *r = once_runner(m);
  float ends[2 * DIMS], z[9 * DIMS];
  assert_ok(ctx, few_noise_draw(ends, r, 4, 7, 2));
  float *a = ends, *b = ends + DIMS;
  const double na = sqrt(dot(DIMS, a, a)), nb = sqrt(dot(DIMS, b, b));
  for (int k = 0; k < DIMS; k++) b[k] *= (float)(na / nb); /* so that all are equally long */
  assert_ok(ctx, few_noise_between(z, r, 9, a, b));
  assert_memory_equal(z, a, DIMS * sizeof *z);
  assert_memory_equal(z + 8 * DIMS, b, DIMS * sizeof *z);
  const double whole = acos(dot(DIMS, a, b) / dot(DIMS, a, a));
  for (int i = 0; i < 8; i++) {
    const double cos_of = dot(DIMS, z + i * DIMS, z + (i + 1) * DIMS) / (na * na);
    assert_close(cos_of, cos(whole / 8), 1e-6); /* sums of 64 products, rounded in f32 */
  }
  assert_ok(ctx, few_noise_between(z, r, 3, a, a));
  for (int k = 0; k < 3 * DIMS; k++) assert_true(z[k] == a[k % DIMS]);
  for (int k = 0; k < DIMS; k++) b[k] = -a[k];
  assert_int_equal(few_noise_between(z, r, 3, a, b), FEW_E_INVALID);
  memset(b, 0, DIMS * sizeof *b);
  assert_int_equal(few_noise_between(z, r, 3, a, b), FEW_E_INVALID);
  assert_int_equal(few_noise_between(z, r, 1, a, a), FEW_E_INVALID);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps),      cmocka_unit_test(test_units),
      cmocka_unit_test(test_stop),       cmocka_unit_test(test_draw),
      cmocka_unit_test(test_same_noise), cmocka_unit_test(test_between)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
