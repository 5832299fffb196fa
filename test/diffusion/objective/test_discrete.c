/* Consistency between two times of a grid. The points of grids and the times drawn from them are
 * compared with their formulas, losses and gradients with those of the papers in the papers'
 * coordinates. Teacher and target network are the exact network of one Gaussian, N(0, std^2):
 * F(x, t) = x cos t sin t (sigma_d^2 - std^2) / V(t) with V = (cos t std)^2 + (sin t sigma_d)^2.
 * The student is a small mlp. */
#include "loss_test.h"

#include "base/rng.h"
#include "diffusion/objective/discrete.h"
#include "diffusion/objective/scm.h"
#include "diffusion/process/tangent.h"

enum { N = LOSS_ROWS, D = LOSS_DIM, CALLS = 8 };
static const double sigma = 0.5, std = 0.3;

static double variance(double t) { return pow(cos(t) * std, 2) + pow(sin(t) * sigma, 2); }

/* D of the exact network: cos t std^2/V x. */
static double denoise(double t, double x) { return cos(t) * std * std / variance(t) * x; }

static few_node exact(struct few_loss *l, const struct few_net_input *in) {
  few_graph *g = l->g;
  few_node c = few_cos(g, in->t), s = few_sin(g, in->t);
  few_node V = few_add(g, few_scale(g, few_square(g, c), std * std),
                       few_scale(g, few_square(g, s), sigma * sigma));
  few_node f = few_scale(g, few_div(g, few_mul(g, c, s), V), sigma * sigma - std * std);
  return few_mul(g, few_loss_rows(l, f), in->x);
}

/* The calls of networks by the objective, in order. */
static struct {
  int n;
  struct call {
    enum few_role who;
    few_node x, t, F;
  } at[CALLS];
} asked;

static few_node record(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  few_node F = loss_net(l, who, in);
  assert_true(asked.n < CALLS);
  asked.at[asked.n++] = (struct call){who, in->x, in->t, F};
  return F;
}

/* Builds the loss a second time, which gives the same nodes, to record the calls of networks. */
static void begin(struct loss_test *t, const char *name, const char *const settings[][2]) {
  t->teacher = exact;
  const struct few_objective_def *def = loss_begin(t, name, settings);
  t->loss.n_terms = t->loss.n_logs = asked.n = 0;
  t->loss.net = record;
  def->build(&t->loss, t->opts);
  assert_ok(t->ctx, few_graph_status(t->g));
}

/* ---- the grid, in plain C ---- */

static double coordinate(int path, double t) {
  const double s = sigma * tan(t);
  return path == FEW_PATH_EDM ? s : path == FEW_PATH_FLOW ? s / (1 + s) : t;
}

static double time_of(int path, double c) {
  return path == FEW_PATH_EDM    ? atan(c / sigma)
         : path == FEW_PATH_FLOW ? atan(c / (1 - c) / sigma)
                                 : c;
}

static double grid_point(int path, double points, int i) {
  const double rho = path == FEW_PATH_EDM ? 7 : 1;
  const double low = pow(coordinate(path, atan(0.002 / sigma)), 1 / rho);
  const double high = pow(coordinate(path, atan(80 / sigma)), 1 / rho);
  return time_of(path, pow(low + i / (points - 1) * (high - low), rho));
}

static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }

/* iCT's probabilities p(i), with erf as in the paper, normalised to the sum 1. */
static void lognormal(int path, int points, double mean, double dev, double *p) {
  double sum = 0;
  for (int i = 0; i + 1 < points; i++) {
    const double a = log(sigma * tan(grid_point(path, points, i)));
    const double b = log(sigma * tan(grid_point(path, points, i + 1)));
    p[i] = erf((b - mean) / (sqrt(2) * dev)) - erf((a - mean) / (sqrt(2) * dev));
    sum += p[i];
  }
  for (int i = 0; i + 1 < points; i++) p[i] /= sum;
  assert_close(sum / 2, normal_cdf((log(80) - mean) / dev) - normal_cdf((log(.002) - mean) / dev),
               1e-9);
}

