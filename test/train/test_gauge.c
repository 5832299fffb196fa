/* While a consistency student learns, to_teacher in the log falls; mse and loss do not show that.
 * Only students that follow a flow have to_teacher. It does not change the training. */
#include "io/npy.h"
#include "toys.h"

static void test_falls(void **state) {
  (void)state;
  struct toy t = toy_begin();
  double gap[8], mse[8];
  toy_train(&t, "toy-scd", "scd",
            (const char *const[]){TOY_TEACHER, "steps=200", "batch=128", "shards=2", "lr=1e-3",
                                  "tangent_warmup=60", "log_every=50", "preview_every=0", NULL});
  assert_int_equal(toy_logged(&t, "to_teacher", 8, gap), 5); /* of step 1 as well */
  assert_int_equal(toy_logged(&t, "mse", 8, mse), 5);
  print_message("to_teacher %.3f, %.3f, %.3f, %.3f, %.3f\n", gap[0], gap[1], gap[2], gap[3],
                gap[4]);
  /* At first F = 0, so the sample is near 0, which is one deviation from any target. */
  assert_true(gap[0] > 0.9 && gap[0] < 1.15);
  assert_true(gap[4] < 0.5 * gap[0] && gap[4] < gap[1]);
  assert_true(mse[4] > mse[1]); /* mse rises although the student improves */
  toy_end(&t);
}

static void test_who_has_one(void **state) {
  (void)state;
  struct toy t = toy_begin();
  double x[4];
  static const char *const with[] = {"toy-direct", "toy-progressive", "toy-cd"};
  static const char *const without[] = {"toy-teacher", "toy-vsd"};
  for (int i = 0; i < 3; i++) {
    toy_train(&t, with[i], with[i],
              (const char *const[]){TOY_TEACHER, "steps=4", "batch=16", "shards=2", "pairs=64",
                                    "preview_every=0", NULL});
    assert_int_equal(toy_logged(&t, "to_teacher", 4, x), 2);
    assert_true(x[1] > 0 && x[1] < 2);
  }
  for (int i = 0; i < 2; i++) {
    toy_train(&t, without[i], without[i],
              (const char *const[]){TOY_TEACHER, "steps=4", "batch=16", "shards=2",
                                    "preview_every=0", NULL});
    assert_int_equal(toy_logged(&t, "to_teacher", 4, x), 0);
  }
  toy_end(&t);
}

/* The data have two of the teacher's eight classes, and teacher and student are sampled with these
 * two. So a student that is still equal to the teacher is close to it, although another solver
 * samples it. With different classes it would be far. */
static void test_labels_of_the_data(void **state) {
  (void)state;
  enum { N = 64 };
  struct toy t = toy_begin();
  float x[2 * N];
  int32_t label[N];
  char data[200], path[128];
  double gap[4];
  for (int i = 0; i < 2 * N; i++) x[i] = (float)sin(1.3 * i);
  for (int i = 0; i < N; i++) label[i] = i % 2 ? 3 : 6;
  snprintf(path, sizeof path, "%s/x.npy", t.dir);
  assert_ok(t.ctx, few__npy_write(t.ctx, path, FEW_STORE_F32, 2, (int64_t[]){N, 2}, x));
  snprintf(path, sizeof path, "%s/y.npy", t.dir);
  assert_ok(t.ctx, few__npy_write(t.ctx, path, FEW_STORE_I32, 1, (int64_t[]){N}, label));
  snprintf(data, sizeof data, "data=npy:%s/x.npy,%s/y.npy", t.dir, t.dir);
  toy_train(
      &t, "toy-reflow", "labels",
      (const char *const[]){TOY_LABELS_TEACHER, data, "data_classes=8", "labels=yes", "steps=1",
                            "batch=16", "shards=2", "pairs=64", "preview_every=0", NULL});
  assert_int_equal(toy_logged(&t, "to_teacher", 4, gap), 1);
  print_message("to_teacher %.3f\n", gap[0]);
  assert_true(gap[0] < 0.3);
  toy_end(&t);
}

static void test_changes_no_bit(void **state) {
  (void)state;
  struct toy t = toy_begin();
  char command[256];
  static const char *const every[] = {"log_every=2", "log_every=1000"};
  static const char *const run[] = {"often", "once"};
  for (int i = 0; i < 2; i++)
    toy_train(&t, "toy-scd", run[i],
              (const char *const[]){TOY_TEACHER, "steps=9", "batch=32", "shards=2", every[i],
                                    "preview_every=0", NULL});
  snprintf(command, sizeof command, "cd %s && cmp often/%s once/%s", t.dir, "model.safetensors",
           "model.safetensors");
  assert_int_equal(system(command), 0);
  toy_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_falls), cmocka_unit_test(test_who_has_one),
      cmocka_unit_test(test_labels_of_the_data), cmocka_unit_test(test_changes_no_bit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
