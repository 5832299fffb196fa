/* MeanFlow's loss is compared with its formula in plain C, where dU/du comes from finite
 * differences in flow matching's coordinates; and on one Gaussian, whose average velocity is
 * known. */
#include "base/rng.h"
#include "losses.h"

enum { R = 6, D = LOSS_DIM };

struct ways {
  const char *settings[10][2];
  double omega, kappa, p, c;
  int64_t classes;
  bool predicted;
  const char *dropout;
};

/* The student at a point beside the row's: at (y_u + h v, u + h) instead of (y_u, u), with the same
 * r. For finite differences. */
static few_node beside(struct losses *s, few_node x, few_node t, few_node end) {
  few_graph *g = s->g;
  struct few_net_input in = s->call[s->n_calls - 1].in;
  in.x = few_scale(g, x, 2);
  in.t = t;
  in.step_size = few_sub(g, t, end);
  return loss_apply(s, FEW_STUDENT, &in);
}

static int find_call(const struct losses *s, bool label, bool spanned) {
  double step_size;
  for (int i = 0; i < s->n_calls; i++) {
    bool field = few__fill_value(s->g, s->call[i].in.step_size, &step_size);
    if (field == !spanned && (s->call[i].in.label != FEW_NONE) == label) return i;
  }
  return -1;
}

static void check(const struct ways *w) {
  const double h = 1e-5;
  struct losses s = {.dropout = w->dropout};
  loss_build(&s, "meanflow", R, w->classes, w->settings);
  few_graph *g = s.g;
  struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, s.l.t, FEW_RNG_NOISE);
  const int main_call = s.n_calls - 1;
  const struct loss_call *c = &s.call[main_call];
  for (int i = 0; i < s.n_calls; i++) /* all calls but the main one give targets: no dropout */
    assert_true(loss_is_plain(&s, i) == (i != main_call || !w->dropout));
  int loss = loss_want(&s, s.l.term[0].value), t = loss_want(&s, c->in.t);
  int x = loss_want(&s, d.x), v = loss_want(&s, d.v), step_size = loss_want(&s, c->in.step_size);
  int F = loss_want(&s, c->F), none = -1, labelled = -1, shifted[2];
  if (w->omega != 1) none = loss_want(&s, s.call[find_call(&s, false, false)].F);
  if (w->kappa > 0 || w->predicted)
    labelled = loss_want(&s, s.call[find_call(&s, w->classes > 0, false)].F);
  for (int k = 0; k < 2; k++) {
    few_node xs = few_input(g, k ? "x-" : "x+", FEW_REAL, FEW_SHAPE(R, D));
    few_node ts = few_input(g, k ? "t-" : "t+", FEW_REAL, FEW_SHAPE(R));
    few_node end = few_input(g, "end", FEW_REAL, FEW_SHAPE(R));
    shifted[k] = loss_want(&s, beside(&s, xs, ts, end));
  }
  loss_replay(&s); /* once for the points, then with the points beside them */
  double target_v[R * D], along[R * D], given[5][R * D];
  for (int r = 0; r < R; r++) {
    const double tr = s.value[t][r], u = loss_u(tr);
    const bool dropped = w->classes && r % (w->classes + 1) == 0;
    given[4][r] = tr - s.value[step_size][r];
    assert_true(s.value[step_size][r] >= 0 && given[4][r] >= 0);
    for (int j = 0; j < D; j++) {
      const int i = r * D + j;
      double F_g = s.value[v][i] / 0.5;
      if (none >= 0 && !dropped) {
        F_g = w->omega * F_g + (1 - w->omega - w->kappa) * s.value[none][i];
        if (w->kappa > 0) F_g += w->kappa * s.value[labelled][i];
      }
      target_v[i] = loss_velocity(s.value[x][i], tr, F_g);
      along[i] =
          w->predicted ? loss_velocity(s.value[x][i], tr, s.value[labelled][i]) : target_v[i];
      for (int k = 0; k < 2; k++) {
        const double us = u + (k ? -h : h), ts = atan2(us, 0.5 * (1 - us));
        given[2 + k][r] = ts;
        given[k][i] = loss_n(ts) * (s.value[x][i] / loss_n(tr) + (k ? -h : h) * along[i]);
      }
    }
  }
  const char *const names[] = {"x+", "x-", "t+", "t-", "end"};
  for (int k = 0; k < 5; k++) loss_give(&s, names[k], given[k]);
  loss_replay(&s);
  double want = 0, cot[R * D];
  int jumps = 0;
  for (int r = 0; r < R; r++) {
    const double tr = s.value[t][r], way = loss_u(tr) - loss_u(given[4][r]);
    double off[D], q = 0;
    jumps += way > 0;
    for (int j = 0; j < D; j++) {
      const int i = r * D + j;
      double U[2];
      for (int k = 0; k < 2; k++)
        U[k] = loss_velocity(given[k][i], given[2 + k][r], s.value[shifted[k]][i]);
      off[j] = loss_velocity(s.value[x][i], tr, s.value[F][i]) -
               (target_v[i] - way * (U[0] - U[1]) / (2 * h));
      q += off[j] * off[j];
    }
    want += q / pow(q + w->c, w->p) / R;
    for (int j = 0; j < D; j++) cot[r * D + j] = 2 * off[j] / pow(q + w->c, w->p) * loss_n(tr) / R;
  }
  assert_in_range(jumps, 1, R - 1);           /* both kinds of rows are here */
  assert_close(s.value[loss][0], want, 1e-7); /* h^2 and eps/h */
  loss_check_gradient(&s, s.l.term[0].value, main_call, cot, 1e-7);
  loss_free(&s);
}

