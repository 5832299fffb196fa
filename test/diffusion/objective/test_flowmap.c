/* Flow maps: the loss of each form is compared with its formula in plain C, where derivatives come
 * from finite differences. */
#include "losses.h"
#include "oracle/scm.h"

enum { R = 8, D = LOSS_DIM };
static const double sigma = 0.5;

/* ---- times ---- */

struct times {
  const char *settings[8][2];
  int diagonal[2], image[2]; /* least and most rows with s = t and with s = 0 */
};

static void check_times(const struct times *w) {
  struct losses s = {0};
  loss_build(&s, "flowmap", R, 0, w->settings);
  const struct few_net_input *in = &s.call[s.n_calls - 1].in;
  const int t = loss_want(&s, in->t), step = loss_want(&s, in->step_size);
  int diagonal = 0, image = 0;
  loss_replay(&s);
  for (int r = 0; r < R; r++) {
    assert_true(s.value[t][r] > 0 && s.value[t][r] < acos(-1) / 2);
    assert_true(s.value[step][r] >= 0 && s.value[step][r] <= s.value[t][r]);
    diagonal += s.value[step][r] == 0;
    image += s.value[step][r] == s.value[t][r];
  }
  assert_in_range(diagonal, w->diagonal[0], w->diagonal[1]);
  assert_in_range(image, w->image[0], w->image[1]);
  loss_free(&s);
}

static void test_times(void **state) {
  (void)state;
  check_times(&(struct times){{{"diagonal", "1"}}, {R, R}, {0, 0}});
  check_times(&(struct times){{{"to_image", "1"}}, {0, 0}, {R, R}});
  static const char *const ends[] = {"uniform", "swap", "gap"};
  for (int i = 0; i < 3; i++) {
    check_times(&(struct times){{{"end", ends[i]}, {"to_image", "0"}}, {0, 0}, {0, 0}});
    check_times(&(struct times){
        {{"end", ends[i]}, {"diagonal", "0.3"}, {"to_image", "0.5"}}, {1, R - 2}, {1, R - 2}});
  }
}

/* ---- Eulerian ---- */

/* The student a little further along the teacher's flow, with the same s. */
static few_node further(struct losses *s, const struct loss_call *c, few_node v, double h) {
  few_graph *g = s->g;
  struct few_net_input in = c->in;
  in.x = few_add(g, in.x, few_scale(g, v, h));
  in.t = few_affine(g, in.t, 1, h);
  in.step_size = few_sub(g, in.t, few_sub(g, c->in.t, c->in.step_size));
  return loss_apply(s, FEW_STUDENT, &in);
}

/* `field`: whose velocity the flow has; FEW_ROLES: that of the row. */
static void check_eulerian(const char *const settings[][2], enum few_role field) {
  const double h = 1e-5;
  const bool sample = field == FEW_ROLES;
  struct losses s = {0};
  loss_build(&s, "flowmap", R, 0, settings);
  const bool predicted = !sample && field != FEW_TEACHER; /* then with a term of flow matching */
  assert_int_equal(s.n_calls, sample ? 1 : predicted ? 3 : 2);
  assert_int_equal(s.l.n_terms, predicted ? 2 : 1);
  const int call = !sample;
  const struct loss_call *c = &s.call[call];
  assert_true(c->who == FEW_STUDENT && (sample || s.call[0].who == field));
  const struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, s.l.t, FEW_RNG_NOISE);
  few_node along = sample ? few_scale(s.g, d.v, 1 / sigma) : s.call[0].F;
  const int loss = loss_want(&s, s.l.term[0].value), xin = loss_want(&s, c->in.x);
  const int step = loss_want(&s, c->in.step_size), F = loss_want(&s, c->F);
  const int v = loss_want(&s, along);
  const int shifted[2] = {loss_want(&s, further(&s, c, along, h)),
                          loss_want(&s, further(&s, c, along, -h))};
  loss_replay(&s);
  double want = 0, cot[R * D];
  for (int r = 0; r < R; r++) {
    const double phi = s.value[step][r];
    double x[D], vr[D], jvp[D], gr[D];
    for (int j = 0; j < D; j++) {
      const int i = r * D + j;
      const double dF = (s.value[shifted[0]][i] - s.value[shifted[1]][i]) / (2 * h);
      x[j] = sigma * s.value[xin][i];
      vr[j] = sigma * s.value[v][i];
      jvp[j] = cos(phi) * sin(phi) * sigma * dF;
    }
    few__scm_g(sigma, phi, 0.3, D, x, s.value[F] + r * D, vr, jvp, gr); /* 0.3: the warm-up */
    scm_normalize(0.1, D, gr, gr);
    for (int j = 0; j < D; j++) {
      want += gr[j] * gr[j] / (D * R);
      cot[r * D + j] = -2 * gr[j] / (D * R);
    }
  }
  assert_close(s.value[loss][0], want, 1e-8); /* h^2 and eps/h */
  loss_check_gradient(&s, s.l.term[0].value, call, cot, 1e-8);
  loss_free(&s);
}

