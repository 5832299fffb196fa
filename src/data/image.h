/* image.h - an image's file as a set keeps it: colours and size. */
#ifndef FEW_SRC_DATA_IMAGE_H
#define FEW_SRC_DATA_IMAGE_H

#include "io/image.h"

struct few_image_opts {
  int size; /* of a side of the result; 0: whole, as the file has it */
  int c;    /* 1 or 3: RGB becomes grey by the luma of Rec. 601, so r = g = b = v gives v */
  uint8_t background; /* the grey level behind transparent pixels */
  int max_side;       /* of the file's image */
};

/* An image kept whole has at most so many pixels; with a size there is no such limit. */
enum { FEW_IMAGE_MAX_PIXELS = 1 << 24 };

/* Read a PNG or JPEG. With a size, its central square is shrunk to size x size, each pixel the mean
 * over the area that it covers, in exact integers; memory is then by the result and a row of the
 * image. *out is yours (few__image_free), zeroed on failure. */
few_status few__image_read(few_ctx *ctx, struct few_image *out, const char *path,
                           const struct few_image_opts *o);

#endif
