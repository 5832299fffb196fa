/* dit - diffusion transformer (Peebles and Xie, arXiv 2212.09748).
 *
 * Patches of the image become tokens, plus a fixed 2-D sinusoidal position table. Each block is
 *
 *   x += g1 * attention(modulate(LN x)),   x += g2 * W2 gelu(W1 modulate(LN x)),
 *
 * with scale, shift and gate g from the embedding (adaLN; gates start at zero). The last layer
 * modulates once more, and turns tokens back into patches. The parts are in blocks.c.
 */
#include "blocks.h"

struct dit_opts {
  struct few_cond_opts cond;
  int64_t patch, width, depth, heads, mlp_ratio, embedding;
  double mlp_eps;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct dit_opts, patch, "4", 1, 64, "side of a patch in pixels"),
    FEW_OPT_INT(struct dit_opts, width, "384", 8, 8192, "channels of a token"),
    FEW_OPT_INT(struct dit_opts, depth, "12", 1, 128, "blocks"),
    FEW_OPT_INT(struct dit_opts, heads, "6", 1, 128, "attention heads"),
    FEW_OPT_INT(struct dit_opts, mlp_ratio, "4", 1, 16,
                "hidden units of a block, as a multiple of width"),
    FEW_OPT_INT(struct dit_opts, embedding, "256", 4, 4096, "sinusoids of the time embedding"),
    FEW_OPT_REAL(struct dit_opts, mlp_eps, "1e-6", 1e-12, 1,
                 "epsilon of the norms before the MLPs (1e-5 in diffusers)"),
    FEW_COND_OPTIONS(struct dit_opts),
    FEW_OPT_END};

static bool fits(struct few_nn *nn, const struct few_net_spec *spec, const struct dit_opts *o) {
  if (!spec->points && spec->h % o->patch == 0 && spec->w % o->patch == 0 && o->width % 4 == 0 &&
      o->width % o->heads == 0)
    return true;
  few__graph_fail(nn->g, FEW_E_INVALID,
                  "dit: %lldx%lld images, patch %lld, width %lld, %lld heads: sides must be "
                  "multiples of the patch, width a multiple of 4 and of heads",
                  (long long)spec->h, (long long)spec->w, (long long)o->patch, (long long)o->width,
                  (long long)o->heads);
  return false;
}

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct dit_opts *o = opts;
  few_graph *g = nn->g;
  if (!fits(nn, spec, o)) return FEW_NONE;
  const struct few_transformer t = {&o->cond, o->heads, o->mlp_ratio, o->mlp_eps};
  nn->dropout = o->cond.dropout;
  few_node emb = few_cond_embed(nn, spec, &o->cond, in, o->embedding, o->width);
  few_node x = few_nn_linear(nn, "patch", few__patchify(g, in->x, o->patch), o->width, 1, true);
  x = few_add(g, x, few__positions(nn, spec->h / o->patch, spec->w / o->patch, o->width));
  for (int64_t b = 0; b < o->depth; b++) {
    few_nn_push(nn, "block.%lld", (long long)b);
    x = few__transformer_block(nn, &t, x, emb);
    few_nn_pop(nn);
    if (b == o->depth / 2) nn->middle = x;
  }
  x = few_nn_channel_norm(nn, x, true, 1e-6);
  x = few_cond_modulate(nn, &o->cond, "out_mod", x, emb);
  x = few_nn_linear(nn, "out", x, o->patch * o->patch * spec->c * few_net_heads(spec), 0, true);
  return few__unpatchify(g, x, spec, o->patch);
}

const struct few_net_def few__net_dit = {
    .version = FEW_NET_DEF_VERSION,
    .name = "dit",
    .source = "arXiv 2212.09748",
    .help = "diffusion transformer with adaptive layer norm",
    .options = options,
    .options_size = sizeof(struct dit_opts),
    .build = build,
};
