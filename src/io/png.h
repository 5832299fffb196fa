/* png.h - PNG through libpng. */
#ifndef FEW_SRC_IO_PNG_H
#define FEW_SRC_IO_PNG_H

#include "feed.h"
#include "image.h"

struct few_png_text {
  const char *key;   /* 1 to 79 printable ASCII characters, no blank at the ends: "Software" */
  const char *value; /* UTF-8; ASCII goes into tEXt, the rest into iTXt */
};

bool few__png_is(const void *bytes, size_t n); /* by its first 8 bytes */

/* Decodes a PNG into a sink, as RGBA. FEW_E_FORMAT if a side is larger than max_side. */
few_status few__png_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                         const struct few_image_sink *sink);

/* Reads any PNG as `channels` channels of 8 bits: 1 grey or 3 RGB, composited on white, or 4 RGBA.
 * FEW_E_FORMAT if a side is larger than max_side. The image is turned upright according to its eXIf
 * chunk; gamma and colour profiles are not applied. *out is yours (few__image_free), zeroed on
 * failure. */
few_status few__png_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                         int max_side);
few_status few__png_parse(few_ctx *ctx, struct few_image *out, const char *place, const void *bytes,
                          size_t n, int channels, int max_side);

/* Encodes a grey, RGB or RGBA image of 8 bits. The same image and text give the same bytes with the
 * same zlib. *out is yours. few__png_write is atomic. */
few_status few__png_encode(few_ctx *ctx, uint8_t **out, size_t *n, const struct few_image *im,
                           const struct few_png_text *text, int n_text);
few_status few__png_write(few_ctx *ctx, const char *path, const struct few_image *im,
                          const struct few_png_text *text, int n_text);

#endif