static void test_loss(void **state) {
  (void)state;
  check(&(struct ways){{{"jumps", "0.5"}}, 1, 0, 1, 0.01, 0, false, NULL});
  check(&(struct ways){{{"jumps", "0.5"},
                        {"norm_p", "0.75"},
                        {"norm_c", "0.001"},
                        {"order", "min"},
                        {"r_mean", "-1"}},
                       1,
                       0,
                       0.75,
                       0.001,
                       0,
                       false,
                       NULL});
  check(&(struct ways){{{"jumps", "0.5"}, {"omega", "1.5"}, {"kappa", "0.25"}, {"norm_p", "0"}},
                       1.5,
                       0.25,
                       0,
                       1,
                       2,
                       false,
                       NULL});
  check(
      &(struct ways){{{"jumps", "0.5"}, {"velocity", "predicted"}}, 1, 0, 1, 0.01, 2, true, NULL});
  check(&(struct ways){{{"jumps", "0.5"}, {"omega", "1.5"}, {"kappa", "0.25"}, {"norm_p", "0"}},
                       1.5,
                       0.25,
                       0,
                       1,
                       2,
                       false,
                       "0.4"});
  check(
      &(struct ways){{{"jumps", "0.5"}, {"velocity", "predicted"}}, 1, 0, 1, 0.01, 2, true, "0.4"});
}

/* Of the rows with two times, a share `to_image` goes down to 0. */
static void test_to_image(void **state) {
  (void)state;
  const struct {
    const char *share;
    int least, most;
  } want[] = {{"0", 0, 0}, {"0.5", 1, R - 1}, {"1", R, R}};
  for (int k = 0; k < 3; k++) {
    struct losses s = {0};
    const char *const settings[][2] = {{"jumps", "1"}, {"to_image", want[k].share}, {NULL, NULL}};
    loss_build(&s, "meanflow", R, 0, settings);
    const struct few_net_input *in = &s.call[s.n_calls - 1].in;
    int t = loss_want(&s, in->t), step_size = loss_want(&s, in->step_size), images = 0;
    loss_replay(&s);
    for (int r = 0; r < R; r++) {
      assert_true(s.value[step_size][r] > 0 && s.value[step_size][r] <= s.value[t][r]);
      images += s.value[step_size][r] == s.value[t][r];
    }
    assert_in_range(images, want[k].least, want[k].most);
    loss_free(&s);
  }
}

