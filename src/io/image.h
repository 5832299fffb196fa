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

/* Takes an image while a reader decodes it, so that the whole need not be in memory.
 * `begin` comes first and may refuse, with a sentence; rows and columns are those of the file. `put`
 * then gives n pixels of c channels (1 grey, 3 RGB or 4 RGBA) of row y: those at
 * x, x + dx, x + 2 dx ... Each pixel comes once; rows of an interlaced image come in several
 * parts, in the order of the file. `end` comes last, unless something failed.
 *
 * `orientation` is what Exif states (io/exif.h). In `begin` it is 1 where the file states it after
 * the pixels, which a PNG may do. */
struct few_image_sink {
  void *user;
  few_status (*begin)(void *user, int h, int w, int orientation);
  void (*put)(void *user, int y, int x, int dx, int n, int c, const uint8_t *pixels);
  few_status (*end)(void *user, int orientation);
};

/* RGBA to c channels: 4 copies; 1 and 3 put the image on white, 1 then takes the luma of Rec. 601
 * (as JPEG does). All with rounding to nearest. */
void few__image_from_rgba(const uint8_t *rgba, int64_t pixels, int c, uint8_t *out);

/* A sink that keeps the whole image in *out as `channels` of 8 bits, as few__image_from_rgba
 * does. `state` and `out` must outlive the sink; *out is zeroed, and to be freed after a failure
 * too. */
struct few_image_whole {
  few_ctx *ctx;
  struct few_image *out;
  int channels;
};
struct few_image_sink few__image_whole(few_ctx *ctx, struct few_image_whole *state,
                                       struct few_image *out, int channels);

/* n images of h * w * c, one after the other, in rows of `columns` (0: as square as may be), with 2
 * pixels of grey between and around them. */
few_status few__image_grid(few_ctx *ctx, struct few_image *out, const uint8_t *images, int n, int h,
                           int w, int c, int columns);

/* An image of where points lie, dark where they are many: points [n][d], d >= 2, of which the
 * first two coordinates are drawn. *out is yours: few__image_free. */
few_status few__image_density(few_ctx *ctx, struct few_image *out, const float *points, int64_t n,
                              int64_t d);

#endif
