/* Event files of TensorBoard, read back byte by byte. */
#include "testing.h"

#include <unistd.h>

#include "io/events.h"
#include "io/file.h"
#include "io/png.h"
#include "meter.h"
#include "oracle/wire.h"

static const char *path(void) {
  static char at[64];
  snprintf(at, sizeof at, "/tmp/few-test-events-%d", (int)getpid());
  return at;
}

/* The examples of RFC 3720, B.4, and the usual check value. */
static void test_crc(void **state) {
  FEW_UNUSED(state);
  unsigned char bytes[32] = {0};
  assert_int_equal(few__crc32c(bytes, 32), 0x8a9136aa);
  memset(bytes, 0xff, 32);
  assert_int_equal(few__crc32c(bytes, 32), 0x62a8ab43);
  for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
  assert_int_equal(few__crc32c(bytes, 32), 0x46dd794e);
  assert_int_equal(few__crc32c("123456789", 9), 0xe3069283);
  assert_int_equal(few__crc32c("", 0), 0);
}

static void put(few_ctx *ctx, struct few_events *e, int64_t step) {
  few__events_begin(e, step);
  few__events_number(e, "loss", 0.5 * (double)step);
  few__events_number(e, "eval/fd", 3);
  assert_ok(ctx, few__events_end(e));
}

/* Opens the file, which must have the step `last`. */
static struct few_events *reopen(few_ctx *ctx, int64_t step, int64_t last) {
  struct few_events *e;
  int64_t found;
  assert_ok(ctx, few__events_open(ctx, &e, path(), step, &found));
  assert_int_equal(found, last);
  return e;
}

/* The message of record k; its frame must be right. */
static struct wire event(const unsigned char *at, size_t n, int k) {
  uint64_t length;
  for (const unsigned char *end = at + n; at < end; at += 16 + length) {
    memcpy(&length, at, 8);
    assert_true(length <= (size_t)(end - at) - 16);
    if (!k--) return (struct wire){at + 12, at + 12 + length};
  }
  fail_msg("no such event");
  return (struct wire){0};
}

static void test_events(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  struct wire_field f;
  unlink(path());
  struct few_events *e = reopen(ctx, 0, -1);
  few__events_begin(e, 1);
  assert_ok(ctx, few__events_end(e)); /* without values it is no event */
  put(ctx, e, 300);
  few__events_close(e);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path(), 10000));
  const struct wire first = event((unsigned char *)bytes, n, 0);
  assert_true(wire_is(wire_part(first, 3, 0), "brain.Event:2"));
  assert_true(wire_find(first, 1, 0, &f) && f.wide > 1.5e9);
  const struct wire second = event((unsigned char *)bytes, n, 1);
  assert_int_equal(wire_number(second, 2, 0), 300);
  const struct wire summary = wire_part(second, 5, 0);
  assert_int_equal(wire_count(summary, 1), 2);
  assert_true(wire_is(wire_part(wire_part(summary, 1, 0), 1, 0), "loss"));
  assert_true(wire_find(wire_part(summary, 1, 0), 2, 0, &f) && f.real == 150);
  assert_true(wire_is(wire_part(wire_part(summary, 1, 1), 1, 0), "eval/fd"));
  /* the mask: rotated by 15 bits, plus a constant */
  uint32_t crc = few__crc32c(bytes, 8), stored;
  memcpy(&stored, bytes + 8, 4);
  assert_int_equal(stored, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8));
  few__free(ctx, bytes);
  few_ctx_free(ctx);
}

