/* Networks conditioned on the step size, on the ring. They are compared with the exact flow, in the
 * numbers of steps for which they were trained.
 *
 * The first numbers are their distances measured with AVX-512; other instruction sets give similar
 * ones. The second numbers are those of flow matching in as many steps (in the last row, of the
 * teacher), which a network that ignores its step size would have:
 *
 *   shortcut      1, 2, 4, 128 steps   0.217, 0.220, 0.172, 0.128   1.02, 0.61, 0.245, 0.13
 *   meanflow      1, 2 steps           0.165, 0.160                 1.02, 0.61
 *   scd-segments  4 steps              0.045                        0.139
 *
 * The distance of an untrained network is 1. */
#include "toys.h"

struct held {
  int steps;
  double most; /* distance to the exact flow, in sigma_d */
};

static void measure(struct toy *t, const char *recipe, const struct held *held, int n) {
  for (int i = 0; i < n; i++) {
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.steps = held[i].steps;
    const double got = toy_flow_distance(t, &o);
    printf("%s: %d steps: %.3f sigma_d from the exact flow\n", recipe, held[i].steps, got);
    if (!(got < held[i].most)) fail_msg("%s: at most %.2f", recipe, held[i].most);
  }
}

static void train(struct toy *t, const char *recipe, const char *const *more) {
  const char *all[16] = {"steps=1000", "width=64",  "layers=3",
                         "batch=512",  "ema=30000", "preview_every=0"};
  int n = 6;
  while (*more) all[n++] = *more++;
  toy_train(t, recipe, recipe, all);
}

static void test_shortcut(void **state) {
  (void)state;
  struct toy t = toy_begin();
  train(&t, "toy-shortcut", (const char *const[]){NULL});
  static const struct held held[] = {{1, 0.35}, {2, 0.35}, {4, 0.24}, {128, 0.2}};
  measure(&t, "toy-shortcut", held, 4);
  toy_end(&t);
}

static void test_meanflow(void **state) {
  (void)state;
  struct toy t = toy_begin();
  train(&t, "toy-meanflow", (const char *const[]){NULL});
  static const struct held held[] = {{1, 0.3}, {2, 0.3}};
  measure(&t, "toy-meanflow", held, 2);
  toy_end(&t);
}

static void test_segments(void **state) {
  (void)state;
  struct toy t = toy_begin();
  train(&t, "toy-scd-segments", (const char *const[]){TOY_TEACHER, "width=128", "layers=4", NULL});
  static const struct held held[] = {{4, 0.09}};
  measure(&t, "toy-scd-segments", held, 1);
  toy_end(&t);
}

/* FEW_TOY_MODEL=model.safetensors FEW_TOY_STEPS=4: the distance of that model, for docs/methods.md.
 */
static int measure_one(const char *path, const char *steps) {
  struct toy t = {.ctx = test_ctx()};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  snprintf(t.model, sizeof t.model, "%s", path);
  for (; *steps; steps += strspn(steps, " ")) {
    o.steps = (int)strtol(steps, (char **)(uintptr_t)&steps, 10);
    struct toy_modes m = toy_modes(&t, &o);
    printf("%3d steps: %.3f sigma_d from the exact flow, %.3f near, rarest %.3f\n", o.steps,
           toy_flow_distance(&t, &o), m.near, m.rarest);
  }
  few_ctx_free(t.ctx);
  return 0;
}

int main(void) {
  if (getenv("FEW_TOY_MODEL")) return measure_one(getenv("FEW_TOY_MODEL"), getenv("FEW_TOY_STEPS"));
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_shortcut),
                                     cmocka_unit_test(test_meanflow),
                                     cmocka_unit_test(test_segments)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
