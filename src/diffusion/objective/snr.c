/* snr.c - see snr.h. */
#include "snr.h"

#include "diffusion/process/vp.h"
#include "diffusion/weight/weight.h"
#include "engine/graph/graph.h"

few_status few__snr_check(few_ctx *ctx, const char *name, const struct few_snr_opts *o) {
  const struct few_weight *weight;
  few_status st = few__weight_find(ctx, &weight, o->weight);
  return st ? few__fail_in(ctx, st, "%s: weight = %s", name, o->weight) : FEW_OK;
}

few_node few__snr_time(const struct few_loss *l, const struct few_snr_opts *o, few_node u) {
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  return few__cosine_time_node(l->g, c, l->spec->sigma_data, u);
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
