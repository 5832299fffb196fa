/* Progressive and guided distillation are compared with the papers' formulas in VP's coordinates.
 * The teacher is exact: the data are one Gaussian, whose denoised image is linear in x_t. */
#include "loss_test.h"

#include "base/rng.h"
#include "diffusion/process/process.h"
#include "diffusion/process/vp.h"
#include "oracle/mixture.h"

enum { N = LOSS_ROWS, D = LOSS_DIM };
static const double sigma = 0.5;

/* The data of a label are N(mean[label], std[label]^2). Label -1 has a Gaussian of its own. */
static const double mean[3][D] = {{0.1, -0.2}, {0.4, 0.3}, {-0.3, 0.5}}, std[3] = {0.4, 0.2, 0.3};

static void denoise(int label, struct few_mix state, const double *z, double *x) {
  const double one = 1;
  const struct mixture m = {1, D, &one, mean[label + 1], &std[label + 1]};
  mixture_expect(&m, state, (struct few_mix){1, 0}, z, x);
}

/* F = cos t E[eps] - sin t E[x0]/sigma_d with V = (cos t std)^2 + (sin t sigma_d)^2, as a graph. */
static few_node gaussian(struct few_loss *l, const struct few_net_input *in, int label) {
  few_graph *g = l->g;
  few_node c = few_loss_rows(l, few_cos(g, in->t)), s = few_loss_rows(l, few_sin(g, in->t));
  few_node x = few_scale(g, in->x, sigma), mu = few_const(g, FEW_SHAPE(1, D), mean[label + 1]);
  const double var = std[label + 1] * std[label + 1];
  few_node V = few_add(g, few_scale(g, few_square(g, c), var),
                       few_scale(g, few_square(g, s), sigma * sigma));
  few_node d = few_div(g, few_sub(g, x, few_mul(g, c, mu)), V);
  few_node eps = few_mul(g, few_scale(g, s, sigma), d);
  few_node x0 = few_add(g, mu, few_mul(g, few_scale(g, c, var), d));
  return few_sub(g, few_mul(g, c, eps), few_mul(g, s, few_scale(g, x0, 1 / sigma)));
}

static few_node teacher(struct few_loss *l, const struct few_net_input *in) {
  few_graph *g = l->g;
  few_node F = gaussian(l, in, -1);
  if (in->label == FEW_NONE) return F;
  few_node rows = few_onehot(g, in->label, 2);
  few_node any = few_sum(g, rows, FEW_SHAPE(l->rows, 1));
  F = few_mul(g, few_affine(g, any, -1, 1), F);
  for (int k = 0; k < 2; k++)
    F = few_add(g, F, few_mul(g, few_slice(g, rows, 1, k, 1), gaussian(l, in, k)));
  return F;
}

/* A student of stage one: F_none + s (F_label - F_none). */
static few_node guided_teacher(struct few_loss *l, const struct few_net_input *in) {
  few_graph *g = l->g;
  struct few_net_input none = *in;
  none.label = FEW_NONE;
  few_node F = teacher(l, &none), s = few_loss_rows(l, in->guidance);
  return few_add(g, F, few_mul(g, s, few_sub(g, teacher(l, in), F)));
}

static struct few_mix vp(double lambda) {
  return (struct few_mix){sqrt(1 / (1 + exp(-lambda))), sqrt(1 / (1 + exp(lambda)))};
}

static double logsnr(double u) { /* as printed */
  const double b = atan(exp(-20 / 2.)), a = atan(exp(20 / 2.)) - b;
  return -2 * log(tan(a * u + b));
}

/* DDIM in VP's coordinates: moves z from u to s with constant x^. */
static void ddim(struct few_mix from, struct few_mix to, const double *x, double *z) {
  for (int k = 0; k < D; k++) z[k] = to.x0 * x[k] + to.eps * (z[k] - from.x0 * x[k]) / from.eps;
}

/* What a row's networks are conditioned on: its label (-1: none) and w. */
struct told {
  int label;
  double w;
};

/* x^w = (1 + w) x^(c) - w x^ */
static void denoise_guided(struct told told, struct few_mix state, const double *z, double *x) {
  double without[D];
  denoise(told.label, state, z, x);
  denoise(-1, state, z, without);
  for (int k = 0; k < D; k++) x[k] = (1 + told.w) * x[k] - told.w * without[k];
}

/* x~ from two steps of the teacher, u -> m -> s, in VP. `exception` is the paper's special case,
 * where s is the clean end. */
