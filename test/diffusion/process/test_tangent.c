/* The tangent of consistency models equals finite differences for an arbitrary network, in both of
 * its forms. It is zero for the exact consistency function. */
#include "testing.h"

#include "oracle/mixtures.h"
#include "oracle/scm.h"

static const double sd = 0.5;

/* An arbitrary smooth function of (x/sd, t) in place of a network, and its derivative along
 * (dx, dt). */
static double net(double u, double t) { return sin(1.3 * u + 0.7 * t) + 0.2 * u * t; }
static double net_along(double u, double t, double du, double dt) {
  return cos(1.3 * u + 0.7 * t) * (1.3 * du + 0.7 * dt) + 0.2 * (du * t + u * dt);
}

static double f_of(double x, double t) {
  double F = net(x / sd, t), f;
  scm_f(sd, t, 1, &x, &F, &f);
  return f;
}

static void test_against_differences(void **state) {
  (void)state;
  const double h = 1e-5;
  for (double t = 0.05; t < 1.57; t += 0.05) {
    double x = 0.8 * cos(17 * t), v = 0.6 * sin(5 * t) - 0.2, F = net(x / sd, t), out;
    double dF = net_along(x / sd, t, v / sd, 1);
    few__scm_dfdt(sd, t, 1, &x, &F, &v, &dF, &out);
    double difference = (f_of(x + h * v, t + h) - f_of(x - h * v, t - h)) / (2 * h);
    /* The error is h^2/6 times a third derivative of at most (1.3 |v|/sd + 0.7 + 1)^3, plus
     * rounding divided by h. */
    assert_close(out, difference, h * h / 6 * pow(1.3 * 0.8 / sd + 1.7, 3) + 4 * 0x1p-52 / h);
  }
}

static void test_rearranged(void **state) {
  (void)state;
  for (double t = 0; t < 1.58; t += 0.05) {
    double x = 0.3, v = -0.7, F = net(x / sd, t), raw, g, c = cos(t), s = sin(t);
    double dF = net_along(x / sd, t, v / sd, 1);
    /* The JVP with the factor cos sin in its direction: (cos sin v, cos sin sd) in (x/sd, t). */
    double jvp = net_along(x / sd, t, c * s * v, c * s * sd);
    few__scm_dfdt(sd, t, 1, &x, &F, &v, &dF, &raw);
    few__scm_g(sd, t, 1, 1, &x, &F, &v, &jvp, &g);
    double terms = fabs(sd * F) + fabs(v) + fabs(x) + fabs(jvp) + fabs(dF);
    assert_close(g, c * raw, 16 * 0x1p-52 * terms);
    few__scm_g(sd, t, 0, 1, &x, &F, &v, &jvp, &g); /* before warm-up: velocity matching */
    assert_close(g, -c * c * (sd * F - v), 16 * 0x1p-52 * terms);
  }
}

static void test_normalize(void **state) {
  (void)state;
  double g[2] = {3, -4}, out[2];
  scm_normalize(0.1, 2, g, out);
  assert_close(out[0], 3 / 5.1, 2 * 0x1p-53);
  assert_close(out[1], -4 / 5.1, 2 * 0x1p-53);
  double zero[2] = {0, 0};
  scm_normalize(0.1, 2, zero, zero);
  assert_close(zero[0], 0, 0);
}

/* The exact f is constant along a trajectory, so its tangent is zero. For one Gaussian of mean mu
 * and deviation S, f = mu + S (x - c mu)/q with q = sqrt(c^2 S^2 + s^2 sd^2). */
static double exact_F(const struct mixture *m, double x, double t) {
  double c = cos(t), s = sin(t), S = m->std[0], mu = m->mean[0];
  return (c * x - mu - S * (x - c * mu) / hypot(c * S, s * sd)) / (s * sd);
}

static void test_exact_map_has_no_tangent(void **state) {
  (void)state;
  struct mixture m = test_gaussian();
  const double h = 1e-5;
  m.dims = 1;
  for (double t = 0.2; t < 1.57; t += 0.1) {
    double x = 0.9 - t, v, F = exact_F(&m, x, t), tangent;
    mixture_F(&m, sd, t, &x, &v);
    v *= sd;
    double dF = (exact_F(&m, x + h * v, t + h) - exact_F(&m, x - h * v, t - h)) / (2 * h);
    few__scm_dfdt(sd, t, 1, &x, &F, &v, &dF, &tangent);
    /* Central differences again: F's third derivative along t is below 300 from t = 0.2 on. */
    assert_close(tangent, 0, h * h / 6 * 300 + 64 * 0x1p-52 / (h * sin(t)));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_differences),
      cmocka_unit_test(test_rearranged),
      cmocka_unit_test(test_normalize),
      cmocka_unit_test(test_exact_map_has_no_tangent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
