/* Transfer by distilled, guided models. Points of one Gaussian of the ring are encoded in four
 * steps and decoded in two steps with the label of another Gaussian, each with a guidance scale of
 * its own. They must end near the result of many steps of the guided teacher. */
#include "toys.h"

enum { FROM = 1, TO = 5 };

static few_model *load(struct toy *t, const char *path) {
  few_model *m;
  assert_ok(t->ctx, few_model_load(&m, t->ctx, path));
  return m;
}

struct way {
  few_model *m;
  const char *sampler; /* NULL: its own */
  int steps;           /* 0: its own */
};

static void transfer(struct toy *t, const float *points, struct way up, struct way down,
                     double *out, int *nfe) {
  static float y[TOY_N * TOY_D];
  struct few_transfer_opts o = FEW_TRANSFER_OPTS_INIT;
  struct few_sample_opts encode = FEW_SAMPLE_OPTS_INIT, decode = FEW_SAMPLE_OPTS_INIT;
  encode.n = decode.n = TOY_N;
  encode.label = FROM;
  decode.label = TO;
  encode.guidance = 1.5;
  decode.guidance = 2.5;
  encode.sampler = up.sampler;
  encode.steps = up.steps;
  decode.sampler = down.sampler;
  decode.steps = down.steps;
  o.a = once_runner(up.m);
  o.b = once_runner(down.m);
  o.encode = &encode;
  o.decode = &decode;
  assert_ok(t->ctx, few_transfer(y, nfe, &o, points));
  few_runner_free(o.a);
  few_runner_free(o.b);
  for (int i = 0; i < TOY_N * TOY_D; i++)
    out[i] = ((double)y[i] - up.m->data_mean) * up.m->data_scale;
}

/* Points of one Gaussian, in the units of the data. */
static void points_of(const few_model *m, int label, float *out) {
  struct toy_exact e;
  toy_exact(&e, m, label);
  for (int i = 0; i < TOY_N; i++) {
    struct few_rng r = {.seed = 5, .row = (uint64_t)i, .purpose = FEW_RNG_TOY};
    double x[TOY_D];
    mixture_sample(&e.mixture, &r, x);
    for (int k = 0; k < TOY_D; k++)
      out[i * TOY_D + k] = (float)(x[k] / m->data_scale + m->data_mean);
  }
}

static void test_transfer(void **state) {
  (void)state;
  static float points[TOY_N * TOY_D];
  static double few[TOY_N * TOY_D], many[TOY_N * TOY_D];
  struct toy t = toy_begin();
  char guided[700], decoder[700];
  int nfe;
  toy_train(&t, "toy-guided", "guided",
            (const char *const[]){TOY_LABELS_TEACHER, "steps=600", "batch=256", "ema=20000",
                                  "preview_every=0", NULL});
  snprintf(guided, sizeof guided, "teacher=%s", t.model);
  toy_train(&t, "toy-guided-steps", "decoder",
            (const char *const[]){guided, "steps=450", "batch=256", "preview_every=0", NULL});
  snprintf(decoder, sizeof decoder, "%s", t.model);
  toy_train(&t, "toy-guided-encoder", "encoder",
            (const char *const[]){guided, "steps=450", "batch=256", NULL});
  few_model *a = load(&t, t.model), *b = load(&t, decoder);
  few_model *teacher = load(&t, FEW_TEST_DIR "/../models/toy-labels-teacher.safetensors");
  const double sigma = teacher->spec.sigma_data;
  points_of(teacher, FROM, points);
  transfer(&t, points, (struct way){a, NULL, 0}, (struct way){b, NULL, 0}, few, &nfe);
  assert_int_equal(nfe, 6);
  transfer(&t, points, (struct way){teacher, "heun", 64}, (struct way){teacher, "heun", 64}, many,
           &nfe);
  const double apart = toy_rms(few, many) / sigma;
  few_model *one = load(&t, guided + strlen("teacher=")); /* stage one, in as many steps */
  transfer(&t, points, (struct way){one, "progressive", 4}, (struct way){one, "progressive", 2},
           few, &nfe);
  const double undistilled = toy_rms(few, many) / sigma;
  for (int i = 0; i < TOY_N * TOY_D; i++) /* the distance from start to end */
    few[i] = ((double)points[i] - teacher->data_mean) * teacher->data_scale;
  const double way = toy_rms(few, many) / sigma;
  printf(
      "transfer in 6 evaluations: %.3f sigma_d from the guided teacher's in 508; undistilled "
      "%.3f, the whole way %.2f\n",
      apart, undistilled, way);
  assert_true(apart < 0.35 && undistilled > 2 * apart); /* measured: 0.228, 0.599 */
  few_model_free(one);
  few_model_free(a);
  few_model_free(b);
  few_model_free(teacher);
  toy_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_transfer)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
