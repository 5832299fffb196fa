/* state.h - the whole state of a run between steps. A checkpoint stores it exactly. */
#ifndef FEW_SRC_TRAIN_STATE_H
#define FEW_SRC_TRAIN_STATE_H

#include "arrays.h"

/* Power-function averages that snapshots keep: EDM2's widths, 0.05 and 0.1 (posthoc.h). */
enum { FEW_HISTORIES = 2 };

struct few_state_arrays {
  float *param;                        /* [n] */
  float *moment[FEW_OPTIM_MAX_STATES]; /* [n] each */
  float *ema;                          /* [n_model]; NULL without averaging */
  float *target;                       /* [n_model]; NULL without a target network */
  float *history[FEW_HISTORIES];       /* [n_model] each; NULL without snapshots */
};

struct few_run_state {
  int64_t n, n_model; /* trained parameters of all networks; of the student, which are the first */
  const struct few_arrays *arrays;
  struct few_state_arrays here;  /* in host memory, as files have them */
  struct few_state_arrays there; /* where steps are computed: the same, or on the device */

  int64_t step;         /* finished optimizer steps */
  int64_t updates;      /* of the student since its optimizer began; skipped steps do not count */
  int64_t fake_updates; /* of the fake network's */
  double lr_factor;     /* the guard's factor on the learning rate: 1, 1/2, 1/4 ... */
  double stretch;       /* the guard's factor on the length of warm-ups: 1, 2, 4 ... */
  int64_t retries;      /* roll-backs so far */
  int64_t rolled_to;    /* step to which the last roll-back went; -1: none yet */
  double usual_norm;    /* moving geometric mean of the gradient's norm; 0: none yet */
  int64_t spikes;       /* in a row */
};

struct few_state_shape {
  int64_t n_model, n;
  int n_moments;
  bool ema, target, history;
};
/* `arrays` is borrowed. */
few_status few__state_create(struct few_run_state *s, const struct few_state_shape *shape,
                             const struct few_arrays *arrays);
void few__state_free(struct few_run_state *s);

/* Copies the arrays from host memory to the device, and back. On the host both are the same arrays,
 * and nothing is done. */
void few__state_put(struct few_run_state *s);
few_status few__state_get(const struct few_run_state *s);
/* The student's weights as they are saved and sampled: [n_model], averaged if the run averages. */
few_status few__state_student(const struct few_run_state *s, float *values);

/* Are all numbers of `here` finite? Call few__state_get first. */
bool few__state_finite(const struct few_run_state *s);

/* The arrays as a table, for files. Returns the number of rows. */
struct few_state_array {
  const char *name;
  float *at, *there; /* in `here` and in `there` */
  int64_t n;
};
enum { FEW_STATE_ARRAYS = 3 + FEW_OPTIM_MAX_STATES + FEW_HISTORIES };
int few__state_arrays(const struct few_run_state *s, struct few_state_array out[FEW_STATE_ARRAYS]);

#endif
