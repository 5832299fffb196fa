/* The public calls on a model: a model is a value, and every option is checked. Run it under the
 * address sanitizer to detect uses of freed memory. */
#include "few/backend.h"
#include "few/bench.h"
#include "few/check.h"
#include "few/data.h"
#include "few/eval.h"
#include "few/loop.h"
#include "few/train.h"
#include "models.h"

static few_ctx *ctx;
static few_model *model;
static few_runner *runner; /* of it */

static int setup(void **state) {
  (void)state;
  ctx = test_ctx();
  model = test_model_new(ctx, TEST_MLP);
  runner = once_runner(model);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  few_runner_free(runner);
  few_model_free(model);
  few_ctx_free(ctx);
  return 0;
}

/* ---- a value ---- */

static char *metadata(const few_model *m) {
  char *text;
  assert_ok(ctx, few_model_metadata(&text, m));
  return text;
}

/* Other times give another model, which shares the weights. The first one is unchanged, and either
 * may be freed first. */
static void test_times_make_a_model(void **state) {
  (void)state;
  struct few_model_info before, after, other;
  few_model *with, *without;
  char *first = metadata(model);
  few_model_info(&before, sizeof before, model);
  assert_ok(ctx, few_model_with_times(&with, model, 2, (double[]){1.5, 1}));
  few_model_info(&after, sizeof after, model);
  few_model_info(&other, sizeof other, with);
  assert_int_equal(before.n_times, 0);
  assert_int_equal(after.n_times, 0);
  assert_true(other.n_times == 2 && other.times[0] == 1.5 && other.times[1] == 1);
  assert_ptr_equal(few_model_values(with), few_model_values(model));
  char *same = metadata(model), *second = metadata(with);
  assert_string_equal(same, first);
  assert_string_not_equal(second, first);
  few_text_free(ctx, first);
  few_text_free(ctx, same);
  few_text_free(ctx, second);
  assert_ok(ctx, few_model_with_times(&without, with, 0, NULL)); /* of one that shares */
  few_runner_free(runner);
  few_model_free(model);
  few_model_info(&after, sizeof after, with);
  assert_true(after.times[1] == 1 && few_model_values(with)[0] == few_model_values(without)[0]);
  few_model_free(with);
  few_model_info(&after, sizeof after, without);
  assert_int_equal(after.n_times, 0);
  model = without; /* for the teardown */
  runner = once_runner(model);
}

static void refused(few_status st, const char *part) {
  if (st != FEW_E_INVALID || !strstr(few_error(ctx), part))
    fail_msg("%s: \"%s\" without \"%s\"", few_status_name(st), few_error(ctx), part);
}

static void test_times_refused(void **state) {
  (void)state;
  few_model *with;
  refused(few_model_with_times(&with, model, -1, NULL), "-1 sampling times");
  assert_null(with);
  refused(few_model_with_times(&with, model, 2, NULL), "2 sampling times");
  refused(few_model_with_times(&with, model, 2, (double[]){1, 1}), "fall strictly");
  refused(few_model_with_times(&with, model, 1, (double[]){1.6}), "pi/2");
}

static void test_error_stays(void **state) {
  (void)state;
  few_model *with;
  refused(few_model_with_times(&with, model, -1, NULL), "-1");
  const char *said = few_error(ctx);
  char *copy = strdup(said);
  few_text_free(ctx, metadata(model));
  assert_string_equal(said, copy);
  free(copy);
}

/* ---- options ---- */

static float out[64];

static few_status sample(struct few_sample_opts o) {
  return once_sample(model, &o, out, NULL, NULL);
}

