/* Samplers on the exact mixture: their order, the exact consistency map, networks of other
 * processes, and images that do not depend on their batch. */
#include "testing.h"

#include "base/rng.h"
#include "diffusion/sampler/sampler.h"
#include "oracle/adapter.h"
#include "oracle/mixtures.h"

enum { ROWS = 16, DIMS = 3, N = ROWS * DIMS };
static const double sd = 0.5, eps32 = 0x1p-24;

struct oracle {
  few_ctx *ctx;
  struct mixture m;
  int64_t rows;
  int evals, fail_at;
};

/* TrigFlow's exact F. */
static few_status eval_F(void *user, const float *x, double t, double to, float *F) {
  (void)to;
  struct oracle *o = user;
  if (++o->evals == o->fail_at) return FEW_E_CANCELLED;
  for (int64_t r = 0; r < o->rows; r++) {
    double xd[DIMS], Fd[DIMS];
    for (int k = 0; k < DIMS; k++) xd[k] = (double)x[r * DIMS + k];
    mixture_F(&o->m, sd, t, xd, Fd);
    for (int k = 0; k < DIMS; k++) F[r * DIMS + k] = (float)Fd[k];
  }
  return FEW_OK;
}

/* The exact consistency model: F = (cos x - f)/(sd sin). */
static few_status eval_consistency(void *user, const float *x, double t, double to, float *F) {
  struct oracle *o = user;
  o->evals++;
  assert_true(to == 0);
  for (int64_t r = 0; r < o->rows; r++) {
    double f[DIMS];
    for (int k = 0; k < DIMS; k++) f[k] = (double)x[r * DIMS + k];
    FEW_TRY(mixture_map(o->ctx, &o->m, sd, t, 0, 1e-10, f));
    for (int k = 0; k < DIMS; k++)
      F[r * DIMS + k] = (float)((cos(t) * (double)x[r * DIMS + k] - f[k]) / (sd * sin(t)));
  }
  return FEW_OK;
}

/* A made-up fitted schedule, for the sampler that needs one. */
static struct few_olss *fitted(int steps) {
  static double t[16], x[16], F[16 * 16];
  static struct few_olss o = {.sigma_d = 0.5, .t = t, .x = x, .F = F};
  o.steps = steps;
  for (int k = 0; k < steps; k++) {
    x[k] = 0.5 + 0.1 * k;
    for (int j = 0; j <= k; j++) F[k * steps + j] = -0.1 * (j + 1);
  }
  return &o;
}

static struct few_sampling sampling(struct oracle *o, float *x, int steps) {
  o->rows = ROWS;
  o->m = test_mixture();
  return (struct few_sampling){.rows = ROWS,
                               .dims = DIMS,
                               .sigma_d = sd,
                               .x = x,
                               .eval = eval_F,
                               .user = o,
                               .seed = 3,
                               .olss = fitted(steps)};
}

static const struct few_sampler_def *solver(int i) {
  const struct few_sampler_def *s = few__sampler_at(NULL, i);
  return s->order > 0 ? s : NULL;
}

/* Returns the median over rows of the error compared with the exact map from the same start: from
 * noise to images, or back from the images that this noise gives. */
static double median_error(few_ctx *ctx, const struct few_sampler_def *sampler, int steps,
                           bool encode) {
  float start[N], x[N];
  struct oracle o = {.ctx = ctx};
  struct few_sampling s = sampling(&o, x, 1);
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  double e[ROWS], t_max = atan(80 / sd);
  times.steps = steps;
  times.t_end = atan(0.002 / sd); /* above 0: every step is of full order */
  few_sampling_noise(x, &s, 0);
  for (int i = 0; i < N; i++) start[i] = x[i] *= (float)sd;
  s.started = true;
  float image[N];
  for (int r = 0; r < ROWS; r++) {
    double want[DIMS];
    for (int k = 0; k < DIMS; k++) want[k] = (double)start[r * DIMS + k];
    assert_ok(ctx, mixture_map(ctx, &o.m, sd, t_max, times.t_end, 1e-11, want));
    for (int k = 0; k < DIMS; k++) image[r * DIMS + k] = (float)want[k];
  }
  if (encode) memcpy(x, image, sizeof x);
  assert_ok(ctx,
            encode ? few__encode(ctx, sampler, &times, &s) : few__sample(ctx, sampler, &times, &s));
  const float *want = encode ? start : image;
  for (int r = 0; r < ROWS; r++) {
    e[r] = 0;
    for (int i = r * DIMS; i < (r + 1) * DIMS; i++)
      e[r] = fmax(e[r], fabs((double)x[i] - (double)want[i]));
    for (int j = r; j > 0 && e[j] < e[j - 1]; j--) {
      double swap = e[j];
      e[j] = e[j - 1];
      e[j - 1] = swap;
    }
  }
  return e[ROWS / 2];
}