/* Draws times for many rows and counts them. Each hop leads from point i + 1 to point i. */
static void check_draws(int path, bool uniform, int points) {
  enum { ROWS = 1 << 17, MOST = 64 };
  static struct loss_test t;
  const struct few_grid_opts o = {path, 0, 0.002, 80};
  double p[MOST] = {0};
  int count[MOST] = {0};
  t = (struct loss_test){.ctx = test_ctx(), .spec.sigma_data = sigma};
  assert_ok(t.ctx, few_graph_create(&t.g, t.ctx));
  struct few_loss l = {.g = t.g, .rows = ROWS, .spec = &t.spec};
  few_node n = few_fill(t.g, points, FEW_SCALAR);
  few_node i = uniform ? few__grid_uniform(&l, n) : few__grid_lognormal(&l, &o, n, -1.1, 2);
  const struct few_hop hop = few__grid_hop(&l, &o, n, i);
  double **v = loss_values(&t, 4, (few_node[]){i, hop.t, hop.s, hop.width});
  for (int k = 0; k < ROWS; k++) {
    const int at = (int)v[0][k];
    assert_true(at >= 0 && at < points - 1 && v[0][k] == at);
    const double from = grid_point(path, points, at + 1), to = grid_point(path, points, at);
    assert_close(v[1][k], from, 1e-12);
    assert_close(v[2][k], to, 1e-12);
    /* Near sigma = 80 the tangent amplifies an error of t by up to 80^2. */
    assert_close(v[3][k], coordinate(path, from) - coordinate(path, to), 1e-10);
    count[at]++;
  }
  lognormal(path, points, -1.1, 2, p);
  for (int at = 0; at + 1 < points; at++) {
    const double want = ROWS * (uniform ? 1. / (points - 1) : p[at]);
    assert_close(count[at], want, 5 * sqrt(want) + 1); /* five deviations */
  }
  loss_values_free(4, v);
  few_graph_free(t.g);
  few_ctx_free(t.ctx);
}

static void test_draws(void **state) {
  (void)state;
  for (int path = 0; path < 3; path++) {
    check_draws(path, false, 20);
    check_draws(path, false, 2);
  }
  check_draws(FEW_PATH_EDM, true, 18);
  check_draws(FEW_PATH_FLOW, true, 2);
}

/* ---- losses ---- */

struct trial {
  const char *name;
  const char *const settings[4][2];
  double scalar;
  int path, metric; /* as the settings have them */
  double huber_c;
};

/* Returns d. Writes its derivative with respect to `difference` into slope. */
static double distance(const struct trial *r, const double *difference, double *slope) {
  double square = 0, size = 0, c = r->huber_c * sqrt(D);
  for (int k = 0; k < D; k++) {
    square += difference[k] * difference[k];
    size += fabs(difference[k]);
  }
  for (int k = 0; k < D; k++)
    slope[k] = r->metric == 0   ? 2 * difference[k] / D
               : r->metric == 1 ? copysign(1, difference[k]) / D
                                : difference[k] / sqrt(square + c * c);
  return r->metric == 0 ? square / D : r->metric == 1 ? size / D : sqrt(square + c * c) - c;
}

/* EDM's step of the exact teacher in sigma, from x at t. */
static double teacher_step(double t, double s, double x, bool heun) {
  const double a = sigma * tan(t), b = sigma * tan(s), from = x / cos(t);
  const double d = (from - denoise(t, x)) / a, to = from + (b - a) * d;
  const double next = (to - denoise(s, cos(s) * to)) / b;
  return cos(s) * (heun ? from + (b - a) * (d + next) / 2 : to);
}

/* The times of each row by the formulas, computed from its random numbers. */
struct times {
  double t, s, weight;
};

static struct times ect_times(const struct trial *r, double normal) {
  const double edm = exp(-1.1 + 2 * normal), c = coordinate(r->path, atan(edm / sigma));
  const double n = 1 + 8 / (1 + exp(edm));
  const double low = fmax(0, c * (1 - n / r->scalar));
  return (struct times){time_of(r->path, c), time_of(r->path, low), 1 / (c - low)};
}

/* Times of a grid: finds the point at t, and takes both times from the formula. */
static struct times grid_times(const struct trial *r, double points, double t) {
  int i = 1;
  while (i + 1 < points && grid_point(r->path, points, i) < t - 1e-9) i++;
  const struct times at = {grid_point(r->path, points, i), grid_point(r->path, points, i - 1), 1};
  const double width = coordinate(r->path, at.t) - coordinate(r->path, at.s);
  return (struct times){at.t, at.s, strcmp(r->name, "ict") ? 1 : 1 / width};
}

