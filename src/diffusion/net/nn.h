/* nn.h - layers as graph builders over a table of parameters.
 *
 * Tracing a network declares its parameters: the first time a layer asks for "enc.0.conv.w" the
 * table gets a row (shape, initialisation, place in one flat array); later traces find it. The same
 * table then drives allocation, initialisation, checkpoints, counting and printing.
 */
#ifndef FEW_SRC_NN_H
#define FEW_SRC_NN_H

#include "engine/op/op.h"

enum few_init_kind { FEW_INIT_ZERO, FEW_INIT_ONE, FEW_INIT_NORMAL, FEW_INIT_UNIFORM };
struct few_init {
  enum few_init_kind kind;
  double scale; /* standard deviation, or half the width */
};

struct few_param_row {
  char name[96]; /* "enc.0.conv.w" */
  struct few_shape shape;
  struct few_init init;
  int64_t offset; /* elements into the flat array; a multiple of 16 */
};

struct few_params {
  struct few_param_row *at;
  int n, cap;
  int64_t total; /* elements of the flat array, padding between rows included */
};
void few__params_free(few_ctx *ctx, struct few_params *p);
int64_t few__params_count(const struct few_params *p); /* learned numbers, without padding */
int few__params_find(const struct few_params *p, const char *name); /* -1 if there is none */
/* Draw all initial values; padding is 0. A row's numbers depend on (seed, name) alone. */
void few__params_init(const struct few_params *p, uint64_t seed, float *values);

enum { FEW_NN_DEPTH = 16 };

/* One trace of one network. */
struct few_nn {
  few_graph *g;
  struct few_params *params;
  const char *prefix; /* before names in the graph: "student:", "teacher:"; "" for one net alone */
  bool training;      /* dropout is on */
  double dropout;     /* chance of dropping a value */
  int n_dropouts;     /* layers traced so far: each has a mask of its own */
  few_node middle;    /* set by a network: activations half way through, for a discriminator */
  char path[96];
  int depth;                   /* of few__nn_push */
  size_t length[FEW_NN_DEPTH]; /* of path before each push */
};

void few__nn_push(struct few_nn *nn, const char *fmt, ...) FEW_PRINTF(2, 3);
void few__nn_pop(struct few_nn *nn);
few_node few__nn_param(struct few_nn *nn, const char *name, struct few_shape shape,
                       struct few_init init);

/* ---- Layers ---- `gain` scales the initial weights: 1 keeps variance (std 1/sqrt(fan_in)), 0
 * starts at zero. Biases start at zero. */
few_node few__nn_linear(struct few_nn *nn, const char *name, few_node x, int64_t out, double gain,
                        bool bias); /* [..,C] -> [..,out] */
few_node few__nn_conv(struct few_nn *nn, const char *name, few_node x, int64_t out, int kernel,
                      int stride, double gain); /* padding kernel/2, with bias */
/* Group norm with learned scale and shift per channel. */
few_node few__nn_group_norm(struct few_nn *nn, const char *name, few_node x, int groups,
                            double eps);
/* Normalise each position's channel vector: layer norm (center) or RMS norm; no parameters. */
few_node few__nn_channel_norm(struct few_nn *nn, few_node x, bool center, double eps);
/* pnorm(a) = a / sqrt(mean_c a^2 + 1e-8) of rows [N,C] (sCM, arXiv 2410.11081, section 4.1). */
few_node few__nn_pnorm(struct few_nn *nn, few_node x);
few_node few__nn_dropout(struct few_nn *nn, few_node x);
/* Sinusoids of t [N]: [cos(scale t f_i), sin(scale t f_i)], f_i = 10000^(-i/(C/2)): [N,C]. */
few_node few__nn_positional(struct few_nn *nn, few_node t, int64_t channels, double scale);
/* sqrt(2) cos, sin (2 pi (scale t w_i)), w_i ~ N(0,1) fixed by index (EDM's NCSN++ embedding). */
few_node few__nn_fourier(struct few_nn *nn, few_node t, int64_t channels, double scale);
/* Self-attention over positions of [N,H,W,C] or [N,T,C]: qkv and output projections; no residual.
 */
few_node few__nn_attention(struct few_nn *nn, const char *name, few_node x, int64_t heads,
                           double out_gain);
/* Rows [N,C] as [N,1,..,1,C] of the given rank. */
few_node few__nn_rows(struct few_nn *nn, few_node x, int rank);

#endif
