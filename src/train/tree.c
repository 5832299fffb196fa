/* tree.c - see tree.h. */
#include "tree.h"

#include <pthread.h>

enum { MAX_LEVELS = 13 }; /* shards <= 4096 */

struct few_tree {
  few_ctx *ctx;
  const struct few_space *space;
  int64_t n, shards;
  pthread_mutex_t lock;
  float **buffers; /* free ones, a stack; the lowest n_fresh of them have never been used */
  int n_buffers, n_free, n_fresh;
  float **all_buffers;
  float **node[MAX_LEVELS]; /* a finished partial sum that waits for its sibling */
  float *total;
};

/* Partial sums that can wait at once: each of the workers' shards, and the boundary of those not
 * begun, keeps at most one sibling a level waiting. */
static few_status make(few_ctx *ctx, few_tree *t, int workers) {
  int levels = 0;
  while (((int64_t)1 << levels) < t->shards) levels++;
  int64_t n = (int64_t)(workers + 1) * levels + workers;
  if (n > t->shards + workers) n = t->shards + workers;
  FEW_TRY(FEW_NEW(ctx, &t->buffers, n));
  FEW_TRY(FEW_NEW(ctx, &t->all_buffers, n));
  for (; t->n_buffers < n; t->n_buffers++) {
    float *b = few__space_raw(t->space, t->n);
    if (!b)
      return few__fail(ctx, FEW_E_MEMORY, "out of memory for gradients of %lld parameters",
                       (long long)t->n);
    t->all_buffers[t->n_buffers] = t->buffers[t->n_free++] = b;
  }
  t->n_fresh = t->n_free;
  for (int l = 0; l <= levels; l++) FEW_TRY(FEW_NEW(ctx, &t->node[l], t->shards));
  return FEW_OK;
}

few_status few__tree_create(const struct few_space *space, few_tree **out, int64_t n,
                            int64_t shards, int workers) {
  few_ctx *ctx = space->ctx;
  *out = NULL;
  few_tree *t;
  FEW_TRY(FEW_NEW(ctx, &t, 1));
  t->ctx = ctx;
  t->space = space;
  t->n = n;
  t->shards = shards;
  pthread_mutex_init(&t->lock, NULL);
  few_status st = make(ctx, t, workers);
  if (st)
    few__tree_free(t);
  else
    *out = t;
  return st;
}

void few__tree_free(few_tree *t) {
  if (!t) return;
  few_ctx *ctx = t->ctx;
  for (int i = 0; i < t->n_buffers; i++) few__space_free(t->space, t->all_buffers[i]);
  for (int l = 0; l < MAX_LEVELS; l++) few__free(ctx, t->node[l]);
  few__free(ctx, t->buffers);
  few__free(ctx, t->all_buffers);
  pthread_mutex_destroy(&t->lock);
  few__free(ctx, t);
}

void few__tree_begin(few_tree *t) {
  if (t->total) t->buffers[t->n_free++] = t->total;
  t->total = NULL;
}

/* Far fewer than the worst case are used as a rule, so memory is first touched here. Zeros, for the
 * gaps between gradients. */
float *few__tree_take(few_tree *t) {
  pthread_mutex_lock(&t->lock);
  assert(t->n_free > 0);
  bool fresh = t->n_free-- == t->n_fresh;
  float *b = t->buffers[t->n_free];
  t->n_fresh -= fresh;
  pthread_mutex_unlock(&t->lock);
  if (fresh) few__space_zero(t->space, b, t->n);
  return b;
}

/* While a sum's sibling waits, add the right one to the left one and go on with the parent. A node
 * without a sibling passes upwards as it is. */
void few__tree_add(few_tree *t, int64_t shard, float *buffer) {
  float *sum = buffer;
  int64_t width = t->shards, index = shard;
  for (int level = 0; width > 1; level++, index /= 2, width = (width + 1) / 2) {
    int64_t sibling = index ^ 1;
    if (sibling >= width) continue;
    pthread_mutex_lock(&t->lock);
    float *other = t->node[level][sibling];
    t->node[level][sibling] = NULL;
    if (!other) t->node[level][index] = sum;
    pthread_mutex_unlock(&t->lock);
    if (!other) return;
    float *left = index < sibling ? sum : other, *right = index < sibling ? other : sum;
    few__space_add(t->space, left, right, t->n);
    pthread_mutex_lock(&t->lock);
    t->buffers[t->n_free++] = right;
    pthread_mutex_unlock(&t->lock);
    sum = left;
  }
  t->total = sum;
}

float *few__tree_total(few_tree *t) { return t->total; }
