/* The two losses of shortcut models are compared with their formulas in plain C: the steps and
 * times that rows draw, the two half steps that make a target, guidance, means and gradients. */
#include "base/rng.h"
#include "losses.h"

enum { R = 8, B = 4, D = LOSS_DIM };

static double clip(double x, double most) { return most > 0 ? fmax(-most, fmin(most, x)) : x; }

struct ways {
  const char *target, *clip, *guidance;
  double most, w;
  enum few_role who;
  const char *dropout;
};

/* A call of the target network, by its index among the calls. */
struct asked {
  int x, t, step_size, F, F_none;
};

static struct asked want_call(struct losses *s, int *next, enum few_role who, bool guided) {
  const struct loss_call *c = &s->call[*next];
  assert_int_equal(c->who, who);
  struct asked a = {loss_want(s, c->in.x), loss_want(s, c->in.t), loss_want(s, c->in.step_size),
                    loss_want(s, c->F), -1};
  if (guided) {
    assert_int_equal(s->call[*next + 1].in.label, FEW_NONE);
    a.F_none = loss_want(s, s->call[*next + 1].F);
  }
  *next += guided ? 2 : 1;
  return a;
}

static double average_velocity(const struct losses *s, const struct asked *a, const struct ways *w,
                               int i, double x, double t, bool smallest) {
  double F = s->value[a->F][i];
  if (a->F_none >= 0 && smallest) F = s->value[a->F_none][i] + w->w * (F - s->value[a->F_none][i]);
  return loss_velocity(x, t, F);
}

static void check(const struct ways *w) {
  struct losses s = {.dropout = w->dropout};
  const char *const settings[][2] = {{"steps_max", "8"},        {"bootstrap", "0.5"},
                                     {"target", w->target},     {"target_clip", w->clip},
                                     {"guidance", w->guidance}, {NULL, NULL}};
  loss_build(&s, "shortcut", R, 3, settings);
  int next = 1;
  const bool guided = w->w != 1;
  int flow = loss_want(&s, s.l.term[0].value), cons = loss_want(&s, s.l.term[1].value);
  struct few_trig_state d = few_trig_state_at(&s.l, s.l.x0, s.l.t, FEW_RNG_NOISE);
  int x = loss_want(&s, d.x), z = loss_want(&s, d.z), x0 = loss_want(&s, s.l.x0);
  const struct loss_call *c = &s.call[0];
  int t = loss_want(&s, c->in.t), k = loss_want(&s, c->in.step_size), F = loss_want(&s, c->F);
  struct asked one = want_call(&s, &next, w->who, guided);
  struct asked two = want_call(&s, &next, w->who, guided);
  assert_int_equal(next, s.n_calls);
  for (int i = 0; i < s.n_calls; i++) /* half steps are targets, so only the student has dropout */
    assert_true(loss_is_plain(&s, i) == (i > 0 || !w->dropout));
  loss_replay(&s);

  double loss[2] = {0}, cot[2][R * D] = {{0}};
  for (int r = 0; r < R; r++) {
    const double tr = s.value[t][r], kr = s.value[k][r], u = loss_u(tr), step = pow(2, -kr);
    const bool boot = r < B;
    assert_true(boot ? kr == 0 || kr == 1 || kr == 2 : kr == 3);
    assert_close(u / step, round(u / step), 1e-12); /* u is a multiple of its step */
    assert_true(round(u / step) >= 1 && u < 1 + 1e-12);
    for (int j = 0; j < D; j++) {
      const int i = r * D + j;
      const double xi = s.value[x][i], U = loss_velocity(xi, tr, s.value[F][i]);
      double target = s.value[z][i] / 0.5 - s.value[x0][i];
      if (boot) {
        const double half = step / 2, uh = u - half, th = atan2(uh, 0.5 * (1 - uh));
        assert_close(s.value[one.x][i] * 0.5, xi, 1e-14);
        assert_close(s.value[one.t][r], tr, 1e-14);
        assert_close(s.value[one.step_size][r], kr + 1, 0);
        assert_close(s.value[two.step_size][r], kr + 1, 0);
        const double a = average_velocity(&s, &one, w, i, xi, tr, kr == 2);
        const double y = clip(xi / loss_n(tr) - half * a, w->most), xh = y * loss_n(th);
        assert_close(s.value[two.t][r], th, 1e-13);
        assert_close(s.value[two.x][i] * 0.5, xh, 1e-13);
        target = clip((a + average_velocity(&s, &two, w, i, xh, th, kr == 2)) / 2, w->most);
      }
      const int rows = boot ? B : R - B;
      loss[boot] += (U - target) * (U - target) / (rows * D);
      cot[boot][i] = 2 * (U - target) * loss_n(tr) / (rows * D);
    }
  }
  assert_close(s.value[flow][0], loss[0], 1e-12);
  assert_close(s.value[cons][0], loss[1], 1e-12);
  assert_close(s.l.term[0].weight, 0.5, 0);
  loss_check_gradient(&s, s.l.term[0].value, 0, cot[0], 1e-12);
  loss_check_gradient(&s, s.l.term[1].value, 0, cot[1], 1e-12);
  loss_free(&s);
}

static void test_loss(void **state) {
  (void)state;
  check(&(struct ways){"average", "4", "1", 4, 1, FEW_TARGET, NULL});
  check(&(struct ways){"student", "0", "1", 0, 1, FEW_STUDENT, NULL});
  check(&(struct ways){"average", "0.3", "1", 0.3, 1, FEW_TARGET, NULL}); /* clips, at this size */
  check(&(struct ways){"average", "4", "2.5", 4, 2.5, FEW_TARGET, NULL});
  check(&(struct ways){"average", "4", "2.5", 4, 2.5, FEW_TARGET, "0.4"});
  check(&(struct ways){"student", "0", "1", 0, 1, FEW_STUDENT, "0.4"});
}

/* Levels are equally likely, and so are the points on the grid of a level. */
static void test_draws(void **state) {
  (void)state;
  enum { N = 4096 };
  struct losses s = {0};
  const char *const settings[][2] = {{"steps_max", "8"}, {"bootstrap", "0.5"}, {NULL, NULL}};
  loss_build(&s, "shortcut", N, 0, settings);
  int t = loss_want(&s, s.call[0].in.t), k = loss_want(&s, s.call[0].in.step_size);
  loss_replay(&s);
  double count[4][8] = {{0}};
  for (int r = 0; r < N; r++) {
    const int kr = (int)s.value[k][r];
    count[kr][(int)round(loss_u(s.value[t][r]) * pow(2, kr)) - 1]++;
  }
  for (int kr = 0; kr < 4; kr++)
    for (int i = 0; i < 1 << kr; i++) {
      const double p = (kr < 3 ? 1 / 6.0 : 0.5) / (1 << kr);
      assert_close(count[kr][i], N * p, 5 * sqrt(N * p * (1 - p))); /* five deviations */
    }
  loss_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_loss), cmocka_unit_test(test_draws)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
