/* exif.h - the orientation of an image, as cameras write it. */
#ifndef FEW_SRC_IO_EXIF_H
#define FEW_SRC_IO_EXIF_H

#include "image.h"

/* The orientation, 1 .. 8, that a block of Exif states (the bytes from "II" or "MM" on). A block
 * that is damaged, missing or unknown gives 1, upright, so that the image can still be used. */
int few__exif_orientation(const void *bytes, size_t n);

/* Is the stored image's last row the upright one's first (or, transposed, its first column)? Its
 * last column? */
bool few__exif_from_bottom(int orientation);
bool few__exif_from_right(int orientation);

/* Turn and mirror an image so that it stands upright. */
few_status few__image_upright(few_ctx *ctx, struct few_image *im, int orientation);

#endif
