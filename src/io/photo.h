/* photo.h - reads an image file in any format that few supports. */
#ifndef FEW_SRC_IO_PHOTO_H
#define FEW_SRC_IO_PHOTO_H

#include "feed.h"
#include "image.h"

/* Whether the name ends like that of a PNG, JPEG or WebP file. The file is not read. */
bool few__photo_named(const char *path);

/* Whether the name ends like that of an image in another format. */
bool few__photo_foreign(const char *path);

/* Decodes a PNG or WebP to RGBA or a JPEG to RGB, into a sink. The format is recognised by the
 * content of the file and not by its name. Limits and errors are those of few__png_rows,
 * few__jpeg_rows and few__webp_rows. */
few_status few__photo_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                           const struct few_image_sink *sink);

#endif