/* Each field of few_sample_opts with invalid values. */
static void test_sample_fields(void **state) {
  (void)state;
  const double bad[] = {-1, (double)NAN, (double)INFINITY, -(double)INFINITY, 1e300};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT, good = o;
  assert_ok(ctx, sample(good));
  refused(once_sample(model, NULL, out, NULL, NULL), "few_sample_opts");
  refused(once_sample(model, &good, NULL, NULL, NULL), "give `images`");
#define WITH(field, value, part) \
  do {                           \
    o = good;                    \
    o.field = value;             \
    refused(sample(o), part);    \
  } while (0)
  WITH(version, 99, "few_sample_opts has version 99");
  WITH(n, 0, "0 images");
  WITH(n, -1, "-1 images");
  WITH(n, INT64_MAX, "below 2^40");
  WITH(first, -1, "from number -1");
  WITH(first, INT64_MAX, "below 2^40");
  WITH(steps, -1, "-1 steps");
  WITH(steps, INT32_MAX, "give 1 to 1048576");
  WITH(sampler, "none", "there is no sampler");
  WITH(label, 3, "no classes");
  WITH(label, -99, "no classes");
  WITH(batch, -1, "a batch of -1");
  WITH(n_times, -1, "-1 times");
  WITH(n_times, 3, "no list");
  WITH(n_times, INT32_MAX, "give 1 to 1048576");
  WITH(schedule, "none", "there is no schedule");
  WITH(n_settings, -1, "-1 settings");
  WITH(n_settings, 1, "no list");
  for (int i = 0; i < 5; i++) WITH(guidance, bad[i], "guidance");
  for (int i = 0; i < 5; i++) WITH(autoguidance, bad[i], "autoguidance");
  WITH(guidance_from, (double)NAN, "guidance from");
  WITH(guidance_to, (double)NAN, "guidance from");
  o = good;
  o.n_times = 1;
  for (int i = 0; i < 5; i++) {
    o.times = &bad[i];
    refused(sample(o), "time");
  }
  const char *null[] = {NULL};
  o = good;
  o.n_settings = 1;
  o.settings = null;
  refused(sample(o), "number 0 is NULL");
  few_ctx *other = test_ctx();
  o = good;
  assert_ok(other, few_runner_create(&o.autoguide, other, model));
  o.autoguidance = 2;
  refused(sample(o), "another context");
  few_runner_free(o.autoguide);
  few_ctx_free(other);
}

/* Other calls check the same structs. */
static void test_sample_opts_elsewhere(void **state) {
  (void)state;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT, good = o;
  struct few_transfer_opts t = FEW_TRANSFER_OPTS_INIT;
  double straight;
  o.guidance = -1;
  refused(once_encode(model, &o, out, NULL, out, NULL), "guidance -1");
  refused(once_decode(model, &o, out, NULL, out, NULL), "guidance -1");
  refused(once_straightness(model, &o, &straight), "guidance -1");
  refused(once_plan(model, &o, NULL, NULL), "guidance -1");
  refused(once_plan(model, NULL, NULL, NULL), "few_sample_opts");
  refused(once_write(model, "x.npy", &o, out, NULL, 0), "guidance -1");
  refused(once_write(model, NULL, &good, out, NULL, 0), "give path");
  t.a = t.b = runner;
  refused(few_transfer(out, NULL, &t, out), "few_sample_opts (encode)");
  t.encode = &good;
  refused(few_transfer(out, NULL, &t, out), "few_sample_opts (decode)");
  t.decode = &o;
  refused(few_transfer(out, NULL, &t, out), "guidance -1");
  t.b = NULL;
  refused(few_transfer(out, NULL, &t, out), "two runners");
  assert_int_equal(few_transfer(out, NULL, NULL, out), FEW_E_INVALID);
}

static void ignore(void *user, const struct few_signal_layer *layer) {
  (void)user;
  (void)layer;
}

