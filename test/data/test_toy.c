/* Toys: points are pure functions of (seed, split, index) and have the moments of their formulas.
 * Sample moments must be within five standard errors. */
#include "files.h"

static few_data *toy(struct files *f, const char *spec, uint64_t seed, few_data_split split,
                     int64_t n) {
  few_data *d = NULL;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.seed = seed;
  o.split = split;
  o.limit = n;
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, &o));
  assert_int_equal(few_data_get_kind(d), FEW_DATA_POINTS);
  assert_int_equal(few_data_c(d), 2);
  assert_int_equal(few_data_item_size(d), 2);
  return d;
}

static const char *const specs[] = {"toy:mixture", "toy:moons", "toy:checkerboard", "toy:spiral"};
enum { SPECS = 4 };

static void test_prefixes_agree_and_seeds_differ(void **state) {
  struct files *f = *state;
  for (int k = 0; k < SPECS; k++) {
    few_data *a = toy(f, specs[k], 3, FEW_DATA_TRAIN, 1000);
    few_data *b = toy(f, specs[k], 3, FEW_DATA_TRAIN, 100);
    few_data *c = toy(f, specs[k], 4, FEW_DATA_TRAIN, 100);
    few_data *t = toy(f, specs[k], 3, FEW_DATA_TEST, 100);
    for (int64_t i = 0; i < 100; i++) {
      float x[2], y[2], z[2], v[2];
      assert_ok(f->ctx, few_data_get(x, a, i));
      assert_ok(f->ctx, few_data_get(y, b, i));
      assert_ok(f->ctx, few_data_get(z, c, i));
      assert_ok(f->ctx, few_data_get(v, t, i));
      assert_memory_equal(x, y, sizeof x);
      assert_memory_not_equal(x, z, sizeof x);
      assert_memory_not_equal(x, v, sizeof x);
      assert_int_equal(few_data_label(a, i), few_data_label(b, i));
    }
    assert_true(few_data_hash(b) != few_data_hash(c));
    few_data_free(a);
    few_data_free(b);
    few_data_free(c);
    few_data_free(t);
  }
}

struct moments {
  double m[2], v[2], xy, kurt; /* kurt: largest E (x_c - m_c)^4, for standard errors of v */
};

static struct moments measure(struct files *f, const few_data *d, int label) {
  struct moments s = {{0}, {0}, 0, 0};
  int64_t n = few_data_n(d), used = 0;
  double fourth[2] = {0};
  for (int pass = 0; pass < 2; pass++) {
    used = 0;
    for (int64_t i = 0; i < n; i++) {
      float x[2];
      if (label >= 0 && few_data_label(d, i) != label) continue;
      assert_ok(f->ctx, few_data_get(x, d, i));
      used++;
      double a = x[0] - s.m[0], b = x[1] - s.m[1];
      if (pass == 0) continue;
      s.v[0] += a * a;
      s.v[1] += b * b;
      s.xy += a * b;
      fourth[0] += a * a * a * a;
      fourth[1] += b * b * b * b;
    }
    if (pass == 0) {
      for (int64_t i = 0; i < n; i++) {
        float x[2];
        if (label >= 0 && few_data_label(d, i) != label) continue;
        assert_ok(f->ctx, few_data_get(x, d, i));
        s.m[0] += x[0] / (double)used;
        s.m[1] += x[1] / (double)used;
      }
    }
  }
  for (int c = 0; c < 2; c++) s.v[c] /= (double)used;
  s.xy /= (double)used;
  s.kurt = fmax(fourth[0], fourth[1]) / (double)used;
  return s;
}

/* Mean, variance and covariance against their truth, within five standard errors of n points. */
static void assert_moments(struct moments s, double n, const double m[2], const double v[2],
                           double xy) {
  for (int c = 0; c < 2; c++) {
    assert_close(s.m[c], m[c], 5 * sqrt(v[c] / n));
    assert_close(s.v[c], v[c], 5 * sqrt(s.kurt / n));
  }
  assert_close(s.xy, xy, 5 * sqrt(s.kurt / n));
}

