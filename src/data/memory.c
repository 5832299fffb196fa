/* memory.c - a data set from arrays of the program, or from a callback that fills one item.
 *
 * The result is the same as from a file with the same items: order, hash, statistics, batches. The
 * callback fills the set's own copy when the set is made. Borrowed values are never written to.
 * Options that leave out items close the gaps by moving items, so they need a copy.
 */
#include <math.h>

#include "reader.h"

static few_status refuse(few_data *d, const char *what) {
  return few__fail(d->ctx, FEW_E_INVALID, "%s: %s", d->spec, what);
}

static few_status check_side(few_data *d, const char *what, int64_t x, int64_t max) {
  if (x >= 1 && x <= max) return FEW_OK;
  return few__fail(d->ctx, FEW_E_INVALID, "%s: %s is %lld; use 1 to %lld", d->spec, what,
                   (long long)x, (long long)max);
}

static few_status take_shape(few_data *d, const struct few_data_memory *m) {
  const int given = (m->pixels != NULL) + (m->points != NULL) + (m->item != NULL);
  if (given != 1) return refuse(d, "set one of pixels, points and item");
  if (m->kind != FEW_DATA_IMAGES && m->kind != FEW_DATA_POINTS)
    return refuse(d, "kind is neither FEW_DATA_IMAGES nor FEW_DATA_POINTS");
  d->kind = m->pixels ? FEW_DATA_IMAGES : m->points ? FEW_DATA_POINTS : m->kind;
  const bool images = d->kind == FEW_DATA_IMAGES;
  FEW_TRY(check_side(d, "n", m->n, (int64_t)1 << 40));
  FEW_TRY(check_side(d, "h", m->h, images ? FEW_DATA_MAX_SIDE : 1));
  FEW_TRY(check_side(d, "w", m->w, images ? FEW_DATA_MAX_SIDE : 1));
  FEW_TRY(check_side(d, "c", m->c, images ? FEW_DATA_MAX_CHANNELS : FEW_DATA_MAX_SIDE));
  d->n = m->n;
  d->h = (int)m->h;
  d->w = (int)m->w;
  d->c = (int)m->c;
  return FEW_OK;
}

/* Do the options leave out items, so that others are moved? */
static bool moves(const struct few_data_opts *o) {
  return o->limit || o->holdout > 0 || o->on_error == FEW_DATA_SKIP;
}

/* Makes a copy of the values, or room for them, or borrows them. */
static few_status take_values(few_data *d, const struct few_data_memory *m,
                              const struct few_data_opts *o) {
  const size_t bytes = few__mul_size((size_t)d->n, few__data_item_bytes(d));
  const void *from = m->pixels ? (const void *)m->pixels : m->points;
  void *at = NULL;
  d->borrowed = m->borrow && from && !moves(o);
  if (d->borrowed)
    memcpy(&at, &from, sizeof at); /* never written to */
  else
    FEW_TRY(few__new(d->ctx, &at, bytes, 1));
  if (!d->borrowed && from) memcpy(at, from, bytes);
  if (d->kind == FEW_DATA_IMAGES)
    d->pixels = at;
  else
    d->points = at;
  return FEW_OK;
}

static few_status fill_items(few_data *d, const struct few_data_memory *m) {
  assert(m->item && !d->borrowed);
  const size_t bytes = few__data_item_bytes(d);
  char *at = d->kind == FEW_DATA_IMAGES ? (char *)d->pixels : (char *)d->points;
  const double began = few__now();
  int32_t unused;
  for (int64_t i = 0; i < d->n; i++) {
    few_status st =
        m->item(m->user, i, at + (size_t)i * bytes, d->labels ? &d->labels[i] : &unused);
    if (st)
      return few__fail(d->ctx, st, "%s: item %lld: the callback failed", d->spec, (long long)i);
    if (i % 1024 == 0)
      FEW_TRY(few__progress(d->ctx,
                            &(struct few_progress){"reading", i, d->n, few__now() - began, NULL}));
  }
  return FEW_OK;
}

static few_status drop_infinite(few_data *d, const struct few_data_opts *o) {
  int64_t kept = 0;
  for (int64_t i = 0; i < d->n; i++) {
    int c = 0;
    while (c < d->c && isfinite(d->points[i * d->c + c])) c++;
    if (c == d->c)
      few__data_move(d, i, kept++);
    else
      FEW_TRY(few__data_broken(d, o, 1, "%s: entry [%lld,%d] is not a finite float", d->spec,
                               (long long)i, c));
  }
  assert(kept == d->n || !d->borrowed); /* borrowed values are never written to */
  d->n = kept;
  return FEW_OK;
}

static few_status take_labels(few_data *d, const struct few_data_memory *m,
                              const struct few_data_opts *o) {
  if (!d->labels) return FEW_OK;
  FEW_TRY(few__data_check_labels(d, o, d->spec, (int)m->n_classes));
  return m->class_names ? few__data_name_classes(d, m->class_names) : FEW_OK;
}

static few_status check_classes(few_data *d, const struct few_data_memory *m) {
  const bool labelled = m->labels || (m->item && m->n_classes);
  if (m->n_classes < 0 || m->n_classes > FEW_DATA_MAX_CLASSES)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: n_classes is %lld; use 0 to %d", d->spec,
                     (long long)m->n_classes, FEW_DATA_MAX_CLASSES);
  if (m->n_classes && !labelled) return refuse(d, "n_classes without labels: set labels too");
  if (m->class_names && !m->n_classes)
    return refuse(d, "class_names without n_classes: set it too");
  FEW_TRY(m->class_names ? few__opts_texts(d->ctx, "class_names", (int)m->n_classes, m->class_names)
                         : FEW_OK);
  if (!labelled) return FEW_OK;
  FEW_TRY(FEW_NEW(d->ctx, &d->labels, d->n));
  if (m->labels) memcpy(d->labels, m->labels, (size_t)d->n * sizeof *d->labels);
  return FEW_OK;
}

static few_status fill(few_data *d, const struct few_data_memory *m,
                       const struct few_data_opts *o) {
  struct few_data_opts whole = *o;
  if (o->holdout > 0) whole.split = FEW_DATA_TRAIN; /* both parts are made from all items */
  FEW_TRY(few__data_no_split(d, &whole));
  FEW_TRY(take_shape(d, m));
  FEW_TRY(check_classes(d, m));
  FEW_TRY(take_values(d, m, o));
  if (m->item) FEW_TRY(fill_items(d, m));
  FEW_TRY(take_labels(d, m, o));
  if (d->points) FEW_TRY(drop_infinite(d, o));
  return few__data_finish(d, o);
}

few_status few_data_create(few_data **out, few_ctx *ctx, const struct few_data_memory *memory,
                           const struct few_data_opts *opts) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  few_status st;
  if (opts) o = *opts;
  *out = NULL;
  FEW_GOTO(few__opts_check(ctx, "few_data_memory", memory, FEW_DATA_MEMORY_VERSION));
  FEW_GOTO(few__data_check_opts(ctx, &o));
  FEW_GOTO(FEW_NEW(ctx, &d, 1));
  d->ctx = ctx;
  d->spec = few__strdup(ctx, memory->name ? memory->name : "memory");
  if (!d->spec) FEW_GOTO(few__fail(ctx, FEW_E_MEMORY, "out of memory for the name of a set"));
  FEW_GOTO(fill(d, memory, &o));
  *out = d;
out:
  if (st) few_data_free(d);
  return st;
}
