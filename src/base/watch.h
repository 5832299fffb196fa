/* watch.h - cancels a job in the middle of a long task.
 *
 * The progress callback may cancel a job. Only worker 0, the thread that called the library, calls
 * it: when the job reports, and between two reports in few__watch_stop, at most ten times per
 * second. The other workers see its answer in `stop`. A cancelled job discards the results of its
 * tasks.
 */
#ifndef FEW_SRC_WATCH_H
#define FEW_SRC_WATCH_H

#include <stdatomic.h>

#include "base.h"

struct few_watch {
  few_ctx *ctx;
  struct few_progress at; /* the job's last report, which is repeated with the current `seconds` */
  double began;           /* few__now() */
  double asked;           /* time of the last call of the callback; set it to 0 */
  few_status status; /* FEW_E_CANCELLED if cancelled: check it when the workers have finished */
  atomic_bool stop;
};

/* True if the task must end. Call it every few milliseconds of work. */
bool few__watch_stop(struct few_watch *w, int worker);

/* Reports like few__progress. `done` is stored for the repeated reports. */
few_status few__watch_report(struct few_watch *w, int64_t done);

#endif
