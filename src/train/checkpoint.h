/* checkpoint.h - writes the state of a run to files, and reads the newest valid one. */
#ifndef FEW_SRC_TRAIN_CHECKPOINT_H
#define FEW_SRC_TRAIN_CHECKPOINT_H

#include "setup.h"
#include "state.h"

/* Hashes of the network, the data and the teacher of a run. A checkpoint with other hashes is
 * refused: resuming from it would be another run. */
struct few_run_identity {
  uint64_t layout; /* of names and shapes */
  uint64_t data;
  uint64_t teacher; /* of its file; 0: none */
  bool moved;       /* the names of data or teacher have changed, so their hashes must agree */
};

/* There are two kinds of checkpoints. Milestones, DIR/checkpoint-<step>.safetensors, are written at
 * steps that the recipe gives. The guard rolls back to them only, so that a roll-back depends on no
 * clock and no signal. Interim ones, DIR/interim-<step>.safetensors, are written in between, by the
 * clock or when the run is stopped; a run resumes from them. */
enum few_checkpoint_kind { FEW_CHECKPOINT_MILESTONE, FEW_CHECKPOINT_INTERIM };

/* Writes the arrays s->here and the numbers of s. */
few_status few__checkpoint_write(few_ctx *ctx, const struct few_run_state *s,
                                 enum few_checkpoint_kind kind, const char *dir,
                                 const struct few_run_identity *id);
/* Of the checkpoints up to `step`, keeps the last two milestones and one newer interim one. */
few_status few__checkpoint_trim(few_ctx *ctx, const char *dir, int64_t step);
/* Removes the checkpoints after `step`. */
few_status few__checkpoint_drop_after(few_ctx *ctx, const char *dir, int64_t step);

struct few_checkpoint_pick {
  int64_t below;   /* its step must be below this */
  bool milestones; /* milestones only */
};
#define FEW_CHECKPOINT_NEWEST ((struct few_checkpoint_pick){INT64_MAX, false})
/* Reads the newest undamaged checkpoint that `pick` allows into `here` and `there`. *found is false
 * if there is no checkpoint, as with dir NULL. FEW_E_FORMAT if all are damaged. */
few_status few__checkpoint_read(few_ctx *ctx, struct few_run_state *s, const char *dir,
                                const struct few_run_identity *id, struct few_checkpoint_pick pick,
                                bool *found);

#endif
