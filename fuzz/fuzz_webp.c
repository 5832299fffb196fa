/* A decoded image is not larger than the limit. */
#include "fuzz.h"
#include "io/webp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { SIDE = 512 };
  static const int channels[] = {1, 3, 4};
  few_ctx *ctx = fuzz_ctx();
  struct few_image im;
  const int c = channels[size % 3];
  if (fuzz_ok(ctx, few__webp_parse(ctx, &im, "input", data, size, c, SIDE)))
    FUZZ_REQUIRE(im.h >= 1 && im.h <= SIDE && im.w >= 1 && im.w <= SIDE && im.c == c);
  few__image_free(ctx, &im);
  few_ctx_free(ctx);
  return 0;
}
