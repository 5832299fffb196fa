/* Every allocation of samplers, the integrator, the gradient norm and the post-hoc EMA fails in
 * turn. Each failure gives an error and leaks nothing. */
#include "testing.h"

#include "diffusion/sampler/sampler.h"
#include "meter.h"
#include "oracle/mixtures.h"
#include "train/optim/clip.h"
#include "train/optim/ema.h"

static few_status eval(void *user, const float *x, double t, double to, float *F) {
  (void)user;
  (void)to;
  for (int i = 0; i < 6; i++) F[i] = x[i] * (float)t;
  return FEW_OK;
}

static few_status sample(few_ctx *ctx, int which) {
  float x[6];
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  struct few_sampling s = {.rows = 2, .dims = 3, .sigma_d = 0.5, .x = x, .eval = eval};
  double t[] = {1.5, 1, 0.5, 0.1}, w[4 * 4] = {1};
  struct few_olss olss = {.steps = 4, .sigma_d = 0.5, .t = t, .x = w, .F = w};
  times.steps = 4;
  s.olss = &olss;
  return few__sample(ctx, few__sampler_at(NULL, which), &times, &s);
}

static few_status fit(few_ctx *ctx, int which) {
  (void)which;
  float x[3][5] = {{1, 2, 3, 4, 5}, {1, 2, 4, 6, 8}, {1, 2, 4, 6, 9}}, F[2][5] = {{2}, {1, 1, 1}};
  const double t[] = {1.5, 1, 0};
  struct few_olss_run run = {2, t, 5, x[0], F[0], 0.5};
  struct few_olss *o;
  few_status st = few__olss_fit(ctx, &o, &run, 1, true);
  few__olss_free(ctx, o);
  return st;
}

static few_status map(few_ctx *ctx, int which) {
  (void)which;
  struct mixture m = test_gaussian();
  double x[2] = {0.1, 0.2};
  return mixture_map(ctx, &m, 0.5, 1.5, 0, 1e-3, x);
}

static few_status norm(few_ctx *ctx, int which) {
  (void)which;
  float g[3] = {1, 2, 3};
  double out;
  return few__sumsq(ctx, NULL, 3, g, &out);
}

static few_status posthoc(few_ctx *ctx, int which) {
  (void)which;
  struct few_ema_profile p[2] = {{17, 10}, {7, 10}};
  double x[2];
  return few__ema_posthoc(ctx, 2, p, (struct few_ema_profile){10, 10}, x);
}

static void fail_each(few_status (*work)(few_ctx *ctx, int which), int which) {
  few_status st = FEW_E_MEMORY;
  for (long n = 0; st; n++) {
    struct meter m = {.left = 1000};
    struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
    few_ctx *ctx = NULL;
    o.allocator.user = &m;
    o.allocator.alloc = meter_alloc;
    o.allocator.release = meter_release;
    assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
    long before = m.live;
    m.left = n;
    st = work(ctx, which);
    assert_int_equal(st, st ? FEW_E_MEMORY : FEW_OK);
    assert_int_equal(m.live, before);
    assert_true(n < 20 && (n > 0 || st)); /* at least one allocation, at most 20 */
    few_ctx_free(ctx);
  }
}

static void test_memory(void **state) {
  (void)state;
  for (int i = 0; i < few__sampler_count(NULL); i++) fail_each(sample, i);
  fail_each(fit, 0);
  fail_each(map, 0);
  fail_each(norm, 0);
  fail_each(posthoc, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