static void x_tilde(struct told told, const double *z, double u, double m, double s, bool exception,
                    double *out) {
  const struct few_mix at = vp(logsnr(u)), mid = vp(logsnr(m)), end = vp(logsnr(s));
  double w[D], x[D];
  memcpy(w, z, sizeof w);
  denoise_guided(told, at, w, x);
  if (m == s) { /* only one step */
    memcpy(out, x, sizeof x);
    return;
  }
  ddim(at, mid, x, w);
  denoise_guided(told, mid, w, x);
  ddim(mid, end, x, w);
  const double ratio = end.eps / at.eps;
  for (int k = 0; k < D; k++)
    out[k] = exception ? x[k] : (w[k] - ratio * z[k]) / (end.x0 - ratio * at.x0);
}

static double weight_of(const char *name, double snr) {
  if (!strcmp(name, "snr-trunc")) return fmax(snr, 1);
  if (!strcmp(name, "snr+1")) return snr + 1;
  return strcmp(name, "snr") ? 1 : snr;
}

/* The teacher has no labels; or, as in stage two, it has labels and takes the guidance scale. */
static void check_progressive(bool guided, const char *direction, const char *grid,
                              const char *weighting, double steps) {
  static struct loss_test t;
  const bool encode = !strcmp(direction, "encode"), twice = !strcmp(grid, "double");
  const struct few_net_spec spec = {.classes = guided ? 2 : 0, .guidance = guided};
  t = (struct loss_test){.teacher = guided ? guided_teacher : teacher,
                         .scalar_value = {steps},
                         .spec = spec,
                         .teacher_spec = spec};
  loss_begin(&t, "progressive",
             (const char *const[][2]){
                 {"direction", direction}, {"grid", grid}, {"weight", weighting}, {NULL, NULL}});
  struct few_loss *l = &t.loss;
  const struct few_trig_state d = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
  const few_node s_of = few_loss_guidance_scale(l);
  few_node F = few_loss_F(l, FEW_STUDENT, d.x, d.t, l->label, s_of);
  const int n_values = guided ? 5 : 4;
  double **v = loss_values(&t, n_values, (few_node[]){l->term[0].value, d.t, d.x, F, s_of});
  double loss = 0, dF[N * D];
  const struct few_cosine c = few__cosine(-20, 20);
  int seen[64] = {0};
  for (int i = 0; i < N; i++) {
    int place = 0;
    while (place < 63 && few__cosine_time(c, sigma, place / steps) < v[1][i] - 1e-9) place++;
    assert_close(few__cosine_time(c, sigma, place / steps), v[1][i], 1e-12);
    seen[place]++;
    const double jump = (encode ? 1 : -1) * (twice ? 2 : 1), u = place / steps;
    const double m = fmin(fmax((place + jump / 2) / steps, 0), 1);
    const double s = fmin(fmax((place + jump) / steps, 0), 1);
    const struct few_mix at = vp(logsnr(u));
    const double n = hypot(cos(v[1][i]), sigma * sin(v[1][i])), snr = exp(logsnr(u));
    double z[D], want[D], square = 0;
    for (int k = 0; k < D; k++) z[k] = v[2][i * D + k] / n;
    assert_close(cos(v[1][i]) / n, at.x0, 1e-9);
    const struct told told = {guided ? i % 3 - 1 : -1, guided ? v[4][i] - 1 : 0};
    x_tilde(told, z, u, m, s, !encode && s == 0, want);
    for (int k = 0; k < D; k++) {
      const int j = i * D + k;
      const double x = cos(v[1][i]) * v[2][j] - sin(v[1][i]) * sigma * v[3][j];
      square += (x - want[k]) * (x - want[k]) / D;
      dF[j] = -weight_of(weighting, snr) * 2 * (x - want[k]) * sin(v[1][i]) * sigma / (N * D);
    }
    loss += weight_of(weighting, snr) * square / N;
  }
  for (int i = encode ? 0 : 1; i < (int)steps + !encode; i++) assert_true(seen[i] > 0);
  /* The SNR of the paper's formulas reaches 5e8 and amplifies the rounding of x^ - x~. */
  const double tol = encode ? 1e-4 : 1e-9;
  assert_close(v[0][0], loss, tol * (1 + loss));
  if (!encode) loss_check_gradient(&t, F, dF, 1e-11);
  loss_values_free(n_values, v);
  loss_end(&t);
}