static void test_eulerian(void **state) {
  (void)state;
  static const struct {
    const char *settings[8][2];
    enum few_role field;
  } cases[] = {
      {{{"adaptive", "no"}, {"p_mean", "0"}, {"p_std", "2"}, {"diagonal", "0.3"}}, FEW_TEACHER},
      {{{"adaptive", "no"}, {"p_mean", "0"}, {"end", "swap"}, {"rearrange", "no"}}, FEW_TEACHER},
      {{{"adaptive", "no"}, {"end", "gap"}, {"to_image", "0.5"}}, FEW_TEACHER},
      {{{"adaptive", "no"}, {"from", "self"}, {"diagonal", "0.3"}}, FEW_ROLES},
      {{{"adaptive", "no"}, {"from", "self"}, {"velocity", "predicted"}}, FEW_STUDENT},
      {{{"adaptive", "no"}, {"from", "self"}, {"velocity", "predicted"}, {"target", "average"}},
       FEW_TARGET},
  };
  for (int i = 0; i < FEW_COUNT(cases); i++) check_eulerian(cases[i].settings, cases[i].field);
}

/* ---- Lagrangian and terminal ---- */

/* The student's F for the step to s + h instead of s. */
static few_node nearer(struct losses *s, const struct loss_call *c, double h) {
  struct few_net_input in = c->in;
  in.step_size = few_affine(s->g, in.step_size, 1, -h);
  return loss_apply(s, FEW_STUDENT, &in);
}

struct form {
  const char *settings[10][2];
  enum few_role field; /* whose velocity at the end */
  bool self, terminal;
  double p; /* norm_p, with norm_c = 0.01 */
};

/* The loss of residuals `off` of a row and the factor of its gradient, dL/doff = factor off. */
static double norm_loss(double p, const double *off, double *factor) {
  double q = 0;
  for (int j = 0; j < D; j++) q += off[j] * off[j] / D;
  const double weight = p > 0 ? pow(q + 0.01, -p) : 1;
  *factor = 2 * weight / D;
  return q * weight;
}

