/* A run for TensorBoard: each line of the log once, however often the run is stopped. */
#include "testing.h"

#include <unistd.h>

#include "io/events.h"
#include "io/file.h"
#include "oracle/wire.h"
#include "train/run_log.h"

static few_ctx *ctx;
static char dir[] = "/tmp/few-test-XXXXXX";

/* All tags of the file with their steps: "loss@1 lr@1 ..." */
static void tags(char *out, size_t room) {
  char path[128], *bytes;
  size_t n, used = 0;
  uint64_t length;
  *out = 0;
  snprintf(path, sizeof path, "%s/events.out.tfevents.few", dir);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 100000));
  for (size_t at = 0; at < n; at += 16 + length) {
    memcpy(&length, bytes + at, 8);
    const unsigned char *start = (unsigned char *)bytes + at + 12;
    const struct wire event = {start, start + length};
    const struct wire summary = wire_count(event, 5) ? wire_part(event, 5, 0) : (struct wire){0};
    for (int i = 0; i < wire_count(summary, 1); i++) {
      const struct wire tag = wire_part(wire_part(summary, 1, i), 1, 0);
      used += (size_t)snprintf(out + used, room - used, "%.*s@%d ", (int)(tag.end - tag.at),
                               (const char *)tag.at, (int)wire_number(event, 2, 0));
    }
  }
  few__free(ctx, bytes);
}

static void check(const char *expected) {
  char found[1000];
  tags(found, sizeof found);
  assert_string_equal(found, expected);
}

static void line(struct few_run_log *log, const char *text) {
  assert_ok(ctx, few__run_log_line(ctx, log, text));
}

static void test_lines(void **state) {
  FEW_UNUSED(state);
  struct few_run_log log;
  assert_ok(ctx, few__run_log_open(ctx, &log, dir, 0, false));
  line(&log, "{\"step\":1,\"loss\":2}");
  few__run_log_close(ctx, &log);
  /* lines from before the key was set are in the file too */
  assert_ok(ctx, few__run_log_open(ctx, &log, dir, 5, true));
  line(&log, "{\"step\":2,\"loss\":2,\"mse_by_time\":[1,2,null]}");
  line(&log, "{\"step\":2,\"eval\":{\"features\":\"x\",\"n\":5,\"fd\":3,\"kid\":null,\"nfe\":1}}");
  line(&log, "{\"step\":3,\"loss\":nan}"); /* left out, with a warning */
  line(&log, "{\"step\":4,\"event\":\"skipped\",\"lr_factor\":1}");
  few__run_log_close(ctx, &log);
  check("loss@1 loss@2 mse_by_time/0@2 mse_by_time/1@2 eval/fd@2 lr_factor@4 ");
  /* resumed at step 2: later lines are made again */
  assert_ok(ctx, few__run_log_open(ctx, &log, dir, 2, true));
  line(&log, "{\"step\":3,\"loss\":1}");
  few__run_log_close(ctx, &log);
  assert_ok(ctx, few__run_log_open(ctx, &log, dir, 3, false));
  line(&log, "{\"step\":4,\"loss\":1}");
  few__run_log_close(ctx, &log);
  assert_ok(ctx, few__run_log_open(ctx, &log, dir, 4, true));
  few__run_log_close(ctx, &log);
  check("loss@1 loss@2 mse_by_time/0@2 mse_by_time/1@2 eval/fd@2 loss@3 loss@4 ");
}

static void test_preview(void **state) {
  FEW_UNUSED(state);
  struct few_run_log log;
  char path[128];
  snprintf(path, sizeof path, "%s/log.jsonl", dir);
  assert_ok(ctx, few__run_log_open(ctx, &log, dir, 0, true));
  assert_int_equal(few__run_log_preview(ctx, &log, 1, path), FEW_E_FORMAT);
  few__run_log_close(ctx, &log);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_preview)};
  char path[128];
  ctx = test_ctx();
  if (!mkdtemp(dir)) return 1;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  static const char *const names[] = {"log.jsonl", "events.out.tfevents.few", ""};
  for (int i = 0; i < FEW_COUNT(names); i++) {
    snprintf(path, sizeof path, "%s/%s", dir, names[i]);
    remove(path);
  }
  few_ctx_free(ctx);
  return failed;
}