static void check_loss(const struct trial *r) {
  static struct loss_test t;
  t = (struct loss_test){.scalar_value = {r->scalar}};
  begin(&t, r->name, r->settings);
  struct few_loss *l = &t.loss;
  const bool distils = !strcmp(r->name, "cd"), ect = !strcmp(r->name, "ect");
  const bool heun = distils && asked.n == 4;
  const struct call from = asked.at[asked.n - 1], to = asked.at[asked.n - 2];
  assert_true(from.who == FEW_STUDENT &&
              to.who == (distils || !strcmp(r->name, "ct") ? FEW_TARGET : FEW_STUDENT));
  few_node z = few_loss_randn(l, FEW_RNG_NOISE, FEW_SHAPE(N, D));
  few_node draw = few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(N));
  const few_node out[] = {
      l->term[0].value, l->x0, z, from.x, from.t, from.F, to.x, to.t, to.F, draw, l->t,
      l->log[0].rows};
  double **v = loss_values(&t, FEW_COUNT(out), out), loss = 0, dF[N * D];
  for (int i = 0; i < N; i++) {
    const struct times at =
        ect ? ect_times(r, v[9][i]) : grid_times(r, distils ? 18 : r->scalar, v[4][i]);
    double difference[D], slope[D], square = 0;
    assert_close(v[4][i], at.t, 1e-12);
    assert_close(v[7][i], at.s > 0 ? at.s : 1,
                 1e-12); /* f(x, 0) = x, so it is evaluated at another time */
    assert_close(v[10][i], at.t, 1e-12);
    for (int k = 0; k < D; k++) {
      const int j = i * D + k;
      const double x = cos(at.t) * v[1][j] + sin(at.t) * sigma * v[2][j];
      const double y = distils ? teacher_step(at.t, at.s, x, heun)
                               : cos(at.s) * v[1][j] + sin(at.s) * sigma * v[2][j];
      assert_close(v[3][j] * sigma, x, 1e-12);
      assert_close(v[6][j] * sigma, y, 1e-10); /* sigma of 80 in the step */
      difference[k] = cos(at.t) * x - sin(at.t) * sigma * v[5][j] -
                      (cos(at.s) * y - sin(at.s) * sigma * v[8][j]);
      square += difference[k] * difference[k] / D;
    }
    loss += at.weight * distance(r, difference, slope) / N;
    assert_close(v[11][i], square, 1e-9 * (1 + square));
    for (int k = 0; k < D; k++) dF[i * D + k] = -at.weight * slope[k] * sin(at.t) * sigma / N;
  }
  /* Weights of 1/(c - r) up to 1e5 on differences with errors of 1e-15. */
  assert_close(v[0][0], loss, 1e-9 * (1 + loss));
  loss_check_gradient(&t, from.F, dF, 1e-8);
  loss_values_free(FEW_COUNT(out), v);
  loss_end(&t);
}

static void test_losses(void **state) {
  (void)state;
  static const struct trial trials[] = {
      {"cd", {{NULL, NULL}}, 0, FEW_PATH_EDM, 0, 0},
      {"cd", {{"solver", "ddim"}, {"metric", "l1"}, {NULL, NULL}}, 0, FEW_PATH_EDM, 1, 0},
      {"cd", {{"path", "flow"}, {"metric", "huber"}, {NULL, NULL}}, 0, FEW_PATH_FLOW, 2, 0.00054},
      {"ct", {{NULL, NULL}}, 7, FEW_PATH_EDM, 0, 0},
      {"ct", {{"path", "trigflow"}, {NULL, NULL}}, 2, FEW_PATH_TRIGFLOW, 0, 0},
      {"ict", {{NULL, NULL}}, 11, FEW_PATH_EDM, 2, 0.00054},
      {"ict", {{"path", "flow"}, {NULL, NULL}}, 21, FEW_PATH_FLOW, 2, 0.00054},
      {"ict", {{"path", "trigflow"}, {NULL, NULL}}, 1281, FEW_PATH_TRIGFLOW, 2, 0.00054},
      {"ect", {{NULL, NULL}}, 2, FEW_PATH_EDM, 2, 0},
      {"ect", {{NULL, NULL}}, 64, FEW_PATH_EDM, 2, 0},
      {"ect", {{"path", "flow"}, {NULL, NULL}}, 16, FEW_PATH_FLOW, 2, 0},
      {"ect", {{"path", "trigflow"}, {NULL, NULL}}, 16, FEW_PATH_TRIGFLOW, 2, 0},
  };
  for (int i = 0; i < FEW_COUNT(trials); i++) check_loss(&trials[i]);
}

