/* timestep_sampling.c - times of other processes as TrigFlow's.
 *
 * A process at its time u has a state alpha x0 + sigma eps; TrigFlow's state of the same
 * noise-to-signal ratio is at tan t = sigma/(sigma_d alpha). Ratios are given as pairs
 * (sigma_d alpha, sigma), so that nothing overflows at the noisy end. With u uniform in (0, 1):
 *
 *   trigflow    t = u pi/2
 *   vp          ln SNR = -2 ln tan(a u + b) from logsnr_max to logsnr_min: the cosine schedule
 *               (Nichol and Dhariwal, arXiv 2102.09672; in this form Salimans and Ho, arXiv
 *               2202.00512). On larger images the same noise hides less, as pooling s x s pixels
 *               divides its variance by s^2: simple diffusion (Hoogeboom et al., arXiv 2301.11093,
 *               section 3.1) adds 2 ln(noise_d/side) to ln SNR, or a mix of two such shifts,
 *               (1 - u) of noise_d's and u of noise_d_high's
 *   vp-linear   process/vp_linear.c, u from 1e-5 (Song et al., arXiv 2011.13456)
 *   flow        u itself: rectified flow; logit-normal u is Esser et al.'s, arXiv 2403.03206
 *
 * Instead of being uniform, u may be sigmoid(N(logit_mean, logit_std^2)). Without u, `lognormal`
 * is ln(sigma_d tan t) ~ N(p_mean, p_std^2), which is EDM's ln(sigma) (-1.2 and 1.2 there).
 */
#include "objective.h"

#include <math.h>

#include "base/rng.h"
#include "diffusion/process/cosine.h"

enum { TRIGFLOW, EDM, VP, VP_LINEAR, FLOW };
enum { OWN, LOGNORMAL, UNIFORM, LOGIT_NORMAL };

/* arctan(y/x), y >= 0, by half the angle: x may be 0. */
static few_node angle(few_graph *g, few_node x, few_node y) {
  few_node length = few_sqrt(g, few_add(g, few_square(g, x), few_square(g, y)));
  return few_scale(g, few_atan(g, few_div(g, y, few_add(g, length, x))), 2);
}

static few_node trigflow(const struct few_loss *l, const struct few_timestep_opts *o, few_node u) {
  FEW_UNUSED(o);
  return few_scale(l->g, u, FEW_PI_2);
}

/* A shift of ln SNR by 2 ln(d/side) multiplies sigma/alpha by side/d. */
static few_node vp(const struct few_loss *l, const struct few_timestep_opts *o, few_node u) {
  few_graph *g = l->g;
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  few_node phi = few_affine(g, u, c.a, c.b);
  few_node x = few_scale(g, few_cos(g, phi), l->spec->sigma_data), y = few_sin(g, phi);
  if (o->noise_d > 0) {
    const double side = (double)l->spec->h,
                 high = o->noise_d_high > 0 ? o->noise_d_high : o->noise_d;
    y = few_mul(g, y, few_exp(g, few_affine(g, u, log(o->noise_d / high), log(side / o->noise_d))));
  }
  return angle(g, x, y);
}

/* sigma^2/alpha^2 = e^B - 1 = e^B 2 T/(1 + T), T = tanh(B/2): no cancellation at small B. */
static few_node vp_linear(const struct few_loss *l, const struct few_timestep_opts *o, few_node u) {
  few_graph *g = l->g;
  FEW_UNUSED(o);
  u = few_affine(g, u, 1 - 1e-5, 1e-5);
  few_node B = few_mul(g, u, few_affine(g, u, 19.9 / 2, 0.1));
  few_node T = few_tanh(g, few_scale(g, B, 0.5));
  few_node ratio = few_div(g, few_scale(g, T, 2), few_affine(g, T, 1, 1));
  few_node r = few_sqrt(g, few_mul(g, few_exp(g, B), ratio));
  return angle(g, few_fill(g, l->spec->sigma_data, FEW_SHAPE(l->rows)), r);
}

static few_node flow(const struct few_loss *l, const struct few_timestep_opts *o, few_node u) {
  FEW_UNUSED(o);
  const double sd = l->spec->sigma_data;
  return angle(l->g, few_affine(l->g, u, -sd, sd), u);
}

static const struct {
  int own;
  few_node (*time)(const struct few_loss *l, const struct few_timestep_opts *o, few_node u);
} processes[] = {
    [TRIGFLOW] = {LOGNORMAL, trigflow}, [EDM] = {LOGNORMAL, NULL}, [VP] = {UNIFORM, vp},
    [VP_LINEAR] = {UNIFORM, vp_linear}, [FLOW] = {UNIFORM, flow},
};

static int times_of(const struct few_timestep_opts *o) {
  return o->times == OWN ? processes[o->process].own : o->times;
}

few_status few_timestep_check(few_ctx *ctx, const char *name, const struct few_timestep_opts *o,
                              const struct few_net_spec *spec) {
  if (o->process == EDM && times_of(o) != LOGNORMAL)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: the times of edm have no end, so they cannot be drawn evenly: take times "
                     "= lognormal",
                     name);
  if (o->process != VP && (o->noise_d > 0 || o->noise_d_high > 0))
    return few__fail(ctx, FEW_E_INVALID, "%s: noise_d shifts the schedule of process = vp alone",
                     name);
  if (o->noise_d > 0 && spec->points)
    return few__fail(ctx, FEW_E_INVALID, "%s: noise_d is a side of images, and these are points",
                     name);
  if (o->noise_d_high > 0 && o->noise_d <= 0)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: noise_d_high is the second of two sides: give noise_d too", name);
  if (o->logsnr_min < o->logsnr_max) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s: logsnr_min is not below logsnr_max", name);
}

few_node few_timestep_lognormal(const struct few_loss *l, double p_mean, double p_std) {
  few_graph *g = l->g;
  few_node tau = few_affine(g, few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows)), p_std, p_mean);
  return few_atan(g, few_scale(g, few_exp(g, tau), 1 / l->spec->sigma_data));
}

few_node few_timestep_sample(const struct few_loss *l, const struct few_timestep_opts *o) {
  few_graph *g = l->g;
  const int times = times_of(o);
  if (times == LOGNORMAL) return few_timestep_lognormal(l, o->p_mean, o->p_std);
  few_node u;
  if (times == UNIFORM)
    u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  else
    u = few_sigmoid(g, few_affine(g, few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows)),
                                  o->logit_std, o->logit_mean));
  return processes[o->process].time(l, o, u);
}

struct few_trig_state few_trig_sample(struct few_loss *l, double p_mean, double p_std) {
  l->t = few_timestep_lognormal(l, p_mean, p_std);
  return few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
}
