/* reduce.h - the sum of the shards' gradients, in a fixed binary tree.
 *
 * Shards finish in any order, on any number of workers. The bits of the sum must not depend on that
 * order, so each addition has a fixed place in a tree. It runs as soon as both operands exist.
 */
#ifndef FEW_SRC_TRAIN_REDUCE_H
#define FEW_SRC_TRAIN_REDUCE_H

#include "arrays.h"

typedef struct few_reduction few_reduction;

/* Sums of n floats over 1 .. 4096 shards. Up to `workers` threads may add at the same time (one on
 * a device). `arrays` is borrowed. */
few_status few__reduce_create(few_reduction **out, const struct few_arrays *arrays, int64_t n,
                              int64_t shards, int workers);
void few__reduce_free(few_reduction *r);

/* Begins a new sum: the last total is no longer valid. */
void few__reduce_begin(few_reduction *r);
/* A buffer [n] for one shard's gradient, to pass to few__reduce_add. Write the same elements each
 * time: those that are never written are 0. */
float *few__reduce_take(few_reduction *r);
/* Adds the gradient of a shard. Any worker may call it. */
void few__reduce_add(few_reduction *r, int64_t shard, float *buffer);
/* The sum, after all shards were added. Borrowed until few__reduce_begin. */
float *few__reduce_total(few_reduction *r);

#endif
