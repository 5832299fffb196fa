/* scale.c - converts raw values to a network's input and back: x = (raw - mean) * scale.
 *
 * Usually there is one mean and one scale. If the standard deviations of coordinates or channels
 * differ much, those of small deviation would hardly count. Then each has its own mean and scale,
 * and the common ones are NaN, so that any use of them is noticed.
 */
#include <math.h>

#include "model.h"

struct few_data_scale few__model_scale(const few_model *m, int64_t k) {
  assert(k >= 0);
  return m->scales ? m->scales[k % m->spec.c]
                   : (struct few_data_scale){m->data_mean, m->data_scale};
}

few_status few__model_scales(few_ctx *ctx, const few_model *m, struct few_data_scale **out) {
  struct few_data_scale *all; /* out may be &m->scales */
  FEW_TRY(FEW_NEW(ctx, &all, m->spec.c));
  for (int64_t k = 0; k < m->spec.c; k++) all[k] = few__model_scale(m, k);
  *out = all;
  return FEW_OK;
}

bool few__model_same_scale(const few_model *a, const few_model *b) {
  if (a->spec.c != b->spec.c) return false;
  for (int64_t k = 0; k < a->spec.c; k++) {
    const struct few_data_scale x = few__model_scale(a, k), y = few__model_scale(b, k);
    if (x.mean != y.mean || x.scale != y.scale) return false;
  }
  return true;
}

few_status few__model_take_scale(few_model *m, const few_model *from) {
  assert(m->spec.c == from->spec.c && !m->scales);
  m->data_mean = from->data_mean;
  m->data_scale = from->data_scale;
  return from->scales ? few__model_scales(m->ctx, from, &m->scales) : FEW_OK;
}
