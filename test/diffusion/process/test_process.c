/* Ranges, inverses and preconditioning of processes, compared with the published formulas. */
#include "testing.h"

#include "few/ext/objective.h"
#include "oracle/precond.h"

static const double eps = 0x1p-52, sigma_d = 0.5, pi_2 = 1.5707963267948966;

/* Times inside the range of p: fractions of the angle from clean to noise. */
static double inner_time(const struct few_process *p, double fraction) {
  double a = pi_2 * fraction;
  return p->time(sigma_d, (struct few_mix){cos(a), sin(a)});
}

static void test_ends(void **state) {
  (void)state;
  for (int i = 0; i < few__process_count(); i++) {
    const struct few_process *p = few__process_at(i);
    struct few_mix clean = p->at(sigma_d, p->t_min);
    assert_close(clean.x0, 1, 2e-9); /* vp starts at log-SNR 20: sigma^2 = 2.1e-9 */
    assert_true(clean.eps >= 0 && clean.eps < 5e-5);
    assert_true(p->t_max > p->t_min);
    if (isfinite(p->t_max) != 0) {
      struct few_mix noise = p->at(sigma_d, p->t_max);
      /* DDPM's beta leaves alpha^2 = e^-10.05 */
      double least = p == &few__process_vp_linear ? 1.0001 * exp(-5.025) : 5e-5;
      if (p == &few__process_ddpm) least = 0.00636; /* a_999 = 4.04e-5 */
      assert_true(noise.x0 >= 0 && noise.x0 < least * noise.eps);
    }
  }
}

static void test_time_inverts(void **state) {
  (void)state;
  for (int i = 0; i < few__process_count(); i++) {
    const struct few_process *p = few__process_at(i);
    double last = INFINITY;
    for (double f = 0.01; f < 1; f += 0.01) {
      double t = inner_time(p, f);
      struct few_mix s = p->at(sigma_d, t);
      struct few_mix longer = {3 * s.x0, 3 * s.eps};
      /* A relative error of one ulp in the ratio moves t by at most t_range/2 ulps times a small
       * factor of the formula (atan2, division): 8 covers them all. */
      assert_close(p->time(sigma_d, s), t, 8 * eps * fmax(1, t));
      assert_close(p->time(sigma_d, longer), t, 8 * eps * fmax(1, t));
      double lambda = process_logsnr(p, sigma_d, t);
      assert_true(lambda < last); /* strictly falling */
      last = lambda;
      /* Noise over signal is the tangent of the angle from which t was computed. */
      assert_close(s.eps / s.x0, tan(pi_2 * f), 64 * eps * (1 + tan(pi_2 * f) * tan(pi_2 * f)));
      assert_close(lambda, -2 * log(tan(pi_2 * f)), 256 * eps * (1 + 1 / f + 1 / (1 - f)));
      double back = process_time_of_logsnr(p, sigma_d, lambda);
      assert_close(back, t, 8 * eps * (2 + fabs(lambda)) * fmax(1, t));
    }
  }
}

static void test_logsnr_ends(void **state) {
  (void)state;
  assert_true(process_logsnr(&few__process_flow, 1, 0) > 1e300);
  assert_true(process_logsnr(&few__process_flow, 1, 1) < -1e300);
  assert_close(process_time_of_logsnr(&few__process_flow, 1, 1e4), 0, 1e-300);
  assert_close(process_time_of_logsnr(&few__process_flow, 1, -1e4), 1, 0);
  /* The cosine schedule's own ends. */
  assert_close(process_logsnr(&few__process_vp, 1, 0), 20, 1e-10);
  assert_close(process_logsnr(&few__process_vp, 1, 1), -20, 1e-10);
  /* TrigFlow: SNR relative to the data is 1/tan^2; sigma_d enters as it should. */
  assert_close(process_logsnr(&few__process_trigflow, 0.5, 0.7), -2 * log(0.5 * tan(0.7)), 8 * eps);
}

