/* The teacher's loss. The times of each process are compared with its definition in plain C, the
 * weights and scales of the loss with the formula. */
#include "testing.h"

#include "base/rng.h"
#include "diffusion/objective/objective.h"
#include "diffusion/process/process.h"
#include "diffusion/weight/weight.h"
#include "engine/plan/plan.h"

enum { ROWS = 40, SIDE = 4, DIM = SIDE * SIDE, MAX_OUT = 6 };
static const double sd = 0.5;
static const struct few_net_spec spec = {.h = SIDE, .w = SIDE, .c = 1, .sigma_data = 0.5};

static const struct few_objective_def *diffusion(void) {
  return few__objective_find(NULL, "diffusion");
}

struct setting {
  few_ctx *ctx;
  few_graph *g;
  struct few_params params;
  struct few_nn head;
  struct few_loss loss;
  char opts[512];
};

static few_node net(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  (void)who;
  return few_input(l->g, "F", FEW_REAL, few_node_shape(l->g, in->x));
}

static void begin(struct setting *s, const char *const settings[][2]) {
  *s = (struct setting){.ctx = test_ctx()};
  assert_true(diffusion()->options_size <= sizeof s->opts);
  assert_ok(s->ctx, few_options_default(s->opts, s->ctx, diffusion()->options));
  for (int i = 0; settings[i][0]; i++)
    assert_ok(s->ctx, few_option_set(s->opts, s->ctx, diffusion()->options, settings[i][0],
                                     settings[i][1]));
  assert_ok(s->ctx, few_graph_create(&s->g, s->ctx));
  s->head = (struct few_nn){.g = s->g, .params = &s->params, .prefix = "head:"};
  s->loss = (struct few_loss){.g = s->g,
                              .rows = ROWS,
                              .spec = &spec,
                              .net = net,
                              .head = &s->head,
                              .label = FEW_NONE,
                              .pair_guidance = FEW_NONE};
  s->loss.x0 = few_input(s->g, "x", FEW_REAL, FEW_SHAPE(ROWS, SIDE, SIDE, 1));
}

static void end(struct setting *s) {
  few__params_free(s->ctx, &s->params);
  few_graph_free(s->g);
  few_ctx_free(s->ctx);
}

static double input(const char *name, int64_t k) {
  return 0.6 * sin(2.7 * (double)k + (double)name[0]);
}

static void replay(struct setting *s, int n, const few_node *out, double values[][ROWS * DIM]) {
  const struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F64};
  few_plan *plan;
  void *outs[MAX_OUT];
  const void *slots[2];
  static double fed[2][ROWS * DIM];
  assert_ok(s->ctx, few_graph_status(s->g));
  assert_ok(s->ctx, few__plan_create(s->ctx, &plan, s->g, &po, n, out));
  assert_true(n <= MAX_OUT && few__plan_slots(plan) <= 2);
  for (int i = 0; i < n; i++) outs[i] = values[i];
  for (int i = 0; i < few__plan_slots(plan); i++) {
    for (int64_t k = 0; k < ROWS * DIM; k++) fed[i][k] = input(few__plan_slot(plan, i)->name, k);
    slots[i] = fed[i];
  }
  void *arena = few__alloc(s->ctx, few__plan_arena(plan) + 64);
  few__plan_replay(plan, arena,
                   &(struct few_binding){.slots = slots, .outs = outs, .key = {.seed = 4}});
  few__free(s->ctx, arena);
  few__plan_free(plan);
}

/* ---- times ---- */

struct times {
  const char *settings[8][2];
  double (*sigma)(double u); /* sigma/alpha at the process's time u; NULL: lognormal */
};

static double ratio(const struct few_process *p, double u) {
  struct few_mix m = p->at(sd, u);
  return m.eps / m.x0;
}
static double trigflow(double u) { return sd * tan(u * 1.5707963267948966); }
static double vp(double u) { return ratio(&few__process_vp, u); }
static double vp_linear(double u) { return ratio(&few__process_vp_linear, 1e-5 + (1 - 1e-5) * u); }
static double ve(double u) { return sqrt(0.02 * 0.02 * pow(5000 * 5000.0, u)); }
static double flow(double u) { return ratio(&few__process_flow, u); }

/* The schedules of simple diffusion, as its paper prints them, from ln SNR; images have the side 4.
 */
static double cosine(double u) {
  double least = atan(exp(-0.5 * 15)), most = atan(exp(-0.5 * -15));
  return -2 * log(tan(least + u * (most - least)));
}
static double shifted(double u) { return exp(-0.5 * (cosine(u) + 2 * log(2.0 / 4))); }
static double interpolated(double u) {
  double low = cosine(u) + 2 * log(1.0 / 4), high = cosine(u) + 2 * log(16.0 / 4);
  return exp(-0.5 * ((1 - u) * low + u * high));
}

#define LIMITS \
  {"process", "vp"}, {"logsnr_min", "-15"}, { "logsnr_max", "15" }