/* The exact consistency function scales x to the deviation at t = 0. With this function as the
 * network, cd's loss has only the error of the teacher's steps: of third order per step for Heun,
 * of second order for DDIM. So halving the grid's steps divides it by 4 and by 2. */
static void test_order_of_the_step(void **state) {
  (void)state;
  static const struct {
    const char *solver;
    double order;
  } cases[] = {{"ddim", 1}, {"heun", 2}};
  static const char *const points[] = {"81", "161"};
  for (int c = 0; c < 2; c++) {
    double error[2];
    for (int k = 0; k < 2; k++) {
      static struct loss_test t;
      t = (struct loss_test){0};
      begin(&t, "cd",
            (const char *const[][2]){
                {"solver", cases[c].solver}, {"points", points[k]}, {NULL, NULL}});
      const struct call from = asked.at[asked.n - 1], to = asked.at[asked.n - 2];
      double **v = loss_values(&t, 4, (few_node[]){from.x, from.t, to.x, to.t}), sum = 0, steps;
      for (int i = 0; i < N * D; i++) {
        const double flow = v[0][i] * sqrt(variance(v[3][i / D]) / variance(v[1][i / D]));
        sum += fabs(v[2][i] - flow) / (N * D);
      }
      steps = k ? 160 : 80;
      error[k] = sum * steps;
      loss_values_free(4, v);
      loss_end(&t);
    }
    const double order = log2(error[0] / error[1]);
    /* The two grids are evaluated at different points, which makes a few percent. */
    assert_close(order, cases[c].order, 0.15);
  }
}

/* ---- dscm ---- */

/* dscm's Delta as in the paper, times cos t and normalised, and the loss computed from it. */
static void test_dscm_formula(void **state) {
  (void)state;
  static struct loss_test t;
  const double warm = 0.3, c = 0.1;
  t = (struct loss_test){.scalar_value = {warm}};
  begin(&t, "dscm", (const char *const[][2]){{"adaptive", "no"}, {"points", "6"}, {NULL, NULL}});
  struct few_loss *l = &t.loss;
  const struct call above = asked.at[1], below = asked.at[2];
  const few_node out[] = {l->term[0].value, above.x, above.t, above.F, below.x, below.t, below.F};
  double **v = loss_values(&t, FEW_COUNT(out), out), loss = 0, dF[N * D];
  const struct trial r = {.name = "dscm", .path = FEW_PATH_EDM};
  int zeros = 0;
  for (int i = 0; i < N; i++) {
    struct times at = grid_times(&r, 6, v[2][i]);
    double g[D], norm = 0;
    if (at.s < grid_point(FEW_PATH_EDM, 6, 0) + 1e-9) at.s = 0;
    zeros += at.s == 0;
    assert_close(v[2][i], at.t, 1e-12);
    assert_close(v[5][i], at.s > 0 ? at.s : at.t, 1e-12); /* F at 0 does not matter */
    const double h = at.t - at.s;
    for (int k = 0; k < D; k++) {
      const int j = i * D + k;
      const double x = sigma * v[1][j], F = sigma * v[3][j], Fs = sigma * v[6][j];
      const double pre = (cos(at.t) * x - denoise(at.t, x)) / sin(at.t);
      assert_close(sigma * v[4][j], cos(h) * x - sin(h) * pre, 1e-12);
      g[k] = cos(at.t) *
             (-cos(at.s) * (F - pre) - warm * sin(at.s) * (x + (cos(h) * F - Fs) / sin(h)));
      norm += g[k] * g[k];
    }
    for (int k = 0; k < D; k++) {
      g[k] /= sqrt(norm) + c;
      loss += g[k] * g[k] / (N * D);
      dF[i * D + k] = -2 * g[k] / (N * D);
    }
  }
  assert_true(zeros > 0 && zeros < N);
  assert_close(v[0][0], loss, 1e-10);
  loss_check_gradient(&t, above.F, dF, 1e-9);
  loss_values_free(FEW_COUNT(out), v);
  loss_end(&t);
}

/* The tangent of dscm approaches that of scm, in the same graph, with the first power of the step.
 */