/* In floats the error stops falling near 1e-6, so the order is measured with few steps: 48 and 96.
 * (diffusion/process/test_steps.c measures it in f64.) The next term of the error is then up to a
 * fifth of the leading term, which is a quarter of an order. */
static void test_orders(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < few__sampler_count(NULL); i++)
    for (int encode = 0; solver(i) && encode <= solver(i)->both_ways; encode++) {
      double e0 = median_error(ctx, solver(i), 48, encode);
      double e1 = median_error(ctx, solver(i), 96, encode), order = log2(e0 / e1);
      if (!(fabs(order - solver(i)->order) < 0.25))
        fail_msg("%s%s: error %g, then %g: order %g", solver(i)->name, encode ? ", up" : "", e0, e1,
                 order);
    }
  few_ctx_free(ctx);
}

static void test_evals(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < few__sampler_count(NULL); i++)
    for (int steps = 1; steps < 6; steps++) {
      float x[N];
      struct oracle o = {.ctx = ctx};
      struct few_sampling s = sampling(&o, x, steps);
      struct few_times_opts times = FEW_TIMES_OPTS_INIT;
      times.steps = steps;
      assert_ok(ctx, few__sample(ctx, few__sampler_at(NULL, i), &times, &s));
      assert_int_equal(o.evals, few__sampler_evals(few__sampler_at(NULL, i), steps));
    }
  assert_int_equal(few__sampler_evals(&few__sampler_heun, 18), 35); /* EDM's CIFAR-10 setting */
  few_ctx_free(ctx);
}

/* An image depends on its global index, not on the batch. */
static void test_batch_independent(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < few__sampler_count(NULL); i++) {
    float whole[N], part[N];
    struct few_times_opts times = FEW_TIMES_OPTS_INIT;
    struct oracle o = {.ctx = ctx};
    struct few_sampling s = sampling(&o, whole, 4);
    times.steps = 4;
    assert_ok(ctx, few__sample(ctx, few__sampler_at(NULL, i), &times, &s));
    for (int64_t at = 0, n = 1; at < ROWS; at += n, n += 2) { /* 1 + 3 + 5 + 7 rows */
      s.x = part + at * DIMS;
      s.rows = o.rows = n;
      s.first_row = at;
      assert_ok(ctx, few__sample(ctx, few__sampler_at(NULL, i), &times, &s));
    }
    assert_memory_equal(whole, part, sizeof whole);
  }
  few_ctx_free(ctx);
}

/* One step of the exact consistency model is the exact map. More steps add noise and map again. */
static void test_consistency_is_the_map(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const double t[] = {atan(80 / sd), 1.1, 0.55};
  for (int steps = 1; steps <= 3; steps++) {
    float x[N], z[N], want[N];
    struct oracle o = {.ctx = ctx};
    struct few_sampling s = sampling(&o, x, steps);
    struct few_times_opts times = FEW_TIMES_OPTS_INIT;
    times.steps = steps;
    s.eval = eval_consistency;
    for (int k = 0; k < steps; k++) {
      few_sampling_noise(z, &s, k);
      for (int r = 0; r < ROWS; r++) {
        double f[DIMS];
        for (int i = r * DIMS; i < (r + 1) * DIMS; i++)
          f[i % DIMS] =
              k ? cos(t[k]) * (double)want[i] + sin(t[k]) * sd * (double)z[i] : sd * (double)z[i];
        assert_ok(ctx, mixture_map(ctx, &o.m, sd, t[k], 0, 1e-10, f));
        for (int i = r * DIMS; i < (r + 1) * DIMS; i++) want[i] = (float)f[i % DIMS];
      }
    }
    assert_ok(ctx, few__sample(ctx, &few__sampler_consistency, &times, &s));
    /* Each step rounds x (size 2), F (size 4) and the result to floats. Near the borders between
     * components the map amplifies earlier errors, by less than 30. */
    for (int i = 0; i < N; i++) assert_close(x[i], want[i], steps * 8 * 30 * eps32);
  }
  few_ctx_free(ctx);
}

struct network {
  struct mixture m;
  const struct few_process *process;
  enum few_prediction predicts;
};

