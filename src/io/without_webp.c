/* without_webp.c - replaces webp.c with -DFEW_WEBP=OFF: WebP is recognised and refused. */
#include "webp.h"

bool few__webp_is(const void *bytes, size_t n) {
  const char *p = bytes;
  return n >= 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4);
}

static few_status refuse(few_ctx *ctx, const char *place) {
  return few__fail(ctx, FEW_E_UNSUPPORTED,
                   "%s is a WebP, and this libfew was built without libwebp: convert it to PNG, or "
                   "build with -DFEW_WEBP=ON",
                   place);
}

few_status few__webp_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                          const struct few_image_sink *sink) {
  FEW_UNUSED(max_side);
  FEW_UNUSED(sink);
  return refuse(ctx, from->place);
}

few_status few__webp_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side) {
  FEW_UNUSED(bytes);
  FEW_UNUSED(n);
  FEW_UNUSED(channels);
  FEW_UNUSED(max_side);
  *out = (struct few_image){0};
  return refuse(ctx, place);
}
