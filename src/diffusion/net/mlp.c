/* mlp - residual multi-layer perceptron for points (or small flattened images).
 *
 * h = W x;  h += W_l silu(modulate(norm(h), emb))  for each layer;  F = W' norm(h), zero at first.
 * With `norm = post`  h = norm(h + W_l silu(modulate(h, emb)))  as in the first transformers.
 * It is so small that a whole distillation takes seconds, but has all the conditioning of the large
 * networks: norm, adaptive modulation, time embedding, labels.
 */
#include "net.h"

struct mlp_opts {
  struct few_cond_opts cond;
  int64_t width, layers, embedding;
  enum { PRE, POST } norm; /* before a layer, or after its sum */
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct mlp_opts, width, "128", 4, 8192, "hidden units"),
    FEW_OPT_INT(struct mlp_opts, layers, "4", 1, 64, "residual layers"),
    FEW_OPT_INT(struct mlp_opts, embedding, "32", 4, 1024, "sinusoids of the time embedding"),
    FEW_OPT_CHOICE(struct mlp_opts, norm, "pre", "pre|post",
                   "pre: norm before a layer; post: norm after its residual sum"),
    FEW_COND_OPTIONS(struct mlp_opts),
    FEW_OPT_END};

static few_node normed(struct few_nn *nn, few_node h) {
  return few_nn_channel_norm(nn, h, true, 1e-6);
}

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct mlp_opts *o = opts;
  few_graph *g = nn->g;
  struct few_shape s = few_node_shape(g, in->x);
  nn->dropout = o->cond.dropout;
  few_node emb = few_cond_embed(nn, spec, &o->cond, in, o->embedding, o->width);
  int64_t flat = spec->h * spec->w * spec->c;
  few_node x = few_reshape(g, in->x, FEW_SHAPE(s.dim[0], flat));
  few_node h = few_nn_linear(nn, "in", x, o->width, 1, true);
  if (o->norm == POST) h = normed(nn, h);
  for (int64_t l = 0; l < o->layers; l++) {
    few_nn_push(nn, "layer.%lld", (long long)l);
    few_node y = o->norm == POST ? h : normed(nn, h);
    y = few_silu(g, few_cond_modulate(nn, &o->cond, "mod", y, emb));
    h = few_add(g, h, few_nn_linear(nn, "out", few_nn_dropout(nn, y), o->width, 1, true));
    if (o->norm == POST) h = normed(nn, h);
    few_nn_pop(nn);
    if (l == o->layers / 2) nn->middle = h;
  }
  if (o->norm == PRE) h = normed(nn, h);
  if (s.rank) s.dim[s.rank - 1] *= few_net_heads(spec);
  return few_reshape(g, few_nn_linear(nn, "out", h, flat * few_net_heads(spec), 0, true), s);
}

const struct few_net_def few__net_mlp = {
    .version = FEW_NET_DEF_VERSION,
    .name = "mlp",
    .source = "",
    .help = "residual multi-layer perceptron, for points",
    .options = options,
    .options_size = sizeof(struct mlp_opts),
    .build = build,
};
