/* saving.h - writing checkpoints and the model.
 *
 * On a device, the arrays are fetched and a thread writes the files while the device computes on.
 * On the host, the next step changes the arrays themselves, so the files are written at once.
 *
 * A few_saving of NULL writes nothing and succeeds.
 */
#ifndef FEW_SRC_TRAIN_SAVING_H
#define FEW_SRC_TRAIN_SAVING_H

#include "checkpoint.h"

typedef struct few_saving few_saving;

/* All are borrowed. The model's values are not read, since the state has the student's weights. */
struct few_saving_opts {
  const char *dir;
  const struct few_setup *setup;
  const struct few_run_identity *id;
  const struct few_run_state *state;
  few_model *model;
};
few_status few__saving_open(few_ctx *ctx, few_saving **out, const struct few_saving_opts *o);
void few__saving_close(few_saving *s); /* waits, and ignores errors */

/* Writes a checkpoint of the current state, and, except at the start, DIR/model.safetensors. */
enum few_save {
  FEW_SAVE_START,     /* a milestone, without the model */
  FEW_SAVE_SCHEDULED, /* a milestone */
  FEW_SAVE_INTERIM
};
/* The run may continue at once, but `here` of the state must not change before few__saving_finish.
 */
few_status few__save(few_saving *s, enum few_save what);
/* Writes the two averages of a snapshot, as models (posthoc.h). The state must have been fetched
 * (few__state_get). */
few_status few__save_snapshot(few_saving *s);
/* Waits until the files are written. Returns the thread's error, if few__save has not yet. */
few_status few__saving_finish(few_saving *s);

#endif
