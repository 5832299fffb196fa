/* unet - the U-Net of diffusion models. The default options give ADM (Dhariwal and Nichol, arXiv
 * 2105.05233) with EDM's scaled residual sums. Others give DDPM, and EDM's DDPM++ and NCSN++
 * (Karras et al., arXiv 2206.00364).
 *
 *   conv in
 *   way down   per level: residual blocks, with attention where the side is listed; every result is
 *              pushed on the skip stack; then half the side
 *   middle     block, attention, block
 *   way up     per level: one block more than on the way down, each with a popped skip
 *              concatenated; then twice the side
 *   norm, SiLU, conv out
 *
 * A residual block is  (x + conv(silu(modulate(norm(conv(silu(norm x)))))) ) * skip_scale; the
 * modulation carries time, label and guidance. `resample = conv` moves between levels by strided
 * convolution and nearest + convolution (DDPM); `filter` by a residual block that resamples inside.
 *
 * `encoder = residual` (NCSN++) adds the image itself on the way down: after each change of level
 * x = aux = (x + conv(aux) at half the side) * skip_scale, where aux begins as the image.
 */
#include <stdio.h>

#include "blocks.h"

enum { DEFAULT_ATTENTION = 16 };

struct unet_opts {
  struct few_cond_opts cond;
  int64_t channels, blocks, head_channels, groups, group_channels, embedding_mult, dropout_side;
  int64_t in_channels, time_channels;
  struct few_int_list mults, attention;
  bool middle_attention;
  enum { FILTER, CONV } resample;
  enum { PAD_BOTH, PAD_END } pad;
  enum { UP_ALL, UP_LAST } attention_up;
  enum { STANDARD, RESIDUAL } encoder;
  bool resample_proj;
  enum few_filter filter;
  double skip_scale, norm_eps;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct unet_opts, channels, "64", 4, 4096, "width of the first level"),
    FEW_OPT_INT(struct unet_opts, in_channels, "0", 0, 8192,
                "width of the first convolution; 0: that of the first level"),
    FEW_OPT_INTS(struct unet_opts, mults, "1, 2, 2", 1, 64,
                 "width of each level, as a multiple of the key channels"),
    FEW_OPT_INT(struct unet_opts, blocks, "2", 1, 16, "residual blocks per level"),
    FEW_OPT_INTS(struct unet_opts, attention, "16", 1, 4096,
                 "levels with attention, by their side in pixels; 1: none"),
    FEW_OPT_CHOICE(struct unet_opts, attention_up, "all", "all|last",
                   "blocks with attention on the way up, at the levels of key attention: all, or "
                   "only the last"),
    FEW_OPT_BOOL(struct unet_opts, middle_attention, "yes", "attention in the middle"),
    FEW_OPT_INT(struct unet_opts, head_channels, "64", 1, 1024, "channels of an attention head"),
    FEW_OPT_INT(struct unet_opts, groups, "32", 1, 1024,
                "most groups of a norm; fewer where they would not divide the channels"),
    FEW_OPT_INT(struct unet_opts, group_channels, "4", 1, 1024, "fewest channels of a group"),
    FEW_OPT_INT(struct unet_opts, embedding_mult, "4", 1, 256,
                "width of the embedding, as a multiple of the key channels"),
    FEW_OPT_INT(struct unet_opts, time_channels, "0", 0, 8192,
                "sinusoids of the time embedding; 0: as many as the key channels"),
    FEW_OPT_CHOICE(
        struct unet_opts, resample, "filter", "filter|conv",
        "between levels: filter: resampling blocks (EDM); conv: strided convolutions (DDPM)"),
    FEW_OPT_CHOICE(struct unet_opts, pad, "both", "both|end",
                   "zeros around images before a strided convolution: both: at both ends of rows "
                   "and columns; end: only at the end"),
    FEW_OPT_BOOL(struct unet_opts, resample_proj, "no",
                 "a 1x1 convolution beside every resampling block"),
    FEW_OPT_CHOICE(struct unet_opts, encoder, "standard", "standard|residual",
                   "residual: add the image to the first block of each level on the way down "
                   "(NCSN++)"),
    FEW_OPT_CHOICE(struct unet_opts, filter, "box", "box|1331", "taps of the resampling filter"),
    FEW_OPT_REAL(struct unet_opts, skip_scale, "0.70710678118654757", 0.01, 1,
                 "factor on each residual sum"),
    FEW_OPT_REAL(struct unet_opts, norm_eps, "1e-5", 1e-12, 1, "epsilon of the norms"),
    FEW_OPT_INT(struct unet_opts, dropout_side, "4096", 1, 4096,
                "use dropout only at levels of at most this side in pixels"),
    FEW_COND_OPTIONS(struct unet_opts),
    FEW_OPT_END};

enum { MAX_SKIPS = 128 };

struct unet {
  struct few_nn *nn;
  const struct unet_opts *o;
  struct few_res res;
  few_node skip[MAX_SKIPS];
  int n_skips;
};

