/* A metric added by a program is computed, listed and given error bars like built-in ones. Invalid
 * definitions are refused. */
#include "few/ext/metric.h"

#include "data/files.h"
#include "eval/metric/metric.h"
#include "few/component.h"
#include "few/eval.h"

/* The metric: the distance between the means of two sets, from the kind of data that it
 * declares. */
static int64_t least(const struct few_metric_opts *o) {
  FEW_UNUSED(o);
  return 2;
}

static double length(int64_t d, const double *a, const double *b) {
  double sum = 0;
  for (int64_t i = 0; i < d; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sqrt(sum);
}

static void mean_of_rows(const few_eval_set *s, double *mean) {
  const int64_t n = few_eval_set_rows(s), d = few_eval_set_dim(s);
  float *row = malloc((size_t)d * sizeof *row);
  for (int64_t k = 0; k < d; k++) mean[k] = 0;
  for (int64_t i = 0; i < n; i++) {
    few_eval_set_row(row, s, i);
    for (int64_t k = 0; k < d; k++) mean[k] += (double)row[k] / (double)n;
  }
  free(row);
}

static few_status run(struct few_metric_value *value, few_ctx *ctx, struct few_metric_input *in) {
  const int64_t d = few_eval_set_dim(in->set);
  double *mean = few_ctx_alloc(ctx, 2 * (size_t)d * sizeof *mean);
  if (!mean) return FEW_E_MEMORY;
  assert_int_equal(few_eval_set_dim(in->reference), d);
  const double far = length(d, few_eval_set_mean(in->set), few_eval_set_mean(in->reference));
  mean_of_rows(in->set, mean);
  mean_of_rows(in->reference, mean + d);
  for (int v = 0; v < 2; v++)
    value[v] = (struct few_metric_value){.name = v ? "rows-apart" : "means-apart",
                                         .value = v ? length(d, mean, mean + d) : far,
                                         .error = (double)NAN,
                                         .error_of = "",
                                         .n = few_eval_set_n(in->set),
                                         .n_ref = few_eval_set_n(in->reference),
                                         .how = "a test"};
  few_ctx_release(ctx, mean);
  return FEW_OK;
}

static const struct few_metric_def apart = {
    .version = FEW_METRIC_DEF_VERSION,
    .name = "apart",
    .help = "distance of means",
    .alias = "distance",
    .needs = FEW_NEED_MOMENTS | FEW_NEED_ROWS | FEW_NEED_REFERENCE,
    .n_values = 2,
    .least = least,
    .run = run};

static struct few_eval_opts options(void) {
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  o.source = "toy:moons";
  o.reference = "toy:mixture";
  o.n = 500;
  o.n_reference = 400;
  o.subsets = 2;
  o.subset_size = 20;
  return o;
}

static const struct few_eval_number *number(const struct few_eval_report *r, const char *name) {
  for (int i = 0; i < r->n_numbers; i++)
    if (!strcmp(r->number[i].name, name)) return &r->number[i];
  fail_msg("no number %s", name);
  return NULL;
}

static void test_measured(void **state) {
  struct files *f = *state;
  struct few_eval_opts o = options();
  struct few_eval_report *r;
  o.metrics = "apart";
  assert_int_equal(few_eval(&r, f->ctx, &o), FEW_E_INVALID); /* not yet */
  assert_ok(f->ctx, few_ctx_add_metric(f->ctx, &apart));
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  assert_int_equal(r->n_numbers, 2);
  const struct few_eval_number *means = number(r, "means-apart"), *rows = number(r, "rows-apart");
  assert_true(means->value > 0);
  assert_close(rows->value, means->value, 1e-12); /* all rows were kept */
  assert_int_equal(means->n, 500);
  assert_int_equal(means->n_reference, 400);
  few_eval_report_free(r);
  o.metrics = "fd,distance";
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  assert_int_equal(r->n_numbers, 3);
  few_eval_report_free(r);
  o.metrics = NULL; /* all */
  o.bootstrap = 20;
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  assert_string_equal(number(r, "rows-apart")->error_of, "bootstrap");
  assert_true(number(r, "rows-apart")->error > 0);
  assert_true(number(r, "fd")->error > 0);
  char *json;
  assert_ok(f->ctx, few_eval_json(&json, f->ctx, r));
  assert_non_null(strstr(json, "\"means-apart\""));
  few_text_free(f->ctx, json);
  few_eval_report_free(r);
}

static void test_listed(void **state) {
  struct files *f = *state;
  const int built_in = few_component_count(NULL, FEW_COMPONENT_METRIC);
  assert_int_equal(few_component_count(f->ctx, FEW_COMPONENT_METRIC), built_in);
  assert_ok(f->ctx, few_ctx_add_metric(f->ctx, &apart));
  assert_int_equal(few_component_count(f->ctx, FEW_COMPONENT_METRIC), built_in + 1);
  struct few_component c;
  assert_true(few_component(&c, sizeof c, f->ctx, FEW_COMPONENT_METRIC, built_in));
  assert_string_equal(c.name, "apart");
  assert_false(few_component(&c, sizeof c, NULL, FEW_COMPONENT_METRIC, built_in));
  assert_true(few_component(&c, sizeof c, f->ctx, FEW_COMPONENT_METRIC, 0));
  assert_string_equal(c.name, "fd");
}

static void refused(struct files *f, const struct few_metric_def *def, const char *sentence) {
  const int n = few_component_count(f->ctx, FEW_COMPONENT_METRIC);
  assert_int_equal(few_ctx_add_metric(f->ctx, def), FEW_E_INVALID);
  if (!strstr(few_error(f->ctx), sentence)) fail_msg("\"%s\": %s", sentence, few_error(f->ctx));
  assert_int_equal(few_component_count(f->ctx, FEW_COMPONENT_METRIC), n);
}

static void test_refused(void **state) {
  struct files *f = *state;
  struct few_metric_def d = apart;
  refused(f, NULL, "no definition");
  d.version = 99;
  d.name = NULL; /* ignored */
  refused(f, &d, "few_metric_def has version 99");
  d = apart, d.name = NULL;
  refused(f, &d, "`name` is NULL");
  d = apart, d.run = NULL;
  refused(f, &d, "`run` is NULL");
  d = apart, d.least = NULL;
  refused(f, &d, "`least` is NULL");
  d = apart, d.help = NULL;
  refused(f, &d, "`help` is NULL");
  d = apart, d.n_values = FEW_METRIC_VALUES + 1;
  refused(f, &d, "n_values");
  d = apart, d.name = "two words";
  refused(f, &d, "a-z");
  d.name = "";
  refused(f, &d, "1 to 31 bytes");
  d.name = "a-name-that-is-longer-than-thirty";
  refused(f, &d, "1 to 31 bytes");
  d.name = "kid";
  refused(f, &d, "kid exists already");
  d = apart, d.alias = "fid"; /* the alias of another metric */
  refused(f, &d, "exists already");
  assert_ok(f->ctx, few_ctx_add_metric(f->ctx, &apart));
  refused(f, &apart, "apart exists already");
}

/* Adds metrics until there is no room. */
static void test_room(void **state) {
  struct files *f = *state;
  static struct few_metric_def many[FEW_METRICS_MAX];
  static char name[FEW_METRICS_MAX][8];
  int i = 0;
  for (; few_component_count(f->ctx, FEW_COMPONENT_METRIC) < FEW_METRICS_MAX; i++) {
    many[i] = apart;
    snprintf(name[i], sizeof name[i], "m%d", i);
    many[i].name = name[i];
    many[i].alias = NULL;
    assert_ok(f->ctx, few_ctx_add_metric(f->ctx, &many[i]));
  }
  many[i] = apart;
  refused(f, &many[i], "no room");
  struct few_eval_opts o = options();
  struct few_eval_report *r;
  o.metrics = name[i - 1];
  assert_ok(f->ctx, few_eval(&r, f->ctx, &o));
  few_eval_report_free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_measured, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_listed, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_refused, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_room, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
