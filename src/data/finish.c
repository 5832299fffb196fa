/* finish.c - the last steps of opening any set: limit, hash, statistics.
 *
 * The statistics of images come from a histogram of the 256 byte values, so they are exact sums of
 * integers and independent of the order of items. Statistics of points take two passes in f64.
 */
#include <math.h>
#include <stdio.h>

#include "reader.h"

static few_status check_range(few_ctx *ctx, const char *key, int64_t x, int64_t min, int64_t max) {
  if (x >= min && x <= max) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "data: %s is %lld; use %lld to %lld", key, (long long)x,
                   (long long)min, (long long)max);
}

few_status few__data_check_opts(few_ctx *ctx, const struct few_data_opts *o) {
  FEW_TRY(few__opts_check(ctx, "few_data_opts", o, FEW_DATA_OPTS_VERSION));
  FEW_TRY(check_range(ctx, "split", o->split, FEW_DATA_TRAIN, FEW_DATA_TEST));
  FEW_TRY(check_range(ctx, "on_error", o->on_error, FEW_DATA_REFUSE, FEW_DATA_SKIP));
  FEW_TRY(check_range(ctx, "limit", o->limit, 0, ((int64_t)1 << 40) - 1));
  FEW_TRY(check_range(ctx, "size", o->size, 0, FEW_DATA_MAX_SIDE));
  FEW_TRY(check_range(ctx, "classes", o->classes, 0, FEW_DATA_MAX_CLASSES));
  FEW_TRY(check_range(ctx, "cache", o->cache, FEW_DATA_CACHE_AUTO, FEW_DATA_CACHE_YES));
  FEW_TRY(check_range(ctx, "fit", o->fit, FEW_DATA_CROP, FEW_DATA_STRETCH));
  if (o->background < FEW_RGB(0, 0, 0) || o->background > FEW_RGB(255, 255, 255))
    FEW_TRY(check_range(ctx, "background", o->background, 0, 255));
  if (o->fit != FEW_DATA_CROP && !o->size)
    return few__fail(ctx, FEW_E_INVALID,
                     "data: fit says how images become size x size: give size too");
  if (!(o->holdout >= 0 && o->holdout <= 0.9))
    return few__fail(ctx, FEW_E_INVALID, "data: holdout is %g; use 0 to 0.9", o->holdout);
  if (o->channels != 0 && o->channels != 1 && o->channels != 3)
    return few__fail(ctx, FEW_E_INVALID, "data: channels is %lld; use 1 (grey), 3 (RGB) or 0 (%s)",
                     (long long)o->channels, "as the images are");
  return FEW_OK;
}

/* Mean and standard deviation from a histogram of bytes, scaled to [-1, 1]. */
static struct few_data_moments byte_moments(const int64_t hist[256]) {
  int64_t total = 0, sum = 0;
  for (int v = 0; v < 256; v++) total += hist[v], sum += v * hist[v];
  assert(total > 0);
  double mean = (double)sum / (double)total, var = 0;
  for (int v = 0; v < 256; v++) var += (double)hist[v] * (v - mean) * (v - mean);
  return (struct few_data_moments){mean / 127.5 - 1, sqrt(var / (double)total) / 127.5};
}

static void image_stats(few_data *d) {
  int64_t hist[FEW_DATA_MAX_CHANNELS][256] = {{0}}, all[256] = {0};
  const int64_t total = d->n * few_data_item_size(d);
  for (int64_t i = 0; i < total; i += d->c)
    for (int c = 0; c < d->c; c++) hist[c][d->pixels[i + c]]++;
  for (int c = 0; c < d->c; c++) {
    d->each[c] = byte_moments(hist[c]);
    for (int v = 0; v < 256; v++) all[v] += hist[c][v];
  }
  const struct few_data_moments m = byte_moments(all);
  d->mean = m.mean;
  d->std = m.std;
}

/* Mean and standard deviation of n values: every step-th from x[0] on. */
static struct few_data_moments float_moments(const float *x, int64_t n, int step) {
  assert(n > 0 && step > 0);
  double sum = 0, var = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i * step];
  const double mean = sum / (double)n;
  for (int64_t i = 0; i < n; i++) {
    const double y = x[i * step] - mean;
    var += y * y;
  }
  return (struct few_data_moments){mean, sqrt(var / (double)n)};
}

