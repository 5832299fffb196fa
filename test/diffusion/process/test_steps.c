/* Solver steps in f64 on the exact mixture: each solver reaches its order, which needs every sign
 * right. */
#include "testing.h"

#include "diffusion/process/predict.h"
#include "diffusion/process/process.h"
#include "oracle/mixtures.h"

static const double sd = 0.5;
static const double t_first = 1.5645464, t_last = 0.004; /* sigma 80 and 0.002 */

enum solver { DDIM, EULER, DPMPP, DPM, DPMPP_2S, HEUN, DPMPP_WRONG_SIGN, DPM_WRONG_SIGN };

struct point {
  double x[3], F[3];
};

static double along(struct few_line l, const struct point *p, int k) {
  return l.x * p->x[k] + l.y * p->F[k];
}

/* Makes one step of any solver. `before` is the point before s; it is NULL at the first step. */
static void step(enum solver solver, const struct mixture *m, double s_before,
                 const struct point *before, double s, const struct point *now, double t,
                 double *x) {
  for (int k = 0; k < 3; k++) x[k] = along(few_step_ddim(sd, s, t), now, k);
  double sign = solver == DPMPP_WRONG_SIGN || solver == DPM_WRONG_SIGN ? -1 : 1;
  if (solver == HEUN) {
    struct point there;
    memcpy(there.x, x, sizeof there.x);
    mixture_F(m, sd, t, there.x, there.F);
    for (int k = 0; k < 3; k++)
      x[k] += few_step_heun(s, t) *
              (along(few_step_noise(sd, t), &there, k) - along(few_step_noise(sd, s), now, k));
  } else if (solver == EULER) {
    for (int k = 0; k < 3; k++) x[k] = along(few_step_euler(sd, s, t), now, k);
  } else if (solver == DPMPP_2S) {
    struct point there;
    double m_t = few_step_middle(s, t);
    for (int k = 0; k < 3; k++) there.x[k] = along(few_step_ddim(sd, s, m_t), now, k);
    mixture_F(m, sd, m_t, there.x, there.F);
    struct few_line line = few_step_dpmpp_2s(s, t);
    for (int k = 0; k < 3; k++)
      x[k] = line.x * now->x[k] + line.y * along(few_step_denoise(sd, m_t), &there, k);
  } else if (solver != DDIM && before) {
    bool plus = solver == DPMPP || solver == DPMPP_WRONG_SIGN;
    double w = plus ? few_step_dpmpp_2m(s_before, s, t) : few_step_dpm_2m(s_before, s, t);
    for (int k = 0; k < 3; k++) {
      double then = plus ? along(few_step_denoise(sd, s_before), before, k)
                         : along(few_step_noise(sd, s_before), before, k);
      double here =
          plus ? along(few_step_denoise(sd, s), now, k) : along(few_step_noise(sd, s), now, k);
      x[k] += sign * w * (then - here);
    }
  }
}

/* Makes n steps, equal in ln tan t. Returns the error compared with the exact map. */
static double error(enum solver solver, const struct mixture *m, const double *start,
                    const double *want, int n) {
  struct point now, before;
  double s_before = 0, from = log(tan(t_first)), to = log(tan(t_last)), e = 0;
  memcpy(now.x, start, sizeof now.x);
  for (int i = 0; i < n; i++) {
    double s = atan(exp(from + (to - from) * i / n)),
           t = atan(exp(from + (to - from) * (i + 1) / n));
    double x[3];
    mixture_F(m, sd, s, now.x, now.F);
    step(solver, m, s_before, i ? &before : NULL, s, &now, t, x);
    before = now;
    s_before = s;
    memcpy(now.x, x, sizeof x);
  }
  for (int k = 0; k < 3; k++) e = fmax(e, fabs(now.x[k] - want[k]));
  return e;
}

/* Returns the order, measured by doubling the steps: the median of several starting points. */
static double measured_order(few_ctx *ctx, enum solver solver) {
  enum { ROWS = 7 };
  struct mixture m = test_mixture();
  double slope[ROWS];
  for (uint64_t row = 0; row < ROWS; row++) {
    double start[3], want[3];
    test_state(&m, few__process_trigflow.at(sd, t_first), row, start);
    memcpy(want, start, sizeof want);
    assert_ok(ctx, mixture_map(ctx, &m, sd, t_first, t_last, 1e-13, want));
    slope[row] = log2(error(solver, &m, start, want, 640) / error(solver, &m, start, want, 1280));
  }
  for (int i = 1; i < ROWS; i++) /* sort */
    for (int j = i; j > 0 && slope[j] < slope[j - 1]; j--) {
      double t = slope[j];
      slope[j] = slope[j - 1];
      slope[j - 1] = t;
    }
  return slope[ROWS / 2];
}

/* At 640 steps (0.018 in ln tan t) the next term of the error is at most a few per cent of the
 * leading term. The tolerance of a tenth of an order allows 7 %. */
static void test_orders(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  assert_close(measured_order(ctx, DDIM), 1, 0.1);
  assert_close(measured_order(ctx, EULER), 1, 0.1);
  assert_close(measured_order(ctx, DPMPP_2S), 2, 0.1);
  assert_close(measured_order(ctx, DPMPP), 2, 0.1);
  assert_close(measured_order(ctx, DPM), 2, 0.1);
  assert_close(measured_order(ctx, HEUN), 2, 0.1);
  assert_close(measured_order(ctx, DPMPP_WRONG_SIGN), 1, 0.1);
  assert_close(measured_order(ctx, DPM_WRONG_SIGN), 1, 0.1);
  few_ctx_free(ctx);
}