static void test_progressive(void **state) {
  (void)state;
  static const char *const weightings[] = {"snr-trunc", "snr+1", "snr", "constant"};
  for (int i = 0; i < 4; i++) check_progressive(false, "decode", "own", weightings[i], 4);
  check_progressive(false, "decode", "own", "snr-trunc", 1);
  check_progressive(false, "decode", "double", "snr-trunc", 4);
  check_progressive(false, "encode", "own", "snr-trunc", 4);
  check_progressive(false, "encode", "own", "constant", 2);
  check_progressive(true, "decode", "own", "snr-trunc", 4);
  check_progressive(true, "decode", "double", "constant", 4);
  check_progressive(true, "encode", "own", "constant", 2);
}

/* joint: the mean of the losses with the label and without. */
static void test_joint(void **state) {
  (void)state;
  static const char *const joint[] = {"no", "yes"};
  double labelled[2], all = 0;
  for (int k = 0; k < 2; k++) {
    static struct loss_test t;
    t = (struct loss_test){
        .teacher = teacher, .scalar_value = {4}, .spec.classes = 2, .teacher_spec.classes = 2};
    loss_begin(&t, "progressive", (const char *const[][2]){{"joint", joint[k]}, {NULL, NULL}});
    assert_int_equal(t.loss.n_terms, k + 1);
    double **v = loss_values(&t, 2, (few_node[]){t.loss.term[0].value, loss_sum(&t)});
    labelled[k] = v[0][0];
    all = v[1][0];
    loss_values_free(2, v);
    loss_end(&t);
  }
  assert_true(labelled[0] == labelled[1]); /* the first term of joint is the loss with the label */
  static struct loss_test t;
  t = (struct loss_test){.teacher = teacher, .scalar_value = {4}, .teacher_spec.classes = 2};
  loss_begin(&t, "progressive", (const char *const[][2]){{NULL, NULL}});
  double **v = loss_values(&t, 1, &t.loss.term[0].value);
  assert_close(all, (labelled[0] + v[0][0]) / 2, 1e-14 * (1 + all));
  loss_values_free(1, v);
  loss_end(&t);
}

/* The student learns x^w = (1 + w) x^(c) - w x^ at any time. If there is only one scale, it has no
 * guidance input. */
static void check_guided(const char *min, const char *max) {
  static struct loss_test t;
  t = (struct loss_test){.teacher = teacher, .spec.classes = 2, .teacher_spec.classes = 2};
  loss_begin(&t, "guided",
             (const char *const[][2]){{"guidance_min", min}, {"guidance_max", max}, {NULL, NULL}});
  struct few_loss *l = &t.loss;
  assert_int_equal(t.spec.guidance, strcmp(min, max) != 0);
  const struct few_trig_state d = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
  few_node s = few_loss_guidance_scale(l);
  few_node F = few_loss_F(l, FEW_STUDENT, d.x, d.t, l->label, s);
  few_node u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(N));
  double **v = loss_values(&t, 6, (few_node[]){l->term[0].value, d.t, d.x, F, s, u});
  double loss = 0, dF[N * D];
  for (int i = 0; i < N; i++) {
    const int label = i % 3 - 1; /* as loss_feed has it */
    const double lambda = logsnr(v[5][i]), w = v[4][i] - 1;
    const double time = v[1][i], n = hypot(cos(time), sigma * sin(time));
    double z[D], with[D], without[D];
    assert_close(cos(time) / n, vp(lambda).x0, 1e-9);
    assert_true(v[4][i] >= t.loss.guidance_min && v[4][i] <= t.loss.guidance_max);
    for (int k = 0; k < D; k++) z[k] = v[2][i * D + k] / n;
    denoise(label, vp(lambda), z, with);
    denoise(-1, vp(lambda), z, without);
    for (int k = 0; k < D; k++) {
      const int j = i * D + k;
      const double want = (1 + w) * with[k] - w * without[k], snr = fmax(exp(lambda), 1);
      const double r = cos(time) * v[2][j] - sin(time) * sigma * v[3][j] - want;
      loss += snr * r * r / (N * D);
      dF[j] = -snr * 2 * r * sin(time) * sigma / (N * D);
    }
  }
  assert_close(v[0][0], loss, 1e-7 * (1 + loss)); /* SNR times the square of a difference */
  loss_check_gradient(&t, F, dF, 1e-8);
  loss_values_free(6, v);
  loss_end(&t);
}

static void test_guided(void **state) {
  (void)state;
  check_guided("1", "4");
  check_guided("0.5", "2");
  check_guided("3", "3");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_progressive),
                                     cmocka_unit_test(test_joint), cmocka_unit_test(test_guided)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
