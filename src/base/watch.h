/* watch.h - stop in the middle of a long piece of work.
 *
 * The progress callback, which may ask to stop, is called from the thread of the public call only:
 * worker 0. Between two reports of a job it asks here, ten times a second at most, and the other
 * workers see the answer. What a task had made when it stopped is thrown away with the job.
 */
#ifndef FEW_SRC_WATCH_H
#define FEW_SRC_WATCH_H

#include <stdatomic.h>

#include "base.h"

struct few_watch {
  few_ctx *ctx;
  struct few_progress at; /* the job's last report, which is repeated; `seconds` is filled in */
  double began;           /* few__now() */
  double asked;           /* when; 0 at first */
  few_status status;      /* FEW_E_CANCELLED once it stops: to be looked at when workers are done */
  atomic_bool stop;
};

/* Should this task end now? To be asked every few milliseconds of work. */
bool few__watch_stop(struct few_watch *w, int worker);

/* Report, as few__progress; `done` is kept for the repetitions. */
few_status few__watch_report(struct few_watch *w, int64_t done);

#endif
