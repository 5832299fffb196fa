/* image.h - 8-bit images in memory, rows from top to bottom, channels together (HWC). */
#ifndef FEW_SRC_IO_IMAGE_H
#define FEW_SRC_IO_IMAGE_H

#include "base/base.h"

struct few_image {
  int h, w, c; /* c: 1 grey, 3 RGB, 4 RGBA */
  uint8_t *at; /* h * w * c; few__image_free where the library made it */
};

/* *out owns zeroed pixels; FEW_E_INVALID where a size is not positive or too large. */
few_status few__image_new(few_ctx *ctx, struct few_image *out, int h, int w, int c);
void few__image_free(few_ctx *ctx, struct few_image *im);

/* RGBA to c channels: 4 copies; 1 and 3 put the image on white, 1 then takes the luma of Rec. 601
 * (as JPEG does). All with rounding to nearest. */
void few__image_from_rgba(const uint8_t *rgba, int64_t pixels, int c, uint8_t *out);

/* n images of h * w * c, one after the other, in rows of `columns` (0: as square as may be), with 2
 * pixels of grey between and around them. */
few_status few__image_grid(few_ctx *ctx, struct few_image *out, const uint8_t *images, int n, int h,
                           int w, int c, int columns);

/* A picture of where points lie, dark where they are many: points [n][d], d >= 2, of which the
 * first two coordinates are drawn. *out is yours: few__image_free. */
few_status few__image_density(few_ctx *ctx, struct few_image *out, const float *points, int64_t n,
                              int64_t d);

#endif
