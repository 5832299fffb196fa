/* search.c - greedy search of sampling times (Song et al., arXiv 2303.01469, section 6 and C).
 *
 * The first time is that of pure noise. Each further time is searched between 0 and the previous
 * time, with all earlier times fixed: it is the one with the best samples, if the metric has a
 * single minimum. The paper uses ternary search. Golden-section search needs one evaluation per
 * round instead of two, and reduces the interval to 0.618 instead of 0.667.
 *
 * The result is the best time that was evaluated, not the middle of the remaining interval. So if
 * noise of the metric hides the minimum, the result's value is still one that was measured.
 */
#include "search.h"

#include <math.h>

static const double grains =
    1e5; /* times are rounded to 1/1e5 radians, so that they are short to write */
static const double golden = 0.6180339887498949; /* (sqrt 5 - 1)/2 */

struct place {
  double t, value;
};

static few_status look(few_ctx *ctx, struct few_search *s, int n, double *t, double at,
                       struct place *out, struct place *best) {
  t[n - 1] = nearbyint(at * grains) / grains;
  out->t = t[n - 1];
  FEW_TRY(s->value(s->user, n, t, &out->value));
  s->evals++;
  if (!isfinite(out->value))
    return few__fail(
        ctx, FEW_E_INVALID,
        "samples with time %d at %g have no finite metric: check the model and its samples", n, at);
  if (out->value < best->value) *best = *out;
  return FEW_OK;
}

/* The n-th time, between `last` and t[n-2]. */
static few_status find(few_ctx *ctx, struct few_search *s, int n, double *t, struct place *best) {
  double low = s->last, high = t[n - 2];
  struct place a, b;
  *best = (struct place){0, INFINITY};
  if ((high - low) * grains < 4)
    return few__fail(ctx, FEW_E_INVALID, "no room for %d times: the one before is %g", n, high);
  FEW_TRY(look(ctx, s, n, t, high - golden * (high - low), &a, best));
  FEW_TRY(look(ctx, s, n, t, low + golden * (high - low), &b, best));
  while (high - low > s->tolerance) {
    if (a.value < b.value) {
      high = b.t;
      b = a;
      FEW_TRY(look(ctx, s, n, t, high - golden * (high - low), &a, best));
    } else {
      low = a.t;
      a = b;
      FEW_TRY(look(ctx, s, n, t, low + golden * (high - low), &b, best));
    }
  }
  t[n - 1] = best->t;
  return FEW_OK;
}

few_status few__search_times(few_ctx *ctx, struct few_search *s, double *t, double *values) {
  struct place best = {0, INFINITY}, now;
  assert(s->steps >= 1 && s->last > 0 && s->first > s->last && s->tolerance > 0);
  s->evals = s->found = 0;
  FEW_TRY(look(ctx, s, 1, t, s->first, &now, &best));
  if (values) values[0] = best.value;
  s->found = 1;
  for (int n = 2; n <= s->steps; n++) {
    FEW_TRY(find(ctx, s, n, t, &best));
    if (values) values[n - 1] = best.value;
    s->found = n;
  }
  return FEW_OK;
}
