/* run_dir.h - locks the directory of a run and removes unfinished files from it. */
#ifndef FEW_SRC_TRAIN_RUN_DIR_H
#define FEW_SRC_TRAIN_RUN_DIR_H

#include "base/base.h"

/* Creates the directory if it is missing, locks it, and removes unfinished files of a killed
 * process. Pass *lock to few__run_dir_close; it is -1 on failure. FEW_E_INVALID if another process
 * has locked it. */
few_status few__run_dir_open(few_ctx *ctx, const char *dir, int *lock);
void few__run_dir_close(int lock); /* -1 is fine */

#endif
