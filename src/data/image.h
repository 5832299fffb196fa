/* image.h - reads an image file with the colours and the size of a data set. */
#ifndef FEW_SRC_DATA_IMAGE_H
#define FEW_SRC_DATA_IMAGE_H

#include "few/data.h"
#include "io/feed.h"
#include "io/image.h"

struct few_image_opts {
  int size;         /* side of the result; 0: the whole image in its own size */
  few_data_fit fit; /* how it becomes square */
  int c;            /* 1 or 3: RGB becomes grey by the luma of Rec. 601, so r = g = b = v gives v */
  int64_t background; /* behind transparent pixels and around padded images, as few_data_opts */
  int max_side;       /* longest side of an image in a file */
};

/* The most pixels of a whole image (size 0). */
enum { FEW_IMAGE_MAX_PIXELS = 1 << 24 };

/* Reads a PNG, JPEG or WebP. With a size, its central square, or the whole image, is shrunk to
 * size x size, each pixel the mean over the area that it covers, in exact integers. For a PNG or JPEG it then needs memory
 * for the result and one row of the image. Free *out with few__image_free; it is zeroed on failure. */
few_status few__image_read(few_ctx *ctx, struct few_image *out, const char *path,
                           const struct few_image_opts *o);
/* The same from an open file. */
few_status few__image_decode(few_ctx *ctx, struct few_image *out, struct few_feed *from,
                             const struct few_image_opts *o);

#endif
