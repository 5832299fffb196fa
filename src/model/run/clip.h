/* clip.h - keeps denoised images within the range of data while sampling. */
#ifndef FEW_SRC_MODEL_RUN_CLIP_H
#define FEW_SRC_MODEL_RUN_CLIP_H

#include "model/model.h"

struct few_clip {
  const few_model *m;
  int64_t dims;
  double clip;      /* limit of |D|, above 0, in the units of images */
  double threshold; /* quantile of |D| to which the limit is raised; 0: none */
  float *size;      /* [dims], scratch for threshold */
};
/* Changes F[rows][dims] to that of the limited images. x is x_t, t > 0. */
void few__clip(const struct few_clip *c, int64_t rows, double t, const float *x, float *F);

#endif
