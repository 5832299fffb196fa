/* raw.c - TrigFlow's F from what a raw network predicts.
 *
 * A network may be trained to say y = p x0 + q eps (process/predict.h); all that ask it speak
 * TrigFlow, x_t = c x0 + sigma_d s eps with c = cos t and s = sin t, and want F. Cramer's rule
 * (process/convert.c, Lu and Song, arXiv 2410.11081, eq. 29) gives
 *
 *   F = X x_t + Y y,   Y = 1/(c q - sigma_d s p),   X = -(p c + q s/sigma_d) Y,
 *
 * where x, eps and flow have constant p and q. For v, p = -sigma_d s/n and q = c/n with
 * n^2 = c^2 + sigma_d^2 s^2, and the differences cancel on paper:
 *
 *   Y = 1/n,   X = c s (sigma_d - 1/sigma_d)/n^2.
 *
 * Two heads are v too. These are nodes of the graph, functions of each row's t, so tangents with
 * respect to t pass through them. x says nothing of F at t = 0, nor eps at pi/2: no value there.
 */
#include "net.h"

struct ends { /* [N] each */
  few_node cos, sin;
};

/* [N] as [N,1,..] beside x. */
static few_node beside(few_graph *g, few_node rows, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  for (int k = 1; k < s.rank; k++) s.dim[k] = 1;
  return few_reshape(g, rows, s);
}

static few_node line(few_graph *g, few_node X, few_node x, few_node Y, few_node y) {
  return few_add(g, few_mul(g, beside(g, X, x), x), few_mul(g, beside(g, Y, y), y));
}

static few_node from_mix(few_graph *g, double sd, struct ends e, struct few_mix y, few_node x,
                         few_node raw) {
  few_node det = few_sub(g, few_scale(g, e.cos, y.eps), few_scale(g, e.sin, sd * y.x0));
  few_node Y = few_recip(g, det);
  few_node X = few_add(g, few_scale(g, e.cos, -y.x0), few_scale(g, e.sin, -y.eps / sd));
  return line(g, few_mul(g, X, Y), x, Y, raw);
}

static few_node norm_squared(few_graph *g, double sd, struct ends e) {
  return few_add(g, few_square(g, e.cos), few_square(g, few_scale(g, e.sin, sd)));
}

static few_node from_v(few_graph *g, double sd, struct ends e, few_node x, few_node raw) {
  few_node n2 = norm_squared(g, sd, e);
  few_node X = few_div(g, few_scale(g, few_mul(g, e.cos, e.sin), sd - 1 / sd), n2);
  return line(g, X, x, few_recip(g, few_sqrt(g, n2)), raw);
}

/* v = (c eps - sigma_d s x0)/n. */
static few_node v_of_heads(few_graph *g, double sd, struct ends e, few_node raw) {
  struct few_shape s = few_node_shape(g, raw);
  int64_t c = s.rank ? s.dim[s.rank - 1] / 2 : 0;
  few_node x0 = few_slice(g, raw, s.rank - 1, 0, c), eps = few_slice(g, raw, s.rank - 1, c, c);
  few_node n = few_sqrt(g, norm_squared(g, sd, e));
  return line(g, few_scale(g, few_div(g, e.sin, n), -sd), x0, few_div(g, e.cos, n), eps);
}

few_node few__net_F(few_graph *g, const struct few_net_spec *spec, const struct few_net_input *in,
                    few_node raw) {
  const double sd = spec->sigma_data;
  if (raw == FEW_NONE || spec->predicts == FEW_PREDICT_F) return raw;
  if (spec->predicts == FEW_PREDICT_EDM) return few_neg(g, raw);
  few_scope_push(g, "F");
  const struct ends e = {few_cos(g, in->t), few_sin(g, in->t)};
  few_node x = few_scale(g, in->x, sd), F;
  if (spec->predicts == FEW_PREDICT_V || spec->predicts == FEW_PREDICT_BOTH) {
    if (spec->predicts == FEW_PREDICT_BOTH) raw = v_of_heads(g, sd, e, raw);
    F = from_v(g, sd, e, x, raw);
  } else {
    struct few_mix y = few__predict_mix(spec->predicts, sd, (struct few_mix){1, 1});
    F = from_mix(g, sd, e, y, x, raw); /* x, eps, flow: the same mix in any state */
  }
  few_scope_pop(g);
  return F;
}
