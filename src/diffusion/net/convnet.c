/* convnet - a residual convolutional classifier (He et al., arXiv 1603.05027) for small images.
 *
 *   conv in; then levels, each with half the side of the one before, of residual blocks
 *   h = (skip(h) + conv(silu(norm(conv(silu(norm h)))))) / sqrt 2;
 *   features = mean over positions of silu(norm h);  logits = W features + b.
 *
 * Norms are group norms, so the features of an image do not depend on other images, and no running
 * statistics have to be folded into the weights. Time and label are not inputs. The objective is
 * `classifier`.
 */
#include <math.h>

#include "net.h"

struct convnet_opts {
  struct few_int_list channels;
  int64_t blocks, group_channels;
  double dropout;
};

static const struct few_option options[] = {
    FEW_OPT_INTS(struct convnet_opts, channels, "32, 48, 96", 4, 4096,
                 "width of each level; the first has no blocks"),
    FEW_OPT_INT(struct convnet_opts, blocks, "1", 1, 16, "residual blocks per level"),
    FEW_OPT_INT(struct convnet_opts, group_channels, "8", 1, 1024,
                "fewest channels of a group of a norm"),
    FEW_OPT_REAL(struct convnet_opts, dropout, "0", 0, 0.95, "probability of dropping a feature"),
    FEW_OPT_END};

static few_node norm_silu(struct few_nn *nn, const char *name, few_node x, int64_t group) {
  struct few_shape s = few_node_shape(nn->g, x);
  int64_t c = s.rank ? s.dim[s.rank - 1] : 1, groups = c / group > 1 ? c / group : 1;
  while (c % groups) groups--;
  return few_silu(nn->g, few_nn_group_norm(nn, name, x, (int)groups, 1e-5));
}

static few_node block(struct few_nn *nn, few_node x, int64_t out, int64_t group) {
  struct few_shape s = few_node_shape(nn->g, x);
  few_node h = few_nn_conv(nn, "conv0", norm_silu(nn, "norm0", x, group), out, 3, 1, 1);
  h = few_nn_conv(nn, "conv1", norm_silu(nn, "norm1", h, group), out, 3, 1, 1);
  if (s.rank != 4 || s.dim[3] != out) x = few_nn_conv(nn, "skip", x, out, 1, 1, 1);
  return few_scale(nn->g, few_add(nn->g, x, h), sqrt(0.5));
}

static few_node mean_of_positions(few_graph *g, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4) return FEW_NONE; /* the graph has failed */
  x = few_sum(g, x, FEW_SHAPE(s.dim[0], 1, 1, s.dim[3]));
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], s.dim[3]));
  return few_scale(g, x, 1 / (double)(s.dim[1] * s.dim[2]));
}

static few_node features(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                         const struct few_net_input *in) {
  const struct convnet_opts *o = opts;
  int64_t unit = (int64_t)1 << (o->channels.n - 1);
  if (spec->points || spec->h % unit || spec->w % unit)
    return few__graph_fail(nn->g, FEW_E_INVALID,
                           "convnet: %d levels need images whose sides are multiples of %lld; "
                           "these are %lldx%lld%s: choose fewer levels in `channels`",
                           o->channels.n, (long long)unit, (long long)spec->h, (long long)spec->w,
                           spec->points ? " points" : "");
  few_node x = few_nn_conv(nn, "in", in->x, o->channels.at[0], 3, 1, 1);
  for (int l = 1; l < o->channels.n; l++) {
    x = few_down(nn->g, x, 2, (const double[]){1, 1});
    for (int64_t b = 0; b < o->blocks; b++) {
      few_nn_push(nn, "level.%d.%lld", l, (long long)b);
      x = block(nn, x, o->channels.at[l], o->group_channels);
      few_nn_pop(nn);
    }
  }
  return mean_of_positions(nn->g, norm_silu(nn, "out_norm", x, o->group_channels));
}

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct convnet_opts *o = opts;
  if (spec->classes < 2)
    return few__graph_fail(nn->g, FEW_E_INVALID, "convnet: %lld classes: give labelled data",
                           (long long)spec->classes);
  few_node x = features(nn, spec, opts, in);
  nn->dropout = o->dropout;
  return few_nn_linear(nn, "out", few_nn_dropout(nn, x), spec->classes, 0, true);
}

const struct few_net_def few__net_convnet = {
    .version = FEW_NET_DEF_VERSION,
    .name = "convnet",
    .source = "arXiv 1603.05027",
    .help = "residual convolutional classifier, for features",
    .options = options,
    .options_size = sizeof(struct convnet_opts),
    .build = build,
    .features = features,
};
