/* warp.h - an image moved: flips, quarter turns and shifts by whole pixels, then an affine map. */
#ifndef FEW_SRC_DATA_WARP_H
#define FEW_SRC_DATA_WARP_H

#include "reader.h"

struct few_warp {
  bool flip_x, flip_y; /* left to right, top to bottom */
  int turns;           /* counter-clockwise by 90 degrees, 0 to 3; 1 and 3 only if h = w */
  int64_t right, up;   /* then a shift by whole pixels */
  bool affine;         /* then a map: what is at p comes from turn p + move, in pixels from the
                        * centre, x right and y down */
  double turn[2][2], move[2];
};

/* Item `index` of a set of images, moved, as out[h][w][c]. A byte v of channel k becomes
 * (v/127.5 - 1 - scale[k step].mean) scale[k step].scale. A map makes values between two bytes, and
 * some outside 0 .. 255. */
void few__warp(const few_data *d, int64_t index, const struct few_warp *warp,
               const struct few_data_scale *scale, int step, float *out);

/* The filter: a symlet with 12 taps, sum sqrt 2. */
enum { FEW_WARP_TAPS = 12 };
extern const double few__warp_filter[FEW_WARP_TAPS];

#endif