/* DDIM is exact for a constant image. Heun in sigma is EDM's algorithm 1 as in the paper. */
static void test_heun_is_edm(void **state) {
  (void)state;
  struct mixture m = test_mixture();
  const double eps = 0x1p-52;
  for (double s = 0.3; s < 1.56; s += 0.2) {
    double t = 0.7 * s, sigma = sd * tan(s), next = sd * tan(t), x[3], y[3], y1[3], D[3], d[3];
    struct point now;
    test_state(&m, few__process_trigflow.at(sd, s), 3, now.x);
    mixture_F(&m, sd, s, now.x, now.F);
    step(HEUN, &m, 0, NULL, s, &now, t, x);
    struct few_mix ve = {1, sigma}, ve1 = {1, next};
    for (int k = 0; k < 3; k++) y[k] = now.x[k] / cos(s);
    mixture_expect(&m, ve, (struct few_mix){1, 0}, y, D);
    for (int k = 0; k < 3; k++) {
      d[k] = (y[k] - D[k]) / sigma;
      y1[k] = y[k] + (next - sigma) * d[k];
    }
    mixture_expect(&m, ve1, (struct few_mix){1, 0}, y1, D);
    double amplified = test_exponent(&m, ve1, y1);
    for (int k = 0; k < 3; k++) {
      double d1 = (y1[k] - D[k]) / next, want = y[k] + (next - sigma) * (d[k] + d1) / 2;
      assert_close(x[k], cos(t) * want, 64 * eps * amplified * (1 + sigma));
    }
  }
}

/* DDPM's step as in the paper: mean and variance of the posterior with D for x0. It is written in
 * VP's state x' = sqrt(abar) x0 + sqrt(1 - abar) eps, which is n x_t with n = sqrt(abar)/cos t. */
static void test_ddpm_is_the_posterior(void **state) {
  (void)state;
  const double eps = 0x1p-52, abar_s = 0.2, x = 0.7, F = -0.4;
  for (double abar_t = 0.3; abar_t < 1; abar_t += 0.17) {
    double s = atan(sqrt(1 / abar_s - 1) / sd), t = atan(sqrt(1 / abar_t - 1) / sd);
    double n_s = sqrt(abar_s) / cos(s), n_t = sqrt(abar_t) / cos(t), alpha = abar_s / abar_t;
    struct few_line to_D = few_step_denoise(sd, s);
    double D = to_D.x * x + to_D.y * F;
    double mean = sqrt(abar_t) * (1 - alpha) / (1 - abar_s) * D +
                  sqrt(alpha) * (1 - abar_t) / (1 - abar_s) * n_s * x;
    double variance = (1 - abar_t) / (1 - abar_s) * (1 - alpha);
    struct few_noisy_step one = few_step_ddpm(sd, s, t, 1), none = few_step_ddpm(sd, s, t, 0);
    assert_close(n_t * (one.line.x * x + one.line.y * F), mean, 32 * eps);
    assert_close(n_t * one.noise, sqrt(variance), 32 * eps);
    struct few_line ddim = few_step_ddim(sd, s, t);
    assert_close(none.line.x, ddim.x, 8 * eps);
    assert_close(none.line.y, ddim.y, 8 * eps);
    assert_true(none.noise == 0);
  }
  struct few_noisy_step last = few_step_ddpm(sd, 1.5707963267948966, 0, 1);
  assert_close(last.line.y, -sd, eps);
  assert_true(last.noise == 0);
}

/* If image and noise are known, a step down along the straight line and a step up by adding noise
 * give the state of the other time. */
static void test_known_image_and_noise(void **state) {
  (void)state;
  const double eps = 0x1p-52, x0 = 0.8, z = -1.3;
  for (double s = 0.1; s < 1.58; s += 0.29)
    for (double t = 0; t < s; t += 0.07) {
      struct few_line ddim = few_step_ddim(sd, s, t), up = few_step_renoise(sd, t, s);
      double x_s = cos(s) * x0 + sin(s) * sd * z, x_t = cos(t) * x0 + sin(t) * sd * z;
      assert_close(ddim.x * x_s + ddim.y * (cos(s) * z - sin(s) * x0 / sd), x_t, 8 * eps);
      assert_close(up.x * cos(t), cos(s), 8 * eps);
      assert_close(hypot(up.x * sd * sin(t), up.y), sd * sin(s), 8 * eps);
    }
}

static void test_last_step_is_first_order(void **state) {
  (void)state;
  assert_close(few_step_dpmpp_2m(0.9, 0.5, 0), 0, 0);
  assert_close(few_step_dpm_2m(0.9, 0.5, 0), 0, 0);
  struct few_line a = few_step_ddim(sd, 0.5, 0), b = few_step_denoise(sd, 0.5);
  assert_true(a.x == b.x && a.y == b.y);
  assert_true(few_step_dpmpp_2m(0.9, 0.5, 0.3) < 0); /* D is extrapolated away from the old one */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_orders),
      cmocka_unit_test(test_heun_is_edm),
      cmocka_unit_test(test_ddpm_is_the_posterior),
      cmocka_unit_test(test_known_image_and_noise),
      cmocka_unit_test(test_last_step_is_first_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
