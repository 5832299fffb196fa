/* added.c - calls by which readers from outside fill a data set, and a check of the result. */
#include <math.h>

#include "reader.h"

few_ctx *few_reader_ctx(const few_data *d) { return d->ctx; }

static few_status set_shape(few_data *d, few_data_kind kind, int64_t n, int h, int w, int c) {
  assert(!d->pixels && !d->points);
  if (n < 1 || n >= (int64_t)1 << 40)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: %lld items: give 1 to 2^40 - 1", d->spec,
                     (long long)n);
  if (h < 1 || w < 1 || c < 1 || h > FEW_DATA_MAX_SIDE || w > FEW_DATA_MAX_SIDE ||
      c > (kind == FEW_DATA_IMAGES ? FEW_DATA_MAX_CHANNELS : FEW_DATA_MAX_SIDE))
    return few__fail(d->ctx, FEW_E_INVALID,
                     "%s: items of %d x %d x %d: sides have 1 to %d values, and images 1 to %d "
                     "channels",
                     d->spec, h, w, c, FEW_DATA_MAX_SIDE, FEW_DATA_MAX_CHANNELS);
  d->kind = kind;
  d->n = n;
  d->h = h;
  d->w = w;
  d->c = c;
  return FEW_OK;
}

static size_t values(const few_data *d) {
  return few__mul_size((size_t)d->n, (size_t)few_data_item_size(d));
}

few_status few_reader_images(uint8_t **pixels, few_data *d, int64_t n, int h, int w, int c) {
  *pixels = NULL;
  FEW_TRY(set_shape(d, FEW_DATA_IMAGES, n, h, w, c));
  FEW_TRY(FEW_NEW(d->ctx, &d->pixels, values(d)));
  *pixels = d->pixels;
  return FEW_OK;
}

few_status few_reader_points(float **points, few_data *d, int64_t n, int dims) {
  *points = NULL;
  FEW_TRY(set_shape(d, FEW_DATA_POINTS, n, 1, 1, dims));
  FEW_TRY(FEW_NEW(d->ctx, &d->points, values(d)));
  *points = d->points;
  return FEW_OK;
}

few_status few_reader_labels(int32_t **labels, few_data *d, int classes, const char *const *names) {
  assert(!d->labels && (d->pixels || d->points)); /* items come first */
  *labels = NULL;
  if (classes < 1 || classes > FEW_DATA_MAX_CLASSES)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: %d classes: give 1 to %d", d->spec, classes,
                     FEW_DATA_MAX_CLASSES);
  d->n_classes = classes;
  if (names) FEW_TRY(few__data_name_classes(d, names));
  FEW_TRY(FEW_NEW(d->ctx, &d->labels, d->n));
  *labels = d->labels;
  return FEW_OK;
}

few_status few_reader_no_split(few_data *d, const struct few_data_opts *opts) {
  return few__data_no_split(d, opts);
}

few_status few__reader_check(few_data *d, const char *name, const struct few_data_opts *o) {
  if (!d->pixels && !d->points)
    return few__fail(d->ctx, FEW_E_FORMAT,
                     "%s: the reader %s left no items: it must call few_reader_images or "
                     "few_reader_points",
                     d->spec, name);
  for (size_t i = 0; d->points && i < values(d); i++)
    if (!isfinite(d->points[i]))
      return few__fail(d->ctx, FEW_E_FORMAT, "%s: value %zu of point %zu is not finite", d->spec,
                       i % (size_t)d->c, i / (size_t)d->c);
  return d->labels ? few__data_check_labels(d, o, d->spec, d->n_classes) : FEW_OK;
}
