/* edm2 - the magnitude-preserving U-Net of EDM2 (Karras et al., arXiv 2312.02696, configuration G).
 *
 * Every operation preserves the mean square of its operands, so activations, weights and updates
 * keep a fixed size. There are no biases and no group norms.
 *
 *   normalize(a) = a / (1e-4 + rms(a))
 *   layer        W x with W = normalize(w) / sqrt(fan_in) for each output, times a gain (eq. 47)
 *   silu         silu(x) / 0.596                                                       (eq. 81)
 *   sum          ((1-b) x + b y) / sqrt((1-b)^2 + b^2)                                 (eq. 88)
 *   concat       a and b scaled so that each has its share of the result's square    (eq. 103)
 *
 * A block computes y = W1 silu(modulate(W0 silu x)) and then sum(skip x, y, 0.3), where skip is a
 * 1x1 kernel if the number of channels changes. On the way down x is first replaced by
 * normalize(skip x), over channels. Attention, with normalised q, k and v, is added by a sum too.
 * Modulation is y (1 + g W e) with a gain g that begins at 0 (`adagn`), or the double normalization
 * of sCM, normalize(y) normalize(W e) + normalize(W' e), without gain (`double`).
 *
 * Weights are normalised here as they are used. EDM2 also normalises the stored weights after each
 * update. few does not, so their size grows and the effective learning rate falls.
 */
#include "net.h"

enum { MAX_SKIPS = FEW_INT_LIST_MAX * 17 };

struct edm2_opts {
  int time_transform;
  enum few_time_embedding time_embedding;
  enum few_modulation modulation;
  int64_t channels, blocks, head_channels, time_channels, embedding;
  struct few_int_list mults, attention;
  double time_scale, label_balance, concat_balance, res_balance, attention_balance, clip_act,
      dropout;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct edm2_opts, channels, "64", 1, 4096, "width of the first level"),
    FEW_OPT_INTS(struct edm2_opts, mults, "1, 2, 2", 1, 64,
                 "width of each level, as a multiple of the key channels"),
    FEW_OPT_INT(struct edm2_opts, blocks, "3", 1, 16, "blocks per level"),
    FEW_OPT_INTS(struct edm2_opts, attention, "16", 1, 4096,
                 "levels with attention, by their side in pixels; 1: only the lowest level has it"),
    FEW_OPT_INT(struct edm2_opts, head_channels, "64", 1, 1024, "channels of an attention head"),
    FEW_OPT_INT(struct edm2_opts, time_channels, "0", 0, 8192,
                "features of time; 0: as many as the first level has channels"),
    FEW_OPT_INT(struct edm2_opts, embedding, "0", 0, 8192,
                "width of the embedding; 0: that of the widest level"),
    FEW_OPT_REAL(struct edm2_opts, label_balance, "0.5", 0, 1,
                 "share of the label in the embedding"),
    FEW_OPT_REAL(struct edm2_opts, concat_balance, "0.5", 0, 1,
                 "share of the skip in a concatenation"),
    FEW_OPT_REAL(struct edm2_opts, res_balance, "0.3", 0, 1,
                 "share of a block's branch in its sum"),
    FEW_OPT_REAL(struct edm2_opts, attention_balance, "0.3", 0, 1, "share of attention in its sum"),
    FEW_OPT_REAL(struct edm2_opts, clip_act, "256", 0, 1e6,
                 "largest size of an activation after a block; 0: no limit"),
    FEW_OPT_CHOICE(struct edm2_opts, time_transform, "identity", few_time_transform_choices + 1,
                   "the time that is embedded: TrigFlow's t, EDM's ln(sigma)/4 (log), or another "
                   "process's time"),
    FEW_OPT_CHOICE(struct edm2_opts, time_embedding, "positional", "positional|fourier|stored",
                   "sinusoids of falling frequency, random Fourier features, or Fourier features "
                   "whose frequencies are in the model file"),
    FEW_OPT_REAL(struct edm2_opts, time_scale, "1", 1e-6, 1e6,
                 "multiplies time before the sinusoids"),
    FEW_OPT_CHOICE(struct edm2_opts, modulation, "double", "double|adagn",
                   "adaptive double normalization, or EDM2's scale 1 + g s"),
    FEW_OPT_REAL(struct edm2_opts, dropout, "0", 0, 0.95, "chance of dropping a value"),
    FEW_OPT_END};

struct edm2 {
  struct few_nn *nn;
  const struct edm2_opts *o;
  few_node emb; /* [N,embedding] */
  few_node skip[MAX_SKIPS];
  int n_skips;
};

