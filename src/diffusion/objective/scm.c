/* scm.c - Algorithm 1 of "Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models"
 * (Lu and Song, arXiv 2410.11081).
 *
 *   f(x, t) = cos(t) x - sin(t) sigma_d F(x/sigma_d, t)
 *   g = -cos^2(t) (sigma_d F^- - v) - r cos(t) sin(t) (x_t + sigma_d dF^-/dt)
 *   g <- g / (|g| + c),   or g <- cos(t) clip(g / cos(t), -1, 1), which clips df/dt
 *   L = e^{w(t)}/D |F - F^- - g|^2 - w(t)
 *
 * F^- is F with the gradient stopped: in the graph the same node, so the network is evaluated once
 * and its tangent rides along. cos(t) sin(t) dF/dt is ONE tangent, with cos(t) sin(t) in its seed
 * ("JVP rearrangement"): dF/dt alone overflows near t = 0 and pi/2. |g| is the plain L2 norm over
 * the sample, so c = 0.1 acts on it and not on the mean per element.
 *
 * At r = 1, g = a(t) df/dt with a = cos t. A consistency model minimises E w(t) f^T df^-/dt, of
 * gradient -w(t) sin(t) sigma_d J_F^T df^-/dt, so a = w(t) sigma_d sin t and cos t stands for the
 * usual prior weight w = 1/(sigma_d tan t). Without it (w = 1) a = sigma_d sin t.
 *
 * The continuous-time consistency model of Song et al. (arXiv 2303.01469, appendix B) before it was
 * steadied is what is left with tangent = raw, tangent_warmup = 0, adaptive = no, rearrange = no
 * and a network with EDM's conditioning (net/cond.c): recipes/toy-ccm.ini.
 */
#include "scm.h"

void few__scm_schedule(const struct few_scm_opts *o, const struct few_clock *at, double *scalar) {
  double warmup = (double)o->tangent_warmup * at->stretch;
  scalar[0] = warmup > 0 && (double)at->step < warmup ? (double)at->step / warmup : 1;
}

few_node few__scm_factor(const struct few_loss *l, const struct few_scm_opts *o,
                         const struct few_trig_state *d) {
  return o->prior_weight ? d->cos : few_scale(l->g, d->sin, l->spec->sigma_data);
}

/* sigma_d `by` dF/dt along v. */
static few_node scaled_tangent(struct few_loss *l, const struct few_scm_opts *o,
                               const struct few_trig_state *d, few_node F, few_node v,
                               few_node by) {
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  few_node xin = few_scale(g, d->x, 1 / sigma), dF = FEW_NONE;
  few_node along_x = v,
           along_t = few_fill(g, sigma, FEW_SHAPE(l->rows)); /* sigma_d (v/sigma_d, 1) */
  if (o->rearrange) {
    along_x = few_mul(g, by, v);
    along_t = few_scale(g, few_reshape(g, by, FEW_SHAPE(l->rows)), sigma);
  }
  few_jvp(g, 1, &F, 2, (few_node[]){xin, d->t}, (few_node[]){along_x, along_t}, &dF);
  return o->rearrange ? dF : few_mul(g, by, dF);
}

few_node few__scm_tangent(struct few_loss *l, const struct few_scm_opts *o,
                          const struct few_trig_state *d, few_node F, few_node v) {
  few_graph *g = l->g;
  few_node a = few__scm_factor(l, o, d), ac = few_mul(g, a, d->cos), as = few_mul(g, a, d->sin);
  few_node dF = scaled_tangent(l, o, d, F, v, as);
  few_node first = few_mul(g, ac, few_sub(g, v, few_scale(g, F, l->spec->sigma_data)));
  return few_sub(g, first, few_mul(g, l->scalar[0], few_add(g, few_mul(g, as, d->x), dF)));
}

/* Clipping is of df/dt itself, elementwise to [-1, 1]; g = a df/dt, a >= 0. */
static few_node limited(struct few_loss *l, const struct few_scm_opts *o, few_node a,
                        few_node g_raw) {
  few_graph *g = l->g;
  few_node norm = few_sqrt(g, few_loss_row_sum(l, few_square(g, g_raw)));
  few_loss_log(l, "tangent", norm);
  if (o->tangent == 0) return few_mul(g, g_raw, few_recip(g, few_affine(g, norm, 1, o->tangent_c)));
  if (o->tangent == 1) return few_max(g, few_min(g, g_raw, a), few_neg(g, a));
  return g_raw;
}

void few__scm_add(struct few_loss *l, const struct few_scm_opts *o, const struct few_trig_state *d,
                  few_node F, few_node tangent) {
  few_graph *g = l->g;
  few_node g_t = limited(l, o, few__scm_factor(l, o, d), few_stop(g, tangent));
  few_node residual = few_sub(g, few_sub(g, F, few_stop(g, F)), few_stop(g, g_t));
  few_loss_add(l, "scm", few_loss_weighted(l, residual, d->t, o->adaptive, "mse"), 1);
}

void few__scm_build(struct few_loss *l, const struct few_scm_opts *o,
                    const struct few_trig_state *d, few_node v, few_node guidance) {
  v = few_stop(l->g, v);
  few_node F = few_loss_F(l, FEW_STUDENT, d->x, d->t, l->label, guidance);
  few__scm_add(l, o, d, F, few__scm_tangent(l, o, d, F, v));
}
