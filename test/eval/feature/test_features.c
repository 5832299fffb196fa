/* The networks whose weights come with few, and errors of specs, sizes and files of weights. */
#include "feature_test.h"

#include "few/data.h"
#include "io/safetensors.h"

#define FASHION "fashion=" FEW_TEST_DIR "/../models/fashion-features.safetensors"
#define JUDGE "fashion-judge=" FEW_TEST_DIR "/../models/fashion-judge.safetensors"

static void test_pixels(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_features *f;
  assert_ok(ctx, few__features_open(ctx, &f, "pixels"));
  assert_int_equal(few__features_info(f)->dim, 0);
  const uint8_t p[12] = {0, 255, 51, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  float x[12];
  assert_ok(ctx, few__features_run(f, 2, 1, 2, 3, p, x, NULL, NULL));
  assert_int_equal(few__features_info(f)->dim, 6);
  assert_string_equal(few__features_info(f)->hash, "");
  for (int i = 0; i < 12; i++) assert_true(x[i] == (float)p[i] / 255);
  assert_ok(ctx, few__features_run(f, 0, 1, 2, 3, NULL, NULL, NULL, NULL));
  few__features_free(f);
  few_ctx_free(ctx);
}

static void test_fashion_grouping(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_features *f;
  assert_ok(ctx, few__features_open(ctx, &f, FASHION));
  uint8_t *bytes = random_bytes(19 * 28 * 28);
  check_grouping(ctx, f, &(struct images){19, 28, 28, 1, bytes});
  const struct few_features_info *i = few__features_info(f);
  assert_int_equal(i->dim, 96);
  assert_int_equal(i->classes, 10);
  assert_int_equal(strlen(i->hash), 64);
  assert_string_equal(i->trained_on, "fashion-mnist");
  assert_string_equal(i->resize, "as they are, 28x28x1");
  assert_true(i->flops > 1e6);
  free(bytes);
  few__features_free(f);
  few_ctx_free(ctx);
}

static int argmax(const float *x, int n) {
  int best = 0;
  for (int k = 1; k < n; k++)
    if (x[k] > x[best]) best = k;
  return best;
}

/* Checks the accuracy on 1000 test images. With FEW_FASHION_ALL=1 it uses the whole test split and
 * prints the accuracy. */
static void check_accuracy(const char *spec) {
  few_ctx *ctx = test_ctx();
  few_data *data;
  few_features *f;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.split = FEW_DATA_TEST;
  o.limit = getenv("FEW_FASHION_ALL") ? 0 : 1000;
  if (few_data_open(&data, ctx, "fashion-mnist", &o)) {
    print_message("no Fashion-MNIST here (package dataset-fashion-mnist): skipped\n");
    few_ctx_free(ctx);
    skip();
  }
  assert_ok(ctx, few__features_open(ctx, &f, spec));
  const int64_t n = few_data_n(data), d = few__features_info(f)->dim;
  uint8_t *bytes = malloc((size_t)n * 784);
  float *rows = rows_new(n * d), *logits = rows_new(n * 10), image[784];
  for (int64_t i = 0; i < n; i++) {
    assert_ok(ctx, few_data_get(image, data, i));
    for (int k = 0; k < 784; k++) bytes[i * 784 + k] = (uint8_t)lrintf((image[k] + 1) * 127.5f);
  }
  assert_ok(ctx, few__features_run(f, n, 28, 28, 1, bytes, rows, logits, NULL));
  int64_t right = 0;
  for (int64_t i = 0; i < n; i++) right += argmax(logits + i * 10, 10) == few_data_label(data, i);
  print_message("%s: %lld of %lld right\n", few__features_info(f)->name, (long long)right,
                (long long)n);
  assert_true((double)right > 0.89 * (double)n); /* 0.92 of all; 1000 deviate by 0.009 */
  free(bytes);
  free(rows);
  free(logits);
  few__features_free(f);
  few_data_free(data);
  few_ctx_free(ctx);
}

static void test_fashion_accuracy(void **state) {
  (void)state;
  check_accuracy(FASHION);
}

static void test_judge_accuracy(void **state) {
  (void)state;
  check_accuracy(JUDGE);
}

/* classifier=FILE uses any classifier that few trained. The file of a classifier that comes with
 * few gives the same rows as its name. Its info names the data on which the classifier
 * was trained. */
static void test_classifier(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_features *a, *b;
  assert_ok(ctx, few__features_open(ctx, &a, FASHION));
  assert_ok(ctx,
            few__features_open(
                ctx, &b, "classifier=" FEW_TEST_DIR "/../models/fashion-features.safetensors"));
  const struct few_features_info *x = few__features_info(a), *y = few__features_info(b);
  assert_string_equal(y->name, "classifier");
  assert_string_equal(y->hash, x->hash);
  assert_string_equal(y->trained_on, "fashion-mnist");
  assert_string_equal(y->resize, "as they are, 28x28x1");
  assert_int_equal(y->dim, x->dim);
  assert_int_equal(y->classes, 10);
  uint8_t p[2 * 784];
  for (int i = 0; i < 2 * 784; i++) p[i] = (uint8_t)(i * 37);
  float *rows = rows_new(2 * x->dim), *same = rows_new(2 * x->dim);
  assert_ok(ctx, few__features_run(a, 2, 28, 28, 1, p, rows, NULL, NULL));
  assert_ok(ctx, few__features_run(b, 2, 28, 28, 1, p, same, NULL, NULL));
  assert_memory_equal(rows, same, (size_t)(2 * x->dim) * sizeof *rows);
  free(rows);
  free(same);
  few__features_free(a);
  few__features_free(b);
  few_ctx_free(ctx);
}

static void refuse(const char *spec, const char *word) {
  few_ctx *ctx = test_ctx();
  few_features *f;
  assert_true(few__features_open(ctx, &f, spec) != FEW_OK);
  assert_null(f);
  if (!strstr(few_error(ctx), word)) fail_msg("%s: no `%s` in: %s", spec, word, few_error(ctx));
  few_ctx_free(ctx);
}

static void test_refused(void **state) {
  (void)state;
  refuse("pixel", "choose from pixels, fashion, fashion-judge");
  refuse("pixels=x", "leave out =x");
  refuse("inception", "inception=FILE");
  refuse("inception=/nowhere/x.pth", "/nowhere/x.pth");
  refuse("fashion=" FEW_TEST_DIR "/../models/fashion-teacher.safetensors", "makes images");
  refuse("classifier=" FEW_TEST_DIR "/../models/fashion-teacher.safetensors", "makes images");
  refuse("classifier", "give classifier=FILE");
  refuse("runs/feat/model.safetensors", "classifier=FILE is a model that objective classifier");
  refuse("cifar-resnet20=" FEW_TEST_DIR "/../models/fashion-teacher.safetensors",
         "no tensor `conv1.weight` of shape [16,3,3,3]");
  few_ctx *ctx = test_ctx();
  few_features *f;
  uint8_t p[3 * 32 * 32] = {0};
  float x[96];
  assert_ok(ctx, few__features_open(ctx, &f, FASHION));
  assert_int_equal(few__features_run(f, 1, 32, 32, 3, p, x, NULL, NULL), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "28x28x1"));
  assert_int_equal(few__features_run(f, 1, 28, 28, 3, p, x, NULL, NULL), FEW_E_INVALID);
  assert_int_equal(few__features_run(f, 1, 28, 28, 2, p, x, NULL, NULL), FEW_E_INVALID);
  assert_int_equal(few__features_run(f, -1, 28, 28, 1, p, x, NULL, NULL), FEW_E_INVALID);
  few__features_free(f);
  few_ctx_free(ctx);
}

