/* exif.h - the orientation of an image, as cameras write it. */
#ifndef FEW_SRC_IO_EXIF_H
#define FEW_SRC_IO_EXIF_H

#include "image.h"

/* The orientation, 1 .. 8, in a block of Exif (the bytes from "II" or "MM" on). If the block is
 * missing, damaged or of an unknown kind, the orientation is 1, upright. */
int few__exif_orientation(const void *bytes, size_t n);

/* from_bottom: is the last stored row the first row (or, transposed, the first column) of the
 * upright image? from_right: the same for the last stored column. */
bool few__exif_from_bottom(int orientation);
bool few__exif_from_right(int orientation);

/* Turns and mirrors an image so that it is upright. */
few_status few__image_upright(few_ctx *ctx, struct few_image *im, int orientation);

#endif
