/* The public calls on a model: what they lend lives as long as the header says, and every option is
 * looked at. Run under the address sanitizer this is the proof. */
#include "few/backend.h"
#include "few/bench.h"
#include "few/data.h"
#include "few/eval.h"
#include "few/loop.h"
#include "few/train.h"
#include "models.h"

static few_ctx *ctx;
static few_model *model;

static int setup(void **state) {
  (void)state;
  ctx = test_ctx();
  model = test_model_new(ctx, TEST_MLP);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  few_model_free(model);
  few_ctx_free(ctx);
  return 0;
}

/* ---- what is borrowed ---- */

static void test_metadata_stays(void **state) {
  (void)state;
  const char *first = few_model_metadata(model);
  char *copy = strdup(first);
  assert_ptr_equal(few_model_metadata(model), first);
  assert_ok(ctx, few_model_set_times(model, 2, (double[]){1.5, 1}));
  const char *second = few_model_metadata(model);
  assert_string_not_equal(second, copy);
  assert_string_equal(first, copy);
  free(copy);
}

static void test_times_stay(void **state) {
  (void)state;
  struct few_model_info info, later;
  assert_ok(ctx, few_model_set_times(model, 2, (double[]){1.5, 1}));
  few_model_info(model, &info);
  assert_ok(ctx, few_model_set_times(model, 2, (double[]){1.5, 1}));
  few_model_info(model, &later);
  assert_ptr_equal(later.times, info.times); /* nothing new, nothing kept */
  assert_ok(ctx, few_model_set_times(model, 1, (double[]){1.2}));
  assert_ok(ctx, few_model_set_times(model, 0, NULL));
  assert_true(info.times[0] == 1.5 && info.times[1] == 1);
  assert_ok(ctx, few_model_set_times(model, 2, info.times)); /* its own memory is fine */
  few_model_info(model, &later);
  assert_true(later.n_times == 2 && later.times[1] == 1);
}

static void test_error_stays(void **state) {
  (void)state;
  struct few_model_info info;
  few_model_info(model, &info);
  assert_int_equal(few_model_set_times(model, -1, NULL), FEW_E_INVALID);
  const char *said = few_error(ctx);
  char *copy = strdup(said);
  few_model_metadata(model);
  assert_string_equal(said, copy);
  free(copy);
}

/* ---- options ---- */

static void refused(few_status st, const char *part) {
  if (st != FEW_E_INVALID || !strstr(few_error(ctx), part))
    fail_msg("%s: \"%s\" without \"%s\"", few_status_name(st), few_error(ctx), part);
}

static float out[64];

static few_status sample(struct few_sample_opts o) {
  return few_sample(model, &o, out, NULL, NULL);
}

/* Each field of few_sample_opts with values that it cannot have. */
static void test_sample_fields(void **state) {
  (void)state;
  const double bad[] = {-1, (double)NAN, (double)INFINITY, -(double)INFINITY, 1e300};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT, good = o;
  assert_ok(ctx, sample(good));
  refused(few_sample(model, NULL, out, NULL, NULL), "few_sample_opts");
  refused(few_sample(model, &good, NULL, NULL, NULL), "give `out`");
#define WITH(field, value, part) \
  do {                           \
    o = good;                    \
    o.field = value;             \
    refused(sample(o), part);    \
  } while (0)
  WITH(version, 99, "few_sample_opts of version 99");
  WITH(n, 0, "0 images");
  WITH(n, -1, "-1 images");
  WITH(n, INT64_MAX, "below 2^40");
  WITH(first, -1, "from number -1");
  WITH(first, INT64_MAX, "below 2^40");
  WITH(steps, -1, "-1 steps");
  WITH(steps, INT32_MAX, "give 1 to 1048576");
  WITH(sampler, "none", "no sampler is called");
  WITH(label, 3, "no classes");
  WITH(label, -99, "no classes");
  WITH(batch, -1, "a batch of -1");
  WITH(n_times, -1, "-1 times");
  WITH(n_times, 3, "no list");
  WITH(n_times, INT32_MAX, "give 1 to 1048576");
  WITH(schedule, "none", "no schedule is called");
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
  o.autoguide = test_model_new(other, TEST_MLP);
  o.autoguidance = 2;
  refused(sample(o), "another context");
  few_model_free(o.autoguide);
  few_ctx_free(other);
}

/* The same structs elsewhere go through the same place. */
static void test_sample_opts_elsewhere(void **state) {
  (void)state;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT, good = o;
  struct few_transfer_opts t = FEW_TRANSFER_OPTS_INIT;
  double straight;
  o.guidance = -1;
  refused(few_encode(model, &o, out, NULL, out, NULL), "guidance -1");
  refused(few_decode(model, &o, out, NULL, out, NULL), "guidance -1");
  refused(few_model_straightness(model, &o, &straight), "guidance -1");
  refused(few_sample_plan(model, &o, NULL, NULL), "guidance -1");
  refused(few_sample_plan(model, NULL, NULL, NULL), "few_sample_opts");
  refused(few_sample_write(model, "x.npy", &o, out, NULL, 0), "guidance -1");
  refused(few_sample_write(model, NULL, &good, out, NULL, 0), "give path");
  t.a = t.b = model;
  refused(few_transfer(&t, out, out, NULL), "few_sample_opts (encode)");
  t.encode = &good;
  refused(few_transfer(&t, out, out, NULL), "few_sample_opts (decode)");
  t.decode = &o;
  refused(few_transfer(&t, out, out, NULL), "guidance -1");
  t.b = NULL;
  refused(few_transfer(&t, out, out, NULL), "two models");
  assert_int_equal(few_transfer(NULL, out, out, NULL), FEW_E_INVALID);
}

