/* pace.h - chooses how many items a long job processes at a time.
 *
 * Between two portions a job reports its progress and can be cancelled, so a portion should take a
 * fraction of a second. It should also keep every worker busy. The cost of an item is known only
 * from earlier portions. So the first portion is one unit, and later ones grow or shrink with
 * the time taken. Use this only for jobs whose result does not depend on how items are grouped.
 */
#ifndef FEW_SRC_PACE_H
#define FEW_SRC_PACE_H

#include <stdint.h>

struct few_pace {
  int64_t unit;   /* portions are multiples of it, unless `most` or the end limits them */
  int64_t most;   /* largest portion */
  double seconds; /* intended time of a portion */
  /* Set these to zero. */
  int64_t size; /* items of the last portion */
  double began; /* when it began */
};

/* The number of items of the next portion, which begins now: at least 1 if any are left. */
int64_t few__pace_next(struct few_pace *p, int64_t left);

/* The rule without a clock: the size of the portion after one of `size` items that took
 * `seconds`. */
int64_t few__pace_after(const struct few_pace *p, int64_t size, double seconds);

#endif
