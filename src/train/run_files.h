/* run_files.h - the files of a run: recipe.ini, the run log, checkpoints and the model, in its
 * locked directory. A run in memory has none: reading finds nothing, and writing does nothing.
 */
#ifndef FEW_SRC_TRAIN_RUN_FILES_H
#define FEW_SRC_TRAIN_RUN_FILES_H

#include "checkpoint.h"
#include "run_log.h"
#include "saving.h"

struct few_run_files {
  char *dir; /* owned; NULL: the run is in memory */
  int lock;  /* of the directory; -1: none */
  struct few_run_identity id;
  struct few_run_log log;
  few_saving *saving; /* NULL: in memory */
  double saved;       /* few__now() at the trainer's last save */
};

/* Locks the directory and checks that a run in it has the same recipe. `dir` is copied; NULL: in
 * memory. */
few_status few__run_files_open(few_ctx *ctx, struct few_run_files *out, const char *dir,
                               const struct few_setup *setup, struct few_previous_run *before);
void few__run_files_close(few_ctx *ctx, struct few_run_files *f);

/* Reads the newest checkpoint into `state`, or writes the first, and opens the log. f->id must be
 * set. The setup, state and model are borrowed. */
few_status few__run_files_begin(few_ctx *ctx, struct few_run_files *f,
                                const struct few_setup *setup,
                                const struct few_previous_run *before, struct few_run_state *state,
                                few_model *model);

/* Sets `state` to the last milestone from which the run can continue. FEW_E_DIVERGED if there is
 * none, or after too many roll-backs; `why` is the reason, for the message. */
few_status few__run_files_roll_back(few_ctx *ctx, struct few_run_files *f,
                                    const struct few_train_keys *keys, struct few_run_state *state,
                                    const char *why);

#endif
