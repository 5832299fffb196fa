/* pace.h - how many items a long job does at a time.
 *
 * Between two portions a job reports its progress and can be cancelled, so a portion should take a
 * fraction of a second; but it should also keep every worker busy. What an item costs is known only
 * from the portions before: the first is one unit, and the later ones grow or shrink with the
 * clock. So only a job whose result does not depend on the grouping of its items may use this.
 */
#ifndef FEW_SRC_PACE_H
#define FEW_SRC_PACE_H

#include <stdint.h>

struct few_pace {
  int64_t unit;   /* portions are multiples of it, except where `most` or the end cuts one */
  int64_t most;   /* items of a portion */
  double seconds; /* that a portion should take */
  /* Zero at first. */
  int64_t size; /* of the last portion */
  double began; /* when */
};

/* Items of the next portion, which begins now: at least 1 where any are left. */
int64_t few__pace_next(struct few_pace *p, int64_t left);

/* The rule by itself: the size that follows one of `size` items that took `seconds`. */
int64_t few__pace_after(const struct few_pace *p, int64_t size, double seconds);

#endif
