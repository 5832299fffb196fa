/* webp.h - reading WebP through libwebp. */
#ifndef FEW_SRC_IO_WEBP_H
#define FEW_SRC_IO_WEBP_H

#include "feed.h"
#include "image.h"

bool few__webp_is(const void *bytes, size_t n); /* by its first 12 bytes */

/* Decodes a WebP, lossy or lossless, into a sink as RGBA. FEW_E_FORMAT if a side is larger than
 * max_side or the data is truncated or damaged. An animation, a file of more than 256 MB and an
 * image of more than 2^26 pixels are FEW_E_UNSUPPORTED: the image is decoded in memory, 4 bytes a
 * pixel. */
few_status few__webp_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                          const struct few_image_sink *sink);

/* Reads a WebP as `channels` channels of 8 bits, like few__png_parse. *out is yours
 * (few__image_free), zeroed on failure. */
few_status few__webp_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side);

#endif
