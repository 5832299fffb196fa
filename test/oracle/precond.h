/* precond.h - conversions between predictions and log-SNRs of any process, in f64. */
#ifndef FEW_TEST_PRECOND_H
#define FEW_TEST_PRECOND_H

#include "diffusion/process/process.h"

/* Converts prediction `from` to prediction `to` at one state x_t: to = line.x x_t + line.y from.
 * The line is not finite where `from` does not determine `to` (x at sigma = 0, eps at alpha =
 * 0). */
struct few_line predict_convert(struct few_mix state, struct few_mix from, struct few_mix to);

/* out = line.x x + line.y y on n elements; out may be x or y. */
void line_apply(struct few_line line, int64_t n, const double *x, const double *y, double *out);

/* lambda = ln(alpha^2/sigma^2), +-INFINITY at the ends, and its inverse. */
double process_logsnr(const struct few_process *p, double sigma_d, double t);
double process_time_of_logsnr(const struct few_process *p, double sigma_d, double lambda);

/* Karras' preconditioning of any network: D(x_t, t) = skip x_t + out net(in x_t, time). */
struct precond {
  double in, time, skip, out;
};
struct precond process_precond(const struct few_process *p, enum few_prediction predicts,
                               double sigma_d, double t);

/* Convert a network's output to the denoised image, and back, for n elements. The result may
 * overwrite x. */
void process_denoise(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                     double t, int64_t n, const double *x, const double *net, double *D);
void process_undenoise(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                       double t, int64_t n, const double *x, const double *D, double *net);

#endif