/* Every struct of options has a version that is checked, and must not be NULL. */
static void test_versions(void **state) {
  (void)state;
  struct few_tangent_bin bins[FEW_TANGENT_BINS];
  struct few_bench_result bench;
  struct few_eval_report *report;
  few_data *data;
  few_model *made;
  few_graph *g;
  char *text;
  struct few_schedule_found found;
  struct few_check_result checked;
  struct few_inputs inputs = FEW_INPUTS_INIT;
  struct few_model_opts model_opts = FEW_MODEL_OPTS_INIT;
  struct few_check_opts check = FEW_CHECK_OPTS_INIT;
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  struct few_olss_opts olss = FEW_OLSS_OPTS_INIT;
  struct few_transfer_opts transfer = FEW_TRANSFER_OPTS_INIT;
  struct few_show_opts show = FEW_SHOW_OPTS_INIT;
  struct few_signal_opts signal = FEW_SIGNAL_OPTS_INIT;
  struct few_tangent_opts tangent = FEW_TANGENT_OPTS_INIT;
  struct few_bench_opts b = FEW_BENCH_OPTS_INIT;
  struct few_eval_opts eval = FEW_EVAL_OPTS_INIT;
  struct few_schedule_search_opts search = FEW_SCHEDULE_SEARCH_OPTS_INIT;
  struct few_loop_opts loop = FEW_LOOP_OPTS_INIT;
  struct few_train_opts train = FEW_TRAIN_OPTS_INIT;
  struct few_data_opts d = FEW_DATA_OPTS_INIT;
  few_ctx *none;
  transfer.a = transfer.b = runner;
  signal.layer = ignore;
  c.version = olss.version = transfer.version = show.version = signal.version = tangent.version =
      b.version = eval.version = search.version = loop.version = train.version = d.version =
          inputs.version = model_opts.version = check.version = 99;
  assert_int_equal(few_ctx_create(&none, &c), FEW_E_INVALID);
  refused(once_olss(model, &olss, "x.json", NULL), "few_olss_opts has version 99");
  refused(once_olss(model, NULL, "x.json", NULL), "few_olss_opts");
  refused(few_transfer(out, NULL, &transfer, out), "few_transfer_opts has version 99");
  refused(few_runner_eval(out, runner, &inputs), "few_inputs has version 99");
  refused(few_runner_eval(out, runner, NULL), "few_inputs");
  refused(few_model_create(&made, ctx, &model_opts), "few_model_opts has version 99");
  refused(few_model_create(&made, ctx, NULL), "few_model_opts");
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node y = few_input(g, "x", FEW_REAL, FEW_SHAPE(1));
  refused(few_check_function(&checked, g, y, 0, NULL, &check), "few_check_opts has version 99");
  few_graph_free(g);
  refused(few_model_show(&text, model, &show), "few_show_opts has version 99");
  refused(few_model_signal(model, &signal), "few_signal_opts has version 99");
  refused(few_model_signal(model, NULL), "few_signal_opts");
  refused(once_tangent(model, &tangent, bins), "few_tangent_opts has version 99");
  refused(once_tangent(model, NULL, bins), "few_tangent_opts");
  refused(few_bench(&bench, ctx, &b, FEW_BENCH_INFER, 1), "few_bench_opts has version 99");
  refused(few_bench(&bench, ctx, NULL, FEW_BENCH_INFER, 1), "few_bench_opts");
  refused(few_eval(&report, ctx, &eval), "few_eval_opts has version 99");
  refused(few_eval(&report, ctx, NULL), "few_eval_opts");
  refused(few_eval_save_reference(ctx, &eval, "x"), "few_eval_opts has version 99");
  refused(few_schedule_search(&found, runner, &search), "few_schedule_search_opts has version 99");
  refused(few_schedule_search(&found, runner, NULL), "few_schedule_search_opts");
  refused(few_loop(ctx, &loop), "few_loop_opts has version 99");
  refused(few_loop(ctx, NULL), "few_loop_opts");
  refused(few_train(ctx, &train), "few_train_opts has version 99");
  refused(few_train(ctx, NULL), "few_train_opts");
  refused(few_train_model(&made, ctx, &train), "few_train_opts has version 99");
  refused(few_data_open(&data, ctx, "toy:moons", &d), "few_data_opts has version 99");
}