static void test_mixture_matches_its_parameters(void **state) {
  struct files *f = *state;
  const struct few_data_gaussians *g = few_data_mixture();
  assert_int_equal(g->d, 2);
  few_data *d = toy(f, "toy:mixture", 1, FEW_DATA_TRAIN, 0);
  double n = (double)few_data_n(d), total = 0;
  assert_int_equal(few_data_n_classes(d), g->k);
  for (int k = 0; k < g->k; k++) {
    double count = 0, p = g->weight[k], var = g->std[k] * g->std[k];
    for (int64_t i = 0; i < few_data_n(d); i++) count += few_data_label(d, i) == k;
    assert_close(count, n * p, 5 * sqrt(n * p * (1 - p)));
    assert_moments(measure(f, d, k), count, g->mean + 2 * k, (double[]){var, var}, 0);
    assert_close(hypot(g->mean[2 * k], g->mean[2 * k + 1]), 1, 1e-15);
    total += p;
  }
  assert_close(total, 1, 1e-15);
  few_data_free(d);
}

static void test_moons(void **state) {
  struct files *f = *state;
  few_data *d = toy(f, "toy:moons", 1, FEW_DATA_TRAIN, 0);
  double pi = acos(-1.0), noise = 0.08 * 0.08;
  double v[2] = {0.5 + noise, 0.5 - 4 / (pi * pi) + noise}; /* of cos t and sin t, t in (0, pi) */
  for (int k = 0; k < 2; k++) {
    double count = 0, m[2] = {k ? 0.5 : -0.5, k ? 0.25 - 2 / pi : 2 / pi - 0.25};
    for (int64_t i = 0; i < few_data_n(d); i++) count += few_data_label(d, i) == k;
    assert_close(count, (double)few_data_n(d) / 2, 5 * sqrt((double)few_data_n(d)) / 2);
    assert_moments(measure(f, d, k), count, m, v, 0);
  }
  few_data_free(d);
}

static void test_checkerboard(void **state) {
  struct files *f = *state;
  few_data *d = toy(f, "toy:checkerboard", 1, FEW_DATA_TRAIN, 0);
  assert_int_equal(few_data_n_classes(d), 0);
  int hits[4][4] = {{0}};
  for (int64_t i = 0; i < few_data_n(d); i++) {
    float x[2];
    assert_ok(f->ctx, few_data_get(x, d, i));
    assert_true(x[0] > -1 && x[0] < 1 && x[1] > -1 && x[1] < 1);
    hits[(int)((x[1] + 1) * 2)][(int)((x[0] + 1) * 2)]++;
  }
  for (int r = 0; r < 4; r++)
    for (int c = 0; c < 4; c++) assert_true((hits[r][c] > 0) == ((r + c) % 2 == 0));
  /* E xy over the centres of the dark squares is 1/16. */
  assert_moments(measure(f, d, -1), (double)few_data_n(d), (double[]){0, 0},
                 (double[]){1.0 / 3, 1.0 / 3}, 1.0 / 16);
  few_data_free(d);
}

static void test_spiral(void **state) {
  struct files *f = *state;
  few_data *d = toy(f, "toy:spiral", 1, FEW_DATA_TRAIN, 0);
  double n = (double)few_data_n(d), square = 0, off = 0, pi = acos(-1.0);
  for (int64_t i = 0; i < few_data_n(d); i++) {
    float x[2];
    assert_ok(f->ctx, few_data_get(x, d, i));
    double r = hypot(x[0], x[1]), sign = few_data_label(d, i) ? -1 : 1;
    square += r * r / n;
    if (r > 0.3 && r < 1) /* the point that the arm has at this radius is near */
      off = fmax(off, hypot(x[0] - sign * r * cos(3 * pi * r), x[1] - sign * r * sin(3 * pi * r)));
  }
  /* r^2 of the arm is uniform: mean 1/2, variance 1/12; the noise adds 2 * 0.02^2. */
  assert_close(square, 0.5 + 2 * 0.02 * 0.02, 5 * sqrt((1.0 / 12 + 1e-3) / n));
  /* Noise of length e moves the radius by e and the angle by e / r: at most e (1 + 3 pi) away. The
   * largest normal that the generator has is 6.34 standard deviations. */
  assert_true(off <= 0.02 * 6.34 * sqrt(2.0) * (2 + 3 * pi));
  few_data_free(d);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_prefixes_agree_and_seeds_differ),
      TEST(test_mixture_matches_its_parameters),
      TEST(test_moons),
      TEST(test_checkerboard),
      TEST(test_spiral),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
