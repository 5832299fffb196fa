/* Files written while a run continues, on the host and on the emulated GPU. They have the state of
 * the step at which they were requested, whatever the run does meanwhile. Errors are reported.
 */
#include <stdlib.h>
#include <unistd.h>

#include "train/saving.h"
#include "train/updates.h"

static const char *const settings[] = {"width=16", "layers=2"};
static const struct few_run_identity id = {.layout = 1, .data = 2, .teacher = 3};

static few_saving *open_saving(struct updates *t, const char *dir) {
  const struct few_saving_opts o = {dir, &t->setup, &id, &t->state, t->student};
  few_saving *s;
  assert_ok(t->ctx, few__saving_open(t->ctx, &s, &o));
  return s;
}

static void begin(struct updates *t, const struct few_backend *backend) {
  updates_begin(t, FEW_TEST_DIR "/../recipes/toy-teacher.ini", FEW_COUNT(settings), settings, 1,
                backend);
  t->state.step = 7;
  t->state.usual_norm = 1.5;
  few__arrays_copy(&t->arrays, t->state.there.ema, t->state.there.param, t->state.n_model);
}

static void check_file_of_a_step(const struct few_backend *backend) {
  char dir[] = "/tmp/few-saving-XXXXXX", path[64];
  struct updates t;
  bool found;
  assert_non_null(mkdtemp(dir));
  begin(&t, backend);
  few_saving *s = open_saving(&t, dir);
  const int64_t n = t.state.n;
  float *was = malloc((size_t)n * sizeof *was);
  memcpy(was, t.state.here.param, (size_t)n * sizeof *was);
  assert_ok(t.ctx, few__save(s, FEW_SAVE_SCHEDULED));
  few__arrays_zero(&t.arrays, t.state.there.param, n); /* the run continues and changes them */
  few__arrays_zero(&t.arrays, t.state.there.ema, t.state.n_model);
  t.state.step = 8;
  t.state.usual_norm = 0;
  assert_ok(t.ctx, few__saving_finish(s));
  assert_ok(t.ctx, few__saving_finish(s)); /* nothing is left to wait for */
  assert_ok(t.ctx, few__checkpoint_read(t.ctx, &t.state, dir, &id, FEW_CHECKPOINT_NEWEST, &found));
  assert_true(found && t.state.step == 7);
  assert_close(t.state.usual_norm, 1.5, 0);
  assert_memory_equal(t.state.here.param, was, (size_t)n * sizeof *was);
  assert_memory_equal(t.state.here.ema, was, (size_t)t.state.n_model * sizeof *was);
  few_model *m;
  snprintf(path, sizeof path, "%s/model.safetensors", dir);
  assert_ok(t.ctx, few_model_load(&m, t.ctx, path));
  for (int i = 0; i < m->params.n; i++) { /* there may be gaps between rows */
    const struct few_param_row *row = &m->params.at[i];
    assert_memory_equal(m->values + row->offset, was + row->offset,
                        (size_t)few_shape_count(row->shape) * sizeof *was);
  }
  assert_int_equal(m->step, 7);
  few_model_free(m);
  unlink(path);
  snprintf(path, sizeof path, "%s/checkpoint-000000007.safetensors", dir);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(rmdir(dir), 0); /* succeeds, because no partial file is left */
  free(was);
  few__saving_close(s);
  updates_end(&t);
}

static void test_file_of_a_step(void **state) {
  (void)state;
  check_file_of_a_step(few__backend_ref());
  check_file_of_a_step(few__backend_cuda());
}

static void check_failure(const struct few_backend *backend) {
  struct updates t;
  begin(&t, backend);
  few_saving *s = open_saving(&t, "/tmp/few-saving-none");
  few_status st = few__save(s, FEW_SAVE_SCHEDULED);
  if (!st) st = few__saving_finish(s);
  assert_int_equal(st, FEW_E_IO);
  assert_non_null(strstr(few_error(t.ctx), "/tmp/few-saving-none/checkpoint-000000007"));
  st = few__save(s, FEW_SAVE_START);
  few__saving_close(s); /* closes one that is not finished */
  assert_true(st == (backend->device ? FEW_OK : FEW_E_IO));
  updates_end(&t);
}

static void test_failure(void **state) {
  (void)state;
  check_failure(few__backend_ref());
  check_failure(few__backend_cuda());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_file_of_a_step),
                                     cmocka_unit_test(test_failure)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
