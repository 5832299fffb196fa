/* photo.h - a picture in a file of any kind that few reads. */
#ifndef FEW_SRC_IO_PHOTO_H
#define FEW_SRC_IO_PHOTO_H

#include "io/image.h"

/* Is this the name of a PNG or JPEG file? What is in it is for few__photo_read to see. */
bool few__photo_named(const char *path);

/* A PNG, or a JPEG, by what the file holds and not by its name: as RGBA or RGB, upright. The limit
 * and the errors are those of few__png_read and few__jpeg_read. */
few_status few__photo_read(few_ctx *ctx, struct few_image *out, const char *path, int max_side);
few_status few__photo_parse(few_ctx *ctx, struct few_image *out, const char *place,
                            const void *bytes, size_t n, int max_side);

#endif
