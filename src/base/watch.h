/* watch.h - stop in the middle of a long piece of work.
 *
 * Only the thread of the public call, worker 0, calls the progress callback, which may cancel the
 * job. Between two reports of the job it does so here, at most ten times a second; the other workers
 * see the result. A cancelled job discards what its tasks have made.
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
  few_status status;      /* FEW_E_CANCELLED once it stops: check it when the workers are done */
  atomic_bool stop;
};

/* Should this task end now? Call it every few milliseconds of work. */
bool few__watch_stop(struct few_watch *w, int worker);

/* Report, as few__progress; `done` is kept for the repetitions. */
few_status few__watch_report(struct few_watch *w, int64_t done);

#endif
