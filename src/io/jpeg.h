/* jpeg.h - reading JPEG through libjpeg. */
#ifndef FEW_SRC_IO_JPEG_H
#define FEW_SRC_IO_JPEG_H

#include "feed.h"
#include "image.h"

bool few__jpeg_is(const void *bytes, size_t n); /* by its first 3 bytes */

/* Decode a JPEG into a sink, as `channels` of 8 bits; otherwise as few__jpeg_read. A progressive
 * one that takes more than 256 MB is FEW_E_UNSUPPORTED. */
few_status few__jpeg_rows(few_ctx *ctx, struct few_feed *from, int channels, int max_side,
                          const struct few_image_sink *sink);

/* Baseline or progressive, grey or colour, as `channels` of 8 bits: 1 grey (the luma that the file
 * holds) or 3 RGB. FEW_E_FORMAT where a side is over max_side or the data is truncated or damaged;
 * CMYK is FEW_E_UNSUPPORTED. Turned upright as Exif has it. *out is yours
 * (few__image_free), zeroed on failure. */
few_status few__jpeg_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                          int max_side);
few_status few__jpeg_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side);

#endif
