/* Records of runs and reports: what is read from them, and what is drawn. */
#include "testing.h"

#include "base/base.h"
#include "few/record.h"
#include "meter.h"

static few_record *open_file(few_ctx *ctx, const char *name) {
  char path[512];
  few_record *r;
  snprintf(path, sizeof path, "%s/record/data/%s", FEW_TEST_DIR, name);
  assert_ok(ctx, few_record_open(&r, ctx, path));
  return r;
}

static struct few_record_series series(const few_record *r, const char *key) {
  struct few_record_info info;
  struct few_record_series s;
  few_record_info(&info, sizeof info, r);
  for (int i = 0; i < info.n_series; i++) {
    few_record_series(&s, sizeof s, r, i);
    if (!strcmp(s.key, key)) return s;
  }
  fail_msg("no %s", key);
  return s;
}

static void test_run(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_record *r = open_file(ctx, "run");
  struct few_record_info info;
  few_record_info(&info, sizeof info, r);
  assert_string_equal(info.net, "unet");
  assert_string_equal(info.objective, "scd + vsd");
  assert_string_equal(info.data, "toy:moons");
  assert_true(!info.report && info.batch == 32 && info.step == 30 && info.n_evals == 2);
  assert_true(info.seconds == 12 + 5); /* resumed after step 20 */
  struct few_record_series s = series(r, "loss");
  assert_int_equal(s.n, 4);
  assert_true(s.step[3] == 30 && s.value[3] == 0.5 && s.seconds[3] == 17 && s.seconds[1] == 6);
  s = series(r, "mse_by_time/2");
  assert_true(s.n == 3 && s.value[0] == 3); /* null in a line */
  s = series(r, "eval/fd");
  assert_string_equal(s.space, "pixels features, against toy:moons:test");
  assert_true(s.n == 2 && s.value[1] == 2 && s.step[1] == 20 && s.seconds[1] == 12);
  struct few_record_eval e;
  few_record_eval(&e, sizeof e, r, 1);
  assert_true(e.n_numbers == 1 && e.nfe == 3 && e.steps == 2 && e.complete);
  assert_true(isnan(e.number[0].error) && e.number[0].value == 2);
  few_record_free(r);
  few_ctx_free(ctx);
}

static void test_report(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_record *r = open_file(ctx, "record/y_report");
  struct few_record_info info;
  struct few_record_eval e;
  few_record_info(&info, sizeof info, r);
  assert_true(info.report && info.step == 100 && info.n_evals == 1 && isnan(info.batch));
  assert_string_equal(info.source, "m.safetensors");
  assert_string_equal(info.objective, "scd");
  few_record_eval(&e, sizeof e, r, 0);
  assert_string_equal(e.sampler, "consistency");
  assert_string_equal(e.space_id, "f features, against r|g|h|7");
  assert_true(!e.complete && e.number[0].value == 1.5 && e.number[0].error == 0.25);
  assert_true(isnan(e.number[1].value) && e.n_reference == 7 && e.n == 10);
  few_record_free(r);
  few_ctx_free(ctx);
}

static int count(const char *text, const char *part) {
  int n = 0;
  for (const char *at = text; (at = strstr(at, part)); at++) n++;
  return n;
}

static char *draw(few_ctx *ctx, few_record *const *r, int n, const char *keys, few_curves_x x) {
  struct few_curves_opts o = FEW_CURVES_OPTS_INIT;
  char *svg;
  o.n = n;
  o.record = r;
  o.keys = keys;
  o.x = x;
  assert_ok(ctx, few_curves_svg(&svg, ctx, &o));
  return svg;
}

static void test_panels(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_record *r[2] = {open_file(ctx, "run"), open_file(ctx, "record/y_evals.jsonl")};
  char *svg = draw(ctx, r, 1, "loss,mse_by_time", FEW_CURVES_IMAGES);
  assert_int_equal(count(svg, "font-weight"), 2);
  assert_int_equal(count(svg, "t &lt; 0.39"), 1);
  assert_int_equal(count(svg, ">960<"), 0); /* 30 steps of 32 images: ticks at multiples of 200 */
  assert_int_equal(count(svg, ">800<"), 2);
  few_text_free(ctx, svg);
  /* two runs share the panel of the loss, not those of arrays and of metrics in other spaces */
  svg = draw(ctx, r, 2, "loss", FEW_CURVES_STEP);
  assert_int_equal(count(svg, "font-weight"), 1);
  few_text_free(ctx, svg);
  svg = draw(ctx, r, 2, "mse_by_time,fd", FEW_CURVES_SECONDS);
  assert_int_equal(count(svg, "font-weight"), 4);
  assert_int_equal(count(svg, "pixels features, against a&lt;&amp;b"), 1);
  few_text_free(ctx, svg);
  few_record_free(r[0]);
  few_record_free(r[1]);
  few_ctx_free(ctx);
}

