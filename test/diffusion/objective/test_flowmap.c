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

static void check_eulerian(const char *const settings[][2]) {
  const double h = 1e-5;
  struct losses s = {0};
  loss_build(&s, "flowmap", R, 0, settings);
  assert_int_equal(s.n_calls, 2);
  const struct loss_call *c = &s.call[1];
  assert_true(s.call[0].who == FEW_TEACHER && c->who == FEW_STUDENT);
  const int loss = loss_want(&s, s.l.term[0].value), xin = loss_want(&s, c->in.x);
  const int step = loss_want(&s, c->in.step_size), F = loss_want(&s, c->F);
  const int v = loss_want(&s, s.call[0].F);
  const int shifted[2] = {loss_want(&s, further(&s, c, s.call[0].F, h)),
                          loss_want(&s, further(&s, c, s.call[0].F, -h))};
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
  loss_check_gradient(&s, s.l.term[0].value, 1, cot, 1e-8);
  loss_free(&s);
}

static void test_eulerian(void **state) {
  (void)state;
  static const char *const settings[][8][2] = {
      {{"adaptive", "no"}, {"p_mean", "0"}, {"p_std", "2"}, {"diagonal", "0.3"}},
      {{"adaptive", "no"}, {"p_mean", "0"}, {"end", "swap"}, {"rearrange", "no"}},
      {{"adaptive", "no"}, {"end", "gap"}, {"to_image", "0.5"}},
  };
  for (int i = 0; i < FEW_COUNT(settings); i++) check_eulerian(settings[i]);
}

/* The ramp of the tangent stops at tangent_most. */
static void test_schedule(void **state) {
  (void)state;
  struct losses s = {0};
  const char *const settings[][2] = {
      {"tangent_warmup", "100"}, {"tangent_most", "0.9"}, {NULL, NULL}};
  loss_build(&s, "flowmap", R, 0, settings);
  struct few_clock at = {.step = 50, .steps = 1000, .stretch = 1};
  double r;
  s.def->schedule(&r, s.opts, &at);
  assert_true(r == 0.5);
  at.step = 500;
  s.def->schedule(&r, s.opts, &at);
  assert_true(r == 0.9);
  loss_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_times), cmocka_unit_test(test_eulerian),
                                     cmocka_unit_test(test_schedule)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
