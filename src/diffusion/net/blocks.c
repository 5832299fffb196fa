/* blocks.c - see blocks.h. */
#include "blocks.h"

#include <math.h>

/* ---- residual blocks ---- */

/* The number of groups: at most `groups`, of at least `group_channels` channels each, and reduced
 * until it divides the channels. 32 and 4 are EDM's rule. 32 and 1 give 32 groups, as in DDPM, if
 * the channels are a multiple of 32. */
int few__res_groups(const struct few_res *r, int64_t channels) {
  int64_t n = channels / r->group_channels < r->groups ? channels / r->group_channels : r->groups;
  if (n < 1) n = 1;
  while (channels % n) n--;
  return (int)n;
}

few_node few__resampled(struct few_nn *nn, const struct few_res *r, few_node x,
                        enum few_resampling how) {
  static const double taps[2][4] = {{1, 1, 0, 0}, {1, 3, 3, 1}};
  int n = r->filter == FEW_FILTER_1331 ? 4 : 2;
  if (how == FEW_HALVE) return few_down(nn->g, x, n, taps[r->filter]);
  return how == FEW_DOUBLE ? few_up(nn->g, x, n, taps[r->filter]) : x;
}

few_node few__res_norm_silu(struct few_nn *nn, const struct few_res *r, const char *name,
                            few_node x) {
  struct few_shape s = few_node_shape(nn->g, x);
  int groups = few__res_groups(r, s.rank ? s.dim[s.rank - 1] : 1);
  return few_silu(nn->g, few_nn_group_norm(nn, name, x, groups, r->norm_eps));
}

/* The second norm of a block with the embedding, which DDPM adds before it. */
static few_node norm_and_modulate(struct few_nn *nn, const struct few_res *r, few_node h,
                                  int groups) {
  if (r->cond->modulation == FEW_MODULATION_ADD) {
    h = few_cond_modulate(nn, r->cond, "mod", h, r->emb);
    return few_nn_group_norm(nn, "norm1", h, groups, r->norm_eps);
  }
  h = few_norm(nn->g, h, groups, true, r->norm_eps);
  return few_cond_modulate(nn, r->cond, "mod", h, r->emb);
}

few_node few__res_block(struct few_nn *nn, const struct few_res *r, few_node x, int64_t out,
                        enum few_resampling how) {
  few_graph *g = nn->g;
  struct few_shape s = few_node_shape(g, x);
  few_node h = few__resampled(nn, r, few__res_norm_silu(nn, r, "norm0", x), how);
  h = few_nn_conv(nn, "conv0", h, out, 3, 1, 1);
  h = few_silu(g, norm_and_modulate(nn, r, h, few__res_groups(r, out)));
  nn->dropout = few_node_shape(g, h).dim[1] <= r->dropout_side ? r->cond->dropout : 0;
  h = few_nn_conv(nn, "conv1", few_nn_dropout(nn, h), out, 3, 1, 0);
  x = few__resampled(nn, r, x, how);
  const bool project = r->resample_proj && how != FEW_KEEP;
  if (s.rank != 4 || s.dim[3] != out || project) x = few_nn_conv(nn, "skip", x, out, 1, 1, 1);
  return few_scale(g, few_add(g, x, h), r->skip_scale);
}

few_status few__res_check_dropout(few_ctx *ctx, const char *net, const struct few_cond_opts *cond,
                                  int64_t dropout_side, int64_t lowest) {
  if (!(cond->dropout > 0) || dropout_side >= lowest) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: dropout = %g has no effect, because it is used at sides of at most "
                   "dropout_side = %lld and the lowest level has side %lld: raise dropout_side",
                   net, cond->dropout, (long long)dropout_side, (long long)lowest);
}

/* ---- tokens ---- */

few_node few__patchify(few_graph *g, few_node x, int64_t p) {
  struct few_shape s = few_node_shape(g, x);
  int64_t gh = s.dim[1] / p, gw = s.dim[2] / p;
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], gh, p, gw, p, s.dim[3]));
  x = few_transpose(g, x, (int[]){0, 1, 3, 2, 4, 5});
  return few_reshape(g, x, FEW_SHAPE(s.dim[0], gh * gw, p * p * s.dim[3]));
}

few_node few__unpatchify(few_graph *g, few_node x, const struct few_net_spec *spec, int64_t p) {
  int64_t n = few_node_shape(g, x).dim[0], gh = spec->h / p, gw = spec->w / p;
  int64_t c = spec->c * few_net_heads(spec);
  x = few_reshape(g, x, FEW_SHAPE(n, gh, gw, p, p, c));
  x = few_transpose(g, x, (int[]){0, 1, 3, 2, 4, 5});
  return few_reshape(g, x, FEW_SHAPE(n, spec->h, spec->w, c));
}

few_node few__positions(struct few_nn *nn, int64_t gh, int64_t gw, int64_t width) {
  few_ctx *ctx = few__graph_ctx(nn->g);
  const int64_t most = (int64_t)1 << 27; /* a limit of a gigabyte, since a file gives the size */
  int64_t quarter = width / 4;
  double *v;
  if (gh * gw > most / width)
    return few__graph_fail(nn->g, FEW_E_INVALID,
                           "%lld x %lld tokens of width %lld are too many for a table of "
                           "positions: choose a larger patch",
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

/* x + gate * y, where gate [N, 1, width] is a linear layer of the embedding. */
static few_node gated(struct few_nn *nn, few_node x, few_node y, few_node emb, const char *name) {
  struct few_shape s = few_node_shape(nn->g, x);
  few_node gate = few_nn_linear(nn, name, emb, s.rank ? s.dim[s.rank - 1] : 1, 0, true);
  return few_add(nn->g, x, few_mul(nn->g, few_nn_rows(nn, gate, 3), y));
}

few_node few__transformer_block(struct few_nn *nn, const struct few_transformer *o, few_node x,
                                few_node emb) {
  few_graph *g = nn->g;
  struct few_shape s = few_node_shape(g, x);
  const int64_t width = s.rank ? s.dim[s.rank - 1] : 1;
  few_node y = few_nn_channel_norm(nn, x, true, 1e-6);
  y = few_cond_modulate(nn, o->cond, "mod0", y, emb);
  y = few_nn_attention(nn, "attention", y, o->heads, 1);
  x = gated(nn, x, y, emb, "gate0");
  y = few_nn_channel_norm(nn, x, true, o->mlp_eps);
  y = few_cond_modulate(nn, o->cond, "mod1", y, emb);
  y = few_gelu(g, few_nn_linear(nn, "mlp0", y, width * o->mlp_ratio, 1, true));
  y = few_nn_linear(nn, "mlp1", few_nn_dropout(nn, y), width, 1, true);
  return gated(nn, x, y, emb, "gate1");
}
