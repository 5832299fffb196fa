/* shard.h - the gradient of a batch, shard by shard.
 *
 * A batch is cut into a fixed number of shards; a worker computes the loss and gradient of a whole
 * shard by replaying one plan. Gradients are added in a fixed binary tree over shards. Workers
 * decide who computes a shard and nothing else, so the bits do not depend on their number.
 */
#ifndef FEW_SRC_TRAIN_SHARD_H
#define FEW_SRC_TRAIN_SHARD_H

#include "recipe.h"

typedef struct few_shards few_shards;

struct few_shards_opts {
  const struct few_run_recipe *recipe;
  const few_model *student; /* for its network; values come with each call */
  struct few_params *head;  /* of the loss; filled by tracing */
  /* Rows first .. first + rows - 1 of step `step`: data of deviation sigma_d and labels (-1: none).
   * Called from workers, for different rows at once. */
  void (*fill)(void *user, int64_t step, int64_t first, int64_t rows, float *x, int32_t *label);
  void *user;
  few_workers *workers;
  const struct few_backend *backend;
  bool profile; /* take the time of each instruction */
};
few_status few__shards_create(few_ctx *ctx, few_shards **out, const struct few_shards_opts *opts);
void few__shards_free(few_shards *s);

/* What one step gave. Means over the rows of the batch. */
enum { FEW_TIME_BUCKETS = 4 };
struct few_step_report {
  double loss;
  int n_logs;
  const char *name[FEW_MAX_LOGS];
  double mean[FEW_MAX_LOGS];
  double by_time[FEW_TIME_BUCKETS]; /* log 0 by quarter of [0, pi/2] ... */
  int64_t in_bucket[FEW_TIME_BUCKETS];
};

/* Loss and gradient at step `step`. values: student's parameters, then the head's; grad likewise,
 * the mean over the batch. *grad is borrowed until the next call. */
few_status few__shards_step(few_shards *s, int64_t step, double stretch, const float *values,
                            float **grad, struct few_step_report *report);
struct few_plan_cost few__shards_cost(const few_shards *s);
const few_plan *few__shards_plan(const few_shards *s);
/* Seconds of instruction i in all steps so far, of all workers together. */
double few__shards_seconds(const few_shards *s, int i);

#endif
