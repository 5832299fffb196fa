/* A decoded image is not larger than the limit, and is the same after it was written and read
 * again.
 * */
#include "fuzz.h"
#include "io/png.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int kinds[] = {1, 3, 4};
  enum { SIDE = 512 };
  few_ctx *ctx = fuzz_ctx();
  struct few_image im, back;
  int channels = kinds[size % 3];
  if (fuzz_ok(ctx, few__png_parse(ctx, &im, "input", data, size, channels, SIDE))) {
    FUZZ_REQUIRE(im.h >= 1 && im.h <= SIDE && im.w >= 1 && im.w <= SIDE && im.c == channels);
    uint8_t *bytes;
    size_t n, pixels = (size_t)im.h * (size_t)im.w * (size_t)im.c;
    FUZZ_REQUIRE(few__png_encode(ctx, &bytes, &n, &im, NULL, 0) == FEW_OK);
    FUZZ_REQUIRE(few__png_parse(ctx, &back, "back", bytes, n, channels, SIDE) == FEW_OK);
    FUZZ_REQUIRE(memcmp(im.at, back.at, pixels) == 0);
    few__image_free(ctx, &back);
    few__free(ctx, bytes);
  }
  few__image_free(ctx, &im);
  few_ctx_free(ctx);
  return 0;
}
