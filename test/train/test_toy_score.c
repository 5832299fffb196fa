/* Students of the ring by score distillation and by adversarial training, as the only objective and
 * added to sCD. Their one-step samples must have the distribution of the ring. */
#include "toys.h"

static struct toy_energy measure(struct toy *t, const char *what) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.steps = 1;
  o.seed = 5;
  const struct toy_energy e = toy_energy(t, &o);
  const struct toy_modes m = toy_modes(t, &o);
  printf(
      "%s: energy distance %.4f, shape %.4f; %.3f near a Gaussian, the rarest at %.2f of its "
      "weight, %.3f sigma_d from the flow\n",
      what, e.ring, e.shape, m.near, m.rarest, toy_flow_distance(t, &o));
  return e;
}

/* As the only objective, a loss starts from the mean of the ring. Beside sCD, it must not spoil
 * sCD's map. The comments have what was measured with AVX-512; other seeds had up to 0.0065 and
 * 0.30. The bounds are between these and the values of test_failures. With one update of the fake
 * network per step, as in the recipes, runs as short as these lose Gaussians for some seeds, since
 * the KL divergence is mode-seeking. */
#define ALONE "steps=500", "batch=256", "fake_updates=3"
#define BESIDE "steps=300", "batch=256", "tangent_warmup=100"
#define ADDED "adversarial.weight=3e-3", "adversarial.fake_weight=1e-2"
enum { OVERRIDES = 8 };
static const struct held {
  const char *name, *recipe;
  const char *own[OVERRIDES];
  struct toy_energy most;
} held[] = {
    {"vsd", "toy-vsd", {ALONE}, {0.012, 0.45}},                         /* 0.0042, 0.098 */
    {"vsd of dmd", "toy-vsd", {ALONE, "weighting=dmd"}, {0.012, 0.45}}, /* 0.0036, 0.179 */
    {"sid", "toy-sid", {ALONE}, {0.012, 0.45}},                         /* 0.0042, 0.219 */
    {"adversarial", "toy-adversarial", {ALONE}, {0.012, 0.45}},         /* 0.0062, 0.215 */
    {"DMD2",
     "toy-vsd",
     {ALONE, "weighting=dmd", "objective=vsd + adversarial", ADDED},
     {0.012, 0.45}}, /* 0.0041, 0.163 */
    {"SiDA",
     "toy-sid",
     {ALONE, "objective=sid + adversarial", ADDED},
     {0.012, 0.45}}, /* 0.0040, 0.212 */
    {"meanflow + vsd",
     "toy-meanflow",
     {"steps=500", "batch=256", "fake_updates=3", "objective=meanflow + vsd", "vsd.weight=0.1",
      "width=64", "layers=3"},
     {0.012, 0.45}}, /* 0.0047, 0.151 */
    {"js",
     "toy-vsd",
     {ALONE, "weighting=dmd", "objective=vsd + adversarial", "f=js", ADDED},
     {0.012, 0.45}},                                       /* 0.0040, 0.241 */
    {"scd + vsd", "toy-scd-vsd", {BESIDE}, {0.002, 0.04}}, /* 0.0002, 0.011 */
    {"scd + sid",
     "toy-scd-vsd",
     {BESIDE, "objective=scd + sid"},
     {0.002, 0.04}}, /* -0.0001, 0.008 */
    {"scd + adversarial",
     "toy-scd-vsd",
     {BESIDE, "objective=scd + adversarial"},
     {0.002, 0.04}}, /* 0.0003, 0.015 */
};

static void check(const struct held *h) {
  struct toy t = toy_begin();
  const char *overrides[OVERRIDES + 3] = {TOY_TEACHER, "preview_every=0"};
  memcpy(overrides + 2, h->own, sizeof h->own);
  toy_train(&t, h->recipe, "run", overrides);
  const struct toy_energy e = measure(&t, h->name);
  if (!(e.ring < h->most.ring && e.shape < h->most.shape))
    fail_msg("%s: energy distance %.4f, shape %.4f: at most %.3f, %.2f", h->name, e.ring, e.shape,
             h->most.ring, h->most.shape);
  toy_end(&t);
}

static void test_one_step(void **state) {
  (void)state;
  for (int i = 0; i < FEW_COUNT(held); i++) check(&held[i]);
}

/* Asserts that the bounds reject these samples. */
static void assert_refused(const char *what, struct toy_energy e) {
  printf("%s: energy distance %.4f, shape %.4f\n", what, e.ring, e.shape);
  for (int i = 0; i < FEW_COUNT(held); i++)
    assert_true(e.ring > 1.5 * held[i].most.ring || e.shape > 1.5 * held[i].most.shape);
}

/* Measured, in this order: 0.0001, 0.0003; 0.71, 13; 0.0094, 0.74; 0.022, 0.0003. */
static void test_failures(void **state) {
  (void)state;
  static float x[TOY_MANY * TOY_D];
  static const double none[8], seven[8] = {1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 7, 1. / 7};
  struct toy t = {.ctx = test_ctx()};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct mixture ring = toy_ring();
  toy_draw(&ring, 2, x);
  const struct toy_energy exact = toy_energy_of(t.ctx, x);
  printf("exact samples: energy distance %.4f, shape %.4f\n", exact.ring, exact.shape);
  assert_true(fabs(exact.ring) < 0.001 && fabs(exact.shape) < 0.001);
  snprintf(t.model, sizeof t.model, "%s", strchr(TOY_TEACHER, '=') + 1);
  o.sampler = "consistency";
  o.steps = 1;
  assert_refused("untrained: the teacher in one step", toy_energy(&t, &o));
  ring.std = none;
  toy_draw(&ring, 2, x);
  assert_refused("collapsed onto the centres", toy_energy_of(t.ctx, x));
  ring = toy_ring();
  ring.weight = seven;
  toy_draw(&ring, 2, x);
  assert_refused("one Gaussian of eight is lost", toy_energy_of(t.ctx, x));
  few_ctx_free(t.ctx);
}

/* FEW_TOY_MODEL=student.safetensors: that model, for docs/methods.md. */
static int measure_one(const char *path) {
  struct toy t = toy_begin();
  snprintf(t.model, sizeof t.model, "%s", path);
  measure(&t, path);
  toy_end(&t);
  return 0;
}

int main(void) {
  if (getenv("FEW_TOY_MODEL")) return measure_one(getenv("FEW_TOY_MODEL"));
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_failures),
                                     cmocka_unit_test(test_one_step)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
