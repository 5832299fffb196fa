/* uvit - the U-ViT of simple diffusion (Hoogeboom et al., arXiv 2301.11093, section 3.3) for large
 * images. Most of its computation, its capacity and its dropout are at low resolution.
 *
 *   way down   patches (or none); conv in; per level: residual blocks, every result pushed on the
 *              skip stack; then half the side
 *   middle     at the lowest side every pixel is a token: transformer blocks of any width and depth
 *   way up     per level: twice the side; then residual blocks, each with a popped skip
 *              concatenated
 *   norm, SiLU, conv out
 *
 * The ways down and up are those of a U-Net (unet.c); the middle is a transformer with adaptive
 * norms (dit.c). To scale the network, scale `width`, `depth` and `heads`. The cost of the levels
 * then does not change.
 */
#include "blocks.h"

struct uvit_opts {
  struct few_cond_opts cond;
  int64_t patch, channels, blocks, width, depth, heads, mlp_ratio, groups, group_channels;
  int64_t embedding, dropout_side;
  struct few_int_list mults;
  enum few_filter filter;
  double skip_scale, norm_eps;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct uvit_opts, patch, "1", 1, 64,
                "side of a patch in pixels; above 1 for large images"),
    FEW_OPT_INT(struct uvit_opts, channels, "64", 4, 4096, "width of the first level"),
    FEW_OPT_INTS(
        struct uvit_opts, mults, "1, 2", 1, 64,
        "width of each level of convolutions, as a multiple of the key channels; each level "
        "halves the side"),
    FEW_OPT_INT(struct uvit_opts, blocks, "2", 1, 16, "residual blocks per level"),
    FEW_OPT_INT(struct uvit_opts, width, "256", 8, 8192, "channels of a token"),
    FEW_OPT_INT(struct uvit_opts, depth, "6", 1, 128, "transformer blocks"),
    FEW_OPT_INT(struct uvit_opts, heads, "4", 1, 128, "attention heads"),
    FEW_OPT_INT(struct uvit_opts, mlp_ratio, "4", 1, 16,
                "hidden units of a block, as a multiple of width"),
    FEW_OPT_INT(struct uvit_opts, embedding, "128", 4, 4096, "sinusoids of the time embedding"),
    FEW_OPT_INT(struct uvit_opts, groups, "32", 1, 1024,
                "most groups of a norm; fewer where they would not divide the channels"),
    FEW_OPT_INT(struct uvit_opts, group_channels, "4", 1, 1024, "fewest channels of a group"),
    FEW_OPT_CHOICE(struct uvit_opts, filter, "box", "box|1331", "taps of the resampling filter"),
    FEW_OPT_REAL(struct uvit_opts, skip_scale, "0.70710678118654757", 0.01, 1,
                 "factor on each residual sum"),
    FEW_OPT_REAL(struct uvit_opts, norm_eps, "1e-5", 1e-12, 1, "epsilon of the norms"),
    FEW_OPT_INT(struct uvit_opts, dropout_side, "16", 1, 4096,
                "use dropout only at levels of at most this side in pixels"),
    FEW_COND_OPTIONS(struct uvit_opts),
    FEW_OPT_END};

enum { MAX_SKIPS = FEW_INT_LIST_MAX * 16 };

struct uvit {
  struct few_nn *nn;
  const struct uvit_opts *o;
  struct few_res res;
  few_node skip[MAX_SKIPS];
  int n_skips;
};

static few_node way_down(struct uvit *u, few_node x) {
  struct few_nn *nn = u->nn;
  x = few_nn_conv(nn, "in", x, u->o->channels * u->o->mults.at[0], 3, 1, 1);
  for (int l = 0; l < u->o->mults.n; l++) {
    const int64_t c = u->o->channels * u->o->mults.at[l];
    for (int64_t b = 0; b < u->o->blocks; b++) {
      few_nn_push(nn, "down.%d.%lld", l, (long long)b);
      x = u->skip[u->n_skips++] = few__res_block(nn, &u->res, x, c, FEW_KEEP);
      few_nn_pop(nn);
    }
    few_nn_push(nn, "down.%d.half", l);
    x = few__res_block(nn, &u->res, x, c, FEW_HALVE);
    few_nn_pop(nn);
  }
  return x;
}