static int64_t channels_of(few_graph *g, few_node x) {
  const struct few_shape s = few_node_shape(g, x);
  return s.rank ? s.dim[s.rank - 1] : 1;
}

/* ---- Operations that keep the mean square ---- */

/* a / (1e-4 + rms of a over the dims that are 1 in `per`). The square root has a slope at 0. */
static few_node normalize(few_graph *g, few_node a, struct few_shape per) {
  const double n = (double)few_shape_count(few_node_shape(g, a)) / (double)few_shape_count(per);
  few_node mean = few_scale(g, few_sum(g, few_square(g, a), per), 1 / n);
  few_node rms = few_sqrt(g, few_affine(g, mean, 1, 1e-16));
  return few_div(g, a, few_affine(g, rms, 1, 1e-4));
}

/* Normalises over the channels of each position. */
static few_node normalize_channels(few_graph *g, few_node x) {
  struct few_shape per = few_node_shape(g, x);
  if (per.rank < 1) return FEW_NONE;
  per.dim[per.rank - 1] = 1;
  return normalize(g, x, per);
}

static few_node silu(few_graph *g, few_node x) { return few_scale(g, few_silu(g, x), 1 / 0.596); }

static few_node sum(few_graph *g, few_node a, few_node b, double share) {
  const double size = hypot(1 - share, share);
  return few_add(g, few_scale(g, a, (1 - share) / size), few_scale(g, b, share / size));
}

static few_node concat(few_graph *g, few_node a, few_node b, double share) {
  const double na = (double)channels_of(g, a), nb = (double)channels_of(g, b);
  const double c = sqrt(na + nb) / hypot(1 - share, share);
  a = few_scale(g, a, c / sqrt(na) * (1 - share));
  b = few_scale(g, b, c / sqrt(nb) * share);
  return few_concat(g, 3, 2, (few_node[]){a, b});
}

/* The parameter NAME.w of a shape [..,out], normalised for each output, without 1/sqrt(fan_in). */
static few_node weight(struct few_nn *nn, const char *name, struct few_shape s) {
  struct few_shape per = {.rank = s.rank, .dim = {1, 1, 1, 1, 1, 1}};
  per.dim[s.rank - 1] = s.dim[s.rank - 1];
  few_nn_push(nn, "%s", name);
  few_node w = few_nn_param(nn, "w", s, (struct few_init){FEW_INIT_NORMAL, 1});
  few_nn_pop(nn);
  return normalize(nn->g, w, per);
}

static few_node linear(struct few_nn *nn, const char *name, few_node x, int64_t out) {
  const int64_t in = channels_of(nn->g, x);
  few_node w = weight(nn, name, FEW_SHAPE(in, out));
  return few_matmul(nn->g, x, few_scale(nn->g, w, 1 / sqrt((double)in)), false, false);
}

static few_node conv(struct few_nn *nn, const char *name, few_node x, int64_t out, int kernel) {
  const int64_t in = channels_of(nn->g, x), fan_in = in * kernel * kernel;
  few_node w = weight(nn, name, FEW_SHAPE(kernel, kernel, in, out));
  return few_conv(nn->g, x, few_scale(nn->g, w, 1 / sqrt((double)fan_in)), 1, kernel / 2);
}

/* A learned factor that begins at 0. */
static few_node gain(struct few_nn *nn, const char *name, few_node x) {
  few_node g = few_nn_param(nn, name, FEW_SHAPE(1), (struct few_init){FEW_INIT_ZERO, 0});
  return few_mul(nn->g, few_reshape(nn->g, g, FEW_SCALAR), x);
}

/* ---- Blocks ---- */

static few_node modulate(struct edm2 *u, few_node y) {
  few_graph *g = u->nn->g;
  const int64_t c = channels_of(g, y);
  few_node s = linear(u->nn, "scale", u->emb, c);
  if (u->o->modulation == FEW_MODULATION_ADAGN) {
    s = few_affine(g, gain(u->nn, "gain", s), 1, 1);
    return few_mul(g, y, few_nn_rows(u->nn, s, 4));
  }
  s = normalize_channels(g, s);
  few_node b = normalize_channels(g, linear(u->nn, "shift", u->emb, c));
  y = few_mul(g, normalize_channels(g, y), few_nn_rows(u->nn, s, 4));
  return few_add(g, y, few_nn_rows(u->nn, b, 4));
}