/* ---- one Gaussian N(mu, s^2): x_t -> x_r scales by the ratio of deviations about the mean ---- */

static const double mu = 0.4, deviation = 0.3;

static few_node spread(few_graph *g, few_node t) {
  return few_sqrt(g, few_add(g, few_square(g, few_scale(g, few_cos(g, t), deviation)),
                             few_square(g, few_scale(g, few_sin(g, t), 0.5))));
}

/* F of U = (y_u - y_r) / (u - r), or without a step E[F | x_t]: the network that MeanFlow seeks. */
static few_node exact(struct losses *s, enum few_role who, const struct few_net_input *in) {
  few_graph *g = s->g;
  double value;
  FEW_UNUSED(who);
#define ROWS(a) few_reshape(g, a, FEW_SHAPE(R, 1))
  few_node t = in->t, x = few_scale(g, in->x, 0.5), cos = few_cos(g, t), sin = few_sin(g, t);
  few_node off = few_sub(g, x, few_scale(g, ROWS(cos), mu)), St = spread(g, t);
  if (few__fill_value(g, in->step_size,
                      &value)) { /* D = mu + cos s^2/S^2 off, F = (cos x - D)/(sd sin) */
    few_node share = few_scale(g, few_div(g, cos, few_square(g, St)), deviation * deviation);
    few_node D0 = few_affine(g, few_mul(g, ROWS(share), off), 1, mu);
    return few_div(g, few_sub(g, few_mul(g, ROWS(cos), x), D0), few_scale(g, ROWS(sin), 0.5));
  }
  few_node r = few_sub(g, t, in->step_size), n = few_add(g, cos, few_scale(g, sin, 0.5));
  few_node cos_r = few_cos(g, r), sin_r = few_scale(g, few_sin(g, r), 0.5);
  few_node n_r = few_add(g, cos_r, sin_r);
  few_node x_r = few_add(g, few_scale(g, ROWS(cos_r), mu),
                         few_mul(g, ROWS(few_div(g, spread(g, r), St)), off));
  few_node way = few_sub(g, few_div(g, few_scale(g, sin, 0.5), n), few_div(g, sin_r, n_r));
  few_node U =
      few_div(g, few_sub(g, few_div(g, x, ROWS(n)), few_div(g, x_r, ROWS(n_r))), ROWS(way));
  few_node m = few_sub(g, few_scale(g, sin, 2), cos);
  return few_div(g, few_sub(g, U, few_mul(g, ROWS(m), x)), ROWS(n));
#undef ROWS
}

/* On a Gaussian with the exact network, U + (u - r) dU/du is the velocity of the flow. This is the
 * mean of the rows' velocities at that point. So the residual is the row's velocity minus that
 * mean. */
static void test_gaussian(void **state) {
  (void)state;
  struct losses s = {.exact = exact};
  const char *const settings[][2] = {
      {"jumps", "1"}, {"velocity", "predicted"}, {"norm_p", "0"}, {NULL, NULL}};
  loss_build(&s, "meanflow", R, 0, settings);
  struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, s.l.t, FEW_RNG_NOISE);
  int loss = loss_want(&s, s.l.term[0].value), t = loss_want(&s, s.l.t);
  int x = loss_want(&s, d.x), v = loss_want(&s, d.v);
  loss_replay(&s);
  double want = 0;
  for (int r = 0; r < R; r++) {
    const double tr = s.value[t][r], S = hypot(cos(tr) * deviation, sin(tr) * 0.5);
    for (int j = 0; j < D; j++) {
      const double xi = s.value[x][r * D + j];
      const double D0 = mu + cos(tr) * deviation * deviation / (S * S) * (xi - cos(tr) * mu);
      const double F = (cos(tr) * xi - D0) / (0.5 * sin(tr));
      const double off = loss_n(tr) * (F - s.value[v][r * D + j] / 0.5);
      want += off * off / R;
    }
  }
  assert_close(s.value[loss][0], want,
               1e-10); /* differences of nearby states, divided by short steps */
  loss_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_loss), cmocka_unit_test(test_to_image),
                                     cmocka_unit_test(test_gaussian)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
