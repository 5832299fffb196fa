/* Updates of a run on the emulated GPU are compared with the reference: losses, log values and
 * gradients of whole networks in both phases, replayed until they are captured graphs; the
 * optimizer and the averages; balanced gradients.
 * */
#include "train/updates.h"

#define RECIPE(name) FEW_TEST_DIR "/../recipes/" name ".ini"
#define TEACHER(name) "teacher=" FEW_TEST_DIR "/../models/" name ".safetensors"

/* Both sides compute in f32 and add in different orders. A tangent is less exact. */
static const double bound = 2e-4;

static float *fetch(struct updates *t, const float *at, int64_t n) {
  float *copy = malloc((size_t)n * sizeof *copy);
  assert_ok(t->ctx, few__arrays_get(&t->arrays, copy, at, n));
  return copy;
}

/* Checks that the arrays of both differ by at most `bound` times the largest element. */
static void check_near(struct updates *ref, const float *a, struct updates *gpu, const float *b,
                       int64_t n) {
  float *want = fetch(ref, a, n), *got = fetch(gpu, b, n);
  double most = 0, worst = 0;
  for (int64_t i = 0; i < n; i++) {
    most = fmax(most, fabs((double)want[i]));
    worst = fmax(worst, fabs((double)(got[i] - want[i])));
  }
  assert_true(most > 1e-3);
  assert_true(worst <= bound * most);
  free(want);
  free(got);
}

static double balanced(struct updates *t, const struct few_gradient *g) {
  double squares, factor[FEW_BALANCE_MAX];
  if (g->n_grads > 1)
    assert_ok(t->ctx, few__arrays_balance(&t->arrays, t->setup.config.balance, g->n_grads, g->n,
                                          t->state.n_model, g->weight, g->at, factor));
  assert_ok(t->ctx, few__arrays_sumsq(&t->arrays, g->n, g->at, &squares));
  return sqrt(squares);
}

static void compare_update(struct updates *ref, struct updates *gpu, enum few_phase_id phase,
                           int64_t update) {
  struct few_step_report a, b;
  const struct few_gradient want = updates_step(ref, phase, update, &a);
  const struct few_gradient got = updates_step(gpu, phase, update, &b);
  assert_close(b.loss, a.loss, bound * fmax(1, fabs(a.loss)));
  for (int i = 0; i < a.n_logs; i++)
    assert_close(b.mean[i], a.mean[i], bound * fmax(1, fabs(a.mean[i])));
  check_near(ref, want.at, gpu, got.at, want.n * want.n_grads);
  const double norm = balanced(ref, &want);
  assert_close(balanced(gpu, &got), norm, bound * norm);
  check_near(ref, want.at, gpu, got.at, want.n);
  /* Both continue from the same numbers, since Adam's first steps are signs, which rounding may
   * change. */
  few__arrays_put(&gpu->arrays, got.at, want.at, want.n);
  few__update(&ref->state, &ref->setup.config, &want, norm, 1e-3);
  few__update(&gpu->state, &gpu->setup.config, &got, norm, 1e-3);
}

static void compare(const char *recipe, int n, const char *const *settings) {
  struct updates ref, gpu;
  updates_begin(&ref, recipe, n, settings, 1, few__backend_ref());
  updates_begin(&gpu, recipe, n, settings, 2, few__backend_cuda());
  for (int64_t step = 0; step < 3; step++) {
    if (few__has_fake(&ref.setup)) compare_update(&ref, &gpu, FEW_PHASE_FAKE, step);
    ref.state.step = gpu.state.step = step + 1;
    compare_update(&ref, &gpu, FEW_PHASE_STUDENT, step);
    few__follow(&ref.state, &ref.setup.config);
    few__follow(&gpu.state, &gpu.setup.config);
  }
  check_near(&ref, ref.state.there.param, &gpu, gpu.state.there.param, ref.state.n);
  check_near(&ref, ref.state.there.ema, &gpu, gpu.state.there.ema, ref.state.n_model);
  few__begin_stage(&ref.state);
  few__begin_stage(&gpu.state);
  assert_ok(gpu.ctx, few__state_get(&gpu.state));
  assert_memory_equal(gpu.state.here.param, gpu.state.here.ema,
                      (size_t)gpu.state.n_model * sizeof(float));
  for (int64_t i = 0; i < gpu.state.n; i++) assert_true(gpu.state.here.moment[1][i] == 0);
  updates_end(&gpu);
  updates_end(&ref);
}

static void test_points(void **state) {
  (void)state;
  const char *const settings[] = {TEACHER("toy-labels-teacher"),
                                  "labels=yes",
                                  "guidance_max=3",
                                  "objective=scd + vsd + adversarial",
                                  "batch=24",
                                  "shards=3",
                                  "balance=minnorm"};
  compare(RECIPE("toy-vsd"), FEW_COUNT(settings), settings);
}

static void test_images(void **state) {
  (void)state;
  const char *const settings[] = {"objective=sct", "batch=2", "shards=1", "augment=0.3"};
  compare(FEW_TEST_DIR "/cli/tiny-unet.ini", FEW_COUNT(settings), settings);
}

/* Rounded factors and activations stored in bf16 change a loss, but only slightly. */
static void test_precision(void **state) {
  (void)state;
  static const char *const precisions[] = {"precision=fp32", "precision=tf32", "precision=bf16"};
  static const double allowed[] = {0, 0.02, 0.05};
  double loss[3], norm[3];
  for (int i = 0; i < 3; i++) {
    struct updates t;
    struct few_step_report r;
    const char *const settings[] = {"objective=diffusion", "adaptive=no", "batch=2", "shards=1",
                                    precisions[i]};
    updates_begin(&t, FEW_TEST_DIR "/cli/tiny-unet.ini", FEW_COUNT(settings), settings, 1,
                  few__backend_cuda());
    const struct few_gradient g = updates_step(&t, FEW_PHASE_STUDENT, 0, &r);
    loss[i] = r.loss;
    norm[i] = balanced(&t, &g);
    printf("%s: loss %.5f, norm %.5f\n", precisions[i], loss[i], norm[i]);
    updates_end(&t);
    if (!i) continue;
    assert_true(loss[0] != loss[i] && norm[0] != norm[i]);
    assert_close(loss[i], loss[0], allowed[i] * fabs(loss[0]));
    assert_close(norm[i], norm[0], allowed[i] * norm[0]);
  }
  assert_true(loss[1] != loss[2]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_points), cmocka_unit_test(test_images),
                                     cmocka_unit_test(test_precision)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
