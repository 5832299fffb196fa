/* run_dir.h - the directory of a run: locked by one process, free of unfinished files. */
#ifndef FEW_SRC_TRAIN_RUN_DIR_H
#define FEW_SRC_TRAIN_RUN_DIR_H

#include "base/base.h"

/* Create the directory if it is missing, lock it, and remove unfinished files of a killed process.
 * Pass *lock to few__run_dir_close; it is -1 on failure. FEW_E_INVALID: another process has it. */
few_status few__run_dir_open(few_ctx *ctx, const char *dir, int *lock);
void few__run_dir_close(int lock); /* -1 is fine */

#endif