static few_node attention(struct edm2 *u, few_node x) {
  few_graph *g = u->nn->g;
  const struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4) return FEW_NONE;
  const int64_t c = s.dim[3], heads = c > u->o->head_channels ? c / u->o->head_channels : 1;
  if (c % heads)
    return few__graph_fail(g, FEW_E_INVALID,
                           "edm2: the %lld channels of a level with attention are not a multiple "
                           "of its %lld heads: give head_channels that divide them",
                           (long long)c, (long long)heads);
  const int64_t each = c / heads;
  few_node y = conv(u->nn, "qkv", x, 3 * c, 1);
  y = few_reshape(g, y, FEW_SHAPE(s.dim[0], s.dim[1] * s.dim[2], 3, heads, each));
  y = few_attention(g, normalize_channels(g, y), 1 / sqrt((double)each));
  y = conv(u->nn, "proj", few_reshape(g, y, s), c, 1);
  return sum(g, x, y, u->o->attention_balance);
}

static few_node skip_conv(struct edm2 *u, few_node x, int64_t out) {
  return channels_of(u->nn->g, x) == out ? x : conv(u->nn, "skip", x, out, 1);
}

static few_node block(struct edm2 *u, few_node x, int64_t out, bool down, bool attend) {
  struct few_nn *nn = u->nn;
  few_graph *g = nn->g;
  if (down) x = normalize_channels(g, skip_conv(u, x, out));
  few_node y = silu(g, modulate(u, conv(nn, "conv0", silu(g, x), out, 3)));
  y = conv(nn, "conv1", few_nn_dropout(nn, y), out, 3);
  x = sum(g, down ? x : skip_conv(u, x, out), y, u->o->res_balance);
  if (attend) x = attention(u, x);
  if (!(u->o->clip_act > 0)) return x;
  x = few_max(g, x, few_fill(g, -u->o->clip_act, FEW_SCALAR));
  return few_min(g, x, few_fill(g, u->o->clip_act, FEW_SCALAR));
}

static bool listed(const struct few_int_list *list, int64_t side) {
  for (int i = 0; i < list->n; i++)
    if (list->at[i] == side) return true;
  return false;
}

static few_node way_down(struct edm2 *u, const struct few_net_spec *spec, few_node x) {
  struct few_nn *nn = u->nn;
  const struct edm2_opts *o = u->o;
  static const double box[] = {1, 1};
  const struct few_shape s = few_node_shape(nn->g, x);
  few_node ones = few_fill(nn->g, 1, FEW_SHAPE(s.dim[0], spec->h, spec->w, 1));
  x = few_concat(nn->g, 3, 2, (few_node[]){x, ones});
  x = u->skip[u->n_skips++] = conv(nn, "in", x, o->channels * o->mults.at[0], 3);
  for (int l = 0; l < o->mults.n; l++) {
    if (l > 0) {
      few_nn_push(nn, "down.%d.half", l);
      x = few_down(nn->g, x, 2, box);
      x = u->skip[u->n_skips++] = block(u, x, o->channels * o->mults.at[l - 1], true, false);
      few_nn_pop(nn);
    }
    for (int64_t b = 0; b < o->blocks; b++) {
      few_nn_push(nn, "down.%d.%lld", l, (long long)b);
      x = block(u, x, o->channels * o->mults.at[l], true, listed(&o->attention, spec->h >> l));
      u->skip[u->n_skips++] = x;
      few_nn_pop(nn);
    }
  }
  return x;
}

static few_node middle(struct edm2 *u, few_node x) {
  const int64_t c = channels_of(u->nn->g, x);
  for (int i = 0; i < 2; i++) {
    few_nn_push(u->nn, "middle.%d", i);
    x = block(u, x, c, false, i == 0);
    few_nn_pop(u->nn);
  }
  return x;
}

static few_node way_up(struct edm2 *u, const struct few_net_spec *spec, few_node x) {
  struct few_nn *nn = u->nn;
  const struct edm2_opts *o = u->o;
  static const double box[] = {1, 1};
  for (int l = o->mults.n - 1; l >= 0; l--) {
    if (l + 1 < o->mults.n) {
      few_nn_push(nn, "up.%d.twice", l);
      x = few_up(nn->g, x, 2, box);
      x = block(u, x, o->channels * o->mults.at[l + 1], false, false);
      few_nn_pop(nn);
    }
    for (int64_t b = 0; b <= o->blocks; b++) {
      few_nn_push(nn, "up.%d.%lld", l, (long long)b);
      x = concat(nn->g, x, u->skip[--u->n_skips], o->concat_balance);
      x = block(u, x, o->channels * o->mults.at[l], false, listed(&o->attention, spec->h >> l));
      few_nn_pop(nn);
    }
  }
  return x;
}

/* ---- The embedding ---- */

