/* raw.c - TrigFlow's F from the output of a raw network.
 *
 * A raw network predicts y = p x0 + q eps (process/predict.h). Samplers and objectives work in
 * TrigFlow, x_t = c x0 + sigma_d s eps with c = cos t and s = sin t, and use F. Cramer's rule (Lu
 * and Song, arXiv 2410.11081, eq. 29) gives
 *
 *   F = X x_t + Y y,   Y = 1/(c q - sigma_d s p),   X = -(p c + q s/sigma_d) Y.
 *
 * For x, eps and flow, p and q are constants. For v, p = -sigma_d s/n and q = c/n with
 * n^2 = c^2 + sigma_d^2 s^2; these forms avoid differences that would lose digits:
 *
 *   Y = 1/n,   X = c s (sigma_d - 1/sigma_d)/n^2.
 *
 * The prediction `both`, two heads for x and eps, is converted to v. All of these are nodes that
 * depend on each row's t, so tangents with respect to t pass through them. x does not determine F
 * at t = 0, nor eps at pi/2: F is not finite there.
 */
#include "net.h"

struct angle { /* [N] each */
  few_node t, cos, sin;
};

/* rows [N] as [N,1,..], of the rank of x. */
static few_node beside(few_graph *g, few_node rows, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  for (int k = 1; k < s.rank; k++) s.dim[k] = 1;
  return few_reshape(g, rows, s);
}

static few_node line(few_graph *g, few_node X, few_node x, few_node Y, few_node y) {
  return few_add(g, few_mul(g, beside(g, X, x), x), few_mul(g, beside(g, Y, y), y));
}

static few_node from_mix(few_graph *g, double sd, struct angle a, struct few_mix y, few_node x,
                         few_node raw) {
  few_node det = few_sub(g, few_scale(g, a.cos, y.eps), few_scale(g, a.sin, sd * y.x0));
  few_node Y = few_recip(g, det);
  few_node X = few_add(g, few_scale(g, a.cos, -y.x0), few_scale(g, a.sin, -y.eps / sd));
  return line(g, few_mul(g, X, Y), x, Y, raw);
}

static few_node from_v(few_graph *g, double sd, struct angle a, few_node x, few_node raw) {
  few_node n2 = few__process_norm_squared(g, sd, a.t);
  few_node X = few_div(g, few_scale(g, few_mul(g, a.cos, a.sin), sd - 1 / sd), n2);
  return line(g, X, x, few_recip(g, few_sqrt(g, n2)), raw);
}

/* v = (c eps - sigma_d s x0)/n. */
static few_node v_of_heads(few_graph *g, double sd, struct angle a, few_node raw) {
  struct few_shape s = few_node_shape(g, raw);
  int64_t c = s.rank ? s.dim[s.rank - 1] / 2 : 0;
  few_node x0 = few_slice(g, raw, s.rank - 1, 0, c), eps = few_slice(g, raw, s.rank - 1, c, c);
  few_node n = few_sqrt(g, few__process_norm_squared(g, sd, a.t));
  return line(g, few_scale(g, few_div(g, a.sin, n), -sd), x0, few_div(g, a.cos, n), eps);
}

struct few_net_input few__net_input(few_graph *g, const struct few_net_spec *spec,
                                    const struct few_net_input *in) {
  const struct few_process *p = few__process_at(spec->process);
  struct few_net_input own = *in;
  if (p->input && in->x != FEW_NONE)
    own.x = few_mul(g, beside(g, p->input(g, spec->sigma_data, in->t), in->x), in->x);
  return own;
}

few_node few__net_F(few_graph *g, const struct few_net_spec *spec, const struct few_net_input *in,
                    few_node raw) {
  const double sd = spec->sigma_data;
  assert(sd > 0);
  if (raw == FEW_NONE || spec->predicts == FEW_PREDICT_F) return raw;
  if (spec->predicts == FEW_PREDICT_EDM) return few_neg(g, raw);
  few_scope_push(g, "F");
  const struct angle a = {in->t, few_cos(g, in->t), few_sin(g, in->t)};
  few_node x = few_scale(g, in->x, sd), F;
  if (spec->predicts == FEW_PREDICT_V || spec->predicts == FEW_PREDICT_BOTH) {
    if (spec->predicts == FEW_PREDICT_BOTH) raw = v_of_heads(g, sd, a, raw);
    F = from_v(g, sd, a, x, raw);
  } else {
    const struct few_mix y = few__predict_mix(spec->predicts, sd, (struct few_mix){1, 1});
    F = from_mix(g, sd, a, y, x, raw); /* x, eps, flow: p and q are constants */
  }
  few_scope_pop(g);
  return F;
}
