/* image.h - 8-bit images in memory: rows from top to bottom, channels innermost (HWC). */
#ifndef FEW_SRC_IO_IMAGE_H
#define FEW_SRC_IO_IMAGE_H

#include "base/base.h"

struct few_image {
  int h, w, c; /* c: 1 grey, 3 RGB, 4 RGBA */
  uint8_t *at; /* h * w * c bytes; few__image_free if the library allocated them */
};

/* An image of zeros; *out is yours. FEW_E_INVALID if a size is not positive or too large. */
few_status few__image_new(few_ctx *ctx, struct few_image *out, int h, int w, int c);
void few__image_free(few_ctx *ctx, struct few_image *im);

/* Receives the pixels of an image while a reader decodes it, so that the whole image need not be in
 * memory. The reader calls `begin` first, with the size in the file; it may return an error. Then
 * it calls `put` with n pixels of c channels (1 grey, 3 RGB or 4 RGBA) of row y, at x, x + dx,
 * x + 2 dx, ... Each pixel is passed once. A row of an interlaced image is passed in several parts,
 * in the order of the file. `end` is called last, unless something failed.
 *
 * `orientation` is that of Exif (io/exif.h). A PNG may have it after the pixels; then it is 1 in
 * `begin`. */
struct few_image_sink {
  void *user;
  few_status (*begin)(void *user, int h, int w, int orientation);
  void (*put)(void *user, int y, int x, int dx, int n, int c, const uint8_t *pixels);
  few_status (*end)(void *user, int orientation);
};

/* Converts RGBA to c channels. 4 copies. 1 and 3 composite the image on white; 1 then computes the
 * luma of Rec. 601, as JPEG does. All round to nearest. */
void few__image_from_rgba(const uint8_t *rgba, int64_t pixels, int c, uint8_t *out);

/* A sink that stores the whole image in *out as `channels` channels of 8 bits, converted as by
 * few__image_from_rgba. `state` and `out` must outlive the sink. *out is zeroed first, and must be
 * freed even after a failure. */
struct few_image_whole {
  few_ctx *ctx;
  struct few_image *out;
  int channels;
};
struct few_image_sink few__image_whole(few_ctx *ctx, struct few_image_whole *state,
                                       struct few_image *out, int channels);

/* Draws n images of h * w * c bytes in rows of `columns` (0: as square as possible), with 2 grey
 * pixels between and around them. */
few_status few__image_grid(few_ctx *ctx, struct few_image *out, const uint8_t *images, int n, int h,
                           int w, int c, int columns);

/* An image of the density of points, darker where there are more. points is [n][d], d >= 2; the
 * first two coordinates are drawn. *out is yours (few__image_free). */
few_status few__image_density(few_ctx *ctx, struct few_image *out, const float *points, int64_t n,
                              int64_t d);
/* The part of the plane that such an image shows, for several images of the same part. */
struct few_window {
  double low[2], width;
};
few_status few__density_window(few_ctx *ctx, struct few_window *out, const float *points, int64_t n,
                               int64_t d);
few_status few__image_density_in(few_ctx *ctx, struct few_image *out,
                                 const struct few_window *window, const float *points, int64_t n,
                                 int64_t d);

#endif
