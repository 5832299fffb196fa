/* Models created from options: their description, what they compute, and what is refused. */
#include "model/models.h"

static const char *const settings[] = {"width=8", "layers=2", "embedding=4"};

static struct few_model_opts options(void) {
  struct few_model_opts o = FEW_MODEL_OPTS_INIT;
  o.net = "mlp";
  o.n_settings = 3;
  o.settings = settings;
  o.c = 2;
  o.points = true;
  o.mean = 0.1;
  o.scale = 1 / 1.7;
  return o;
}

/* A model that is created with the values of another model of the same network computes the same
 * function. */
static void test_same_as_by_hand(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *hand = test_model_new(ctx, TEST_MLP), *m, *drawn;
  struct few_model_opts o = options();
  const float x[6] = {0.1F, -1, 2, 0.5F, 0, 1}, t[3] = {0.2F, 0.8F, 1.5F};
  float a[6], b[6];
  assert_ok(ctx, few_model_create(&drawn, ctx, &o));
  assert_int_equal(few_model_parameter_rows(drawn), few_model_parameter_rows(hand));
  o.values = few_model_values(hand);
  assert_ok(ctx, few_model_create(&m, ctx, &o));
  assert_ptr_not_equal(few_model_values(m), few_model_values(hand)); /* a copy */
  assert_ok(ctx, once_eval(hand, 3, x, t, NULL, NULL, NULL, a));
  assert_ok(ctx, once_eval(m, 3, x, t, NULL, NULL, NULL, b));
  assert_memory_equal(a, b, sizeof a);
  assert_true(few__model_same_scale(m, hand));
  few_model_free(hand);
  few_model_free(m);
  few_model_free(drawn);
  few_ctx_free(ctx);
}

static void test_describes_itself(void **state) {
  (void)state;
  static const char *const names[] = {"round", NULL, "flat"};
  few_ctx *ctx = test_ctx();
  struct few_model_opts o = options();
  struct few_model_info info;
  few_model *m;
  int label;
  o.classes = 3;
  o.class_names = names;
  o.guided = true;
  o.guidance_max = 4;
  o.step_size = "segment";
  o.max_steps = 4;
  o.predicts = "both";
  o.objective = "scd";
  o.sampler = "segments";
  o.sigma_data = 0.7;
  assert_ok(ctx, few_model_create(&m, ctx, &o));
  few_model_info(&info, sizeof info, m);
  assert_string_equal(info.net, "mlp");
  assert_string_equal(info.objective, "scd");
  assert_string_equal(info.sampler, "segments");
  assert_string_equal(info.predicts, "both");
  assert_true(info.points && info.h == 1 && info.w == 1 && info.c == 2 && info.classes == 3);
  assert_true(info.guided && info.guidance_min == 1 && info.guidance_max == 4);
  assert_true(info.step_size && info.sigma_data == 0.7);
  assert_int_equal(info.unlabelled, FEW_UNKNOWN);
  assert_int_equal(info.direction, FEW_BOTH_WAYS);
  assert_ok(ctx, few_model_find_class(&label, m, "flat"));
  assert_int_equal(label, 2);
  assert_null(few_model_class_name(m, 1));
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_model_opts good = options();
  struct few_model_opts o;
  few_model *m;
  static const char *const unknown[] = {"widht=8"}, *const not_pair[] = {"width"};
#define WITH(field, value, part)                                       \
  do {                                                                 \
    o = good;                                                          \
    o.field = value;                                                   \
    assert_int_equal(few_model_create(&m, ctx, &o), FEW_E_INVALID);    \
    assert_null(m);                                                    \
    if (!strstr(few_error(ctx), part)) fail_msg("%s", few_error(ctx)); \
  } while (0)
  WITH(net, NULL, "no net");
  WITH(net, "nett", "there is no network `nett`");
  WITH(n_settings, -1, "-1 settings");
  WITH(settings, NULL, "no list");
  WITH(h, 2, "points");
  WITH(c, 0, "0 channels");
  WITH(classes, -1, "-1 classes");
  WITH(sigma_data, 0, "sigma_data");
  WITH(scale, 0, "scale 0");
  WITH(mean, (double)NAN, "finite");
  WITH(predicts, "noise", "there is no prediction");
  WITH(objective, "", "objective");
  WITH(sampler, "a name that is longer than any sampler has", "sampler");
  o = good;
  o.n_settings = 1;
  o.settings = unknown;
  assert_int_equal(few_model_create(&m, ctx, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "width")); /* the nearest */
  o.settings = not_pair;
  assert_int_equal(few_model_create(&m, ctx, &o), FEW_E_INVALID);
  o = good;
  o.step_size = "halvings";
  assert_int_equal(few_model_create(&m, ctx, &o), FEW_E_INVALID);
  o.step_size = "metres";
  assert_int_equal(few_model_create(&m, ctx, &o), FEW_E_UNSUPPORTED);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_as_by_hand),
      cmocka_unit_test(test_describes_itself),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
