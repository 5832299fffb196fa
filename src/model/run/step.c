/* span.c - what a network is told of the step from t down to `to`, where it is told.
 *
 *   angle      t - to                                    MeanFlow
 *   segment    t - to, where `to` is the end of t's segment: [0, arctan(80/sigma_d)] is cut into
 *              span_steps equal ones                     sCD by segments
 *   halvings   log2(1/d), d = u - u' the step in flow matching's time u = sigma_d sin t / (cos t +
 *              sigma_d sin t), which begins at a multiple of it; where there is no step, log2 of
 *              span_steps, the smallest                  shortcut models
 *
 * A step that training never had is refused: the network would answer, and answer nonsense.
 */
#include <math.h>

#include "diffusion/process/process.h"
#include "model/model.h"

const char *few__span_name(enum few_span s) {
  static const char *const names[FEW_SPANS] = {"none", "angle", "segment", "halvings"};
  return names[s];
}

static double flow_time(double sigma_d, double t) {
  const double noise = sigma_d * sin(t);
  return noise / (cos(t) + noise);
}

/* Times come through arctan and back: 1e-6 is far above that and far below a step. */
static bool whole(double x) { return fabs(x - round(x)) < 1e-6 * fmax(1, fabs(x)); }

static few_status halvings(const few_model *m, double t, double to, float *out) {
  const double u = flow_time(m->spec.sigma_data, t), end = flow_time(m->spec.sigma_data, to);
  const double most = floor(log2((double)m->spec.span_steps) + 0.5), k = log2(1 / (u - end));
  *out = (float)(to < t ? round(k) : most);
  if (to >= t || (whole(k) && k > -0.5 && k < most + 0.5 && whole(u / (u - end)))) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "a step from u = %.4g to %.4g in the time of flow matching: this model knows "
                   "steps of 1, 1/2, 1/4 .. 1/%lld from multiples of themselves: sample it with "
                   "shortcut in 1, 2, 4 .. %lld steps",
                   u, end, (long long)m->spec.span_steps, (long long)m->spec.span_steps);
}

static few_status segment(const few_model *m, double t, double to, float *out) {
  const double M = (double)m->spec.span_steps, width = few__t_max(m->spec.sigma_data) / M;
  const double end = width * fmin(fmax(ceil(t / width - 1e-6) - 1, 0), M - 1);
  *out = (float)(t - end);
  if (fabs(to - end) < 1e-6) return FEW_OK;
  return few__fail(
      m->ctx, FEW_E_INVALID,
      "a step from t = %.4g to %.4g: this model goes from there to %.4g, the end of one "
      "of its %.0f segments: sample it with segments in %.0f steps",
      t, to, end, M, M);
}

few_status few_model_span(const few_model *m, double t, double to, float *out) {
  *out = (float)(t - to);
  if (!(t >= to && to >= 0 && t < 1.6))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "a step from t = %g to %g: give times that fall within [0, pi/2]", t, to);
  if (m->spec.span == FEW_SPAN_HALVINGS) return halvings(m, t, to, out);
  if (m->spec.span == FEW_SPAN_SEGMENT) return segment(m, t, to, out);
  return FEW_OK;
}
