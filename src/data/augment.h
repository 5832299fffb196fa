/* augment.h - EDM's augmentation: what is done to a row, and the labels that say it. */
#ifndef FEW_SRC_DATA_AUGMENT_H
#define FEW_SRC_DATA_AUGMENT_H

#include "reader.h"
#include "warp.h"

/* Parameters of a row; all are 0 where nothing is done. */
struct few_augment {
  bool flip_x, flip_y;
  int turns;                     /* by 90 degrees, 0 to 3 */
  int64_t right, up;             /* pixels */
  double scale, angle;           /* standard normal; radians */
  double stretch, stretch_angle; /* standard normal; radians */
  double move[2];                /* x, y: standard normals */
};

/* FEW_E_INVALID for options outside their ranges, and for points. */
few_status few__augment_check(const few_data *d, const struct few_augment_opts *o);

/* The parameters of the row at this place of the stream. */
void few__augment_draw(struct few_augment *out, const few_data *d, const struct few_augment_opts *o,
                       uint64_t seed, int64_t position);
void few__augment_label(float out[FEW_AUGMENT_LABELS], const struct few_augment *a,
                        const few_data *d, const struct few_augment_opts *o);
/* False: nothing moves, and *out is the identity. */
bool few__augment_warp(struct few_warp *out, const struct few_augment *a, const few_data *d,
                       const struct few_augment_opts *o);

#endif
