/* Fitted schedules. The fit finds known weights. It is never worse than DDIM on the outputs to
 * which it was fitted. With as many steps as the long run it repeats the long run. */
#include "testing.h"

#include "base/rng.h"
#include "diffusion/sampler/sampler.h"
#include "oracle/mixtures.h"

enum { ROWS = 64, DIMS = 3, N = ROWS * DIMS, MAX_STEPS = 40 };
static const double sd = 0.5;

/* ---- a long run on the mixture ---- */

struct record {
  struct mixture m;
  int evals;
  float x[MAX_STEPS + 1][N], F[MAX_STEPS][N];
  double t[MAX_STEPS + 1];
};

static few_status eval(void *user, const float *x, double t, double to, float *F) {
  struct record *r = user;
  (void)to;
  for (int i = 0; i < ROWS; i++) {
    double xd[DIMS], Fd[DIMS];
    for (int k = 0; k < DIMS; k++) xd[k] = (double)x[i * DIMS + k];
    mixture_F(&r->m, sd, t, xd, Fd);
    for (int k = 0; k < DIMS; k++) F[i * DIMS + k] = (float)Fd[k];
  }
  memcpy(r->x[r->evals], x, sizeof r->x[0]);
  memcpy(r->F[r->evals++], F, sizeof r->F[0]);
  return FEW_OK;
}

static struct few_sampling sampling(struct record *r, float *x, uint64_t seed) {
  r->evals = 0;
  return (struct few_sampling){
      .rows = ROWS, .dims = DIMS, .sigma_d = sd, .x = x, .eval = eval, .user = r, .seed = seed};
}

static void sample(few_ctx *ctx, struct record *r, const struct few_sampler_def *sampler,
                   const struct few_olss *olss, const double *t, int steps, uint64_t seed,
                   float *out) {
  struct few_sampling s = sampling(r, out, seed);
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  times.steps = steps;
  times.times = t;
  s.olss = olss;
  assert_ok(ctx, few__sample(ctx, sampler, &times, &s));
}

static struct record *long_run(few_ctx *ctx, int steps) {
  struct record *r = test_malloc(sizeof *r);
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  r->m = test_mixture();
  times.steps = steps;
  times.schedule = FEW_SCHEDULE_edm;
  assert_ok(ctx, few__times(ctx, &times, sd, r->t));
  float last[N];
  sample(ctx, r, &few__sampler_ddim, NULL, r->t, steps, 1, last);
  memcpy(r->x[steps], last, sizeof last);
  return r;
}

static struct few_olss *fit(few_ctx *ctx, const struct record *r, int full, int steps,
                            bool search) {
  struct few_olss *o;
  struct few_olss_run run = {full, r->t, N, r->x[0], r->F[0], sd};
  assert_ok(ctx, few__olss_fit(ctx, &o, &run, steps, search));
  assert_int_equal(o->steps, steps);
  assert_true(o->t[0] == r->t[0]);
  return o;
}

static double rms(const float *a, const float *b) {
  double sum = 0;
  for (int i = 0; i < N; i++) sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
  return sqrt(sum / N);
}

/* ---- tests ---- */

/* With as many steps as the long run the states are the same, from the noise of the fit and from
 * other noise. Only rounding differs. Each of 12 steps rounds states below 4. One or two steps
 * amplify errors: components of deviation 0.1 turn an error of x into a tenfold error of F. */
static void test_as_many_steps(void **state) {
  (void)state;
  enum { STEPS = 12 };
  few_ctx *ctx = test_ctx();
  struct record *r = long_run(ctx, STEPS), *other = test_malloc(sizeof *other);
  other->m = r->m;
  for (int search = 0; search < 2; search++) {
    struct few_olss *o = fit(ctx, r, STEPS, STEPS, search);
    assert_memory_equal(o->t, r->t, STEPS * sizeof *o->t);
    for (uint64_t seed = 1; seed < 3; seed++) {
      float want[N], out[N];
      sample(ctx, other, &few__sampler_ddim, NULL, o->t, STEPS, seed, want);
      sample(ctx, other, &few__sampler_olss, o, o->t, STEPS, seed, out);
      for (int i = 0; i < N; i++) assert_close(out[i], want[i], STEPS * 4 * 100 * 0x1p-24);
    }
    few__olss_free(ctx, o);
  }
  test_free(r);
  test_free(other);
  few_ctx_free(ctx);
}

