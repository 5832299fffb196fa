/* directory.h - the directory of a run: one process at a time, and nothing left over in it. */
#ifndef FEW_SRC_TRAIN_DIRECTORY_H
#define FEW_SRC_TRAIN_DIRECTORY_H

#include "base/base.h"

/* Make the directory if it is missing, take it for this process, and remove what a killed one left
 * half written. *lock is for few__run_dir_close, -1 on failure. FEW_E_INVALID: another has it. */
few_status few__run_dir_open(few_ctx *ctx, const char *dir, int *lock);
void few__run_dir_close(int lock); /* -1 is fine */

#endif
