/* Animated PNG files: their chunks, the pixels of every frame, and the still image. */
#include "testing.h"

#include <unistd.h>
#include <zlib.h>

#include "io/apng.h"
#include "io/file.h"
#include "meter.h"

enum { H = 3, W = 5, FRAMES = 4 };

static const char *path(void) {
  static char at[64];
  snprintf(at, sizeof at, "/tmp/few-test-apng-%d.png", (int)getpid());
  return at;
}

static struct few_image image(uint8_t *pixels, int c, int value) {
  for (int i = 0; i < H * W * c; i++) pixels[i] = (uint8_t)(value + i);
  return (struct few_image){H, W, c, pixels};
}

static void write_file(few_ctx *ctx, int c) {
  uint8_t pixels[H * W * 3];
  struct few_image im = image(pixels, c, 200);
  const struct few_png_text text = {"Software", "test"};
  struct few_apng *a;
  assert_ok(ctx, few__apng_open(ctx, &a, path(), &im, &text, 1, FRAMES));
  for (int k = 0; k < FRAMES; k++) {
    im = image(pixels, c, 10 * k);
    assert_ok(ctx, few__apng_frame(a, &im, 300 + k));
  }
  assert_ok(ctx, few__apng_end(a, FEW_OK));
}

static uint32_t u32(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The frame with the head of the file, as a PNG of its own; libpng checks it. */
static void check_frame(few_ctx *ctx, const unsigned char *head, const unsigned char *data,
                        size_t n, int c, int k) {
  static const unsigned char end[12] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
  unsigned char png[2000], expected[H * W * 3];
  struct few_image im;
  const size_t start = 8 + 25;
  assert_true(start + n + 24 < sizeof png);
  memcpy(png, head, start);
  for (int i = 0; i < 4; i++) png[start + (size_t)i] = (unsigned char)(n >> (24 - 8 * i));
  memcpy(png + start + 4, "IDAT", 4);
  memcpy(png + start + 8, data, n);
  const uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), png + start + 4, (uInt)n + 4);
  for (int i = 0; i < 4; i++) png[start + 8 + n + (size_t)i] = (unsigned char)(crc >> (24 - 8 * i));
  memcpy(png + start + 12 + n, end, sizeof end);
  assert_ok(ctx, few__png_parse(ctx, &im, "frame", png, start + n + 24, c, 100));
  image(expected, c, 10 * k);
  assert_memory_equal(im.at, expected, (size_t)(H * W * c));
  few__image_free(ctx, &im);
}

static void check_file(few_ctx *ctx, int c) {
  char *bytes, order[256] = "";
  size_t n;
  uint32_t sequence = 0;
  int frame = 0;
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path(), 100000));
  const unsigned char *at = (unsigned char *)bytes;
  for (size_t i = 8; i < n; i += 12 + u32(at + i)) {
    const unsigned char *data = at + i + 8;
    const uint32_t size = u32(at + i);
    strncat(order, (const char *)at + i + 4, 4);
    assert_int_equal(u32(data + size), crc32(crc32(0, NULL, 0), at + i + 4, size + 4));
    if (!memcmp(at + i + 4, "acTL", 4)) assert_true(u32(data) == FRAMES && u32(data + 4) == 0);
    if (!memcmp(at + i + 4, "fcTL", 4)) {
      assert_true(size == 26 && u32(data) == sequence++ && u32(data + 4) == W &&
                  u32(data + 8) == H && u32(data + 12) == 0 && u32(data + 16) == 0);
      assert_int_equal(data[20] << 8 | data[21], 300 + frame);
      assert_int_equal(data[22] << 8 | data[23], 1000);
      assert_true(!data[24] && !data[25]);
    }
    if (!memcmp(at + i + 4, "fdAT", 4)) {
      assert_int_equal(u32(data), sequence++);
      check_frame(ctx, at, data + 4, size - 4, c, frame++);
    }
  }
  assert_int_equal(frame, FRAMES);
  assert_string_equal(order, "IHDRtEXtacTLIDATfcTLfdATfcTLfdATfcTLfdATfcTLfdATIEND");
  few__free(ctx, bytes);
}

static void test_chunks(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  for (int c = 1; c <= 3; c += 2) {
    uint8_t pixels[H * W * 3];
    struct few_image still;
    write_file(ctx, c);
    check_file(ctx, c);
    assert_ok(ctx, few__png_read(ctx, &still, path(), c, 100));
    image(pixels, c, 200);
    assert_memory_equal(still.at, pixels, (size_t)(H * W * c));
    few__image_free(ctx, &still);
  }
  unlink(path());
  few_ctx_free(ctx);
}

/* A file that is not finished is not there. */
static void test_failure(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  uint8_t pixels[H * W];
  const struct few_image im = image(pixels, 1, 0);
  struct few_apng *a;
  assert_ok(ctx, few__apng_open(ctx, &a, path(), &im, NULL, 0, FRAMES));
  assert_ok(ctx, few__apng_frame(a, &im, 1));
  assert_int_equal(few__apng_end(a, FEW_E_CANCELLED), FEW_E_CANCELLED);
  assert_false(few__path_exists(path()));
  assert_int_equal(few__apng_open(ctx, &a, "/nowhere/a.png", &im, NULL, 0, 1), FEW_E_IO);
  assert_int_equal(few__apng_end(a, FEW_E_IO), FEW_E_IO);
  few_ctx_free(ctx);
}

static few_status write_some(few_ctx *ctx) {
  uint8_t pixels[H * W];
  const struct few_image im = image(pixels, 1, 0);
  struct few_apng *a;
  few_status st = few__apng_open(ctx, &a, path(), &im, NULL, 0, 1);
  if (!st) st = few__apng_frame(a, &im, 1);
  return few__apng_end(a, st);
}

/* Each allocation fails in turn: an error, without a leak or a file. */
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
    m.left = left;
    st = write_some(ctx);
    assert_int_equal(m.live, before);
    if (st) assert_int_equal(st, FEW_E_MEMORY);
    assert_int_equal(few__path_exists(path()), st == FEW_OK);
    assert_true(left < 1000);
    few_ctx_free(ctx);
  }
  unlink(path());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_chunks),
                                     cmocka_unit_test(test_failure)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