static double worst(const struct few_olss *o) {
  double e = 0;
  for (int k = 0; k < o->steps; k++) e = fmax(e, o->rms[k]);
  return e;
}

/* On the outputs to which it was fitted, each step has at most the error of DDIM's. The samples end
 * nearer to those of the long run than DDIM's with the same times. With searched times the worst
 * step is no worse than with even times. */
static void test_not_worse_than_ddim(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct record *r = long_run(ctx, MAX_STEPS), *again = test_malloc(sizeof *again);
  again->m = r->m;
  for (int steps = 1; steps <= 10; steps++) {
    double even = 0;
    for (int search = 0; search < 2; search++) {
      struct few_olss *o = fit(ctx, r, MAX_STEPS, steps, search);
      float ddim[N], out[N];
      for (int k = 0; k < steps; k++) {
        assert_true(o->rms[k] <= o->ddim_rms[k] + 1e-13);
        for (int j = k + 1; j < steps; j++) assert_true(o->F[k * steps + j] == 0);
      }
      sample(ctx, again, &few__sampler_ddim, NULL, o->t, steps, 1, ddim);
      sample(ctx, again, &few__sampler_olss, o, o->t, steps, 1, out);
      const double e = rms(out, r->x[MAX_STEPS]), e_ddim = rms(ddim, r->x[MAX_STEPS]);
      if (!(e <= e_ddim)) fail_msg("%d steps: error %g, DDIM's %g", steps, e, e_ddim);
      if (!search) even = worst(o);
      assert_true(worst(o) <= even * (1 + 1e-12));
      few__olss_free(ctx, o);
    }
  }
  test_free(r);
  test_free(again);
  few_ctx_free(ctx);
}

/* If states are made by known weights, the fit finds these weights. Columns are rounded to floats.
 * They are far from linearly dependent, so the weights are as exact as floats. */
static void test_known_weights(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  enum { COUNT = 500 };
  static float x[3][COUNT], F[2][COUNT];
  const double t[] = {1.5, 0.8, 0};
  for (uint64_t i = 0; i < 3; i++)
    few__rng_normal_f32(&(struct few_rng){.seed = 1, .row = i, .purpose = FEW_RNG_CHECK}, COUNT,
                        i < 2 ? F[i] : x[0]);
  for (int i = 0; i < COUNT; i++) {
    x[1][i] = 0.7F * x[0][i] - 0.2F * F[0][i];
    x[2][i] = 0.1F * x[0][i] + 0.4F * F[0][i] - 1.5F * F[1][i];
  }
  struct few_olss_run run = {2, t, COUNT, x[0], F[0], sd};
  struct few_olss *o;
  assert_ok(ctx, few__olss_fit(ctx, &o, &run, 2, true));
  const double want[] = {0.7, 0.1, -0.2, 0, 0.4, -1.5}, tolerance = 4 * 0x1p-24;
  for (int k = 0; k < 2; k++) assert_close(o->x[k], want[k], tolerance);
  for (int k = 0; k < 4; k++) assert_close(o->F[k], want[2 + k], tolerance);
  assert_true(o->rms[0] < tolerance && o->rms[1] < tolerance && o->ddim_rms[0] > 0.1);
  few__olss_free(ctx, o);
  few_ctx_free(ctx);
}

static void test_needs_a_schedule(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct record *r = test_malloc(sizeof *r);
  float x[N];
  struct few_sampling s = sampling(r, x, 1);
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  assert_int_equal(few__sample(ctx, &few__sampler_olss, &times, &s), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "few olss"));
  test_free(r);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_weights),
      cmocka_unit_test(test_as_many_steps),
      cmocka_unit_test(test_not_worse_than_ddim),
      cmocka_unit_test(test_needs_a_schedule),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
