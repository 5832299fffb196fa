/* precond.c - conversions by Cramer's rule.
 *
 * With x_t = alpha x0 + sigma eps and y = p x0 + q eps, det = q alpha - p sigma:
 *
 *   x0 = (q x_t - sigma y)/det,   eps = (alpha y - p x_t)/det,
 *
 * So p' x0 + q' eps = ((p' q - q' p) x_t + (q' alpha - p' sigma) y)/det. A conversion by way of the
 * denoised image would divide by sigma, which may be small.
 */
#include "precond.h"

#include <math.h>

struct few_line predict_convert(struct few_mix state, struct few_mix from, struct few_mix to) {
  if (from.x0 == to.x0 && from.eps == to.eps) return (struct few_line){0, 1}; /* also at det = 0 */
  double det = from.eps * state.x0 - from.x0 * state.eps;
  return (struct few_line){(to.x0 * from.eps - to.eps * from.x0) / det,
                           (to.eps * state.x0 - to.x0 * state.eps) / det};
}

void line_apply(struct few_line line, int64_t n, const double *x, const double *y, double *out) {
  for (int64_t i = 0; i < n; i++) out[i] = line.x * x[i] + line.y * y[i];
}

double process_logsnr(const struct few_process *p, double sigma_d, double t) {
  struct few_mix s = p->at(sigma_d, t);
  return 2 * (log(s.x0) - log(s.eps));
}

double process_time_of_logsnr(const struct few_process *p, double sigma_d, double lambda) {
  /* (e^(lambda/2), 1) divided by whichever is larger: no overflow at either end. */
  double small = exp(-fabs(lambda) / 2);
  return p->time(sigma_d, lambda > 0 ? (struct few_mix){1, small} : (struct few_mix){small, 1});
}

struct precond process_precond(const struct few_process *p, enum few_prediction predicts,
                               double sigma_d, double t) {
  struct few_mix state = p->at(sigma_d, t);
  struct few_line d = predict_convert(state, few__predict_mix(predicts, sigma_d, state),
                                      few__predict_mix(FEW_PREDICT_X, sigma_d, state));
  return (struct precond){p->net_scale(sigma_d, t), p->net_time(sigma_d, t), d.x, d.y};
}

void process_denoise(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                     double t, int64_t n, const double *x, const double *net, double *D) {
  struct precond c = process_precond(p, predicts, sigma_d, t);
  line_apply((struct few_line){c.skip, c.out}, n, x, net, D);
}

void process_undenoise(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                       double t, int64_t n, const double *x, const double *D, double *net) {
  struct few_mix state = p->at(sigma_d, t);
  struct few_line line = predict_convert(state, few__predict_mix(FEW_PREDICT_X, sigma_d, state),
                                         few__predict_mix(predicts, sigma_d, state));
  line_apply(line, n, x, D, net);
}
