/* snr.c - the weights by signal-to-noise ratio, as weights of F.
 *
 * Two networks at one state differ in x^ = cos(t) x_t - sin(t) sigma_d F by x - x^ = sin(t) sigma_d
 * (F^ - F), and SNR = cos^2(t)/(sigma_d sin(t))^2. So, per example,
 *
 *   constant       |x - x^|^2             = sigma_d^2 sin^2(t) |F - F^|^2
 *   snr            SNR |x - x^|^2         = cos^2(t) |F - F^|^2           = |eps - eps^|^2
 *   truncated      max(SNR, 1) |x - x^|^2 = the greater of the two
 *   snr_plus_one   (SNR + 1) |x - x^|^2   = the sum of the two            = |v - v^|^2
 *
 * without a division, so that both ends of time are as good as the middle.
 */
#include "snr.h"

#include "process/cosine.h"

enum { TRUNCATED, SNR_PLUS_ONE, SNR, CONSTANT };

few_node few__snr_time(const struct few_loss *l, const struct few_snr_opts *o, few_node u) {
  few_graph *g = l->g;
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  few_node angle = few_affine(g, u, c.a, c.b);
  few_node ratio = few_div(g, few_sin(g, angle), few_cos(g, angle));
  return few_atan(g, few_scale(g, ratio, 1 / l->spec->sigma_data));
}

/* [rows, 1, ..] */
static few_node weight_of(const struct few_loss *l, const struct few_snr_opts *o,
                          const struct few_trig_draw *d) {
  few_graph *g = l->g;
  few_node of_eps = few_square(g, d->cos);
  few_node of_x = few_square(g, few_scale(g, d->sin, l->spec->sigma_data));
  if (o->weighting == SNR) return of_eps;
  if (o->weighting == CONSTANT) return of_x;
  return o->weighting == TRUNCATED ? few_max(g, of_eps, of_x) : few_add(g, of_eps, of_x);
}

void few__snr_add(struct few_loss *l, const struct few_snr_opts *o, const struct few_trig_draw *d,
                  few_node F, few_node target, const char *name, double weight) {
  few_graph *g = l->g;
  few_node r = few_sub(g, F, few_stop(g, target));
  const double D = (double)few_shape_count(few_node_shape(g, r)) / (double)l->rows;
  few_node mean = few_scale(g, few__loss_row_sum(l, few_square(g, r)), 1 / D);
  few__loss_log(l, name, mean);
  few__loss_add(l, name, few_mean_all(g, few_mul(g, weight_of(l, o, d), mean)), weight);
}
