/* jpeg.h - reading JPEG through libjpeg. */
#ifndef FEW_SRC_IO_JPEG_H
#define FEW_SRC_IO_JPEG_H

#include "feed.h"
#include "image.h"

bool few__jpeg_is(const void *bytes, size_t n); /* by its first 3 bytes */

/* Decodes a JPEG into a sink, as `channels` channels of 8 bits; otherwise like few__jpeg_read. A
 * progressive JPEG that needs more than 256 MB is FEW_E_UNSUPPORTED. */
few_status few__jpeg_rows(few_ctx *ctx, struct few_feed *from, int channels, int max_side,
                          const struct few_image_sink *sink);

/* Reads a JPEG, baseline or progressive, grey or colour, as `channels` channels of 8 bits: 1 grey
 * (the luma stored in the file) or 3 RGB. The image is turned upright according to its Exif.
 * FEW_E_FORMAT if a side is larger than max_side or the data is truncated or damaged; CMYK is
 * FEW_E_UNSUPPORTED. *out is yours (few__image_free), zeroed on failure. */
few_status few__jpeg_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                          int max_side);
few_status few__jpeg_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side);

#endif