static void test_image(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  uint8_t pixels[2 * 3 * 3] = {1, 2, 3};
  const struct few_image im = {2, 3, 3, pixels};
  char *bytes;
  uint8_t *png;
  size_t n, n_png;
  unlink(path());
  assert_ok(ctx, few__png_encode(ctx, &png, &n_png, &im, NULL, 0));
  struct few_events *e = reopen(ctx, 7, -1);
  few__events_begin(e, 7);
  few__events_png(e, "preview", png, n_png);
  assert_ok(ctx, few__events_end(e));
  few__events_close(e);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path(), 10000));
  const struct wire value = wire_part(wire_part(event((unsigned char *)bytes, n, 1), 5, 0), 1, 0);
  const struct wire image = wire_part(value, 4, 0), encoded = wire_part(image, 4, 0);
  assert_int_equal(wire_number(image, 1, 0), 2);
  assert_int_equal(wire_number(image, 2, 0), 3);
  assert_int_equal(wire_number(image, 3, 0), 3);
  assert_int_equal(encoded.end - encoded.at, n_png);
  assert_memory_equal(encoded.at, png, n_png);
  few__free(ctx, png);
  few__free(ctx, bytes);
  few_ctx_free(ctx);
}

/* A resumed run continues after the checkpoint's step, as if it had never been stopped. */
static void test_resume(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n, whole;
  int64_t last;
  unlink(path());
  struct few_events *e = reopen(ctx, 0, -1);
  for (int i = 1; i <= 5; i++) put(ctx, e, i);
  few__events_close(e);
  few__events_close(reopen(ctx, 5, 5));
  few__events_close(reopen(ctx, 3, 3));
  few__events_close(reopen(ctx, 9, 3));
  assert_ok(ctx, few__file_read(ctx, &bytes, &whole, path(), 10000));
  assert_int_equal(wire_number(event((unsigned char *)bytes, whole, 3), 2, 0), 3);
  /* every incomplete last record, and every changed bit of it, is removed */
  const size_t kept = few__events_keep((unsigned char *)bytes, whole, 2, &last);
  few__free(ctx, bytes);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path(), 10000));
  for (size_t short_of = 1; short_of < whole - kept; short_of++)
    assert_int_equal(few__events_keep((unsigned char *)bytes, whole - short_of, 3, &last), kept);
  for (size_t bit = 8 * kept; bit < 8 * whole; bit++) {
    bytes[bit / 8] ^= (char)(1 << bit % 8);
    assert_int_equal(few__events_keep((unsigned char *)bytes, whole, 3, &last), kept);
    assert_int_equal(last, 2);
    bytes[bit / 8] ^= (char)(1 << bit % 8);
  }
  few__free(ctx, bytes);
  unlink(path());
  few_ctx_free(ctx);
}

static few_status write_some(few_ctx *ctx) {
  struct few_events *e;
  int64_t last;
  FEW_TRY(few__events_open(ctx, &e, path(), 5, &last));
  few__events_begin(e, 5);
  few__events_number(e, "loss", 1);
  const few_status st = few__events_end(e);
  few__events_close(e);
  return st;
}

/* Each allocation fails in turn: an error, without a leak, and a file that is whole. */
static void test_memory(void **state) {
  FEW_UNUSED(state);
  few_status st = FEW_E_MEMORY;
  for (long left = 0; st; left++) {
    struct meter m = {.left = LONG_MAX};
    struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
    few_ctx *ctx;
    o.allocator = (struct few_allocator){&m, meter_alloc, meter_release};
    assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
    const long before = m.live;
    unlink(path());
    m.left = left;
    st = write_some(ctx);
    assert_int_equal(m.live, before);
    if (st) assert_int_equal(st, FEW_E_MEMORY);
    assert_true(left < 1000);
    few_ctx_free(ctx);
  }
  unlink(path());
}

static void test_no_file(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  struct few_events *e;
  int64_t last;
  assert_int_equal(few__events_open(ctx, &e, "/nowhere/events", 0, &last), FEW_E_IO);
  assert_null(e);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc),     cmocka_unit_test(test_events),
                                     cmocka_unit_test(test_image),   cmocka_unit_test(test_resume),
                                     cmocka_unit_test(test_no_file), cmocka_unit_test(test_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