/* The ideal network of a process, with the inputs and the output of that process. */
static few_status ideal_net(void *user, const float *in, double time, float *out) {
  const struct network *w = user;
  /* Find the process's t from the network's time input. */
  double t = time;
  if (w->process == &few__process_edm) t = exp(4 * time);
  if (w->process == &few__process_ddpm) t = time + 1;
  if (w->process == &few__process_ve) t = 2 * exp(time);
  if (w->process == &few__process_vp)
    t = w->process->time(
        sd, (struct few_mix){cos(time * 1.5707963267948966), sin(time * 1.5707963267948966)});
  struct few_mix there = w->process->at(sd, t), q = few__predict_mix(w->predicts, sd, there);
  for (int r = 0; r < ROWS; r++) {
    double x[DIMS], y[DIMS];
    for (int k = 0; k < DIMS; k++) x[k] = (double)in[r * DIMS + k] / w->process->net_scale(sd, t);
    mixture_expect(&w->m, there, q, x, y);
    for (int k = 0; k < DIMS; k++) out[r * DIMS + k] = (float)y[k];
  }
  return FEW_OK;
}

static void test_foreign(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  times.steps = 16;
  times.schedule = FEW_SCHEDULE_edm; /* edm has no state of pure noise */
  for (int i = 0; i < few__sampler_count(NULL); i++)
    for (int p = 0; p < few__process_count(); p++) {
      float x[N], want[N], scratch[N];
      struct oracle o = {.ctx = ctx};
      struct few_sampling s = sampling(&o, want, 16);
      struct network w = {test_mixture(), few__process_at(p), few__process_at(p)->predicts};
      struct adapter f = {.process = w.process, .predicts = w.predicts, .sigma_d = sd, .n = N};
      /* ddpm's networks know no time before that of their first step, sigma/alpha = 0.01 */
      times.sigma_min = w.process == &few__process_ddpm ? 0.02 : FEW_SIGMA_MIN;
      f.scratch = scratch;
      f.net = ideal_net;
      f.user = &w;
      assert_ok(ctx, few__sample(ctx, few__sampler_at(NULL, i), &times, &s));
      s.x = x;
      s.eval = adapter_eval;
      s.user = &f;
      assert_ok(ctx, few__sample(ctx, few__sampler_at(NULL, i), &times, &s));
      /* Each of 16 steps rounds the network's input and output (sizes up to 4) to floats. In one or
       * two steps components of deviation 0.1 turn an error of x into a tenfold error of F. */
      for (int k = 0; k < N; k++) assert_close(x[k], want[k], 16 * 8 * 100 * eps32);
    }
  few_ctx_free(ctx);
}

static void own_noise(void *user, int draw, float *z) {
  (void)user;
  for (int i = 0; i < N; i++) z[i] = (float)draw + 1;
}

static void test_failures_and_noise(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < few__sampler_count(NULL); i++)
    for (int at = 1; at <= few__sampler_evals(few__sampler_at(NULL, i), 4); at++) {
      float x[N];
      struct oracle o = {.ctx = ctx, .fail_at = at};
      struct few_sampling s = sampling(&o, x, 4);
      struct few_times_opts times = FEW_TIMES_OPTS_INIT;
      times.steps = 4;
      assert_int_equal(few__sample(ctx, few__sampler_at(NULL, i), &times, &s), FEW_E_CANCELLED);
    }
  float x[N];
  struct oracle o = {.ctx = ctx};
  struct few_sampling s = sampling(&o, x, 2);
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  const double top[] = {1.5707963267948966, 1};
  times.steps = 2;
  times.times = top;
  assert_int_equal(few__sample(ctx, &few__sampler_heun, &times, &s), FEW_E_INVALID);
  assert_ok(ctx, few__sample(ctx, &few__sampler_ddim, &times, &s)); /* zero SNR is fine here */
  assert_ok(ctx, few__sample(ctx, &few__sampler_dpmpp, &times, &s));
  for (int k = 0; k < N; k++) assert_true(isfinite(x[k]) != 0);
  times.t_end = 0.1;
  assert_int_equal(few__sample(ctx, &few__sampler_consistency, &times, &s), FEW_E_INVALID);
  assert_int_equal(few__encode(ctx, &few__sampler_dpmpp, &times, &s), FEW_E_INVALID);
  s.noise = own_noise;
  few_sampling_noise(x, &s, 4);
  assert_true(x[0] == 5 && x[N - 1] == 5);
  const struct few_sampler_def *found = NULL;
  for (int i = 0; i < few__sampler_count(NULL); i++) {
    assert_ok(ctx, few__sampler_find(ctx, &found, few__sampler_at(NULL, i)->name));
    assert_ptr_equal(found, few__sampler_at(NULL, i));
  }
  assert_int_equal(few__sampler_find(ctx, &found, "eular"), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orders),
      cmocka_unit_test(test_evals),
      cmocka_unit_test(test_batch_independent),
      cmocka_unit_test(test_consistency_is_the_map),
      cmocka_unit_test(test_foreign),
      cmocka_unit_test(test_failures_and_noise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
