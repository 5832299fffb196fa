/* scm.c - the loss of "Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models" (Lu
 * and Song, arXiv 2410.11081), Algorithm 1, shared by sCD (scd.c) and sCT (sct.c).
 *
 *   f(x_t, t) = cos(t) x_t - sin(t) sigma_d F(x_t/sigma_d, t)                      section 3
 *   df^-/dt   = -cos(t) (sigma_d F^- - v) - sin(t) (x_t + sigma_d dF^-/dt)         eq. 6
 *   g  = -cos^2(t) (sigma_d F^- - v) - r cos(t) sin(t) (x_t + sigma_d dF^-/dt)     Algorithm 1
 *   g <- g / (|g| + c),   or g <- cos(t) clip(g / cos(t), -1, 1)                   section 4.2
 *   L  = e^{w(t)}/D |F - F^- - g|^2 - w(t)                                         Algorithm 1
 *
 *   paper                     here
 *   F_theta                   F, by few_loss_F
 *   F_theta^-                 few_stop(F): the same node with the gradient stopped
 *   x_t, z, t                 d->x, d->z, d->t of struct few_trig_state
 *   dx_t/dt                   v, an argument: the teacher's (sCD) or d->v of the sample (sCT)
 *   dF/dt                     few_jvp along (v/sigma_d, 1), in scaled_tangent
 *   r, H (tangent warm-up)    scalar[0], tangent_warmup: few__scm_schedule
 *   g before it is limited    few__scm_tangent
 *   g / (|g| + c), c          limited, tangent_c
 *   w_phi(t)                  the learned head of few_loss_weighted; 0 with adaptive = no
 *   D                         values per image
 *   P_mean, P_std             p_mean, p_std: ln(sigma_d tan t) ~ N(P_mean, P_std^2)
 *
 * F^- and F are one node of the graph, so the network is evaluated once per step, and its tangent
 * is computed together with it. cos(t) sin(t) dF/dt is a single tangent, with cos(t) sin(t) in its
 * input tangent ("JVP rearrangement", section 5.1), because dF/dt overflows near t = 0 and pi/2.
 * |g| is the L2 norm over all values of an image, so c = 0.1 is added to this norm and not to a
 * root mean square.
 *
 * At r = 1, g = a(t) df/dt with a = cos t. A consistency model minimises E p(t) f^T df^-/dt with a
 * prior weight p(t), whose gradient is -p(t) sin(t) sigma_d J_F^T df^-/dt. So a = p(t) sigma_d sin
 * t, and a = cos t corresponds to the usual p = 1/(sigma_d tan t). With prior_weight = no, p = 1
 * and a = sigma_d sin t.
 *
 * The unstabilised continuous-time consistency model of Song et al. (arXiv 2303.01469, appendix B)
 * is what remains with tangent = raw, tangent_warmup = 0, adaptive = no, rearrange = no and a
 * network with EDM's conditioning (net/cond.c): recipes/toy-ccm.ini.
 */
#include "scm.h"

void few__scm_schedule(double *scalar, const struct few_scm_opts *o, const struct few_clock *at) {
  double warmup = (double)o->tangent_warmup * at->stretch;
  assert(at->step >= 0);
  scalar[0] = warmup > 0 && (double)at->step < warmup ? (double)at->step / warmup : 1;
}

few_node few__scm_factor(const struct few_loss *l, const struct few_scm_opts *o,
                         const struct few_trig_state *d) {
  return o->prior_weight ? d->cos : few_scale(l->g, d->sin, l->spec->sigma_data);
}

/* Returns the product of sigma_d, the factor `by` and dF/dt, the derivative of F along the flow, on
 * which dx_t/dt = v. With `rearrange` the
 * factor `by` is in the input tangent; otherwise the result is multiplied by it. */
static few_node scaled_tangent(struct few_loss *l, const struct few_scm_opts *o,
                               const struct few_trig_state *d, few_node F, few_node v,
                               few_node by) {
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  few_node xin = few_scale(g, d->x, 1 / sigma), dF = FEW_NONE;
  /* The inputs (x_t/sigma_d, t) have the derivative (v/sigma_d, 1); here it is times sigma_d. */
  few_node along_x = v, along_t = few_fill(g, sigma, FEW_SHAPE(l->rows));
  if (o->rearrange) {
    along_x = few_mul(g, by, v);
    along_t = few_scale(g, few_reshape(g, by, FEW_SHAPE(l->rows)), sigma);
  }
  few_jvp(&dF, g, 1, &F, 2, (few_node[]){xin, d->t}, (few_node[]){along_x, along_t});
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

/* Normalises or clips g. Clipping bounds g / a, which is df/dt at r = 1, elementwise to [-1, 1];
 * a >= 0. */
static few_node limited(struct few_loss *l, const struct few_scm_opts *o, few_node a,
                        few_node g_raw) {
  few_graph *g = l->g;
  few_node norm = few_sqrt(g, few_loss_row_sum(l, few_square(g, g_raw)));
  few_loss_log(l, "tangent", norm);
  if (o->tangent == FEW_TANGENT_NORMALIZE)
    return few_mul(g, g_raw, few_recip(g, few_affine(g, norm, 1, o->tangent_c)));
  if (o->tangent == FEW_TANGENT_CLIP) return few_max(g, few_min(g, g_raw, a), few_neg(g, a));
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

void few__scm_build_map(struct few_loss *l, const struct few_scm_opts *o, struct few_trig_state d,
                        few_node v, few_node guidance, few_node end) {
  few_graph *g = l->g;
  struct few_net_input in =
      few_net_input_of(few_scale(g, d.x, 1 / l->spec->sigma_data), d.t, l->label);
  in.guidance = l->spec->guidance ? guidance : FEW_NONE;
  in.step_size = few_sub(g, d.t, few_stop(g, end));
  few_node F = l->net(l, FEW_STUDENT, &in);
  d.cos = few_loss_rows(l, few_cos(g, in.step_size));
  d.sin = few_loss_rows(l, few_sin(g, in.step_size));
  few__scm_add(l, o, &d, F, few__scm_tangent(l, o, &d, F, few_stop(g, v)));
}
