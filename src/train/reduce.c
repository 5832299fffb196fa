/* reduce.c - see reduce.h. */
#include "reduce.h"

#include <pthread.h>

enum { MAX_LEVELS = 13 }; /* shards <= 4096 */

struct few_reduction {
  few_ctx *ctx;
  const struct few_arrays *arrays;
  int64_t n, shards;
  pthread_mutex_t lock;
  float **buffers; /* a stack of free buffers; the lowest n_fresh have never been used */
  int n_buffers, n_free, n_fresh;
  float **all_buffers;
  float **node[MAX_LEVELS]; /* a finished partial sum that waits for its sibling */
  float *total;
};

/* Allocates a buffer for each partial sum that can exist at once. A partial sum waits only while
 * shards of its sibling are being computed or have not begun, so on each level at most workers + 1
 * wait. In addition each worker has one buffer. */
static few_status make(few_ctx *ctx, few_reduction *r, int workers) {
  int levels = 0;
  while (((int64_t)1 << levels) < r->shards) levels++;
  int64_t n = (int64_t)(workers + 1) * levels + workers;
  if (n > r->shards + workers) n = r->shards + workers;
  FEW_TRY(FEW_NEW(ctx, &r->buffers, n));
  FEW_TRY(FEW_NEW(ctx, &r->all_buffers, n));
  for (; r->n_buffers < n; r->n_buffers++) {
    float *b = few__arrays_raw(r->arrays, r->n);
    if (!b)
      return few__fail(ctx, FEW_E_MEMORY, "out of memory for gradients of %lld parameters",
                       (long long)r->n);
    r->all_buffers[r->n_buffers] = r->buffers[r->n_free++] = b;
  }
  r->n_fresh = r->n_free;
  for (int l = 0; l <= levels; l++) FEW_TRY(FEW_NEW(ctx, &r->node[l], r->shards));
  return FEW_OK;
}

few_status few__reduce_create(few_reduction **out, const struct few_arrays *arrays, int64_t n,
                              int64_t shards, int workers) {
  few_ctx *ctx = arrays->ctx;
  *out = NULL;
  assert(n >= 0 && workers >= 1 && shards >= 1 && shards <= (int64_t)1 << (MAX_LEVELS - 1));
  few_reduction *r;
  FEW_TRY(FEW_NEW(ctx, &r, 1));
  r->ctx = ctx;
  r->arrays = arrays;
  r->n = n;
  r->shards = shards;
  pthread_mutex_init(&r->lock, NULL);
  few_status st = make(ctx, r, workers);
  if (st)
    few__reduce_free(r);
  else
    *out = r;
  return st;
}

void few__reduce_free(few_reduction *r) {
  if (!r) return;
  few_ctx *ctx = r->ctx;
  for (int i = 0; i < r->n_buffers; i++) few__arrays_free(r->arrays, r->all_buffers[i]);
  for (int l = 0; l < MAX_LEVELS; l++) few__free(ctx, r->node[l]);
  few__free(ctx, r->buffers);
  few__free(ctx, r->all_buffers);
  pthread_mutex_destroy(&r->lock);
  few__free(ctx, r);
}

void few__reduce_begin(few_reduction *r) {
  if (r->total) r->buffers[r->n_free++] = r->total;
  r->total = NULL;
}

/* Most runs need far fewer buffers than the worst case, so memory is first touched here. A fresh
 * buffer is zeroed, since gradients do not fill the gaps between them. */
float *few__reduce_take(few_reduction *r) {
  pthread_mutex_lock(&r->lock);
  assert(r->n_free > 0);
  bool fresh = r->n_free-- == r->n_fresh;
  float *b = r->buffers[r->n_free];
  r->n_fresh -= fresh;
  pthread_mutex_unlock(&r->lock);
  if (fresh) few__arrays_zero(r->arrays, b, r->n);
  return b;
}

/* If the sibling of a sum is finished, adds the right one to the left one and continues with the
 * parent. A node without a sibling moves up unchanged. */
void few__reduce_add(few_reduction *r, int64_t shard, float *buffer) {
  float *sum = buffer;
  assert(shard >= 0 && shard < r->shards && !r->total);
  int64_t width = r->shards, index = shard;
  for (int level = 0; width > 1; level++, index /= 2, width = (width + 1) / 2) {
    int64_t sibling = index ^ 1;
    if (sibling >= width) continue;
    pthread_mutex_lock(&r->lock);
    float *other = r->node[level][sibling];
    r->node[level][sibling] = NULL;
    if (!other) r->node[level][index] = sum;
    pthread_mutex_unlock(&r->lock);
    if (!other) return;
    float *left = index < sibling ? sum : other, *right = index < sibling ? other : sum;
    few__arrays_add(r->arrays, left, right, r->n);
    pthread_mutex_lock(&r->lock);
    r->buffers[r->n_free++] = right;
    pthread_mutex_unlock(&r->lock);
    sum = left;
  }
  r->total = sum;
}

float *few__reduce_total(few_reduction *r) {
  assert(r->total); /* all shards were added */
  return r->total;
}
