/* pieces.c - drawing a TrigFlow state, weighting a residual. */
#include "base/rng.h"
#include "objective.h"

few_node few__loss_rows(const struct few_loss *l, few_node x) {
  struct few_shape s = {.rank = few_node_shape(l->g, l->x0).rank, .dim = {l->rows, 1, 1, 1, 1, 1}};
  return few_reshape(l->g, x, s);
}

few_node few__loss_row_sum(const struct few_loss *l, few_node x) {
  struct few_shape s = few_node_shape(l->g, x);
  for (int k = 1; k < s.rank; k++) s.dim[k] = 1;
  return few_sum(l->g, x, s);
}

void few__loss_log(struct few_loss *l, const char *name, few_node rows) {
  assert(l->n_logs < FEW_MAX_LOGS);
  l->log[l->n_logs].name = name;
  l->log[l->n_logs++].rows = few_reshape(l->g, rows, FEW_SHAPE(l->rows));
}

struct few_trig_draw few__trig_draw(struct few_loss *l, double p_mean, double p_std) {
  few_graph *g = l->g;
  double sigma = l->spec->sigma_data;
  struct few_trig_draw d;
  few_node tau = few_affine(g, few_randn(g, FEW_RNG_TIME, FEW_SHAPE(l->rows)), p_std, p_mean);
  d.t = few_atan(g, few_scale(g, few_exp(g, tau), 1 / sigma));
  d.cos = few__loss_rows(l, few_cos(g, d.t));
  d.sin = few__loss_rows(l, few_sin(g, d.t));
  d.z = few_scale(g, few_randn(g, FEW_RNG_NOISE, few_node_shape(g, l->x0)), sigma);
  d.x = few_add(g, few_mul(g, d.cos, l->x0), few_mul(g, d.sin, d.z));
  d.v = few_sub(g, few_mul(g, d.cos, d.z), few_mul(g, d.sin, l->x0));
  l->t = d.t;
  return d;
}

/* w(t): linear in a positional embedding of t, zero at first (EDM2's uncertainty head, arXiv
 * 2312.02696, with the embedding that sCM asks for). */
static few_node weight_head(struct few_loss *l, few_node t) {
  few_node e = few__nn_positional(l->head, t, 128, 1);
  return few_reshape(l->g, few__nn_linear(l->head, "weight", e, 1, 0, true), FEW_SHAPE(l->rows));
}

few_node few__loss_weighted(struct few_loss *l, few_node residual, few_node t, bool adaptive,
                            const char *name) {
  few_graph *g = l->g;
  double d = (double)few_shape_count(few_node_shape(g, residual)) / (double)l->rows;
  few_node square = few_scale(g, few__loss_row_sum(l, few_square(g, residual)), 1 / d);
  square = few_reshape(g, square, FEW_SHAPE(l->rows));
  few__loss_log(l, name, square);
  if (!adaptive) return few_mean_all(g, square);
  few_node w = weight_head(l, t);
  return few_mean_all(g, few_sub(g, few_mul(g, few_exp(g, w), square), w));
}
