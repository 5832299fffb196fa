/* halves.c - which values of a plan whose precision is bf16 are stored so.
 *
 * Activations are: what has a row for each of the batch's and at least 16 channels, their tangents
 * and cotangents with them. Kernels read and write bf16 and compute in f32, so sums, statistics of
 * norms and whole fused programs keep their precision, and what is small stays f32: embeddings of
 * time and label, images themselves with their one or three channels, hence losses and what the
 * tangent of a consistency model is made of, parameters and their gradients. A value is left in f32
 * as well where the caller takes it, or where a kernel that makes or reads it knows no other.
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
  p->half[p->root[few__plan_canon(p->g, v)]] = false;
}

/* What a kernel without halves reads or makes. */
static void look_at_unit(struct planning *p, const struct unit *u) {
  const struct few_backend *b = p->plan->opts.backend;
  const few_node first = few__plan_member(p, u, 0);
  if (b->halves[u->n > 1 ? FEW_OP_COUNT : few__op(p->g, first)]) return;
  for (int m = 0; m < u->n; m++) {
    const few_node v = few__plan_member(p, u, m);
    const struct few_node_data *d = few__node(p->g, v);
    keep_whole(p, v);
    for (int i = 0; i < d->n_in; i++) keep_whole(p, d->in[i]);
  }
}

few_status few__plan_halves(struct planning *p) {
  const struct few_plan_opts *o = &p->plan->opts;
  const int n = few_graph_size(p->g);
  FEW_TRY(FEW_NEW(p->plan->ctx, &p->half, n));
  if (o->precision != FEW_BF16 || o->real != FEW_F32 || !o->backend->matrix_units) return FEW_OK;
  const int64_t rows = rows_of(p);
  for (few_node v = 0; v < n; v++) p->half[v] = rows > 0 && is_activation(p, v, rows);
  for (int i = 0; i < p->n_out; i++) keep_whole(p, p->out[i]);
  for (int i = 0; i < p->units.n; i++) look_at_unit(p, &p->units.at[i]);
  return FEW_OK;
}
