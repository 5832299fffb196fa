/* shard.h - the gradient of a batch, shard by shard.
 *
 * A batch is split into a fixed number of shards. A worker computes loss and gradient of a whole
 * shard by running one plan. The gradients are added in a fixed binary tree (reduce.h), so the bits
 * of the result do not depend on the number of workers. On a device, one queue runs the shards
 * while the workers fill the rows of the next update.
 */
#ifndef FEW_SRC_TRAIN_SHARD_H
#define FEW_SRC_TRAIN_SHARD_H

#include "phase.h"

typedef struct few_shards few_shards;

/* Rows first .. first + rows - 1 of a batch. */
struct few_rows {
  enum few_phase_id phase;
  int64_t update; /* of this phase, counted from the start of the run */
  int64_t first, rows;
  float *x;        /* [rows][h*w*c] data of standard deviation sigma_d */
  int32_t *label;  /* -1: none */
  float *pair;     /* NULL, or [rows][h*w*c] the noise from which the pair's image was made */
  float *guidance; /* NULL, or [rows] the guidance scale of each pair */
  float *augment;  /* NULL, or [rows][spec.augment] labels of augmentation */
};

struct few_shards_opts {
  struct few_networks networks; /* tracing fills in the heads */
  /* Fill rows. Workers call it at the same time, for different rows. */
  void (*fill)(void *user, const struct few_rows *rows);
  void *user;
  const struct few_arrays *arrays; /* borrowed: where parameters and gradients are */
  bool profile;                    /* measure the time of each instruction of the student's phase */
};
few_status few__shards_create(few_ctx *ctx, few_shards **out, const struct few_shards_opts *opts);
void few__shards_free(few_shards *s);

/* Allows the progress callback to stop the next few__shards_step. During that step the callback
 * gets *at, with the seconds since `began`; `at` is borrowed until the step is done. A stopped step
 * fails with FEW_E_CANCELLED and changes nothing. Works only on the host. */
void few__shards_watch(few_shards *s, const struct few_progress *at, double began);

/* The losses and logs of an update: means over the rows of the batch. */
enum { FEW_TIME_BUCKETS = 4 };
struct few_step_report {
  double loss; /* the weighted sum of the terms */
  int n_terms, n_logs;
  const char *term_name[FEW_MAX_TERMS], *name[FEW_MAX_LOGS];
  double term[FEW_MAX_TERMS], mean[FEW_MAX_LOGS];
  bool timed;                       /* the loss draws times; otherwise the next two members are 0 */
  double by_time[FEW_TIME_BUCKETS]; /* mean of log 0 in each quarter of the times [0, pi/2] */
  int64_t in_bucket[FEW_TIME_BUCKETS]; /* rows in each quarter */
};

struct few_gradient {
  float *at;       /* [n_grads][n] means over the batch; borrowed until the phase's next update */
  int n_grads;     /* 1, or one per term, to be balanced */
  int64_t base, n; /* the gradient is that of parameters base .. base + n - 1 */
  double weight[FEW_MAX_TERMS];
};

/* Loss and gradient of one update of a phase. The student has one update per step. */
few_status few__shards_step(few_shards *s, enum few_phase_id phase, const struct few_clock *at,
                            int64_t update, const struct few_values *values,
                            struct few_gradient *grad, struct few_step_report *report);
/* Operations of a whole step: all shards, and all updates of the fake network. */
double few__shards_step_flops(const few_shards *s);
/* The student's phase: the cost of a shard, and its plan. */
struct few_plan_cost few__shards_cost(const few_shards *s);
const few_plan *few__shards_plan(const few_shards *s);
/* Seconds that instruction i took in all steps so far, summed over workers. */
double few__shards_seconds(const few_shards *s, int i);

#endif
