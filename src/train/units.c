/* units.c - the units that a network sees the data in.
 *
 * All data come to the deviation sigma_data: by one scale, or by one for each coordinate or channel
 * where one for all would hide those that spread little. A student keeps its teacher's units, in
 * which other data may be of any size.
 */
#include "units.h"

#include <math.h>

enum {
  EACH_MAX = 64
}; /* auto gives scales of their own to at most so many coordinates or channels */

/* Each coordinate or channel gets a scale of its own if the recipe says so, or if their deviations
 * differ much. Among many coordinates some may be constant but for an outlier, which a scale of its
 * own would blow up: for those the recipe has to say so. */
few_status few__units_of_data(few_model *m, const struct few_setup *setup) {
  const enum few_scale_choice how = setup->config.keys.data_scale;
  assert(!m->scales);
  const struct few_data_scale one = few_data_scale_to(setup->data, setup->spec.sigma_data);
  const double uneven = few_data_unevenness(setup->data);
  m->data_mean = one.mean;
  m->data_scale = one.scale;
  if (how == FEW_SCALE_ONE || (how == FEW_SCALE_AUTO && uneven <= FEW_DATA_UNEVEN)) return FEW_OK;
  if (how == FEW_SCALE_AUTO && m->spec.c > EACH_MAX) {
    few__log(m->ctx, FEW_LOG_WARN,
             "%s: the coordinate that spreads least does so %.3g times less than all, and one "
             "scale hides it: data_scale = each gives each its own, data_scale = one is silent",
             setup->config.keys.data, uneven);
    return FEW_OK;
  }
  FEW_TRY(FEW_NEW(m->ctx, &m->scales, m->spec.c));
  few_data_scales_to(m->scales, setup->data, setup->spec.sigma_data);
  m->data_mean = m->data_scale = NAN;
  few__log(m->ctx, FEW_LOG_INFO,
           "%s: each %s has a scale of its own, as the one that spreads least does so %.3g times "
           "less than all (data_scale)",
           setup->config.keys.data, m->spec.points ? "coordinate" : "channel", uneven);
  return FEW_OK;
}

/* The root mean square of the data in the units of a model, coordinates from .. to - 1, against the
 * deviation that it was made for. */
static double deviation_in(const few_model *m, const few_data *data, int64_t from, int64_t to) {
  double sum = 0;
  for (int64_t k = from; k < to; k++) {
    const struct few_data_moments d = few_data_moments_of(data, (int)k);
    const struct few_data_scale s = few__model_scale(m, k);
    const double mean = (d.mean - s.mean) * s.scale, std = d.std * s.scale;
    sum += mean * mean + std * std;
  }
  return sqrt(sum / (double)(to - from)) / m->spec.sigma_data;
}

static bool is_far(double ratio) {
  const double far = 2;
  return ratio > far || ratio * far < 1;
}

/* In other units than those it was trained in, a network takes data for noise, or for a
 * constant. */
void few__units_check(const few_model *m, const struct few_setup *setup) {
  double ratio = deviation_in(m, setup->data, 0, m->spec.c);
  for (int64_t k = 0; m->scales && !is_far(ratio) && k < m->spec.c; k++)
    ratio = deviation_in(m, setup->data, k, k + 1);
  if (is_far(ratio))
    few__log(m->ctx, FEW_LOG_WARN,
             "%s: in the units of %s the data have %.3g times the deviation that it was trained "
             "for: bring them to its units, or train a teacher on them",
             setup->config.keys.data,
             setup->teacher ? setup->config.keys.teacher : setup->config.keys.init, ratio);
}
