/* Compares direct and reflow with their formulas in the papers' coordinates. */
#include "loss_test.h"

#include "base/rng.h"

enum { N = LOSS_ROWS, D = LOSS_DIM };
static const double sigma = 0.5;

static few_node no_teacher(struct few_loss *l, const struct few_net_input *in) {
  (void)l;
  (void)in;
  fail_msg("a teacher was asked");
  return FEW_NONE;
}

/* direct compares f(sigma_d eps, t_max) with the image. Returns the distance d of one row with the
 * residual r. Writes dd/dr into slope. */
static double distance(const char *name, double c, const double *r, double *slope) {
  double mean = 0;
  for (int k = 0; k < D; k++) mean += (*name == 'l' && name[1] == '1' ? fabs(r[k]) : r[k] * r[k]);
  mean /= D;
  for (int k = 0; k < D; k++) {
    if (!strcmp(name, "l2")) slope[k] = 2 * r[k] / D;
    if (!strcmp(name, "l1")) slope[k] = (r[k] > 0 ? 1. : -1.) / D;
    if (!strcmp(name, "huber")) slope[k] = r[k] / D / sqrt(mean + c * c);
  }
  return strcmp(name, "huber") ? mean : sqrt(mean + c * c) - c;
}

static void check_direct(const char *name) {
  static struct loss_test t;
  const double c = 0.1, t_max = atan(80 / sigma);
  t = (struct loss_test){.teacher = no_teacher};
  loss_begin(&t, "direct",
             (const char *const[][2]){{"distance", name}, {"huber_c", "0.1"}, {NULL, NULL}});
  struct few_loss *l = &t.loss;
  few_node x = few_scale(t.g, l->pair, sigma);
  few_node F = few_loss_F(l, FEW_STUDENT, x, l->t, FEW_NONE, FEW_NONE);
  double **v = loss_values(&t, 4, (few_node[]){l->term[0].value, F, l->pair, l->x0}), loss = 0,
         dF[N * D];
  for (int i = 0; i < N; i++) {
    double r[D], slope[D];
    for (int k = 0; k < D; k++) {
      const int at = i * D + k;
      r[k] = cos(t_max) * sigma * v[2][at] - sin(t_max) * sigma * v[1][at] - v[3][at];
    }
    loss += distance(name, c, r, slope) / N;
    for (int k = 0; k < D; k++) dF[i * D + k] = -sin(t_max) * sigma * slope[k] / N;
  }
  assert_close(v[0][0], loss, 1e-13);
  loss_check_gradient(&t, F, dF, 1e-12);
  loss_values_free(4, v);
  loss_end(&t);
}

static void test_direct(void **state) {
  (void)state;
  check_direct("l2");
  check_direct("l1");
  check_direct("huber");
}

/* reflow: the flow's own velocity v = (y - D)/u of the student at y_u = (1-u) x0 + u eps. */
static void test_reflow(void **state) {
  static struct loss_test t;
  (void)state;
  t = (struct loss_test){.teacher = no_teacher};
  loss_begin(&t, "reflow", (const char *const[][2]){{NULL, NULL}});
  struct few_loss *l = &t.loss;
  few_graph *g = t.g;
  few_node c = few_loss_rows(l, few_cos(g, l->t)), s = few_loss_rows(l, few_sin(g, l->t));
  few_node x = few_add(g, few_mul(g, c, l->x0), few_mul(g, s, few_scale(g, l->pair, sigma)));
  few_node F = few_loss_F(l, FEW_STUDENT, x, l->t, FEW_NONE, FEW_NONE);
  few_node u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(N));
  double **v = loss_values(&t, 6, (few_node[]){l->term[0].value, F, l->pair, l->x0, l->t, u});
  double loss = 0, dF[N * D];
  for (int i = 0; i < N; i++) {
    const double time = v[4][i], at = v[5][i] * (1 - 1e-6), n = cos(time) + sigma * sin(time);
    assert_close(sigma * sin(time) / n, at, 1e-12); /* the time of u */
    for (int k = 0; k < D; k++) {
      const int j = i * D + k;
      const double y = (1 - at) * v[3][j] + at * v[2][j], x_t = n * y;
      const double denoised = cos(time) * x_t - sin(time) * sigma * v[1][j];
      const double r = (y - denoised) / at - (v[2][j] - v[3][j]);
      loss += r * r / (N * D);
      dF[j] = 2 * r * n / (N * D);
    }
  }
  assert_close(v[0][0], loss, 1e-10); /* y - D is divided by u, which may be 1e-2 */
  loss_check_gradient(&t, F, dF, 1e-12);
  loss_values_free(6, v);
  loss_end(&t);
}

/* A student with a guidance input takes the guidance scale of its pair. */
static void test_guidance_scale(void **state) {
  static const char *const objectives[] = {"direct", "reflow"};
  static struct loss_test t;
  (void)state;
  for (int i = 0; i < FEW_COUNT(objectives); i++) {
    t = (struct loss_test){.teacher = no_teacher, .spec = {.guidance = true}};
    loss_begin(&t, objectives[i], (const char *const[][2]){{NULL, NULL}});
    assert_true(t.loss.pair_guidance != FEW_NONE);
    assert_int_equal(few_loss_guidance_scale(&t.loss), t.loss.pair_guidance);
    few_node out = t.loss.term[0].value, by = FEW_NONE;
    assert_ok(t.ctx, few_grad(&by, t.g, out, 1, &t.loss.pair_guidance));
    assert_true(by != FEW_NONE); /* the loss depends on it */
    loss_end(&t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_direct), cmocka_unit_test(test_reflow),
                                     cmocka_unit_test(test_guidance_scale)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