static void test_reports(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_record *r = open_file(ctx, "record/y_report");
  char *svg = draw(ctx, &r, 1, "fd", FEW_CURVES_NFE);
  assert_int_equal(count(svg, "<circle"), 1);
  assert_int_equal(count(svg, "network evaluations per image"), 1);
  few_text_free(ctx, svg);
  few_record_free(r);
  few_ctx_free(ctx);
}

static void refused(few_ctx *ctx, few_record *r, const char *keys, few_curves_x x, double smooth,
                    const char *why) {
  struct few_curves_opts o = FEW_CURVES_OPTS_INIT;
  char *svg;
  o.n = 1;
  o.record = &r;
  o.keys = keys;
  o.x = x;
  o.smooth = smooth;
  assert_int_equal(few_curves_svg(&svg, ctx, &o), FEW_E_INVALID);
  assert_null(svg);
  if (!strstr(few_error(ctx), why)) fail_msg("%s", few_error(ctx));
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_record *run = open_file(ctx, "run"), *log = open_file(ctx, "record/y_report"), *none;
  refused(ctx, run, "los", FEW_CURVES_STEP, 0, "there are loss, mse_by_time, seconds, eval/fd");
  refused(ctx, run, NULL, FEW_CURVES_NFE, 0, "only reports");
  refused(ctx, log, NULL, FEW_CURVES_STEP, 0, "over nfe");
  refused(ctx, run, NULL, FEW_CURVES_STEP, 1, "smooth");
  static const struct {
    const char *name, *why;
  } files[] = {{"record/n_text", "is no report of few eval --json"},
               {"record", "it has no log.jsonl"},
               {"record/n_source", "is no report"},
               {"nowhere", "nowhere"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/record/data/%s", FEW_TEST_DIR, files[i].name);
    assert_true(few_record_open(&none, ctx, path) != FEW_OK);
    assert_null(none);
    if (i && !strstr(few_error(ctx), files[i].why)) fail_msg("%s", few_error(ctx));
  }
  few_record_free(run);
  few_record_free(log);
  few_ctx_free(ctx);
}

/* Reads a record and draws it. */
static few_status read_and_draw(few_ctx *ctx, const char *name, few_curves_x x) {
  struct few_curves_opts o = FEW_CURVES_OPTS_INIT;
  char path[512], *svg = NULL;
  few_record *r;
  snprintf(path, sizeof path, "%s/record/data/%s", FEW_TEST_DIR, name);
  FEW_TRY(few_record_open(&r, ctx, path));
  o.n = 1;
  o.record = &r;
  o.x = x;
  const few_status st = few_curves_svg(&svg, ctx, &o);
  few_text_free(ctx, svg);
  few_record_free(r);
  return st;
}

/* Each allocation fails in turn: an error, without a leak. */
static void test_memory(void **state) {
  (void)state;
  static const struct {
    const char *name;
    few_curves_x x;
  } all[] = {{"run", FEW_CURVES_STEP}, {"record/y_report", FEW_CURVES_NFE}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    few_status st = FEW_E_MEMORY;
    for (long left = 0; st; left++) {
      struct meter m = {.left = LONG_MAX};
      struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
      few_ctx *ctx;
      o.allocator = (struct few_allocator){&m, meter_alloc, meter_release};
      o.workers = 1;
      assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
      const long before = m.live;
      m.left = left;
      st = read_and_draw(ctx, all[i].name, all[i].x);
      assert_int_equal(m.live, before);
      if (st) assert_int_equal(st, FEW_E_MEMORY);
      assert_true(left < 10000);
      few_ctx_free(ctx);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),  cmocka_unit_test(test_run),
      cmocka_unit_test(test_report),  cmocka_unit_test(test_panels),
      cmocka_unit_test(test_reports), cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
