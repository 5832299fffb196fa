/* A decoded image is not larger than the limit. */
#include "fuzz.h"
#include "io/jpeg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { SIDE = 512 };
  few_ctx *ctx = fuzz_ctx();
  struct few_image im;
  int channels = size % 2 ? 1 : 3;
  if (fuzz_ok(ctx, few__jpeg_parse(ctx, &im, "input", data, size, channels, SIDE)))
    FUZZ_REQUIRE(im.h >= 1 && im.h <= SIDE && im.w >= 1 && im.w <= SIDE && im.c == channels);
  few__image_free(ctx, &im);
  few_ctx_free(ctx);
  return 0;
}
