/* sCD by segments: a row is conditioned on the end t_k of its segment. Loss and gradient must be
 * those of sCM (process/tangent.h) with t - t_k in place of t. The derivative of F comes from
 * finite differences along the teacher's flow with constant t_k. */
#include "losses.h"
#include "oracle/scm.h"

enum { R = 8, D = LOSS_DIM, M = 4 };

static void test_loss(void **state) {
  (void)state;
  const double h = 1e-5, sigma = 0.5, width = atan(80 / sigma) / M;
  struct losses s = {0};
  const char *const settings[][2] = {
      {"segments", "4"}, {"adaptive", "no"}, {"p_mean", "0"}, {"p_std", "2"}, {NULL, NULL}};
  loss_build(&s, "scd-segments", R, 0, settings);
  few_graph *g = s.g;
  assert_int_equal(s.n_calls, 2);
  const struct loss_call *c = &s.call[1];
  assert_int_equal(c->who, FEW_STUDENT);
  int loss = loss_want(&s, s.l.term[0].value), xin = loss_want(&s, c->in.x);
  int t = loss_want(&s, c->in.t), step_size = loss_want(&s, c->in.step_size),
      F = loss_want(&s, c->F);
  int v = loss_want(&s, s.call[0].F), shifted[2];
  few_node end = few_sub(g, c->in.t, c->in.step_size);
  for (int k = 0; k < 2; k++) {
    struct few_net_input in = c->in;
    in.x = few_add(g, in.x, few_scale(g, s.call[0].F, k ? -h : h));
    in.t = few_affine(g, in.t, 1, k ? -h : h);
    in.step_size = few_sub(g, in.t, end);
    shifted[k] = loss_want(&s, loss_apply(&s, FEW_STUDENT, &in));
  }
  loss_replay(&s);
  double want = 0, cot[R * D];
  int seen[M] = {0};
  for (int r = 0; r < R; r++) {
    const double tr = s.value[t][r], phi = s.value[step_size][r];
    const int k = (int)fmin(M - 1, floor(tr / width));
    seen[k]++;
    assert_close(phi, tr - k * width, 1e-14);
    double x[D], vr[D], jvp[D], gr[D];
    for (int j = 0; j < D; j++) {
      const int i = r * D + j;
      x[j] = sigma * s.value[xin][i];
      vr[j] = sigma * s.value[v][i];
      jvp[j] =
          cos(phi) * sin(phi) * sigma * (s.value[shifted[0]][i] - s.value[shifted[1]][i]) / (2 * h);
    }
    few__scm_g(sigma, phi, 0.3, D, x, s.value[F] + r * D, vr, jvp, gr); /* 0.3: the warm-up */
    scm_normalize(0.1, D, gr, gr);
    for (int j = 0; j < D; j++) {
      want += gr[j] * gr[j] / (D * R);
      cot[r * D + j] = -2 * gr[j] / (D * R);
    }
  }
  int different = 0;
  for (int k = 0; k < M; k++) different += seen[k] > 0;
  assert_true(different >= 3);
  assert_close(s.value[loss][0], want, 1e-8); /* h^2 and eps/h */
  loss_check_gradient(&s, s.l.term[0].value, 1, cot, 1e-8);
  loss_free(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_loss)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
