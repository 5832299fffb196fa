/* picture.h - what happens to a decoded picture on its way into a set: colours and size. */
#ifndef FEW_SRC_DATA_PICTURE_H
#define FEW_SRC_DATA_PICTURE_H

#include "io/image.h"

/* `from` (1, 3 or 4 channels) as out[h][w][c], c = 1 or 3: transparent pixels over a grey
 * `background`, RGB to grey by the luma of Rec. 601, so that r = g = b = v gives v. */
void few__picture_colours(const struct few_image *from, int c, uint8_t background, uint8_t *out);

/* The central square of `from` to out[size][size][c], each pixel the mean over the area that it
 * covers, in exact integers. */
void few__picture_square(const struct few_image *from, int size, uint8_t *out);

#endif
