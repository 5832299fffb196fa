/* shard_inside.h - types that shard.c shares with shard_host.c and shard_device.c, which compute an
 * update.
 */
#ifndef FEW_SRC_TRAIN_SHARD_INSIDE_H
#define FEW_SRC_TRAIN_SHARD_INSIDE_H

#include "base/watch.h"
#include "engine/plan/executor.h"
#include "reduce.h"
#include "shard.h"

enum { FEW_SHARD_SCALARS = FEW_MAX_OBJECTIVES * FEW_MAX_SCALARS };

struct few_shard_worker { /* the state of a worker; on a device there is one worker */
  few_executor *executor;
  few_status status;
  float *x, *pair, *guidance, *augment;
  int32_t *label;
  double *seconds; /* NULL, or a profile */
  const void **slots[FEW_PHASES];
  void **outs[FEW_PHASES];
  struct few_values bound[FEW_PHASES]; /* the values that the slots point into */
};

/* A way to compute an update: on the host or on a device. */
struct few_shard_way {
  few_status (*open)(few_shards *s); /* called last in few__shards_create */
  void (*close)(few_shards *s);
  /* Compute the update that `s` describes: fill s->loss and s->rows_out, and add the gradient of
   * every shard to s->reduction[s->now]. */
  few_status (*update)(few_shards *s);
};
extern const struct few_shard_way few__shard_host, few__shard_device;

struct few_shards {
  few_ctx *ctx;
  struct few_shards_opts o;
  const struct few_arrays *arrays;
  const struct few_shard_way *way;
  struct few_shard_device *device;    /* of shard_device.c; NULL: on the host */
  int64_t rows, shards;               /* rows of a shard; shards of a batch */
  struct few_phase phase[FEW_PHASES]; /* the second has no plan if there is no fake network */
  few_reduction *reduction[FEW_PHASES];
  int n_workers;
  struct few_shard_worker *worker;

  struct few_watch watch;
  bool watched; /* during this update */

  /* The update that is computed. */
  enum few_phase_id now;
  uint64_t steps; /* calls of few__shards_step; values change only between calls */
  int64_t update;
  struct few_values values;
  float scalar[FEW_SHARD_SCALARS];
  double *loss;    /* [FEW_MAX_TERMS][shards] */
  float *rows_out; /* [1 + n_logs][batch]: t, logs */
};

/* Sets an input of a plan by its name, if the plan has it. */
void few__shard_set_slot(const void **slots, const few_plan *plan, const char *name,
                         const void *at);
/* Binds the values of the update, and returns true, if their addresses have changed since the last
 * call. Finding slots by name takes time, so it is not done otherwise. */
bool few__shard_bind(const few_shards *s, struct few_shard_worker *w);
/* The key of the random numbers of the rows from `first` on. It depends on the seed, the step and
 * the phase. */
struct few_replay_key few__shard_key(const few_shards *s, int64_t first);

#endif
