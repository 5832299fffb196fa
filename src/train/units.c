/* units.c - see units.h.
 *
 * The data are scaled to the standard deviation sigma_data, by one scale, or by one for each
 * coordinate or channel. With one scale, coordinates of small deviation may be too small to be
 * learned. A student has its teacher's units, in which its data may have any deviation.
 */
#include "units.h"

#include <math.h>

/* data_scale = auto gives each its own scale only if there are at most so many coordinates or
 * channels. */
enum { EACH_MAX = 64 };

/* Each coordinate or channel gets its own scale if the recipe says so, or if their deviations
 * differ much. If there are many coordinates, only the recipe can say so, because some may be
 * constant except for a few items, whose values such a scale would make huge. */
few_status few__units_of_data(few_model *m, const struct few_setup *setup) {
  const enum few_scale_choice how = setup->config.keys.data_scale;
  assert(!m->scales);
  const struct few_data_scale one = few_data_scale_to(setup->data, setup->spec.sigma_data);
  const double uneven = few_data_unevenness(setup->data);
  m->data_mean = one.mean;
  m->data_scale = one.scale;
  if (how == FEW_SCALE_ONE || (how == FEW_SCALE_AUTO && uneven <= FEW_DATA_UNEVEN)) return FEW_OK;
  if (how == FEW_SCALE_AUTO && m->spec.c > EACH_MAX) {
    few__log(
        m->ctx, FEW_LOG_WARN,
        "%s: the smallest standard deviation of a coordinate is %.3g times smaller than that of "
        "all values, and may be too small to be learned with one scale: give data_scale = "
        "each for one scale per coordinate, or data_scale = one to avoid this warning",
        setup->config.keys.data, uneven);
    return FEW_OK;
  }
  FEW_TRY(FEW_NEW(m->ctx, &m->scales, m->spec.c));
  few_data_scales_to(m->scales, setup->data, setup->spec.sigma_data);
  m->data_mean = m->data_scale = NAN;
  few__log(m->ctx, FEW_LOG_INFO,
           "%s: each %s has its own scale, because the smallest standard deviation is %.3g times "
           "smaller than that of all values (key data_scale)",
           setup->config.keys.data, m->spec.points ? "coordinate" : "channel", uneven);
  return FEW_OK;
}

/* The root mean square of coordinates from .. to - 1 of the data, in the units of a model, divided
 * by the standard deviation for which the model was made. */
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

/* Data with a much larger or smaller deviation than in training would look to the network like
 * noise, or like a constant. */
void few__units_check(const few_model *m, const struct few_setup *setup) {
  double ratio = deviation_in(m, setup->data, 0, m->spec.c);
  for (int64_t k = 0; m->scales && !is_far(ratio) && k < m->spec.c; k++)
    ratio = deviation_in(m, setup->data, k, k + 1);
  if (is_far(ratio))
    few__log(
        m->ctx, FEW_LOG_WARN,
        "%s: in the units of %s, the data have %.3g times the standard deviation with which it "
        "was trained: convert the data to its units, or train a teacher on them",
        setup->config.keys.data,
        setup->teacher ? setup->config.keys.teacher : setup->config.keys.init, ratio);
}
