/* Training on a data set that the program opened gives the bits of a run that names the same data.
 */
#include "few/data.h"
#include "few/model.h"
#include "few/train.h"
#include "testing.h"

enum { N = 500 };

static const char *const short_run[] = {"steps=6", "batch=64", "shards=2", "data_limit=500"};

static few_model *train(few_ctx *ctx, const few_data *data, const char *name) {
  const char *all[5] = {short_run[0], short_run[1], short_run[2], short_run[3], name};
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_trainer *t;
  few_model *m;
  o.recipe = FEW_TEST_DIR "/../recipes/toy-teacher.ini";
  o.n_overrides = name ? 5 : 4;
  o.overrides = all;
  o.data = data;
  assert_ok(ctx, few_trainer_open(&t, ctx, &o));
  while (!few_trainer_done(t)) assert_ok(ctx, few_trainer_step(t));
  assert_ok(ctx, few_trainer_model(&m, t));
  few_trainer_close(t);
  return m;
}

static void assert_same(few_model *a, few_model *b) {
  struct few_model_info x, y;
  few_model_info(&x, sizeof x, a);
  few_model_info(&y, sizeof y, b);
  assert_int_equal(x.parameters, y.parameters);
  assert_memory_equal(few_model_values(a), few_model_values(b),
                      (size_t)x.parameters * sizeof(float));
}

static void test_same_bits(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_data *named, *made;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  float points[N][2];
  int32_t labels[N];
  o.limit = N;
  assert_ok(ctx, few_data_open(&named, ctx, "toy:mixture", &o));
  for (int i = 0; i < N; i++) {
    assert_ok(ctx, few_data_get(points[i], named, i));
    labels[i] = few_data_label(named, i);
  }
  m.n = N, m.c = 2;
  m.points = points[0];
  m.labels = labels;
  m.n_classes = few_data_n_classes(named);
  m.name = "my points";
  assert_ok(ctx, few_data_create(&made, ctx, &m, NULL));
  assert_true(few_data_hash(named) == few_data_hash(made));

  few_model *by_name = train(ctx, NULL, "data=toy:mixture");
  few_model *by_program = train(ctx, made, NULL);
  few_model *instead = train(ctx, made, "data=nothing-that-is-there");
  assert_same(by_name, by_program);
  assert_same(by_name, instead);
  few_model_free(by_name);
  few_model_free(by_program);
  few_model_free(instead);
  few_data_free(named); /* closing a trainer has not freed the program's data */
  few_data_free(made);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
