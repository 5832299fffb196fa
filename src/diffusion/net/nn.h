/* nn.h - layers as graph builders over a table of parameters.
 *
 * Tracing a network declares its parameters. The first time a layer uses "enc.0.conv.w" the table
 * gets a row (shape, initialisation, place in one flat array); later traces find that row. The same
 * table then drives allocation, initialisation, checkpoints, counting and printing.
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
/* Draws all initial values; padding is 0. A row's numbers depend on (seed, name) only. */
void few__params_init(const struct few_params *p, uint64_t seed, float *values);

#endif