static const struct times all[] = {
    {{{"process", "trigflow"}}, NULL},
    {{{"process", "edm"}, {"p_mean", "-1.2"}, {"p_std", "1.2"}}, NULL},
    {{{"process", "vp"}, {"times", "lognormal"}}, NULL},
    {{{"process", "trigflow"}, {"times", "uniform"}}, trigflow},
    {{{"process", "vp"}}, vp},
    {{{"process", "vp-linear"}}, vp_linear},
    {{{"process", "flow"}}, flow},
    {{{"process", "ve"}}, ve},
    {{{"process", "flow"}, {"times", "logit-normal"}, {"logit_mean", "0.3"}, {"logit_std", "0.7"}},
     flow},
    {{LIMITS, {"noise_d", "2"}}, shifted},
    {{LIMITS, {"noise_d", "1"}, {"noise_d_high", "16"}}, interpolated},
};

static void check_times(const struct times *c) {
  static double v[3][ROWS * DIM];
  struct setting s;
  begin(&s, c->settings);
  const struct few_timestep_opts *o = (const void *)s.opts; /* the options begin with them */
  few_node out[3] = {few_timestep_sample(&s.loss, o), few_randu(s.g, FEW_RNG_TIME, FEW_SHAPE(ROWS)),
                     few_randn(s.g, FEW_RNG_TIME, FEW_SHAPE(ROWS))};
  replay(&s, 3, out, v);
  for (int i = 0; i < ROWS; i++) {
    double u = o->times == 3 ? 1 / (1 + exp(-o->logit_mean - o->logit_std * v[2][i])) : v[1][i];
    double sigma = c->sigma ? c->sigma(u) : exp(o->p_mean + o->p_std * v[2][i]);
    /* A relative error e of sigma changes arctan(sigma/sd) by at most e/2. vp takes the tangent of
     * an angle near pi/2: 1 ulp of the angle is 1/cos ulps of the tangent, and 1/cos < 2^15. */
    assert_close(v[0][i], atan(sigma / sd), 0x1p-52 * (8 + 2 * sigma));
  }
  end(&s);
}

static void test_times(void **state) {
  (void)state;
  for (int i = 0; i < FEW_COUNT(all); i++) check_times(&all[i]);
}

/* ---- the loss ---- */

/* Returns |residual averaged down to s x s|^2 / s^2 of one row. */
static double pooled(const double *r, int s) {
  const int n = SIDE / s;
  double sum = 0;
  for (int i = 0; i < s; i++)
    for (int j = 0; j < s; j++) {
      double mean = 0;
      for (int k = 0; k < n * n; k++) mean += r[(i * n + k / n) * SIDE + j * n + k % n] / (n * n);
      sum += mean * mean / (s * s);
    }
  return sum;
}

static void check_loss(const char *weight, const char *scales, int n, const int *sides) {
  static double v[3][ROWS * DIM];
  const char *const settings[][2] = {
      {"adaptive", "no"}, {"weight", weight}, {"scales", scales}, {NULL, NULL}};
  struct setting s;
  double sum = 0, r[DIM];
  begin(&s, settings);
  diffusion()->build(&s.loss, s.opts);
  assert_int_equal(s.loss.n_terms, 1);
  few_node out[3] = {s.loss.term[0].value, s.loss.t,
                     few_randn(s.g, FEW_RNG_NOISE, FEW_SHAPE(ROWS, SIDE, SIDE, 1))};
  replay(&s, 3, out, v);
  for (int i = 0; i < ROWS; i++) {
    const double t = v[1][i], factor = !strcmp(weight, "snr") ? cos(t) * cos(t) : 1;
    for (int k = 0; k < DIM; k++) /* F - (cos z - sin x0)/sd, z = sd eps */
      r[k] = input("F", i * DIM + k) - cos(t) * v[2][i * DIM + k] +
             sin(t) * input("x", i * DIM + k) / sd;
    for (int k = 0; k < n; k++) sum += factor * pooled(r, sides[k]) / (n > 1 ? sides[k] : 1) / ROWS;
  }
  assert_close(v[0][0], sum, 0x1p-52 * 64 * (1 + sum)); /* sums of DIM squares of order 1 */
  end(&s);
}

static void test_loss(void **state) {
  (void)state;
  check_loss("trigflow", "0", 1, (const int[]){4});
  check_loss("snr", "0", 1, (const int[]){4});
  check_loss("snr", "1, 4", 2, (const int[]){1, 4});
  check_loss("trigflow", "2, 4", 2, (const int[]){2, 4});
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *settings[3][2], *says;
  } wrong[] = {
      {{{"process", "edm"}, {"times", "uniform"}}, "lognormal"},
      {{{"noise_d", "32"}}, "process = vp"},
      {{{"process", "vp"}, {"noise_d_high", "32"}}, "noise_d too"},
      {{{"process", "vp"}, {"logsnr_min", "0"}, {"logsnr_max", "0"}}, "logsnr_min"},
      {{{"weight", "snr2"}}, "snr2"},
      {{{"scales", "3"}}, "halved"},
      {{{"scales", "8"}}, "halved"},
      {{{"scales", "2, 0"}}, "halved"},
  };
  const struct few_fit fit = {.student = &spec};
  for (int i = 0; i < FEW_COUNT(wrong); i++) {
    struct setting s;
    const char *settings[4][2] = {{NULL, NULL}};
    memcpy(settings, wrong[i].settings, sizeof wrong[i].settings);
    begin(&s, settings);
    assert_int_equal(diffusion()->check(s.ctx, s.opts, &fit), FEW_E_INVALID);
    if (!strstr(few_error(s.ctx), wrong[i].says)) fail_msg("%d: %s", i, few_error(s.ctx));
    end(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_loss),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
