/* without_jpeg.c - replaces jpeg.c with -DFEW_JPEG=OFF: JPEG is recognised and refused. */
#include "jpeg.h"

bool few__jpeg_is(const void *bytes, size_t n) {
  return n >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3);
}

static few_status refuse(few_ctx *ctx, const char *place) {
  return few__fail(ctx, FEW_E_UNSUPPORTED,
                   "%s is a JPEG, and this libfew was built without libjpeg: convert it to PNG, or "
                   "build with -DFEW_JPEG=ON",
                   place);
}

few_status few__jpeg_rows(few_ctx *ctx, struct few_feed *from, int channels, int max_side,
                          const struct few_image_sink *sink) {
  FEW_UNUSED(channels);
  FEW_UNUSED(max_side);
  FEW_UNUSED(sink);
  return refuse(ctx, from->place);
}

few_status few__jpeg_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                          int max_side) {
  FEW_UNUSED(channels);
  FEW_UNUSED(max_side);
  *out = (struct few_image){0};
  return refuse(ctx, path);
}

few_status few__jpeg_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side) {
  FEW_UNUSED(bytes);
  FEW_UNUSED(n);
  return few__jpeg_read(ctx, out, place, channels, max_side);
}