/* The four families' c_skip, c_out, c_in, c_noise as printed in their papers. */
static void test_published_preconditioning(void **state) {
  (void)state;
  for (double f = 0.05; f < 1; f += 0.05) {
    double t = pi_2 * f, sigma = sigma_d * tan(t), h2 = sigma * sigma + sigma_d * sigma_d;
    struct precond c = process_precond(&few__process_trigflow, FEW_PREDICT_F, sigma_d, t);
    assert_close(c.skip, cos(t), 8 * eps);
    assert_close(c.out, -sigma_d * sin(t), 8 * eps);
    assert_close(c.in, 1 / sigma_d, 0);
    assert_close(c.time, t, 0);
    c = process_precond(&few__process_edm, FEW_PREDICT_EDM, sigma_d, sigma);
    assert_close(c.skip, sigma_d * sigma_d / h2, 8 * eps);
    assert_close(c.out, sigma * sigma_d / sqrt(h2), 8 * eps);
    assert_close(c.in, 1 / sqrt(h2), 8 * eps / sqrt(h2));
    assert_close(c.time, log(sigma) / 4, 8 * eps);
    c = process_precond(&few__process_flow, FEW_PREDICT_FLOW, sigma_d, f);
    assert_close(c.skip, 1, 8 * eps);
    assert_close(c.out, -f, 8 * eps);
    c = process_precond(&few__process_ve, FEW_PREDICT_EPS, sigma_d, sigma);
    assert_close(c.skip, 1, 0);
    assert_close(c.out, -sigma, 8 * eps * sigma); /* times eps, which is -net of the paper */
    assert_close(c.in, 1, 0);
    assert_close(c.time, log(0.5 * sigma), 8 * eps);
    struct few_mix s = few__process_vp.at(sigma_d, f);
    c = process_precond(&few__process_vp, FEW_PREDICT_V, sigma_d, f);
    assert_close(c.skip, s.x0, 8 * eps);
    assert_close(c.out, -s.eps, 8 * eps);
    assert_close(s.x0 * s.x0 + s.eps * s.eps, 1, 4 * eps);
    c = process_precond(&few__process_vp, FEW_PREDICT_EPS, sigma_d, f);
    assert_close(c.skip, 1 / s.x0, 8 * eps / s.x0);
    assert_close(c.out, -s.eps / s.x0, 8 * eps / s.x0);
  }
}

/* Converts every prediction into every other and back, for every process. */
static void test_predictions_round_trip(void **state) {
  (void)state;
  const double x0 = 0.37, noise = -1.2;
  for (int i = 0; i < few__process_count(); i++)
    for (double f = 0.05; f < 1; f += 0.1) {
      const struct few_process *p = few__process_at(i);
      struct few_mix s = p->at(sigma_d, inner_time(p, f));
      double x = s.x0 * x0 + s.eps * noise;
      for (int a = 0; a < FEW_PREDICT_MIXES; a++)
        for (int b = 0; b < FEW_PREDICT_MIXES; b++) {
          struct few_mix from = few__predict_mix((enum few_prediction)a, sigma_d, s);
          struct few_mix to = few__predict_mix((enum few_prediction)b, sigma_d, s);
          double ya = from.x0 * x0 + from.eps * noise, yb = to.x0 * x0 + to.eps * noise;
          struct few_line l = predict_convert(s, from, to);
          double terms = fabs(l.x) * (fabs(s.x0 * x0) + fabs(s.eps * noise)) +
                         fabs(l.y) * (fabs(from.x0 * x0) + fabs(from.eps * noise));
          assert_close(l.x * x + l.y * ya, yb, 16 * eps * (terms + fabs(yb)));
        }
    }
}

static void test_denoise_inverts(void **state) {
  (void)state;
  const double x[2] = {0.4, -1.3}, D[2] = {0.2, 0.9};
  for (int i = 0; i < few__process_count(); i++)
    for (int a = 0; a < FEW_PREDICT_MIXES; a++) {
      const struct few_process *p = few__process_at(i);
      double t = inner_time(p, 0.6), net[2], back[2];
      process_undenoise(p, (enum few_prediction)a, sigma_d, t, 2, x, D, net);
      process_denoise(p, (enum few_prediction)a, sigma_d, t, 2, x, net, back);
      for (int k = 0; k < 2; k++) assert_close(back[k], D[k], 64 * eps);
    }
}

/* Clean states need no special case: the prediction x is unchanged, and D at sigma = 0 is the
 * state.
 * */
static void test_clean_end(void **state) {
  (void)state;
  struct few_mix clean = {1, 0};
  for (int a = 0; a < FEW_PREDICT_MIXES; a++) {
    struct few_line l =
        predict_convert(clean, few__predict_mix((enum few_prediction)a, sigma_d, clean),
                        few__predict_mix(FEW_PREDICT_X, sigma_d, clean));
    assert_close(l.x, a == FEW_PREDICT_X ? 0 : 1, 0);
    assert_close(l.y, a == FEW_PREDICT_X ? 1 : 0, 0);
  }
}

/* A row of processes.def has the name of the process in its file. Options accept each of them. */
static void test_rows(void **state) {
  (void)state;
  static const char *const rows[] = {
#define FEW_PROCESS(file, name, time_transform) name,
#include "diffusion/process/processes.def"
#undef FEW_PROCESS
  };
  char choices[256] = "";
  for (int i = 0; i < few__process_count(); i++) {
    assert_string_equal(few__process_at(i)->name, rows[i]);
    strcat(strcat(choices, "|"), rows[i]);
  }
  assert_string_equal(few_process_choices, choices);
}

static void test_names(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int a = 0; a < FEW_PREDICTIONS; a++) {
    enum few_prediction found;
    assert_ok(ctx, few__predict_find(ctx, &found, few__predict_name((enum few_prediction)a)));
    assert_int_equal(found, a);
  }
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_time_inverts),
      cmocka_unit_test(test_logsnr_ends),
      cmocka_unit_test(test_published_preconditioning),
      cmocka_unit_test(test_predictions_round_trip),
      cmocka_unit_test(test_denoise_inverts),
      cmocka_unit_test(test_clean_end),
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
