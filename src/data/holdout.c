/* holdout.c - holds a part of a set out of training, for evaluation.
 *
 * The part has the same share of each class. Whether an item is held out depends only on its
 * position among the items of its class. So the parts are the same when the set is opened again,
 * with images of another size, or on another machine. Both parts keep the order and the classes of
 * the whole set.
 */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "reader.h"

enum { SEED = 0 };

/* How many of n items are held out: at least one, unless none would remain. */
static int64_t share_of(int64_t n, double share) {
  assert(n >= 0 && share > 0 && share < 1);
  const int64_t held = llround(share * (double)n);
  if (n < 2) return 0;
  return held < 1 ? 1 : held < n ? held : n - 1;
}

few_status few__data_hold_out(few_data *d, const struct few_data_opts *o) {
  const int classes = d->n_classes + 1; /* the last is for items without a class */
  int64_t *count = NULL, *seen = NULL, kept = 0;
  const int64_t all = d->n;
  few_status st = FEW_OK;
  if (!(o->holdout > 0)) return FEW_OK;
  assert(!d->borrowed); /* items move */
  FEW_GOTO(FEW_NEW(d->ctx, &count, classes));
  FEW_GOTO(FEW_NEW(d->ctx, &seen, classes));
  for (int64_t i = 0; i < all; i++) count[few_data_label(d, i) < 0 ? classes - 1 : d->labels[i]]++;
  for (int64_t i = 0; i < all; i++) {
    const int c = few_data_label(d, i) < 0 ? classes - 1 : d->labels[i];
    const int64_t place = few__rng_permute(SEED, (uint64_t)c, seen[c]++, count[c]);
    const bool held = place < share_of(count[c], o->holdout);
    if (held == (o->split == FEW_DATA_TEST)) few__data_move(d, i, kept++);
  }
  d->n = kept;
  few__data_note(d, "%s %lld of its %lld items, with its class shares (holdout = %g)",
                 o->split == FEW_DATA_TEST ? "held out are" : "without",
                 (long long)(o->split == FEW_DATA_TEST ? kept : all - kept), (long long)all,
                 o->holdout);
  if (!kept)
    st = few__fail(d->ctx, FEW_E_INVALID, "%s: no class has two items, so none can be held out",
                   d->spec);
out:
  few__free(d->ctx, count);
  few__free(d->ctx, seen);
  return st;
}