static void check_lagrangian(const struct form *f) {
  const double h = 1e-5;
  struct losses s = {0};
  loss_build(&s, "flowmap", R, 0, f->settings);
  assert_int_equal(s.n_calls, f->terminal ? 3 : 2);
  const struct loss_call *c = &s.call[0], *end = &s.call[1];
  assert_true(c->who == FEW_STUDENT && end->who == f->field);
  const struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, c->in.t, FEW_RNG_NOISE);
  const int loss = loss_want(&s, s.l.term[0].value), x = loss_want(&s, d.x), v = loss_want(&s, d.v);
  const int t = loss_want(&s, c->in.t), step = loss_want(&s, c->in.step_size);
  const int F = loss_want(&s, c->F), at = loss_want(&s, end->in.x), to = loss_want(&s, end->in.t);
  const int own = loss_want(&s, end->F);
  const int shifted[2] = {loss_want(&s, nearer(&s, c, h)), loss_want(&s, nearer(&s, c, -h))};
  loss_replay(&s);
  double want = 0;
  for (int r = 0; r < R; r++) {
    const double phi = s.value[step][r];
    double off[D], factor;
    assert_close(s.value[to][r], s.value[t][r] - phi, 1e-14);
    for (int j = 0; j < D; j++) {
      const int i = r * D + j;
      double X[2]; /* to s + h and s - h */
      for (int k = 0; k < 2; k++) {
        const double a = phi - (k ? -h : h);
        X[k] = cos(a) * s.value[x][i] - sin(a) * sigma * s.value[shifted[k]][i];
      }
      const double here = cos(phi) * s.value[x][i] - sin(phi) * sigma * s.value[F][i];
      assert_close(s.value[at][i], here / sigma, 1e-14);
      const bool sample = f->self && phi == 0;
      off[j] = (X[0] - X[1]) / (2 * h * sigma) - (sample ? s.value[v][i] / sigma : s.value[own][i]);
    }
    want += norm_loss(f->p, off, &factor) / R;
  }
  assert_close(s.value[loss][0], want, 1e-8); /* h^2 and eps/h */
  loss_free(&s);
}

static const struct form lagrangian[] = {
    {{{"form", "lagrangian"}, {"adaptive", "no"}, {"diagonal", "0.3"}},
     FEW_TEACHER,
     false,
     false,
     0},
    {{{"form", "lagrangian"}, {"adaptive", "no"}, {"norm_p", "0.75"}, {"norm_c", "0.01"}},
     FEW_TEACHER,
     false,
     false,
     0.75},
    {{{"form", "lagrangian"}, {"from", "self"}, {"adaptive", "no"}, {"diagonal", "0.4"}},
     FEW_STUDENT,
     true,
     false,
     0},
    {{{"form", "terminal"},
      {"from", "self"},
      {"adaptive", "no"},
      {"target", "average"},
      {"end", "gap"}},
     FEW_TARGET,
     true,
     true,
     0},
};

static void test_lagrangian(void **state) {
  (void)state;
  for (int i = 0; i < FEW_COUNT(lagrangian); i++) check_lagrangian(&lagrangian[i]);
}

/* The second term of `terminal` is flow matching at a time of its own. */
static void test_flow_term(void **state) {
  (void)state;
  struct losses s = {0};
  loss_build(&s, "flowmap", R, 0, lagrangian[3].settings);
  const struct loss_call *c = &s.call[2];
  assert_int_equal(s.l.n_terms, 2);
  const struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, c->in.t, FEW_RNG_NOISE);
  const int loss = loss_want(&s, s.l.term[1].value), x = loss_want(&s, d.x), v = loss_want(&s, d.v);
  const int in = loss_want(&s, c->in.x), step = loss_want(&s, c->in.step_size);
  const int F = loss_want(&s, c->F), t = loss_want(&s, c->in.t), other = loss_want(&s, s.l.t);
  loss_replay(&s);
  double want = 0, cot[R * D];
  for (int i = 0; i < R * D; i++) {
    const double off = s.value[F][i] - s.value[v][i] / sigma;
    assert_close(s.value[in][i], s.value[x][i] / sigma, 1e-14);
    assert_true(s.value[step][i / D] == 0 && s.value[t][i / D] != s.value[other][i / D]);
    want += off * off / (R * D);
    cot[i] = 2 * off / (R * D);
  }
  assert_close(s.value[loss][0], want, 1e-14);
  loss_check_gradient(&s, s.l.term[1].value, 2, cot, 1e-14);
  loss_free(&s);
}

/* ---- the gradient through the tangent ---- */