/* The error for a tensor of a wrong shape has both shapes. The error for a tensor that is not
 * finite has its name. */
static void test_bad_weights(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const char *path = "bad-weights.safetensors";
  float w[16 * 3 * 3 * 3] = {0};
  struct few_st_tensor t = {.name = "conv1.weight", .store = FEW_STORE_F32, .rank = 4, .data = w};
  t.dim[0] = 16, t.dim[1] = 3, t.dim[2] = 9, t.dim[3] = 1;
  assert_ok(ctx, few__st_write(ctx, path, &t, 1, NULL, 0));
  refuse("cifar-resnet20=bad-weights.safetensors",
         "tensor `conv1.weight` is [16,3,9,1], expected [16,3,3,3]");
  t.dim[2] = t.dim[3] = 3;
  w[7] = NAN;
  assert_ok(ctx, few__st_write(ctx, path, &t, 1, NULL, 0));
  refuse("cifar-resnet20=bad-weights.safetensors", "`conv1.weight` has a value that is not finite");
  remove(path);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pixels),           cmocka_unit_test(test_fashion_grouping),
      cmocka_unit_test(test_fashion_accuracy), cmocka_unit_test(test_judge_accuracy),
      cmocka_unit_test(test_classifier),       cmocka_unit_test(test_refused),
      cmocka_unit_test(test_bad_weights),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
