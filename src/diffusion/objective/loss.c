/* loss.c - see loss.h. */
#include "objective.h"

#include <stdio.h>

#include "base/rng.h"

few_node few_loss_rows(const struct few_loss *l, few_node x) {
  struct few_shape s = {.rank = few_node_shape(l->g, l->x0).rank, .dim = {l->rows, 1, 1, 1, 1, 1}};
  return few_reshape(l->g, x, s);
}

few_node few_loss_row_sum(const struct few_loss *l, few_node x) {
  struct few_shape s = few_node_shape(l->g, x);
  for (int k = 1; k < s.rank; k++) s.dim[k] = 1;
  return few_sum(l->g, x, s);
}

void few_loss_log(struct few_loss *l, const char *name, few_node rows) {
  assert(name);
  assert(l->n_logs < FEW_MAX_LOGS);
  l->log[l->n_logs].name = name;
  l->log[l->n_logs].objective = l->objective;
  l->log[l->n_logs++].rows = few_reshape(l->g, rows, FEW_SHAPE(l->rows));
}

void few_loss_add(struct few_loss *l, const char *name, few_node value, double weight) {
  assert(name && weight >= 0);
  assert(l->n_terms < FEW_MAX_TERMS);
  l->term[l->n_terms].name = name;
  l->term[l->n_terms].objective = l->objective;
  l->term[l->n_terms].value = value;
  l->term[l->n_terms++].weight = weight;
}

/* The index of the objective is above bit 12: purposes are below FEW_RNG_DROPOUT, and those of
 * dropout layers, which follow, below 2^12. */
static uint32_t purpose_of(const struct few_loss *l, uint32_t purpose) {
  assert(purpose < FEW_RNG_DROPOUT && l->objective >= 0);
  return purpose + ((uint32_t)l->objective << 12);
}

few_node few_loss_randn(const struct few_loss *l, uint32_t purpose, struct few_shape shape) {
  return few_randn(l->g, purpose_of(l, purpose), shape);
}

few_node few_loss_randu(const struct few_loss *l, uint32_t purpose, struct few_shape shape) {
  return few_randu(l->g, purpose_of(l, purpose), shape);
}

/* ---- networks ---- */

static few_node evaluate(struct few_loss *l, enum few_role who, few_node x, few_node t,
                         few_node label, few_node guidance, bool no_dropout) {
  struct few_net_input in = few_net_input_of(few_scale(l->g, x, 1 / l->spec->sigma_data), t, label);
  const struct few_net_spec *spec = who == FEW_TEACHER ? l->teacher_spec
                                    : who == FEW_FAKE  ? l->fake_spec
                                                       : l->spec;
  assert(spec && l->net);
  if (spec->guidance) in.guidance = guidance;
  in.no_dropout = no_dropout;
  return l->net(l, who, &in);
}

few_node few_loss_F(struct few_loss *l, enum few_role who, few_node x, few_node t, few_node label,
                    few_node guidance) {
  return evaluate(l, who, x, t, label, guidance, false);
}

few_node few_loss_target_F(struct few_loss *l, enum few_role who, few_node x, few_node t,
                           few_node label, few_node guidance) {
  return evaluate(l, who, x, t, label, guidance, true);
}

/* This does not use few_loss_randu, because the objectives of a sum share one scale. */
few_node few_loss_guidance_scale(const struct few_loss *l) {
  const double least = l->guidance_min, most = l->guidance_max;
  assert(least <= most);
  if (l->pair_guidance != FEW_NONE) return l->pair_guidance;
  if (l->spec->guidance)
    return few_affine(l->g, few_randu(l->g, FEW_RNG_GUIDANCE, FEW_SHAPE(l->rows)), most - least,
                      least);
  return least == 1 ? FEW_NONE : few_fill(l->g, least, FEW_SHAPE(l->rows));
}

few_node few_loss_teacher(struct few_loss *l, few_node x, few_node t, few_node s) {
  few_graph *g = l->g;
  assert(l->teacher_spec); /* the objective needs_teacher */
  few_node F = few_loss_F(l, FEW_TEACHER, x, t, l->label, s);
  if (s == FEW_NONE || l->teacher_spec->guidance) return F;
  few_node none = few_loss_F(l, FEW_TEACHER, x, t, FEW_NONE, FEW_NONE);
  return few_add(g, none, few_mul(g, few_loss_rows(l, s), few_sub(g, F, none)));
}

/* ---- a state ---- */

struct few_trig_state few_trig_state_at(const struct few_loss *l, few_node x0, few_node t,
                                        uint32_t purpose) {
  few_graph *g = l->g;
  struct few_trig_state d = {.t = t};
  d.cos = few_loss_rows(l, few_cos(g, d.t));
  d.sin = few_loss_rows(l, few_sin(g, d.t));
  d.z = few_scale(g, few_loss_randn(l, purpose, few_node_shape(g, x0)), l->spec->sigma_data);
  d.x = few_add(g, few_mul(g, d.cos, x0), few_mul(g, d.sin, d.z));
  d.v = few_sub(g, few_mul(g, d.cos, d.z), few_mul(g, d.sin, x0));
  return d;
}

few_node few_trig_denoised(const struct few_loss *l, const struct few_trig_state *d, few_node F) {
  few_graph *g = l->g;
  return few_sub(g, few_mul(g, d->cos, d->x),
                 few_mul(g, d->sin, few_scale(g, F, l->spec->sigma_data)));
}

/* The learned weight w(t): a linear layer of a positional embedding of t, zero at first. It is
 * EDM2's uncertainty head (arXiv 2312.02696) with the embedding that sCM recommends. */
static few_node weight_head(struct few_loss *l, few_node t) {
  char name[16] = "weight";
  if (l->objective) snprintf(name, sizeof name, "weight%d", l->objective);
  few_node e = few_nn_positional(l->head, t, 128, 1);
  return few_reshape(l->g, few_nn_linear(l->head, name, e, 1, 0, true), FEW_SHAPE(l->rows));
}

few_node few_loss_square(const struct few_loss *l, few_node residual) {
  few_graph *g = l->g;
  double d = (double)few_shape_count(few_node_shape(g, residual)) / (double)l->rows;
  few_node square = few_scale(g, few_loss_row_sum(l, few_square(g, residual)), 1 / d);
  return few_reshape(g, square, FEW_SHAPE(l->rows));
}

few_node few_loss_mean(struct few_loss *l, few_node square, few_node t, bool adaptive) {
  few_graph *g = l->g;
  if (!adaptive) return few_mean_all(g, square);
  few_node w = weight_head(l, t);
  return few_mean_all(g, few_sub(g, few_mul(g, few_exp(g, w), square), w));
}

few_node few_loss_weighted(struct few_loss *l, few_node residual, few_node t, bool adaptive,
                           const char *name) {
  few_node square = few_loss_square(l, residual);
  few_loss_log(l, name, square);
  return few_loss_mean(l, square, t, adaptive);
}
