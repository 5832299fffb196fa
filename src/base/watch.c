/* watch.c - see watch.h. */
#include "watch.h"

static const double pause = 0.1; /* seconds between two calls of the callback */

static void ask(struct few_watch *w) {
  w->asked = few__now();
  w->at.seconds = w->asked - w->began;
  w->status = few__progress(w->ctx, &w->at);
  if (w->status) atomic_store(&w->stop, true);
}

bool few__watch_stop(struct few_watch *w, int worker) {
  if (worker == 0 && !w->status && few__now() - w->asked >= pause) ask(w);
  return atomic_load_explicit(&w->stop, memory_order_relaxed);
}

few_status few__watch_report(struct few_watch *w, int64_t done) {
  assert(w->ctx && done >= 0);
  w->at.done = done;
  if (!w->status) ask(w);
  return w->status;
}
