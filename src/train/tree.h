/* tree.h - sums of gradients in a fixed binary tree over shards.
 *
 * Shards finish in any order, on any number of workers, and the bits of their sum must not depend
 * on that: so each addition has its place in a tree, and happens when both sides are there.
 */
#ifndef FEW_SRC_TRAIN_TREE_H
#define FEW_SRC_TRAIN_TREE_H

#include "space.h"

typedef struct few_tree few_tree;

/* For sums of n floats of the space, borrowed, over `shards` <= 4096 leaves, with `workers` adding
 * at once: one on a device. */
few_status few__tree_create(const struct few_space *space, few_tree **out, int64_t n,
                            int64_t shards, int workers);
void few__tree_free(few_tree *t);

/* Forget the last sum. */
void few__tree_begin(few_tree *t);
/* A buffer to write a gradient to, always the same places, and to give to few__tree_add; the places
 * between them are 0. */
float *few__tree_take(few_tree *t);
/* Add the gradient of a shard; from any worker. */
void few__tree_add(few_tree *t, int64_t shard, float *buffer);
/* The sum of all shards, once all are added: borrowed until few__tree_begin. */
float *few__tree_total(few_tree *t);

#endif