/* x + a transformer's output for it; sets nn->middle. */
static few_node middle(struct uvit *u, few_node x) {
  struct few_nn *nn = u->nn;
  few_graph *g = nn->g;
  const struct uvit_opts *o = u->o;
  const struct few_transformer t = {&o->cond, o->heads, o->mlp_ratio, 1e-6};
  const struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4) return FEW_NONE; /* the graph has failed */
  nn->dropout = s.dim[1] <= o->dropout_side ? o->cond.dropout : 0;
  few_node y = few_reshape(g, x, FEW_SHAPE(s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
  y = few_nn_linear(nn, "tokens", y, o->width, 1, true);
  y = few_add(g, y, few__positions(nn, s.dim[1], s.dim[2], o->width));
  for (int64_t b = 0; b < o->depth; b++) {
    few_nn_push(nn, "block.%lld", (long long)b);
    y = few__transformer_block(nn, &t, y, u->res.emb);
    few_nn_pop(nn);
    if (b == o->depth / 2) nn->middle = y;
  }
  y = few_nn_linear(nn, "pixels", few_nn_channel_norm(nn, y, true, 1e-6), s.dim[3], 1, true);
  return few_scale(g, few_add(g, x, few_reshape(g, y, s)), o->skip_scale);
}

static few_node way_up(struct uvit *u, few_node x) {
  struct few_nn *nn = u->nn;
  for (int l = u->o->mults.n - 1; l >= 0; l--) {
    const int64_t c = u->o->channels * u->o->mults.at[l];
    few_nn_push(nn, "up.%d.twice", l);
    x = few__res_block(nn, &u->res, x, c, FEW_DOUBLE);
    few_nn_pop(nn);
    for (int64_t b = 0; b < u->o->blocks; b++) {
      few_nn_push(nn, "up.%d.%lld", l, (long long)b);
      x = few_concat(nn->g, 3, 2, (few_node[]){x, u->skip[--u->n_skips]});
      x = few__res_block(nn, &u->res, x, c, FEW_KEEP);
      few_nn_pop(nn);
    }
  }
  return x;
}

static bool fits(struct few_nn *nn, const struct few_net_spec *spec, const struct uvit_opts *o) {
  const int64_t unit = o->patch << (o->mults.n > 0 ? o->mults.n : 1);
  if (!spec->points && o->mults.n > 0 && spec->h % unit == 0 && spec->w % unit == 0 &&
      o->width % 4 == 0 && o->width % o->heads == 0)
    return true;
  few__graph_fail(
      nn->g, FEW_E_INVALID,
      "uvit: %lldx%lld%s with patch %lld, %d levels, width %lld, %lld heads: sides must "
      "be multiples of %lld (patch 2^levels), width a multiple of 4 and of heads",
      (long long)spec->h, (long long)spec->w, spec->points ? " points" : " images",
      (long long)o->patch, o->mults.n, (long long)o->width, (long long)o->heads, (long long)unit);
  return false;
}

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct uvit_opts *o = opts;
  struct uvit u = {.nn = nn, .o = o};
  few_graph *g = nn->g;
  if (!fits(nn, spec, o)) return FEW_NONE;
  const int64_t n = few_node_shape(g, in->x).dim[0], h = spec->h / o->patch, w = spec->w / o->patch;
  const int64_t area = o->patch * o->patch, c = spec->c * few_net_heads(spec);
  u.res = (struct few_res){.cond = &o->cond,
                           .emb = few_cond_embed(nn, spec, &o->cond, in, o->embedding, o->width),
                           .groups = o->groups,
                           .group_channels = o->group_channels,
                           .norm_eps = o->norm_eps,
                           .skip_scale = o->skip_scale,
                           .filter = o->filter,
                           .dropout_side = o->dropout_side};
  few_node x =
      few_reshape(g, few__patchify(g, in->x, o->patch), FEW_SHAPE(n, h, w, area * spec->c));
  x = way_up(&u, middle(&u, way_down(&u, x)));
  x = few_nn_conv(nn, "out", few__res_norm_silu(nn, &u.res, "out_norm", x), area * c, 3, 1, 0);
  return few__unpatchify(g, few_reshape(g, x, FEW_SHAPE(n, h * w, area * c)), spec, o->patch);
}

static few_status check(few_ctx *ctx, const struct few_net_spec *spec, const void *opts) {
  const struct uvit_opts *o = opts;
  return few__res_check_dropout(ctx, "uvit", &o->cond, o->dropout_side,
                                spec->h / o->patch >> o->mults.n);
}

const struct few_net_def few__net_uvit = {
    .version = FEW_NET_DEF_VERSION,
    .name = "uvit",
    .source = "arXiv 2301.11093",
    .help = "U-Net whose lowest level is a transformer, for large images",
    .options = options,
    .options_size = sizeof(struct uvit_opts),
    .build = build,
    .check = check,
};
