/* dit - diffusion transformer (Peebles and Xie, arXiv 2212.09748).
 *
 * Patches of the image become tokens, plus a fixed 2-D sinusoidal position table. Each block is
 *   x += g1 * attention(modulate(LN x)),   x += g2 * W2 gelu(W1 modulate(LN x)),
 * with scale, shift and gate g from the embedding (adaLN; gates start at zero). The last layer
 * modulates once more and unfolds tokens into patches.
 */
#include <math.h>

#include "net.h"

struct dit_opts {
  struct few_cond_opts cond;
  int64_t patch, width, depth, heads, mlp_ratio, embedding;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct dit_opts, patch, "4", 1, 64, "side of a patch, pixels"),
    FEW_OPT_INT(struct dit_opts, width, "384", 8, 8192, "channels of a token"),
    FEW_OPT_INT(struct dit_opts, depth, "12", 1, 128, "blocks"),
    FEW_OPT_INT(struct dit_opts, heads, "6", 1, 128, "attention heads"),
    FEW_OPT_INT(struct dit_opts, mlp_ratio, "4", 1, 16, "hidden units of a block, in widths"),
    FEW_OPT_INT(struct dit_opts, embedding, "256", 4, 4096, "sinusoids of the time embedding"),
    FEW_COND_OPTIONS(struct dit_opts),
    FEW_OPT_END};

/* [N, H, W, C] to [N, tokens, p p C]. */
static few_node patchify(few_graph *g, few_node x, int64_t p) {
  struct few_shape s = few_node_shape(g, x);
  int64_t gh = s.dim[1] / p, gw = s.dim[2] / p;
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], gh, p, gw, p, s.dim[3]));
  x = few_transpose(g, x, (int[]){0, 1, 3, 2, 4, 5});
  return few_reshape(g, x, FEW_SHAPE(s.dim[0], gh * gw, p * p * s.dim[3]));
}

static few_node unpatchify(few_graph *g, few_node x, const struct few_net_spec *spec, int64_t p) {
  int64_t n = few_node_shape(g, x).dim[0], gh = spec->h / p, gw = spec->w / p;
  int64_t c = spec->c * few__net_heads(spec);
  x = few_reshape(g, x, FEW_SHAPE(n, gh, gw, p, p, c));
  x = few_transpose(g, x, (int[]){0, 1, 3, 2, 4, 5});
  return few_reshape(g, x, FEW_SHAPE(n, spec->h, spec->w, c));
}

/* Position table [1, tokens, width]: sines then cosines of the column, then of the row. */
static few_node positions(struct few_nn *nn, int64_t gh, int64_t gw, int64_t width) {
  few_ctx *ctx = few__graph_ctx(nn->g);
  const int64_t most = (int64_t)1 << 27; /* a gigabyte; the table is made when a file is read */
  int64_t quarter = width / 4;
  double *v;
  if (gh * gw > most / width)
    return few__graph_fail(nn->g, FEW_E_INVALID,
                           "dit: %lld x %lld tokens of width %lld are too many for a table of "
                           "positions: take a larger patch",
                           (long long)gh, (long long)gw, (long long)width);
  few_status st = FEW_NEW(ctx, &v, gh * gw * width);
  if (st) return few__graph_fail(nn->g, st, "out of memory: position table");
  for (int64_t i = 0; i < gh * gw; i++) {
    int64_t column = i % gw, row = i / gw;
    const double place[2] = {(double)column, (double)row};
    for (int64_t k = 0; k < 2 * quarter; k++) {
      double a = place[k / quarter] * pow(10000.0, -(double)(k % quarter) / (double)quarter);
      double *at = v + i * width + k / quarter * 2 * quarter + k % quarter;
      at[0] = sin(a);
      at[quarter] = cos(a);
    }
  }
  few_node table = few_const(nn->g, FEW_SHAPE(1, gh * gw, width), v);
  few__free(ctx, v);
  return table;
}

/* x + gate * y with gate [N, 1, width] from the embedding. */
static few_node gated(struct few_nn *nn, few_node x, few_node y, few_node emb, const char *name) {
  struct few_shape s = few_node_shape(nn->g, x);
  few_node gate = few__nn_linear(nn, name, emb, s.rank ? s.dim[s.rank - 1] : 1, 0, true);
  return few_add(nn->g, x, few_mul(nn->g, few__nn_rows(nn, gate, 3), y));
}

static few_node block(struct few_nn *nn, const struct dit_opts *o, few_node x, few_node emb) {
  few_graph *g = nn->g;
  few_node y = few__nn_channel_norm(nn, x, true, 1e-6);
  y = few__cond_modulate(nn, &o->cond, "mod0", y, emb);
  y = few__nn_attention(nn, "attention", y, o->heads, 1);
  x = gated(nn, x, y, emb, "gate0");
  y = few__nn_channel_norm(nn, x, true, 1e-6);
  y = few__cond_modulate(nn, &o->cond, "mod1", y, emb);
  y = few_gelu(g, few__nn_linear(nn, "mlp0", y, o->width * o->mlp_ratio, 1, true));
  y = few__nn_linear(nn, "mlp1", few__nn_dropout(nn, y), o->width, 1, true);
  return gated(nn, x, y, emb, "gate1");
}

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
  nn->dropout = o->cond.dropout;
  few_node emb = few__cond_embed(nn, spec, &o->cond, in, o->embedding, o->width);
  few_node x = few__nn_linear(nn, "patch", patchify(g, in->x, o->patch), o->width, 1, true);
  x = few_add(g, x, positions(nn, spec->h / o->patch, spec->w / o->patch, o->width));
  for (int64_t b = 0; b < o->depth; b++) {
    few__nn_push(nn, "block.%lld", (long long)b);
    x = block(nn, o, x, emb);
    few__nn_pop(nn);
    if (b == o->depth / 2) nn->middle = x;
  }
  x = few__nn_channel_norm(nn, x, true, 1e-6);
  x = few__cond_modulate(nn, &o->cond, "out_mod", x, emb);
  x = few__nn_linear(nn, "out", x, o->patch * o->patch * spec->c * few__net_heads(spec), 0, true);
  return unpatchify(g, x, spec, o->patch);
}

const struct few_net_def few__net_dit = {
    .name = "dit",
    .source = "arXiv 2212.09748",
    .help = "diffusion transformer with adaptive layer norm",
    .options = options,
    .options_size = sizeof(struct dit_opts),
    .build = build,
};
