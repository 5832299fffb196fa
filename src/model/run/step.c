/* step.c - the input of a network that is conditioned on the step size, for the step from t to
 * `to`.
 *
 *   angle      t - to                                                              MeanFlow
 *   segment    t - to, where `to` is the end of t's segment: [0, arctan(80/sigma_d)] is cut into
 *              max_steps equal ones                                                sCD by segments
 *   halvings   log2(1/d), where d = u - u' is the step in flow matching's time, u = sigma_d sin t /
 *              (cos t + sigma_d sin t), and starts at a multiple of d; with no step, log2 of
 *              max_steps, the smallest                                             shortcut models
 *
 * A step that was not trained is refused, since the output of the network would be meaningless.
 */
#include <math.h>

#include "diffusion/process/process.h"
#include "runner.h"

static double flow_time(double sigma_d, double t) {
  const double noise = sigma_d * sin(t);
  return noise / (cos(t) + noise);
}

/* Is x a whole number, up to the rounding of arctan and tan? 1e-6 is far above that and far below a
 * step. */
static bool whole(double x) { return fabs(x - round(x)) < 1e-6 * fmax(1, fabs(x)); }

static few_status halvings(few_ctx *ctx, const few_model *m, double t, double to, float *out) {
  assert(m->spec.max_steps >= 1 && t >= to);
  const double u = flow_time(m->spec.sigma_data, t), end = flow_time(m->spec.sigma_data, to);
  const double most = floor(log2((double)m->spec.max_steps) + 0.5), k = log2(1 / (u - end));
  *out = (float)(to < t ? round(k) : most);
  if (to >= t || (whole(k) && k > -0.5 && k < most + 0.5 && whole(u / (u - end)))) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "a step from u = %.4g to %.4g in the time of flow matching: this model has "
                   "learned steps of 1, 1/2, 1/4 .. 1/%lld from multiples of themselves: sample it "
                   "with shortcut in 1, 2, 4 .. %lld steps",
                   u, end, (long long)m->spec.max_steps, (long long)m->spec.max_steps);
}

static few_status segment(few_ctx *ctx, const few_model *m, double t, double to, float *out) {
  const double M = (double)m->spec.max_steps, width = few__t_max(m->spec.sigma_data) / M;
  assert(M >= 1 && t >= to);
  const double end = width * fmin(fmax(ceil(t / width - 1e-6) - 1, 0), M - 1);
  *out = (float)(t - end);
  if (fabs(to - end) < 1e-6) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "a step from t = %.4g to %.4g: this model goes from there to %.4g, the end of one "
      "of its %.0f segments: sample it with segments in %.0f steps",
      t, to, end, M, M);
}

few_status few__step_size(few_ctx *ctx, const few_model *m, double t, double to, float *out) {
  assert(m->spec.step_size != FEW_STEP_SIZE_NONE);
  *out = (float)(t - to);
  if (!(t >= to && to >= 0 && t < 1.6))
    return few__fail(ctx, FEW_E_INVALID,
                     "a step from t = %g to %g: give times that fall within [0, pi/2]", t, to);
  if (m->spec.step_size == FEW_STEP_SIZE_HALVINGS) return halvings(ctx, m, t, to, out);
  if (m->spec.step_size == FEW_STEP_SIZE_SEGMENT) return segment(ctx, m, t, to, out);
  return FEW_OK;
}

few_status few_runner_step_size(float *out, few_runner *r, double t, double to) {
  if (r->m->spec.step_size == FEW_STEP_SIZE_NONE)
    return few__fail(r->ctx, FEW_E_INVALID, "this model takes no step size: evaluate it without");
  return few__step_size(r->ctx, r->m, t, to, out);
}
