/* nn.h - layers as graph builders over a table of parameters.
 *
 * Tracing a network declares its parameters. When a layer uses "enc.0.conv.w" for the first time,
 * the table gets a row (shape, initialisation, offset in one flat array). Later traces find that
 * row. Allocation, initialisation, checkpoints, counting and printing all use this table.
 */
#ifndef FEW_SRC_NN_H
#define FEW_SRC_NN_H

#include "engine/op/op.h"
#include "few/ext/net.h"

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
/* Sets all initial values; padding is 0. A row's values depend only on (seed, name). */
void few__params_init(const struct few_params *p, uint64_t seed, float *values);

/* few_nn_conv with another padding. */
few_node few__nn_conv(struct few_nn *nn, const char *name, few_node x, int64_t out, int kernel,
                      int stride, int pad, double gain);
/* few_nn_positional with the frequencies 10000^(-i/(channels/2 - shift)). */
few_node few__nn_positional(struct few_nn *nn, few_node t, int64_t channels, double scale,
                            int64_t shift);
/* few_nn_fourier with frequencies from the parameter "freq", which training does not change. */
few_node few__nn_stored_fourier(struct few_nn *nn, few_node t, int64_t channels, double scale);

#endif
