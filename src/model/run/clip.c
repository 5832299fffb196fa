/* clip.c - keeps denoised images within the range of data while sampling.
 *
 * The network's F at (x_t, t) gives the denoised image D = cos(t) x_t - sin(t) sigma_d F. With
 * `clip`, D is limited to -clip .. clip in the units of images, as DDPM does (Ho et al., arXiv
 * 2006.11239). With `threshold` p, the limit is raised to s, the quantile p of |D| of each image,
 * and D is then divided by s/clip: dynamic thresholding (Saharia et al., arXiv 2205.11487, section
 * 2.3). F becomes that of the limited image, F + (D - limited D)/(sin(t) sigma_d), so any sampler
 * can be used. Where nothing is limited, F does not change.
 */
#include "clip.h"

#include <math.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* The quantile p of n sizes, which are sorted, with linear interpolation. */
static double quantile(float *size, int64_t n, double p) {
  qsort(size, (size_t)n, sizeof *size, by_size);
  const double at = p * (double)(n - 1);
  const int64_t k = (int64_t)at;
  const double next = (double)size[k + 1 < n ? k + 1 : k];
  return (double)size[k] + (at - (double)k) * (next - (double)size[k]);
}

/* Value k of a denoised image, in the units of images. */
static double denoised(const struct few_clip *c, int64_t k, struct few_line d, const float *x,
                       const float *F) {
  const struct few_data_scale s = few__model_scale(c->m, k);
  return (d.x * (double)x[k] + d.y * (double)F[k]) / s.scale + s.mean;
}

static void clip_image(const struct few_clip *c, struct few_line d, const float *x, float *F) {
  double limit = c->clip;
  if (c->threshold > 0) {
    for (int64_t k = 0; k < c->dims; k++) c->size[k] = (float)fabs(denoised(c, k, d, x, F));
    limit = fmax(limit, quantile(c->size, c->dims, c->threshold));
  }
  const double shrink = c->clip / limit;
  for (int64_t k = 0; k < c->dims; k++) {
    const double D = denoised(c, k, d, x, F);
    const double to = fmax(-limit, fmin(limit, D)) * shrink;
    if (to == D) continue;
    F[k] = (float)((double)F[k] + (to - D) * few__model_scale(c->m, k).scale / d.y);
  }
}

void few__clip(const struct few_clip *c, int64_t rows, double t, const float *x, float *F) {
  assert(c->clip > 0 && t > 0);
  const struct few_line d = few_step_denoise(c->m->spec.sigma_data, t);
  for (int64_t i = 0; i < rows; i++) clip_image(c, d, x + i * c->dims, F + i * c->dims);
}