static void ignore(void *user, const struct few_signal_layer *layer) {
  (void)user;
  (void)layer;
}

/* Every struct of options has a version that is read, and may not be missing. */
static void test_versions(void **state) {
  (void)state;
  struct few_tangent_bin bins[FEW_TANGENT_BINS];
  struct few_bench_result bench;
  struct few_eval_report *report;
  few_data *data;
  few_model *made;
  char *text;
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
  transfer.a = transfer.b = model;
  signal.layer = ignore;
  c.version = olss.version = transfer.version = show.version = signal.version = tangent.version =
      b.version = eval.version = search.version = loop.version = train.version = d.version = 99;
  assert_int_equal(few_ctx_create(&none, &c), FEW_E_INVALID);
  refused(few_olss(model, &olss, "x.json", NULL), "few_olss_opts of version 99");
  refused(few_olss(model, NULL, "x.json", NULL), "few_olss_opts");
  refused(few_transfer(&transfer, out, out, NULL), "few_transfer_opts of version 99");
  refused(few_model_show(model, &show, &text), "few_show_opts of version 99");
  refused(few_model_signal(model, &signal), "few_signal_opts of version 99");
  refused(few_model_signal(model, NULL), "few_signal_opts");
  refused(few_model_tangent(model, &tangent, bins), "few_tangent_opts of version 99");
  refused(few_model_tangent(model, NULL, bins), "few_tangent_opts");
  refused(few_bench(&bench, ctx, &b, FEW_BENCH_INFER, 1), "few_bench_opts of version 99");
  refused(few_bench(&bench, ctx, NULL, FEW_BENCH_INFER, 1), "few_bench_opts");
  refused(few_eval(&report, ctx, &eval), "few_eval_opts of version 99");
  refused(few_eval(&report, ctx, NULL), "few_eval_opts");
  refused(few_eval_save_reference(ctx, &eval, "x"), "few_eval_opts of version 99");
  refused(few_schedule_search(model, &search, NULL, NULL),
          "few_schedule_search_opts of version 99");
  refused(few_schedule_search(model, NULL, NULL, NULL), "few_schedule_search_opts");
  refused(few_loop(ctx, &loop), "few_loop_opts of version 99");
  refused(few_loop(ctx, NULL), "few_loop_opts");
  refused(few_train(ctx, &train), "few_train_opts of version 99");
  refused(few_train(ctx, NULL), "few_train_opts");
  refused(few_train_model(&made, ctx, &train), "few_train_opts of version 99");
  refused(few_data_open(ctx, &data, "toy:moons", &d), "few_data_opts of version 99");
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
  search.reference = "toy:moons";
  loop.recipe = loop.run = train.recipe = train.run = "x";
  for (int i = 0; i < 4; i++) {
    search.tolerance = bad[i];
    refused(few_schedule_search(model, &search, NULL, NULL), "tolerance");
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
  refused(few_data_open(ctx, &data, NULL, NULL), "spec");
  assert_ok(ctx, few_data_open(ctx, &data, "toy:moons", NULL));
  stream.scale.scale = (double)NAN;
  refused(few_data_fill(data, &stream, 0, 1, out, NULL), "finite");
  refused(few_data_fill(data, NULL, 0, 1, out, NULL), "few_data_stream");
  assert_int_equal(few_data_batch_index(0, 1, 0), -1);
  assert_int_equal(few_data_batch_index(3, 1, -1), -1);
  few_data_free(data);
}

static void test_eval_rows(void **state) {
  (void)state;
  float x[2] = {0}, t = 1, nan = NAN;
  assert_ok(ctx, few_model_eval(model, 1, x, &t, NULL, NULL, out));
  refused(few_model_eval(model, -1, x, &t, NULL, NULL, out), "-1 rows");
  refused(few_model_eval(model, 1, NULL, &t, NULL, NULL, out), "give x, t and out");
  refused(few_model_eval(model, 1, x, NULL, NULL, NULL, out), "give x, t and out");
  refused(few_model_eval(model, 1, x, &nan, NULL, NULL, out), "time of row 0");
  refused(few_model_eval(model, 1, x, &t, NULL, &nan, out), "guidance of row 0");
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

/* ---- numbers that there are not ---- */

static void test_lists(void **state) {
  (void)state;
  const int none[] = {-1, 1000, INT32_MAX, INT32_MIN};
  struct few_model_parameter row;
  for (int i = 0; i < 4; i++) {
    assert_null(few_sampler_list(none[i]).name);
    assert_null(few_schedule_list(none[i]).name);
    assert_null(few_data_list(NULL, none[i]).name);
    assert_null(few_backend_list(none[i]).name);
    assert_null(few_backend_lacks(none[i], false, 0));
    few_model_parameter(model, none[i], &row);
    assert_null(row.name);
    assert_null(few_model_class_name(model, none[i]));
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_metadata_stays),        TEST(test_times_stay),
      TEST(test_error_stays),           TEST(test_sample_fields),
      TEST(test_sample_opts_elsewhere), TEST(test_versions),
      TEST(test_other_fields),          TEST(test_eval_rows),
      TEST(test_context_opts),          TEST(test_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
