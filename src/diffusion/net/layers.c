/* layers.c - the layers that networks are built from. */
#include <math.h>

#include "base/rng.h"
#include "nn.h"

static struct few_init weight_init(double gain, int64_t fan_in) {
  if (gain == 0) return (struct few_init){FEW_INIT_ZERO, 0};
  return (struct few_init){FEW_INIT_NORMAL, gain / sqrt((double)fan_in)};
}

static const struct few_init zero = {FEW_INIT_ZERO, 0}, one = {FEW_INIT_ONE, 0};

/* A parameter with one value per channel, as [1,..,1,C]. */
static few_node channels_param(struct few_nn *nn, const char *name, int64_t c, int rank,
                               struct few_init init) {
  struct few_shape s = {.rank = rank, .dim = {1, 1, 1, 1, 1, 1}};
  if (rank < 1) return FEW_NONE; /* the layer's input failed */
  s.dim[rank - 1] = c;
  return few_reshape(nn->g, few_nn_param(nn, name, FEW_SHAPE(c), init), s);
}

few_node few_nn_linear(struct few_nn *nn, const char *name, few_node x, int64_t out, double gain,
                       bool bias) {
  struct few_shape s = few_node_shape(nn->g, x);
  if (s.rank < 2)
    return few__graph_fail(nn->g, FEW_E_INVALID, "linear %s: needs an input [..,C]", name);
  int64_t in = s.dim[s.rank - 1];
  few_nn_push(nn, "%s", name);
  few_node w = few_nn_param(nn, "w", FEW_SHAPE(in, out), weight_init(gain, in));
  few_node y = few_matmul(nn->g, x, w, false, false);
  if (bias) y = few_add(nn->g, y, channels_param(nn, "b", out, s.rank, zero));
  few_nn_pop(nn);
  return y;
}

few_node few__nn_conv(struct few_nn *nn, const char *name, few_node x, int64_t out, int kernel,
                      int stride, int pad, double gain) {
  struct few_shape s = few_node_shape(nn->g, x);
  if (s.rank != 4)
    return few__graph_fail(nn->g, FEW_E_INVALID, "conv %s: needs an input [N,H,W,C]", name);
  int64_t in = s.dim[3];
  few_nn_push(nn, "%s", name);
  few_node w = few_nn_param(nn, "w", FEW_SHAPE(kernel, kernel, in, out),
                            weight_init(gain, in * kernel * kernel));
  few_node y = few_conv(nn->g, x, w, stride, pad);
  y = few_add(nn->g, y, channels_param(nn, "b", out, 4, zero));
  few_nn_pop(nn);
  return y;
}

few_node few_nn_conv(struct few_nn *nn, const char *name, few_node x, int64_t out, int kernel,
                     int stride, double gain) {
  return few__nn_conv(nn, name, x, out, kernel, stride, kernel / 2, gain);
}

few_node few_nn_group_norm(struct few_nn *nn, const char *name, few_node x, int groups,
                           double eps) {
  struct few_shape s = few_node_shape(nn->g, x);
  int64_t c = s.rank ? s.dim[s.rank - 1] : 1;
  few_nn_push(nn, "%s", name);
  few_node y = few_norm(nn->g, x, groups, true, eps);
  y = few_mul(nn->g, y, channels_param(nn, "scale", c, s.rank, one));
  y = few_add(nn->g, y, channels_param(nn, "shift", c, s.rank, zero));
  few_nn_pop(nn);
  return y;
}

few_node few_nn_channel_norm(struct few_nn *nn, few_node x, bool center, double eps) {
  struct few_shape s = few_node_shape(nn->g, x);
  int64_t c = s.rank ? s.dim[s.rank - 1] : 1;
  few_node rows = few_reshape(nn->g, x, FEW_SHAPE(few_shape_count(s) / c, c));
  return few_reshape(nn->g, few_norm(nn->g, rows, 1, center, eps), s);
}

few_node few_nn_pnorm(struct few_nn *nn, few_node x) {
  return few_nn_channel_norm(nn, x, false, 1e-8);
}

few_node few_nn_dropout(struct few_nn *nn, few_node x) {
  uint32_t purpose = FEW_RNG_DROPOUT + (uint32_t)nn->n_dropouts++;
  if (!nn->training || nn->dropout <= 0) return x;
  few_graph *g = nn->g;
  few_node u = few_randu(g, purpose, few_node_shape(g, x));
  few_node keep = few_less(g, few_fill(g, nn->dropout, FEW_SCALAR), u);
  return few_mul(g, x, few_scale(g, keep, 1 / (1 - nn->dropout)));
}

