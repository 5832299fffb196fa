/* Networks of other processes that are converted to TrigFlow's F are compared with the exact
 * denoiser of a mixture, and with the published formulas of EDM, flow matching and VP. */
#include "testing.h"

#include "diffusion/process/process.h"
#include "oracle/convert.h"
#include "oracle/mixtures.h"

static const double eps = 0x1p-52;

/* The converted output of the ideal network of (p, predicts) must be TrigFlow's ideal F. */
static void check_exact(const struct mixture *m, const struct few_process *p,
                        enum few_prediction predicts, double sigma_d, double t, uint64_t row) {
  double x[3], foreign[3], y[3], F[3];
  struct few_mix state = few__process_trigflow.at(sigma_d, t);
  test_state(m, state, row, x);
  mixture_F(m, sigma_d, t, x, F);
  struct to_trig c = to_trig(p, predicts, sigma_d, t);
  /* The input of a real network is in_scale x, which includes c_in; the ideal network undoes
   * c_in. */
  struct few_mix there = p->at(sigma_d, c.t);
  for (int k = 0; k < m->dims; k++) foreign[k] = c.in_scale * x[k] / p->net_scale(sigma_d, c.t);
  mixture_expect(m, there, few__predict_mix(predicts, sigma_d, there), foreign, y);
  double amplified = test_exponent(m, state, x);
  for (int k = 0; k < m->dims; k++) {
    double size = fmax(fabs(y[k]), 1 / sigma_d); /* x0, eps are of order 1; F up to 1/sigma_d */
    double terms = fabs(c.skip * x[k]) + fabs(c.out) * size;
    assert_close(c.skip * x[k] + c.out * y[k], F[k], 32 * eps * amplified * terms);
    assert_close(foreign[k], c.state * x[k], 4 * eps * fabs(foreign[k]));
  }
}

static void test_exact(void **state) {
  (void)state;
  struct mixture m = test_mixture();
  const double sds[] = {0.5, 1, 0.25};
  const double ts[] = {1e-4, 0.01, 0.2, 0.9, 1.1, 1.4, 1.5645464};
  for (int i = 0; i < few__process_count(); i++)
    for (int a = 0; a < FEW_PREDICT_MIXES; a++)
      for (int s = 0; s < 3; s++)
        for (int k = 0; k < 7; k++)
          for (uint64_t row = 0; row < 4; row++)
            check_exact(&m, few__process_at(i), (enum few_prediction)a, sds[s], ts[k], row);
}

/* In the middle of the range the two agree to 1e-12. */
static void test_exact_to_1e12(void **state) {
  (void)state;
  struct mixture m = test_mixture();
  for (int i = 0; i < few__process_count(); i++)
    for (double t = 0.3; t < 1.5; t += 0.1) {
      const struct few_process *p = few__process_at(i);
      double x[3], foreign[3], y[3], F[3];
      test_state(&m, few__process_trigflow.at(0.5, t), 7, x);
      mixture_F(&m, 0.5, t, x, F);
      struct to_trig c = to_trig(p, p->predicts, 0.5, t);
      struct few_mix there = p->at(0.5, c.t);
      for (int k = 0; k < 3; k++) foreign[k] = c.state * x[k];
      mixture_expect(&m, there, few__predict_mix(p->predicts, 0.5, there), foreign, y);
      for (int k = 0; k < 3; k++) assert_close(c.skip * x[k] + c.out * y[k], F[k], 1e-12);
    }
}

static void test_published(void **state) {
  (void)state;
  const double sd = 0.5;
  for (double t = 0.1; t < 1.55; t += 0.1) {
    double c = cos(t), s = sin(t);
    /* EDM: F(x/sd, t) = -net(x/sd, ln(sd tan t)/4). */
    struct to_trig k = to_trig(&few__process_edm, FEW_PREDICT_EDM, sd, t);
    assert_close(k.in_scale, 1 / sd, 4 * eps / sd);
    assert_close(k.net_time, log(sd * tan(t)) / 4, 16 * eps / c);
    assert_close(k.skip, 0, 4 * eps);
    assert_close(k.out, -1, 8 * eps);
    /* Flow matching. */
    double u = sd * s / (c + sd * s);
    k = to_trig(&few__process_flow, FEW_PREDICT_FLOW, sd, t);
    assert_close(k.t, u, 4 * eps);
    assert_close(k.in_scale, 1 / (c + sd * s), 8 * eps / (c + sd * s));
    /* F = (cos x - y + u v)/(sd sin): */
    assert_close(k.out, u / (sd * s), 16 * eps / (c + sd * s));
    assert_close(k.skip, (c - 1 / (c + sd * s)) / (sd * s), 16 * eps / ((c + sd * s) * sd * s));
    /* VP with v. */
    double n = hypot(c, sd * s);
    k = to_trig(&few__process_vp, FEW_PREDICT_V, sd, t);
    struct few_mix vp = few__process_vp.at(sd, k.t);
    assert_close(vp.x0, c / n, 8 * eps);
    assert_close(vp.eps, sd * s / n, 8 * eps);
    assert_close(k.in_scale, 1 / n, 16 * eps / n);
    assert_close(k.out, vp.eps / (sd * s), 32 * eps / n);
    /* TrigFlow itself. */
    k = to_trig(&few__process_trigflow, FEW_PREDICT_F, sd, t);
    assert_close(k.t, t, 4 * eps);
    assert_close(k.skip, 0, 4 * eps);
    assert_close(k.out, 1, 4 * eps);
    assert_close(k.in_scale, 1 / sd, 4 * eps / sd);
  }
}

/* The ends: finite scalars at t = 0 and at pi/2. */
static void test_ends(void **state) {
  (void)state;
  for (int i = 0; i < few__process_count(); i++)
    for (int end = 0; end < 2; end++) {
      const struct few_process *p = few__process_at(i);
      struct to_trig k = to_trig(p, p->predicts, 0.5, end ? 1.5707963267948966 : 0);
      assert_true(isfinite(k.t) && isfinite(k.in_scale) && isfinite(k.skip) && isfinite(k.out));
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exact),
      cmocka_unit_test(test_exact_to_1e12),
      cmocka_unit_test(test_published),
      cmocka_unit_test(test_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
