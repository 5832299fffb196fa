/* pace.c - see pace.h. */
#include "pace.h"

#include "base.h"

enum {
  GROWTH = 4
}; /* largest factor from one portion to the next, since the first timings are noisy */

int64_t few__pace_after(const struct few_pace *p, int64_t size, double seconds) {
  const double most = (double)size * GROWTH;
  assert(size > 0 && p->unit > 0);
  double ideal = seconds > 0 ? (double)size * p->seconds / seconds : most;
  if (ideal > most) ideal = most;
  if (ideal >= (double)p->most) return p->most;
  int64_t next = (int64_t)ideal / p->unit * p->unit;
  if (next < p->unit) next = p->unit;
  return next < p->most ? next : p->most;
}

int64_t few__pace_next(struct few_pace *p, int64_t left) {
  const double now = few__now();
  assert(p->unit > 0 && p->most > 0 && p->seconds > 0);
  if (!p->size)
    p->size = p->unit < p->most ? p->unit : p->most;
  else
    p->size = few__pace_after(p, p->size, now - p->began);
  p->began = now;
  return p->size < left ? p->size : left;
}
