/* state.h - all that a run remembers between steps: one checkpoint file holds it to the bit. */
#ifndef FEW_SRC_TRAIN_STATE_H
#define FEW_SRC_TRAIN_STATE_H

#include "arrays.h"
#include "setup.h"

struct few_state_arrays {
  float *param;                        /* [n] */
  float *moment[FEW_OPTIM_MAX_STATES]; /* [n] each */
  float *ema;                          /* [n_model]; NULL without averaging */
  float *target;                       /* [n_model]; NULL without a target network */
};

struct few_run_state {
  int64_t n, n_model; /* all trained numbers; of them the student's, in front */
  const struct few_arrays *arrays;
  struct few_state_arrays here;  /* the host's, as files have them */
  struct few_state_arrays there; /* where the run is computed: the same, or a device's */

  int64_t step;         /* finished optimizer steps */
  int64_t updates;      /* of the student's optimizer: steps since it began, less those skipped */
  int64_t fake_updates; /* of the fake network's */
  double lr_factor;     /* the guard's: 1, 1/2, 1/4 ... */
  double stretch;       /* the guard's: warm-ups take this many times longer */
  int64_t retries;      /* roll-backs so far */
  int64_t rolled_to;    /* the step of the checkpoint that the last one went to; -1: none yet */
  double usual_norm;    /* moving geometric mean of the gradient's norm; 0: none yet */
  int64_t spikes;       /* in a row */
};

/* What a run is about, as hashes. A checkpoint of another network, of other data or of another
 * teacher is refused: going on with it would not be the run that it was. */
struct few_run_identity {
  uint64_t layout; /* of names and shapes */
  uint64_t data;
  uint64_t teacher; /* of its file; 0: none */
  bool moved;       /* data or teacher have other names than before: their hashes must be known */
};

struct few_state_shape {
  int64_t n_model, n;
  int n_moments;
  bool ema, target;
};
/* `arrays` is borrowed. */
few_status few__state_create(struct few_run_state *s, const struct few_state_shape *shape,
                             const struct few_arrays *arrays);
void few__state_free(struct few_run_state *s);

/* From here to there, and back: nothing is done where they are the same. */
void few__state_put(struct few_run_state *s);
few_status few__state_get(const struct few_run_state *s);
/* The student as it is saved and looked at, averaged where there is an average. */
few_status few__state_student(const struct few_run_state *s, float *values);

/* Are all numbers finite? Looks at what is `here`: few__state_get first. */
bool few__state_finite(const struct few_run_state *s);

/* Two kinds of files hold a run. Milestones, DIR/checkpoint-<step>.safetensors, come at steps that
 * the recipe says: the guard goes back to them, so that what it does depends on no clock and no
 * signal. Interim ones, DIR/interim-<step>.safetensors, come in between, by the minute or because
 * the run was stopped: they are for going on only. */
enum few_checkpoint_kind { FEW_CHECKPOINT_MILESTONE, FEW_CHECKPOINT_INTERIM };

/* Of what is `here`. */
few_status few__checkpoint_write(few_ctx *ctx, const struct few_run_state *s,
                                 enum few_checkpoint_kind kind, const char *dir,
                                 const struct few_run_identity *id);
/* Of those of up to `step` the last two milestones stay, and an interim one that is newer. */
few_status few__checkpoint_trim(few_ctx *ctx, const char *dir, int64_t step);
/* Remove all that are later than `step`. */
few_status few__checkpoint_drop_after(few_ctx *ctx, const char *dir, int64_t step);

struct few_checkpoint_pick {
  int64_t below;   /* of steps below this */
  bool milestones; /* and no interim ones */
};
#define FEW_CHECKPOINT_NEWEST ((struct few_checkpoint_pick){INT64_MAX, false})
/* Read the newest that is whole, here and there. *found is false where there is none; FEW_E_FORMAT
 * where there are some and none is whole. */
few_status few__checkpoint_read(few_ctx *ctx, struct few_run_state *s, const char *dir,
                                const struct few_run_identity *id, struct few_checkpoint_pick pick,
                                bool *found);

#endif
