/* state.h - the whole state of a run between steps. A checkpoint has the same bits. */
#ifndef FEW_SRC_TRAIN_STATE_H
#define FEW_SRC_TRAIN_STATE_H

#include "arrays.h"

struct few_state_arrays {
  float *param;                        /* [n] */
  float *moment[FEW_OPTIM_MAX_STATES]; /* [n] each */
  float *ema;                          /* [n_model]; NULL without averaging */
  float *target;                       /* [n_model]; NULL without a target network */
};

struct few_run_state {
  int64_t n, n_model; /* trained parameters of all networks; of the student, which come first */
  const struct few_arrays *arrays;
  struct few_state_arrays here;  /* in host memory, as files have them */
  struct few_state_arrays there; /* where steps are computed: the same, or on the device */

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

struct few_state_shape {
  int64_t n_model, n;
  int n_moments;
  bool ema, target;
};
/* `arrays` is borrowed. */
few_status few__state_create(struct few_run_state *s, const struct few_state_shape *shape,
                             const struct few_arrays *arrays);
void few__state_free(struct few_run_state *s);

/* Copy the arrays from host memory to the device, and back. On the host both are the same arrays,
 * and nothing is done. */
void few__state_put(struct few_run_state *s);
few_status few__state_get(const struct few_run_state *s);
/* The student's weights as they are saved and sampled: [n_model], averaged if the run averages. */
few_status few__state_student(const struct few_run_state *s, float *values);

/* Are all numbers of `here` finite? Call few__state_get first. */
bool few__state_finite(const struct few_run_state *s);

/* The arrays as a table, for files: returns how many there are. */
struct few_state_array {
  const char *name;
  float *at, *there; /* in `here` and in `there` */
  int64_t n;
};
enum { FEW_STATE_ARRAYS = 3 + FEW_OPTIM_MAX_STATES };
int few__state_arrays(const struct few_run_state *s, struct few_state_array out[FEW_STATE_ARRAYS]);

#endif