static few_node attention(struct unet *u, few_node x) {
  struct few_shape s = few_node_shape(u->nn->g, x);
  int64_t c = s.rank ? s.dim[s.rank - 1] : 1;
  int64_t heads = c > u->o->head_channels ? c / u->o->head_channels : 1;
  few_node h = few_nn_group_norm(u->nn, "norm2", x, few__res_groups(&u->res, c), u->o->norm_eps);
  h = few_nn_attention(u->nn, "attention", h, heads, 0);
  return few_scale(u->nn->g, few_add(u->nn->g, x, h), u->o->skip_scale);
}

static bool listed(const struct few_int_list *list, int64_t side) {
  for (int i = 0; i < list->n; i++)
    if (list->at[i] == side) return true;
  return false;
}

static few_node block_with_attention(struct unet *u, few_node x, int64_t out, bool attend) {
  x = few__res_block(u->nn, &u->res, x, out, FEW_KEEP);
  struct few_shape s = few_node_shape(u->nn->g, x);
  return attend && s.rank == 4 && listed(&u->o->attention, s.dim[1]) ? attention(u, x) : x;
}

static void push_skip(struct unet *u, few_node x) {
  if (u->n_skips < MAX_SKIPS) u->skip[u->n_skips++] = x;
}

static few_node halve(struct unet *u, few_node x, int64_t c) {
  if (u->o->resample == FILTER) return few__res_block(u->nn, &u->res, x, c, FEW_HALVE);
  if (u->o->pad == PAD_BOTH) return few_nn_conv(u->nn, "conv", x, c, 3, 2, 1);
  for (int axis = 1; axis < 3; axis++) x = few_pad(u->nn->g, x, axis, 0, 1);
  return few__nn_conv(u->nn, "conv", x, c, 3, 2, 0, 1);
}

/* conv(aux) at half the side. The convolution is computed one pixel beyond the image on each side
 * where the filter reaches there, as in EDM's fused resampling. */
static few_node halve_aux(struct unet *u, few_node aux, int64_t c) {
  struct few_nn *nn = u->nn;
  const bool wide = u->res.filter == FEW_FILTER_1331;
  const struct few_shape s = few_node_shape(nn->g, aux);
  few_node y = aux;
  for (int axis = 1; wide && axis < 3; axis++) y = few_pad(nn->g, y, axis, 2, 2);
  y = few__resampled(nn, &u->res, few_nn_conv(nn, "aux", y, c, 3, 1, 1), FEW_HALVE);
  for (int axis = 1; wide && axis < 3; axis++)
    y = few_slice(nn->g, y, axis, 1, s.rank == 4 ? s.dim[axis] / 2 : 1);
  return y;
}

static few_node twice(struct unet *u, few_node x, int64_t c) {
  if (u->o->resample == FILTER) return few__res_block(u->nn, &u->res, x, c, FEW_DOUBLE);
  return few_nn_conv(u->nn, "conv", few_up(u->nn->g, x, 2, (const double[]){1, 1}), c, 3, 1, 1);
}

static few_node way_down(struct unet *u, few_node x) {
  struct few_nn *nn = u->nn;
  const struct unet_opts *o = u->o;
  few_node aux = x;
  x = few_nn_conv(nn, "in", x, o->in_channels ? o->in_channels : o->channels * o->mults.at[0], 3, 1,
                  1);
  push_skip(u, x);
  for (int l = 0; l < o->mults.n; l++) {
    int64_t c = o->channels * o->mults.at[l];
    for (int64_t b = 0; b < o->blocks; b++) {
      few_nn_push(nn, "down.%d.%lld", l, (long long)b);
      x = block_with_attention(u, x, c, true);
      few_nn_pop(nn);
      push_skip(u, x);
    }
    if (l + 1 == o->mults.n) break;
    few_nn_push(nn, "down.%d.half", l);
    x = halve(u, x, c);
    if (o->encoder == RESIDUAL)
      x = aux = few_scale(nn->g, few_add(nn->g, x, halve_aux(u, aux, c)), o->skip_scale);
    few_nn_pop(nn);
    push_skip(u, x);
  }
  return x;
}

static few_node middle(struct unet *u, few_node x) {
  int64_t c = u->o->channels * u->o->mults.at[u->o->mults.n - 1];
  few_nn_push(u->nn, "middle.0");
  x = few__res_block(u->nn, &u->res, x, c, FEW_KEEP);
  if (u->o->middle_attention) x = attention(u, x);
  few_nn_pop(u->nn);
  few_nn_push(u->nn, "middle.1");
  x = few__res_block(u->nn, &u->res, x, c, FEW_KEEP);
  few_nn_pop(u->nn);
  return x;
}

static few_node way_up(struct unet *u, few_node x) {
  struct few_nn *nn = u->nn;
  const struct unet_opts *o = u->o;
  for (int l = o->mults.n - 1; l >= 0; l--) {
    int64_t c = o->channels * o->mults.at[l];
    for (int64_t b = 0; b <= o->blocks; b++) {
      few_nn_push(nn, "up.%d.%lld", l, (long long)b);
      few_node skip = u->n_skips > 0 ? u->skip[--u->n_skips] : FEW_NONE;
      x = few_concat(nn->g, 3, 2, (few_node[]){x, skip});
      x = block_with_attention(u, x, c, o->attention_up == UP_ALL || b == o->blocks);
      few_nn_pop(nn);
    }
    if (l == 0) break;
    few_nn_push(nn, "up.%d.twice", l);
    x = twice(u, x, c);
    few_nn_pop(nn);
  }
  return x;
}

