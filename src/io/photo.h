/* photo.h - an image in a file of any kind that few reads. */
#ifndef FEW_SRC_IO_PHOTO_H
#define FEW_SRC_IO_PHOTO_H

#include "feed.h"
#include "image.h"

/* Is this the name of a PNG or JPEG file? What is in it is for few__photo_rows to see. */
bool few__photo_named(const char *path);

/* Is this the name of an image of another kind? */
bool few__photo_foreign(const char *path);

/* A PNG, or a JPEG, by what the file holds and not by its name, into a sink: RGBA or RGB. The limit
 * and the errors are those of few__png_rows and few__jpeg_rows. */
few_status few__photo_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                           const struct few_image_sink *sink);

#endif