struct traced {
  int x, step, F, dF, own; /* indices of values; dF is dF/d(step size) */
};

/* The loss of squared residuals, with the stopped velocity at the map's end given. */
static double loss_of(const struct losses *s, const struct traced *at, const double *own) {
  double sum = 0;
  for (int i = 0; i < R * D; i++) {
    const double phi = s->value[at->step][i / D];
    const double dX = sin(phi) * s->value[at->x][i] + cos(phi) * sigma * s->value[at->F][i] +
                      sin(phi) * sigma * s->value[at->dF][i];
    sum += (dX / sigma - own[i]) * (dX / sigma - own[i]) / (R * D);
  }
  return sum;
}

/* The derivative of the loss in entry k of a parameter, by central differences. */
static double nudged(struct losses *s, const struct traced *at, const double *own, const char *name,
                     const struct few_shape *shape, int64_t k) {
  const double h = 2e-6;
  const struct few_slot slot = {.name = name, .type = FEW_REAL, .shape = *shape};
  double side[2];
  for (int i = 0; i < 2; i++) {
    double *v = loss_slot(s, &slot);
    v[k] += i ? -h : h;
    loss_give(s, name, v);
    loss_replay(s);
    side[i] = loss_of(s, at, own);
    s->n_given = 0;
    free(v);
  }
  return (side[0] - side[1]) / (2 * h);
}

/* The gradient of the whole loss, which passes through the tangent, against finite differences. */
static void check_gradient(const struct form *f) {
  struct losses s = {0};
  few_node p[LOSS_P], grad[LOSS_P], dF, one;
  char name[LOSS_P][160];
  double own[R * D], largest = 0;
  loss_build(&s, "flowmap", R, 0, f->settings);
  const struct loss_call *c = &s.call[0];
  const struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, c->in.t, FEW_RNG_NOISE);
  const int n = s.params[FEW_STUDENT].n;
  one = few_fill(s.g, 1, FEW_SHAPE(R));
  assert_ok(s.ctx, few_jvp(&dF, s.g, 1, &c->F, 1, &c->in.step_size, &one));
  for (int i = 0; i < n; i++) {
    const struct few_param_row *row = &s.params[FEW_STUDENT].at[i];
    snprintf(name[i], sizeof name[i], "student:%s", row->name);
    p[i] = few_param(s.g, name[i], row->shape);
  }
  assert_ok(s.ctx, few_grad(grad, s.g, s.l.term[0].value, n, p));
  const struct traced at = {.x = loss_want(&s, d.x),
                            .step = loss_want(&s, c->in.step_size),
                            .F = loss_want(&s, c->F),
                            .dF = loss_want(&s, dF),
                            .own = loss_want(&s, s.call[1].F)};
  const int loss = loss_want(&s, s.l.term[0].value);
  int of[LOSS_P];
  for (int i = 0; i < n; i++) of[i] = grad[i] == FEW_NONE ? -1 : loss_want(&s, grad[i]);
  loss_replay(&s);
  memcpy(own, s.value[at.own], sizeof own);
  assert_close(s.value[loss][0], loss_of(&s, &at, own), 1e-14);
  for (int i = 0; i < n; i++) {
    const struct few_shape *shape = &s.params[FEW_STUDENT].at[i].shape;
    const int64_t count = few_shape_count(*shape);
    double got[3] = {0};
    for (int64_t k = 0; k < 3 && k < count; k++) got[k] = of[i] < 0 ? 0 : s.value[of[i]][k];
    for (int64_t k = 0; k < 3 && k < count; k++) {
      const double want = nudged(&s, &at, own, name[i], shape, k);
      assert_close(got[k], want, 1e-8 * (1 + fabs(want))); /* h^2 and eps/h */
      largest = fmax(largest, fabs(got[k]));
      loss_replay(&s); /* back to the given parameters */
    }
  }
  assert_true(largest > 1e-3);
  loss_free(&s);
}

