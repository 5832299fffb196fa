/* snr.c - see snr.h. */
#include "snr.h"

#include "diffusion/process/cosine.h"
#include "diffusion/weight/weight.h"
#include "engine/graph/graph.h"

few_status few__snr_check(few_ctx *ctx, const char *name, const struct few_snr_opts *o) {
  const struct few_weight *weight;
  few_status st = few__weight_find(ctx, &weight, o->weight);
  return st ? few__fail_in(ctx, st, "%s: weight = %s", name, o->weight) : FEW_OK;
}

/* logsnr_min stops at -24, where the angle is still below pi/2 in f32. */
few_node few__snr_time(const struct few_loss *l, const struct few_snr_opts *o, few_node u) {
  few_graph *g = l->g;
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  few_node angle = few_affine(g, u, c.a, c.b);
  few_node ratio = few_div(g, few_sin(g, angle), few_cos(g, angle));
  return few_atan(g, few_scale(g, ratio, 1 / l->spec->sigma_data));
}

void few__snr_add(struct few_loss *l, const struct few_snr_opts *o, few_node t, few_node F,
                  few_node target, const char *name, double weight) {
  few_graph *g = l->g;
  const struct few_weight *w = NULL;
  few_status st = few__weight_find(few__graph_ctx(g), &w, o->weight);
  assert(!st); /* few__snr_check */
  FEW_UNUSED(st);
  few_node r = few_sub(g, F, few_stop(g, target));
  const double D = (double)few_shape_count(few_node_shape(g, r)) / (double)l->rows;
  few_node mean = few_scale(g, few_loss_row_sum(l, few_square(g, r)), 1 / D);
  mean = few_reshape(g, mean, FEW_SHAPE(l->rows));
  few_loss_log(l, name, mean);
  few_node factor = few__weight_factor(g, w, o->gamma, l->spec->sigma_data, t);
  few_loss_add(l, name, few_mean_all(g, few_mul(g, factor, mean)), weight);
}