static bool fits(struct few_nn *nn, const struct few_net_spec *spec, const struct unet_opts *o) {
  int64_t unit = (int64_t)1 << (o->mults.n > 0 ? o->mults.n - 1 : 0);
  int64_t skips = (o->blocks + 1) * o->mults.n;
  if (!spec->points && o->mults.n > 0 && spec->h % unit == 0 && spec->w % unit == 0 &&
      skips <= MAX_SKIPS)
    return true;
  few__graph_fail(nn->g, FEW_E_INVALID,
                  "unet: %d levels need images whose sides are multiples of %lld (and at most %d "
                  "blocks in all); these are %lldx%lld%s: choose fewer levels in `mults`%s",
                  o->mults.n, (long long)unit, MAX_SKIPS, (long long)spec->h, (long long)spec->w,
                  spec->points ? " points" : "", spec->points ? ", or net = mlp" : "");
  return false;
}

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct unet_opts *o = opts;
  struct unet u = {.nn = nn, .o = o};
  if (!fits(nn, spec, o)) return FEW_NONE;
  u.res = (struct few_res){.cond = &o->cond,
                           .emb = few_cond_embed(nn, spec, &o->cond, in,
                                                 o->time_channels ? o->time_channels : o->channels,
                                                 o->channels * o->embedding_mult),
                           .groups = o->groups,
                           .group_channels = o->group_channels,
                           .norm_eps = o->norm_eps,
                           .skip_scale = o->skip_scale,
                           .filter = o->filter,
                           .resample_proj = o->resample_proj,
                           .dropout_side = o->dropout_side};
  nn->middle = middle(&u, way_down(&u, in->x));
  few_node x = way_up(&u, nn->middle);
  return few_nn_conv(nn, "out", few__res_norm_silu(nn, &u.res, "out_norm", x),
                     spec->c * few_net_heads(spec), 3, 1, 0);
}

/* "32, 16, 8": heights of the levels. */
static void levels_text(const struct few_net_spec *spec, const struct unet_opts *o, char *out,
                        size_t size) {
  size_t at = 0;
  out[0] = '\0';
  for (int l = 0; l < o->mults.n && at < size; l++)
    at += (size_t)snprintf(out + at, size - at, "%s%lld", l ? ", " : "", (long long)(spec->h >> l));
}

static int level_of(const struct few_net_spec *spec, const struct unet_opts *o, int64_t side) {
  for (int l = 0; l < o->mults.n; l++)
    if (spec->h % ((int64_t)1 << l) == 0 && spec->h >> l == side) return l;
  return -1;
}

static few_status check_attention(few_ctx *ctx, const struct few_net_spec *spec,
                                  const struct unet_opts *o, int64_t side) {
  const int level = level_of(spec, o, side);
  char levels[200];
  if (level < 0 && o->attention.n == 1 && side == 1) return FEW_OK; /* 1 means no attention */
  levels_text(spec, o, levels, sizeof levels);
  if (level < 0 && o->attention.n == 1 && side == DEFAULT_ATTENTION) {
    few__log(
        ctx, FEW_LOG_WARN,
        "unet: no level has the side attention = %lld, the default (sides: %s), so only the middle "
        "may have attention; give sides of levels",
        (long long)side, levels);
    return FEW_OK;
  }
  if (level < 0)
    return few__fail(
        ctx, FEW_E_INVALID,
        "unet: attention = %lld: no level has this side; the levels have %s, and 1 means none",
        (long long)side, levels);
  const int64_t c = o->channels * o->mults.at[level];
  const int64_t heads = c > o->head_channels ? c / o->head_channels : 1;
  if (c % heads == 0) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "unet: attention = %lld: the %lld channels of that level are not a multiple of its %lld "
      "heads: give head_channels that divide them",
      (long long)side, (long long)c, (long long)heads);
}

static few_status check(few_ctx *ctx, const struct few_net_spec *spec, const void *opts) {
  const struct unet_opts *o = opts;
  if (spec->points) return FEW_OK; /* build refuses them */
  for (int i = 0; i < o->attention.n; i++)
    FEW_TRY(check_attention(ctx, spec, o, o->attention.at[i]));
  return few__res_check_dropout(ctx, "unet", &o->cond, o->dropout_side,
                                spec->h >> (o->mults.n > 0 ? o->mults.n - 1 : 0));
}

const struct few_net_def few__net_unet = {
    .version = FEW_NET_DEF_VERSION,
    .name = "unet",
    .source = "arXiv 2105.05233, 2006.11239, 2206.00364",
    .help = "U-Net with residual blocks and attention (ADM; by options DDPM, DDPM++, NCSN++)",
    .options = options,
    .options_size = sizeof(struct unet_opts),
    .build = build,
    .check = check,
};
