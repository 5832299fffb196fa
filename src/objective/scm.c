/* scm.c - Algorithm 1 of "Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models"
 * (Lu and Song, arXiv 2410.11081).
 *
 *   f(x, t) = cos(t) x - sin(t) sigma_d F(x/sigma_d, t)
 *   g = -cos^2(t) (sigma_d F^- - v) - r cos(t) sin(t) (x_t + sigma_d dF^-/dt)
 *   g <- g / (|g| + c)
 *   L = e^{w(t)}/D |F - F^- - g|^2 - w(t)
 *
 * F^- is F with the gradient stopped: in the graph the same node, so the network is evaluated once
 * and its tangent rides along. cos(t) sin(t) dF/dt is ONE tangent, with cos(t) sin(t) in its seed
 * ("JVP rearrangement"): dF/dt alone overflows near t = 0 and pi/2. |g| is the plain L2 norm over
 * the sample, so c = 0.1 acts on it and not on the mean per element.
 */
#include "scm.h"

void few__scm_schedule(const struct few_scm_opts *o, const struct few_clock *at, double *scalar) {
  double warmup = (double)o->tangent_warmup * at->stretch;
  scalar[0] = warmup > 0 && (double)at->step < warmup ? (double)at->step / warmup : 1;
}

/* sigma_d cos(t) sin(t) dF/dt along v. */
static few_node scaled_tangent(struct few_loss *l, const struct few_trig_draw *d, few_node F,
                               few_node xin, few_node v) {
  few_graph *g = l->g;
  few_node cs = few_mul(g, d->cos, d->sin);
  few_node along_x = few_mul(g, cs, v); /* sigma_d (cs v / sigma_d) */
  few_node along_t = few_scale(g, few_reshape(g, cs, FEW_SHAPE(l->rows)), l->spec->sigma_data);
  few_node dF = FEW_NONE;
  few_jvp(g, 1, &F, 2, (few_node[]){xin, d->t}, (few_node[]){along_x, along_t}, &dF);
  return dF;
}

static few_node limited(struct few_loss *l, const struct few_scm_opts *o, few_node g_raw) {
  few_graph *g = l->g;
  few_node norm = few_sqrt(g, few__loss_row_sum(l, few_square(g, g_raw)));
  few__loss_log(l, "tangent", norm);
  if (o->tangent == 0) return few_mul(g, g_raw, few_recip(g, few_affine(g, norm, 1, o->tangent_c)));
  if (o->tangent == 1)
    return few_max(g, few_min(g, g_raw, few_fill(g, 1, FEW_SCALAR)), few_fill(g, -1, FEW_SCALAR));
  return g_raw;
}

void few__scm_build(struct few_loss *l, const struct few_scm_opts *o, const struct few_trig_draw *d,
                    few_node v, few_node guidance) {
  few_graph *g = l->g;
  double sigma = l->spec->sigma_data;
  v = few_stop(g, v);
  few_node xin = few_scale(g, d->x, 1 / sigma);
  struct few_net_input in = few__net_input(xin, d->t, l->label);
  in.guidance = l->spec->guidance ? guidance : FEW_NONE;
  few_node F = l->net(l, FEW_STUDENT, &in);
  few_node cs_dF = scaled_tangent(l, d, F, xin, v);

  few_node cc = few_square(g, d->cos), cs = few_mul(g, d->cos, d->sin);
  few_node first = few_mul(g, cc, few_sub(g, v, few_scale(g, F, sigma)));
  few_node second = few_mul(g, l->scalar[0], few_add(g, few_mul(g, cs, d->x), cs_dF));
  few_node g_t = limited(l, o, few_stop(g, few_sub(g, first, second)));

  few_node residual = few_sub(g, few_sub(g, F, few_stop(g, F)), few_stop(g, g_t));
  few__loss_add(l, "scm", few__loss_weighted(l, residual, d->t, o->adaptive, "mse"), 1);
}