static void test_other_fields(void **state) {
  (void)state;
  const double bad[] = {-1, 0, (double)NAN, (double)INFINITY};
  struct few_schedule_search_opts search = FEW_SCHEDULE_SEARCH_OPTS_INIT;
  struct few_bench_opts bench = FEW_BENCH_OPTS_INIT;
  struct few_bench_result result;
  struct few_loop_opts loop = FEW_LOOP_OPTS_INIT;
  struct few_train_opts train = FEW_TRAIN_OPTS_INIT;
  struct few_data_stream stream = FEW_DATA_STREAM_INIT;
  few_data *data = NULL;
  struct few_schedule_found found;
  search.reference = "toy:moons";
  loop.recipe = loop.run = train.recipe = train.run = "x";
  for (int i = 0; i < 4; i++) {
    search.tolerance = bad[i];
    refused(few_schedule_search(&found, runner, &search), "tolerance");
    loop.guidance = bad[i];
    refused(few_loop(ctx, &loop), "guidance");
    bench.h = (int64_t)INT32_MAX + i;
    refused(few_bench(&result, ctx, &bench, FEW_BENCH_INFER, 1), "height");
  }
  bench.h = 8;
  bench.seconds = (double)NAN;
  refused(few_bench(&result, ctx, &bench, FEW_BENCH_INFER, 1), "seconds");
  bench.seconds = 1;
  refused(few_bench(&result, ctx, &bench, (enum few_bench_case)77, 1), "case");
  train.n_overrides = 2;
  refused(few_train(ctx, &train), "overrides");
  refused(few_data_open(&data, ctx, NULL, NULL), "spec");
  assert_ok(ctx, few_data_open(&data, ctx, "toy:moons", NULL));
  stream.scale.scale = (double)NAN;
  refused(few_data_fill(out, NULL, data, &stream, 0, 1), "finite");
  refused(few_data_fill(out, NULL, data, NULL, 0, 1), "few_data_stream");
  assert_int_equal(few_data_batch_index(0, 1, 0), -1);
  assert_int_equal(few_data_batch_index(3, 1, -1), -1);
  few_data_free(data);
}

static void test_eval_rows(void **state) {
  (void)state;
  float x[2] = {0}, t = 1, nan = NAN;
  assert_ok(ctx, once_eval(model, 1, x, &t, NULL, NULL, NULL, out));
  refused(once_eval(model, -1, x, &t, NULL, NULL, NULL, out), "-1 rows");
  refused(once_eval(model, 1, NULL, &t, NULL, NULL, NULL, out), "give x, t and out");
  refused(once_eval(model, 1, x, NULL, NULL, NULL, NULL, out), "give x, t and out");
  refused(once_eval(model, 1, x, &nan, NULL, NULL, NULL, out), "time of row 0");
  refused(once_eval(model, 1, x, &t, NULL, NULL, &nan, out), "guidance of row 0");
}

static void test_context_opts(void **state) {
  (void)state;
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  few_ctx *none;
  o.workers = -1;
  assert_int_equal(few_ctx_create(&none, &o), FEW_E_INVALID);
  o.workers = 1;
  o.allocator.release = (void (*)(void *, void *))abort;
  assert_int_equal(few_ctx_create(&none, &o), FEW_E_INVALID);
  assert_null(none);
}

/* ---- numbers that do not exist ---- */

static void test_lists(void **state) {
  (void)state;
  const int none[] = {-1, 1000, INT32_MAX, INT32_MIN};
  struct few_model_parameter row;
  for (int i = 0; i < 4; i++) {
    assert_false(few_model_parameter(&row, sizeof row, model, none[i]));
    assert_null(few_model_class_name(model, none[i]));
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_times_make_a_model),    TEST(test_times_refused),
      TEST(test_error_stays),           TEST(test_sample_fields),
      TEST(test_sample_opts_elsewhere), TEST(test_versions),
      TEST(test_other_fields),          TEST(test_eval_rows),
      TEST(test_context_opts),          TEST(test_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
