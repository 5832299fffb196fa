/* stepper.h - a step: the shards compute losses and gradients, the guard checks them, and the state
 * is updated.
 *
 * The result of a step depends only on the state and the step's number, so a resumed run ends in
 * the same bits as a run that was never stopped.
 */
#ifndef FEW_SRC_TRAIN_STEPPER_H
#define FEW_SRC_TRAIN_STEPPER_H

#include "meter.h"
#include "rows.h"
#include "state.h"

struct few_stepper {
  struct few_params head, fake_head;
  struct few_networks networks; /* the student, the heads, the setup */
  struct few_pairs *pairs;      /* NULL: rows are items of the data */
  double pairs_seconds;         /* time to open or make the pairs */
  struct few_row_source rows;
  few_shards *shards;
};

/* Borrows setup, student and arrays. `s` must not move until few__stepper_close. */
few_status few__stepper_open(few_ctx *ctx, struct few_stepper *s, const struct few_setup *setup,
                             const few_model *student, const struct few_arrays *arrays);
void few__stepper_close(few_ctx *ctx, struct few_stepper *s);
/* Opens or makes the teacher's pairs, if the objective needs them; dir NULL: in memory. */
few_status few__stepper_pairs(few_ctx *ctx, struct few_stepper *s, const char *dir);

/* The result of a step. Names in the reports are borrowed from the stepper. */
struct few_step {
  double lr, loss, norm; /* loss and norm: NAN if the student's gradient was not computed */
  const char *trouble;   /* the run must roll back; NULL: no trouble */
  bool skipped;          /* the gradient was a spike: the step counts, but nothing was updated */
  bool reached[FEW_PHASES];
  struct few_step_report report[FEW_PHASES]; /* of the last update of a phase that was reached */
};

/* Makes the step at `at`, and adds its updates to the meter. After trouble, state->step is
 * unchanged. FEW_E_CANCELLED if the callback stops the step (few__shards_watch): the state is
 * unchanged. */
few_status few__stepper_step(const struct few_stepper *s, struct few_run_state *state,
                             const struct few_clock *at, struct few_meter *meter,
                             struct few_step *out);

#endif