/* cos and sin, [N, 2 half], of the angles t [N] times f [1,half]. */
static few_node sinusoids_of(few_graph *g, few_node t, few_node f) {
  const int64_t rows = few_node_shape(g, t).dim[0];
  few_node a = few_mul(g, few_reshape(g, t, FEW_SHAPE(rows, 1)), f);
  return few_concat(g, 1, 2, (few_node[]){few_cos(g, a), few_sin(g, a)});
}

static few_node sinusoids(struct few_nn *nn, few_node t, int64_t half, const double *freq) {
  return sinusoids_of(nn->g, t, few_const(nn->g, FEW_SHAPE(1, half), freq));
}

enum { MAX_HALF = 4096 };

static bool check_embedding(struct few_nn *nn, few_node t, int64_t channels) {
  if (few_node_shape(nn->g, t).rank == 1 && channels % 2 == 0 && channels <= 2 * MAX_HALF &&
      channels >= 2)
    return true;
  few__graph_fail(nn->g, FEW_E_INVALID,
                  "time embedding: needs t [N] and an even number of channels, 2 to %d, got %lld",
                  2 * MAX_HALF, (long long)channels);
  return false;
}

few_node few__nn_positional(struct few_nn *nn, few_node t, int64_t channels, double scale,
                            int64_t shift) {
  double freq[MAX_HALF];
  int64_t half = channels / 2;
  if (!check_embedding(nn, t, channels)) return FEW_NONE;
  const double n = (double)(half > shift ? half - shift : 1);
  for (int64_t i = 0; i < half; i++) freq[i] = scale * pow(10000.0, -(double)i / n);
  return sinusoids(nn, t, half, freq);
}

few_node few_nn_positional(struct few_nn *nn, few_node t, int64_t channels, double scale) {
  return few__nn_positional(nn, t, channels, scale, 0);
}

few_node few_nn_fourier(struct few_nn *nn, few_node t, int64_t channels, double scale) {
  double freq[MAX_HALF];
  int64_t half = channels / 2;
  if (!check_embedding(nn, t, channels)) return FEW_NONE;
  const struct few_rng r = {.purpose =
                                FEW_RNG_INIT}; /* part of the architecture, so the seed is fixed */
  few__rng_normal_f64(&r, half, freq);
  for (int64_t i = 0; i < half; i++) freq[i] *= scale * 6.283185307179586;
  return few_scale(nn->g, sinusoids(nn, t, half, freq), sqrt(2.0));
}

few_node few__nn_stored_fourier(struct few_nn *nn, few_node t, int64_t channels, double scale) {
  few_graph *g = nn->g;
  int64_t half = channels / 2;
  if (!check_embedding(nn, t, channels)) return FEW_NONE;
  few_node f = few_nn_param(nn, "freq", FEW_SHAPE(half), (struct few_init){FEW_INIT_NORMAL, 1});
  f = few_reshape(g, few_stop(g, f), FEW_SHAPE(1, half));
  few_node angle = few_scale(g, t, scale * 6.283185307179586);
  return few_scale(g, sinusoids_of(g, angle, f), sqrt(2.0));
}

few_node few_nn_attention(struct few_nn *nn, const char *name, few_node x, int64_t heads,
                          double out_gain) {
  few_graph *g = nn->g;
  struct few_shape s = few_node_shape(g, x);
  int64_t c = s.rank ? s.dim[s.rank - 1] : 1;
  if (s.rank < 3 || heads < 1 || c % heads)
    return few__graph_fail(g, FEW_E_INVALID,
                           "attention %s: %lld heads of %s: needs [N,..,C] with "
                           "C a multiple of heads",
                           name, (long long)heads, few__shape_text(s).at);
  int64_t t = few_shape_count(s) / s.dim[0] / c, each = c / heads;
  few_nn_push(nn, "%s", name);
  few_node qkv = few_nn_linear(nn, "qkv", x, 3 * c, 1, true);
  qkv = few_reshape(g, qkv, FEW_SHAPE(s.dim[0], t, 3, heads, each));
  few_node y = few_attention(g, qkv, 1 / sqrt((double)each));
  y = few_nn_linear(nn, "out", few_reshape(g, y, s), c, out_gain, true);
  few_nn_pop(nn);
  return y;
}

few_node few_nn_rows(struct few_nn *nn, few_node x, int rank) {
  struct few_shape s = few_node_shape(nn->g, x), r = {.rank = rank, .dim = {1, 1, 1, 1, 1, 1}};
  if (x == FEW_NONE) return FEW_NONE;
  r.dim[0] = s.dim[0];
  r.dim[rank - 1] = s.dim[s.rank - 1];
  return few_reshape(nn->g, x, r);
}