static void point_stats(few_data *d) {
  const struct few_data_moments m = float_moments(d->points, d->n * d->c, 1);
  d->mean = m.mean;
  d->std = m.std;
  for (int c = 0; c < d->c; c++) d->each[c] = float_moments(d->points + c, d->n, d->c);
}

static uint64_t content_hash(const few_data *d) {
  char shape[128];
  int len = snprintf(shape, sizeof shape, "%d %lld %d %d %d %d", (int)d->kind, (long long)d->n,
                     d->h, d->w, d->c, d->labels ? 1 : 0);
  uint64_t h = few__hash(shape, (size_t)len, 0);
  const void *values = d->kind == FEW_DATA_IMAGES ? (const void *)d->pixels : d->points;
  h = few__hash(values, (size_t)d->n * few__data_item_bytes(d), h);
  return d->labels ? few__hash(d->labels, (size_t)d->n * sizeof *d->labels, h) : h;
}

/* Only images of folders are converted to the size and channels of the options; other sets must
 * have them already. */
static few_status check_asked(const few_data *d, const struct few_data_opts *o) {
  if (o->size && (d->h != o->size || d->w != o->size))
    return few__fail(d->ctx, FEW_E_INVALID,
                     "%s: size = %lld, but its %s are %dx%d: size is for folders of images; "
                     "leave it out",
                     d->spec, (long long)o->size, d->kind == FEW_DATA_IMAGES ? "images" : "points",
                     d->w, d->h);
  if (!o->channels || d->c == o->channels) return FEW_OK;
  return few__fail(d->ctx, FEW_E_INVALID,
                   "%s: channels = %lld, but it has %d: the option is for folders of "
                   "images; leave it out",
                   d->spec, (long long)o->channels, d->c);
}

few_status few__data_finish(few_data *d, const struct few_data_opts *o) {
  FEW_TRY(few__data_settle_classes(d));
  FEW_TRY(few__data_limit(d, o->limit));
  FEW_TRY(few__data_hold_out(d, o));
  if (d->skipped)
    few__log(d->ctx, FEW_LOG_WARN, "%s: %lld broken items left out, %lld kept", d->spec,
             (long long)d->skipped, (long long)d->n);
  if (d->n == 0)
    return few__fail(d->ctx, FEW_E_FORMAT, "%s holds no usable item%s", d->spec,
                     d->skipped ? ": all are broken; see the warnings in the log"
                                : "; name a set that has some");
  if (o->classes && o->classes != d->n_classes)
    return few__fail(d->ctx, FEW_E_INVALID, "%s has %d classes, not %lld: leave out `classes`",
                     d->spec, d->n_classes, (long long)o->classes);
  FEW_TRY(few__data_check_classes(d, o));
  FEW_TRY(check_asked(d, o));
  assert(d->h > 0 && d->w > 0 && d->c > 0 && (d->n_classes > 0) == (d->labels != NULL));
  assert(d->kind == FEW_DATA_IMAGES ? d->pixels != NULL : d->points != NULL);
  assert(d->kind == FEW_DATA_POINTS || d->c <= FEW_DATA_MAX_CHANNELS);
  FEW_TRY(FEW_NEW(d->ctx, &d->each, d->c));
  d->hash = content_hash(d);
  if (d->kind == FEW_DATA_IMAGES)
    image_stats(d);
  else
    point_stats(d);
  if (d->note.failed) return few__fail(d->ctx, FEW_E_MEMORY, "%s: out of memory", d->spec);
  if (d->note.len) few__log(d->ctx, FEW_LOG_INFO, "%s: %s", d->spec, d->note.at);
  few__log(d->ctx, FEW_LOG_INFO, "%s: %lld %s %dx%dx%d, %d classes, hash %016llx", d->spec,
           (long long)d->n, d->kind == FEW_DATA_IMAGES ? "images" : "points", d->h, d->w, d->c,
           d->n_classes, (unsigned long long)d->hash);
  return FEW_OK;
}