static double dscm_error(const char *path, const char *points) {
  static struct loss_test t;
  t = (struct loss_test){.scalar_value = {1}};
  begin(&t, "dscm",
        (const char *const[][2]){
            {"adaptive", "no"}, {"points", points}, {"path", path}, {NULL, NULL}});
  struct few_loss *l = &t.loss;
  const struct few_scm_opts o = {.prior_weight = true, .rearrange = true};
  const struct few_trig_state d = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
  few_node v_t = few_scale(t.g, asked.at[0].F, sigma);
  few_node tangent = few__scm_tangent(l, &o, &d, asked.at[1].F, v_t);
  double **v = loss_values(&t, 2, (few_node[]){tangent, l->log[0].rows}), error = 0, size = 0;
  for (int i = 0; i < N; i++) {
    double norm = hypot(v[0][i * D], v[0][i * D + 1]);
    error += fabs(norm - v[1][i]) / N;
    size += norm / N;
  }
  loss_values_free(2, v);
  loss_end(&t);
  assert_true(size > 0.05); /* there is a tangent */
  return error / size;
}

static void test_dscm_limit(void **state) {
  (void)state;
  static const char *const paths[] = {"edm", "trigflow", "flow"};
  for (int k = 0; k < 3; k++) {
    const double coarse = dscm_error(paths[k], "4097"), fine = dscm_error(paths[k], "16385");
    printf("dscm, %s: tangent off by %.2e at N = 4097, %.2e at 16385\n", paths[k], coarse, fine);
    assert_true(fine < 2e-3);
    assert_close(coarse / fine, 4, 0.4); /* each grid has its own nearest point for a row */
  }
}

/* ---- schedules ---- */

static double scalar_at(const char *name, const char *const settings[][2], int64_t step,
                        int64_t steps, double *decay) {
  few_ctx *ctx = test_ctx();
  const struct few_objective_def *def = few__objective_find(NULL, name);
  const struct few_clock at = {.step = step, .steps = steps, .stages = 1, .stretch = 1};
  char opts[512];
  double scalar[FEW_MAX_SCALARS] = {0};
  assert_true(def->options_size <= sizeof opts);
  assert_ok(ctx, few_options_default(opts, ctx, def->options));
  for (int i = 0; settings[i][0]; i++)
    assert_ok(ctx, few_option_set(opts, ctx, def->options, settings[i][0], settings[i][1]));
  def->schedule(scalar, opts, &at);
  if (decay) *decay = def->target_decay(opts, &at);
  few_ctx_free(ctx);
  return scalar[0];
}

static void test_schedules(void **state) {
  (void)state;
  static const char *const none[][2] = {{NULL, NULL}};
  double decay;
  /* ct: N goes from s0 to s1 + 1; mu from mu0 to mu0^(s0/N). */
  assert_true(scalar_at("ct", none, 0, 800, &decay) == 2);
  assert_close(decay, 0.9, 1e-12);
  assert_true(scalar_at("ct", none, 800, 800, &decay) == 151);
  assert_close(decay, exp(2 * log(0.9) / 151), 1e-12);
  /* half way: ceil(sqrt((151^2 + 2^2)/2) - 1) + 1 = ceil(105.78) + 1 */
  assert_true(scalar_at("ct", none, 400, 800, NULL) == 107);
  /* ict: 8 stages of K' = 100. */
  assert_true(scalar_at("ict", none, 0, 800, NULL) == 11);
  assert_true(scalar_at("ict", none, 99, 800, NULL) == 11);
  assert_true(scalar_at("ict", none, 100, 800, NULL) == 21);
  assert_true(scalar_at("ict", none, 799, 800, NULL) == 1281);
  assert_true(scalar_at("ict", none, 5, 6, NULL) == 321); /* fewer steps than stages */
  /* ect: q^(j+1), j = 0 .. 7. */
  assert_true(scalar_at("ect", none, 0, 800, NULL) == 2);
  assert_true(scalar_at("ect", none, 799, 800, NULL) == 256);
  assert_true(
      scalar_at("ect", (const char *const[][2]){{"q", "4"}, {NULL, NULL}}, 100, 800, NULL) == 16);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_draws),
                                     cmocka_unit_test(test_losses),
                                     cmocka_unit_test(test_order_of_the_step),
                                     cmocka_unit_test(test_dscm_formula),
                                     cmocka_unit_test(test_dscm_limit),
                                     cmocka_unit_test(test_schedules)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
