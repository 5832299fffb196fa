/* saving.h - the files that a run goes on from and ends in. Those of a run on a device are fetched
 * and written by a thread while the device computes on; the host's arrays are the ones that the
 * next step changes, so theirs are written at once.
 */
#ifndef FEW_SRC_TRAIN_SAVING_H
#define FEW_SRC_TRAIN_SAVING_H

#include "state.h"

typedef struct few_saving few_saving;

/* All borrowed. The model's values are not read: the state has the student's. */
struct few_saving_opts {
  const char *dir;
  const struct few_setup *setup;
  const struct few_run_identity *id;
  const struct few_run_state *state;
  few_model *model;
};
few_status few__saving_open(few_ctx *ctx, few_saving **out, const struct few_saving_opts *o);
void few__saving_close(few_saving *s); /* waits, and says nothing more; NULL is fine */

/* What is written of the state as it is: a checkpoint, and with it DIR/model.safetensors unless
 * nothing was trained yet. */
enum few_save {
  FEW_SAVE_START,     /* a milestone, without the model */
  FEW_SAVE_SCHEDULED, /* a milestone */
  FEW_SAVE_INTERIM
};
/* After it the run may go on; `here` of the state may not be written before few__saving_finish. */
few_status few__save(few_saving *s, enum few_save what);
/* Wait for what was begun. What failed meanwhile is told here, or by the next few__save. */
few_status few__saving_finish(few_saving *s);

#endif
