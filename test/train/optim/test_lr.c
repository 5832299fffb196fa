/* Learning-rate shapes at steps where their value is known. */
#include "testing.h"

#include "train/optim/lr.h"

static const double eps = 0x1p-52;

static struct few_lr_opts opts(enum few_lr_shape shape) {
  struct few_lr_opts o = FEW_LR_OPTS_INIT;
  o.shape = shape;
  o.base = 0.5;
  o.total = 100;
  o.reference = 100;
  return o;
}

static void test_landmarks(void **state) {
  (void)state;
  struct few_lr_opts o = opts(FEW_LR_CONSTANT);
  assert_close(few__lr(&o, 0), 0.5, 0);
  assert_close(few__lr(&o, 1000000), 0.5, 0);
  o = opts(FEW_LR_LINEAR);
  assert_close(few__lr(&o, 0), 0.5, 0);
  assert_close(few__lr(&o, 50), 0.25, 0);
  assert_close(few__lr(&o, 99), 0.005, 4 * eps); /* the rate of the last update is not 0 */
  assert_close(few__lr(&o, 100), 0, 0);
  assert_close(few__lr(&o, 101), 0, 0);
  o = opts(FEW_LR_COSINE);
  assert_close(few__lr(&o, 0), 0.5, 0);
  assert_close(few__lr(&o, 50), 0.25, eps);
  assert_close(few__lr(&o, 25), 0.25 * (1 + sqrt(0.5)), 2 * eps);
  assert_close(few__lr(&o, 200), 0, eps);
  o.floor = 0.1;
  assert_close(few__lr(&o, 200), 0.05, eps);
  o = opts(FEW_LR_INVSQRT);
  assert_close(few__lr(&o, 100), 0.5, 0);
  assert_close(few__lr(&o, 400), 0.25, eps);
}

static void test_warmup(void **state) {
  (void)state;
  for (int s = 0; s < FEW_LR_SHAPES; s++) {
    struct few_lr_opts o = opts((enum few_lr_shape)s), plain = o;
    o.warmup = 10;
    for (int64_t k = 0; k < 20; k++) {
      double ramp = k < 10 ? (double)(k + 1) / 10 : 1;
      assert_close(few__lr(&o, k), ramp * few__lr(&plain, k), eps);
    }
  }
}

static void test_falls(void **state) {
  (void)state;
  for (int s = 0; s < FEW_LR_SHAPES; s++) {
    struct few_lr_opts o = opts((enum few_lr_shape)s);
    for (int64_t k = 1; k < 300; k++) assert_true(few__lr(&o, k) <= few__lr(&o, k - 1));
  }
}

static void test_names_and_checks(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int s = 0; s < FEW_LR_SHAPES; s++) {
    enum few_lr_shape shape;
    assert_ok(ctx, few__lr_find(ctx, &shape, few__lr_name((enum few_lr_shape)s)));
    assert_int_equal(shape, s);
    struct few_lr_opts o = opts(shape);
    assert_ok(ctx, few__lr_check(ctx, &o));
  }
  struct few_lr_opts o = opts(FEW_LR_LINEAR);
  o.total = 0;
  assert_int_equal(few__lr_check(ctx, &o), FEW_E_INVALID);
  o = opts(FEW_LR_INVSQRT);
  o.reference = 0;
  assert_int_equal(few__lr_check(ctx, &o), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_landmarks),
      cmocka_unit_test(test_warmup),
      cmocka_unit_test(test_falls),
      cmocka_unit_test(test_names_and_checks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