static void test_gradient(void **state) {
  (void)state;
  static const struct form forms[] = {
      {.settings = {{"form", "lagrangian"}, {"adaptive", "no"}, {"diagonal", "0.3"}}},
      {.settings = {{"form", "lagrangian"}, {"from", "self"}, {"adaptive", "no"}}},
      {.settings = {{"form", "terminal"}, {"from", "self"}, {"adaptive", "no"}, {"end", "gap"}}},
  };
  for (int i = 0; i < FEW_COUNT(forms); i++) check_gradient(&forms[i]);
}

/* ---- semigroup ---- */

static void check_semigroup(const char *const settings[][2], enum few_role two, bool self) {
  struct losses s = {0};
  loss_build(&s, "flowmap", R, 0, settings);
  assert_int_equal(s.n_calls, self ? 3 : 4);
  const struct loss_call *c = &s.call[0], *one = &s.call[s.n_calls - 2], *end = one + 1;
  assert_true(c->who == FEW_STUDENT && one->who == two && end->who == two);
  const struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, s.l.t, FEW_RNG_NOISE);
  const int loss = loss_want(&s, s.l.term[0].value), x = loss_want(&s, d.x);
  const int v = loss_want(&s, self ? few_scale(s.g, d.v, 1 / sigma) : s.call[1].F);
  const int t = loss_want(&s, s.l.t), F = loss_want(&s, c->F), F1 = loss_want(&s, one->F);
  const int F2 = loss_want(&s, end->F), at = loss_want(&s, end->in.x), u = loss_want(&s, end->in.t);
  const int step = loss_want(&s, c->in.step_size), a = loss_want(&s, one->in.step_size);
  const int b = loss_want(&s, end->in.step_size);
  loss_replay(&s);
  double want = 0, cot[R * D];
  int diagonal = 0;
  for (int i = 0; i < R * D; i++) {
    const double phi = s.value[step][i / D], first = s.value[a][i / D], second = s.value[b][i / D];
    assert_close(first + second, phi, 1e-15);
    assert_close(s.value[u][i / D], s.value[t][i / D] - first, 1e-15);
    const double X1 = cos(first) * s.value[x][i] - sin(first) * sigma * s.value[F1][i];
    const double X2 = cos(second) * X1 - sin(second) * sigma * s.value[F2][i];
    assert_close(s.value[at][i], X1 / sigma, 1e-14);
    double target = (cos(phi) * s.value[x][i] - X2) / (sigma * sin(phi));
    if (phi == 0) target = s.value[v][i];
    diagonal += phi == 0;
    const double off = s.value[F][i] - target;
    want += off * off / (R * D);
    cot[i] = 2 * off / (R * D);
  }
  assert_in_range(diagonal, 1, R * D - 1);
  assert_close(s.value[loss][0], want, 1e-12); /* 1/sin(phi) */
  loss_check_gradient(&s, s.l.term[0].value, 0, cot, 1e-12);
  loss_free(&s);
}

static void test_semigroup(void **state) {
  (void)state;
  static const char *const self[][2] = {
      {"form", "semigroup"}, {"from", "self"}, {"adaptive", "no"}, {"diagonal", "0.4"}, {NULL}};
  static const char *const half[][2] = {{"form", "semigroup"},
                                        {"from", "self"},
                                        {"adaptive", "no"},
                                        {"diagonal", "0.4"},
                                        {"middle", "half"},
                                        {"target", "average"},
                                        {NULL}};
  static const char *const teacher[][2] = {
      {"form", "semigroup"}, {"adaptive", "no"}, {"diagonal", "0.4"}, {NULL}};
  check_semigroup(self, FEW_STUDENT, true);
  check_semigroup(half, FEW_TARGET, true);
  check_semigroup(teacher, FEW_STUDENT, false);
}

/* ---- one Gaussian N(mu, deviation^2), of which all maps are linear ---- */

