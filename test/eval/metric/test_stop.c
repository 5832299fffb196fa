/* A metric that compares all pairs can be cancelled in the middle of a portion: the callback is
 * called before the first portion is finished. */
#include "sets.h"

enum { N = 300, D = 40 };

struct asked {
  int calls, stop_at;
  int64_t done; /* at the last call */
};

static int on_progress(void *user, const struct few_progress *p) {
  struct asked *a = user;
  a->done = p->done;
  return ++a->calls >= a->stop_at;
}

static void test_stop_inside(void **state) {
  (void)state;
  static const char *const names[] = {"pr", "dc", "kid", "energy", "fd"};
  static float x[N * D], y[N * D];
  struct asked asked = {0};
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  struct few_metric_opts o = {.k = 3, .subsets = 2, .subset_size = 100};
  few_ctx *ctx;
  co.user = &asked;
  co.progress = on_progress;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  normal_rows(N, D, 1, x);
  normal_rows(N, D, 2, y);
  few_workers *w = test_workers(ctx, 1);
  for (int i = 0; i < 5; i++) {
    struct few_metric_value v[2];
    asked = (struct asked){.stop_at = 1};
    assert_int_equal(test_metric(ctx, w, names[i], &o, N, x, N, y, D, v), FEW_E_CANCELLED);
    if (!strstr(few_error(ctx), "stopped")) fail_msg("%s: \"%s\"", names[i], few_error(ctx));
    assert_int_equal(asked.calls, 1); /* and not again while it ends */
    assert_int_equal(asked.done, 0);
    asked = (struct asked){.stop_at = INT32_MAX};
    assert_ok(ctx, test_metric(ctx, w, names[i], &o, N, x, N, y, D, v));
  }
  few__workers_free(w);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop_inside)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
