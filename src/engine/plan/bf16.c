/* bf16.c - bf16 storage: which values a plan stores in bf16 when its precision is bf16.
 *
 * Activations are stored in bf16, and so are their tangents and cotangents. An activation has one
 * row per row of the batch and at least 16 channels. Kernels read and write bf16 but compute in
 * f32, so sums, the statistics of norms and fused programs keep their precision.
 *
 * Everything else stays in f32: embeddings of time and label; images with their one or three
 * channels, and with them losses and the tangent of a consistency model; parameters and their
 * gradients; outputs, which the caller reads; and operands and results of kernels for f32 only.
 */
#include "plan_internal.h"

enum { LEAST_CHANNELS = 16 };

/* Rows of the batch: those of the first input that is an image or a sequence. */
static int64_t rows_of(const struct planning *p) {
  for (few_node v = 0; v < few_graph_size(p->g); v++) {
    const struct few_shape s = few_node_shape(p->g, v);
    if (p->live[v] && few__op(p->g, v) == FEW_OP_INPUT && s.rank >= 3) return s.dim[0];
  }
  return -1;
}

static bool is_activation(const struct planning *p, few_node v, int64_t rows) {
  const struct few_node_data *d = few__node(p->g, v);
  const struct few_shape s = d->shape;
  if (d->type != FEW_REAL || few__op_def(d->op)->flags & FEW_OP_SOURCE) return false;
  const int64_t in_one = d->op == FEW_OP_ATTENTION_DUAL ? 2 : 1; /* a value and its tangent */
  return s.rank >= 3 && s.dim[0] == in_one * rows && s.dim[s.rank - 1] >= LEAST_CHANNELS;
}

static void keep_whole(struct planning *p, few_node v) {
  p->bf16[p->root[few__plan_canon(p->g, v)]] = false;
}

/* A kernel without bf16 storage keeps its operands and results in f32. */
static void look_at_unit(struct planning *p, const struct unit *u) {
  const struct few_backend *b = p->plan->opts.backend;
  assert(u->n > 0);
  const few_node first = few__plan_member(p, u, 0);
  if (b->bf16[u->n > 1 ? FEW_OP_COUNT : few__op(p->g, first)]) return;
  for (int m = 0; m < u->n; m++) {
    const few_node v = few__plan_member(p, u, m);
    const struct few_node_data *d = few__node(p->g, v);
    keep_whole(p, v);
    for (int i = 0; i < d->n_in; i++) keep_whole(p, d->in[i]);
  }
}

few_status few__plan_bf16(struct planning *p) {
  const struct few_planning_opts *o = &p->plan->opts;
  const int n = few_graph_size(p->g);
  FEW_TRY(FEW_NEW(p->plan->ctx, &p->bf16, n));
  if (o->precision != FEW_BF16 || o->real != FEW_F32) return FEW_OK;
  const int64_t rows = rows_of(p);
  for (few_node v = 0; v < n; v++) p->bf16[v] = rows > 0 && is_activation(p, v, rows);
  for (int i = 0; i < p->n_out; i++) keep_whole(p, p->out[i]);
  for (int i = 0; i < p->units.n; i++) look_at_unit(p, &p->units.at[i]);
  return FEW_OK;
}