static const double mu = 0.4, deviation = 0.3;

static few_node rows_of(few_graph *g, few_node a) { return few_reshape(g, a, FEW_SHAPE(R, 1)); }

static few_node spread(few_graph *g, few_node t) {
  return few_sqrt(g, few_add(g, few_square(g, few_scale(g, few_cos(g, t), deviation)),
                             few_square(g, few_scale(g, few_sin(g, t), sigma))));
}

/* The F of the velocity of the flow, d/dt of cos(t) mu + S(t) (x0 - mu)/deviation:
 * sigma F = -sin(t) mu + S'/S (x - cos(t) mu). */
static few_node exact_field(few_graph *g, few_node x, few_node t) {
  few_node sin = few_sin(g, t), cos = few_cos(g, t);
  few_node rate = few_scale(g, few_mul(g, sin, cos), sigma * sigma - deviation * deviation);
  rate = few_div(g, rate, few_square(g, spread(g, t)));
  few_node off = few_sub(g, x, rows_of(g, few_scale(g, cos, mu)));
  few_node v = few_sub(g, few_mul(g, rows_of(g, rate), off), rows_of(g, few_scale(g, sin, mu)));
  return few_scale(g, v, 1 / sigma);
}

/* The F of the exact map: (cos(phi) x - X) / (sigma sin(phi)). */
static few_node exact(struct losses *s, enum few_role who, const struct few_net_input *in) {
  few_graph *g = s->g;
  double none;
  few_node t = in->t, x = few_scale(g, in->x, sigma);
  if (who == FEW_TEACHER || few__fill_value(g, in->step_size, &none)) return exact_field(g, x, t);
  few_node to = few_sub(g, t, in->step_size), ratio = few_div(g, spread(g, to), spread(g, t));
  few_node off = few_sub(g, x, rows_of(g, few_scale(g, few_cos(g, t), mu)));
  few_node X =
      few_add(g, rows_of(g, few_scale(g, few_cos(g, to), mu)), few_mul(g, rows_of(g, ratio), off));
  few_node moved = few_sub(g, few_mul(g, rows_of(g, few_cos(g, in->step_size)), x), X);
  return few_div(g, moved, rows_of(g, few_scale(g, few_sin(g, in->step_size), sigma)));
}

/* At the exact map the tangent of `eulerian` and the residuals of the other forms are 0. */
static void test_gaussian(void **state) {
  (void)state;
  static const char *const forms[][6][2] = {
      {{"form", "eulerian"}},
      {{"form", "eulerian"}, {"from", "self"}, {"velocity", "predicted"}},
      {{"form", "lagrangian"}},
      {{"form", "lagrangian"}, {"from", "self"}},
      {{"form", "terminal"}, {"from", "self"}, {"end", "gap"}},
      {{"form", "semigroup"}},
      {{"form", "semigroup"}, {"from", "self"}, {"end", "swap"}},
  };
  static const double full = 1;
  for (int i = 0; i < FEW_COUNT(forms); i++) {
    struct losses s = {.exact = exact};
    loss_build(&s, "flowmap", R, 0, forms[i]);
    loss_give(&s, "scalar0", &full);
    const int rows = loss_want(&s, s.l.log[0].rows);
    assert_string_equal(s.l.log[0].name, i < 2 ? "tangent" : "mse");
    loss_replay(&s);
    /* A tangent is a difference of numbers below 10, which are divided by sin(phi) twice; the
     * residuals are squared. */
    for (int r = 0; r < R; r++) assert_close(s.value[rows][r], 0, i < 2 ? 1e-9 : 1e-18);
    loss_free(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times),      cmocka_unit_test(test_eulerian),
      cmocka_unit_test(test_lagrangian), cmocka_unit_test(test_flow_term),
      cmocka_unit_test(test_gradient),   cmocka_unit_test(test_semigroup),
      cmocka_unit_test(test_gaussian)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