/* Features of a scalar per row, with mean square 1. */
static few_node features(struct edm2 *u, few_node c, int64_t n) {
  const struct edm2_opts *o = u->o;
  if (o->time_embedding == FEW_TIME_FOURIER) return few_nn_fourier(u->nn, c, n, o->time_scale);
  if (o->time_embedding == FEW_TIME_STORED)
    return few__nn_stored_fourier(u->nn, c, n, o->time_scale);
  return few_scale(u->nn->g, few_nn_positional(u->nn, c, n, o->time_scale), sqrt(2.0));
}

/* Adds a further input [N,..] to the embedding. It begins without effect, so a student starts as
 * its teacher. */
static few_node add_input(struct edm2 *u, few_node e, const char *name, few_node rows) {
  few_graph *g = u->nn->g;
  few_nn_push(u->nn, "%s", name);
  rows = gain(u->nn, "gain", linear(u->nn, "in", rows, channels_of(g, e)));
  few_nn_pop(u->nn);
  return few_add(g, e, rows);
}

static few_node add_scalar(struct edm2 *u, few_node e, const char *name, few_node c, int64_t n) {
  few_node waves = few_nn_positional(u->nn, c, n, u->o->time_scale);
  return add_input(u, e, name, few_scale(u->nn->g, waves, sqrt(2.0)));
}

static few_node embed(struct edm2 *u, const struct few_net_spec *spec,
                      const struct few_net_input *in) {
  struct few_nn *nn = u->nn;
  few_graph *g = nn->g;
  const struct edm2_opts *o = u->o;
  const struct few_units units = {spec->sigma_data, spec->betas};
  int64_t n = o->time_channels ? o->time_channels : o->channels * o->mults.at[0], width = 0;
  for (int l = 0; l < o->mults.n; l++)
    if (o->channels * o->mults.at[l] > width) width = o->channels * o->mults.at[l];
  if (o->embedding) width = o->embedding;
  few__cond_check(g, spec, in);
  few_nn_push(nn, "cond");
  few_node c = few__process_at(o->time_transform)->embedded_time(g, &units, in->t);
  few_node e = linear(nn, "time", features(u, c, n), width);
  if (spec->classes > 0) {
    few_node rows = few_fill(g, 0, few_node_shape(g, e));
    if (in->label != FEW_NONE) { /* a row without a label adds 0 */
      few_node w = weight(nn, "label", FEW_SHAPE(spec->classes, width));
      rows = few_matmul(g, few_onehot(g, in->label, spec->classes), w, false, false);
    }
    e = sum(g, e, rows, o->label_balance);
  }
  if (spec->guidance) e = add_scalar(u, e, "guidance", in->guidance, n);
  if (spec->step_size) e = add_scalar(u, e, "step_size", in->step_size, n);
  if (spec->augment && in->augment != FEW_NONE) e = add_input(u, e, "augment", in->augment);
  few_nn_pop(nn);
  return silu(g, e);
}

static bool fits(struct few_nn *nn, const struct few_net_spec *spec, const struct edm2_opts *o) {
  const int64_t unit = (int64_t)1 << (o->mults.n > 0 ? o->mults.n - 1 : 0);
  if (!spec->points && o->mults.n > 0 && spec->h % unit == 0 && spec->w % unit == 0) return true;
  few__graph_fail(nn->g, FEW_E_INVALID,
                  "edm2: %d levels need images whose sides are multiples of %lld; these are "
                  "%lldx%lld%s: choose fewer levels in `mults`%s",
                  o->mults.n, (long long)unit, (long long)spec->h, (long long)spec->w,
                  spec->points ? " points" : "", spec->points ? ", or net = mlp" : "");
  return false;
}

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct edm2_opts *o = opts;
  struct edm2 u = {.nn = nn, .o = o};
  if (!fits(nn, spec, o)) return FEW_NONE;
  nn->dropout = o->dropout;
  u.emb = embed(&u, spec, in);
  nn->middle = middle(&u, way_down(&u, spec, in->x));
  few_node x = way_up(&u, spec, nn->middle);
  few_nn_push(nn, "out");
  x = gain(nn, "gain", conv(nn, "conv", x, spec->c * few_net_heads(spec), 3));
  few_nn_pop(nn);
  return x;
}

const struct few_net_def few__net_edm2 = {
    .version = FEW_NET_DEF_VERSION,
    .name = "edm2",
    .source = "arXiv 2312.02696",
    .help = "U-Net of EDM2, whose operations preserve magnitudes",
    .options = options,
    .options_size = sizeof(struct edm2_opts),
    .build = build,
};
