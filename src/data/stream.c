/* stream.c - makes batches of a set: order, flips, augmentation, scaling. It has no state: a row
 * depends only on its position in the stream.
 *
 * A byte has 256 values, so an image that is not moved is scaled by looking up its bytes in a table,
 * which is computed in f64 once per call. That is exact and faster than arithmetic.
 */
#include <math.h>

#include "augment.h"
#include "base/rng.h"

static const int64_t places = (int64_t)1 << 40; /* limit of struct few_rng */

struct few_data_scale few_data_scale_to(const few_data *d, double sigma) {
  return (struct few_data_scale){d->mean, d->std > 0 ? sigma / d->std : 1};
}

void few_data_scales_to(struct few_data_scale *scales, const few_data *d, double sigma) {
  double largest = 0;
  for (int c = 0; c < d->c; c++) {
    const struct few_data_moments m = d->each[c];
    scales[c] = (struct few_data_scale){m.mean, m.std > 0 ? sigma / m.std : 0};
    if (scales[c].scale > largest) largest = scales[c].scale;
  }
  for (int c = 0; c < d->c; c++)
    if (scales[c].scale == 0) scales[c].scale = largest > 0 ? largest : 1;
}

int64_t few_data_batch_index(int64_t n, uint64_t seed, int64_t position) {
  if (n < 1 || position < 0 || position >= places) return -1;
  return few__rng_permute(seed, (uint64_t)(position / n), position % n, n);
}

/* Is the row at this position mirrored? */
static bool flips(uint64_t seed, int64_t position) {
  struct few_rng r = {.seed = seed, .row = (uint64_t)position, .purpose = FEW_RNG_AUGMENT};
  uint32_t w[4];
  few__rng_block(&r, 0, w);
  return w[0] >> 31;
}

static void make_table(const struct few_data_scale *s, float table[256]) {
  for (int v = 0; v < 256; v++) table[v] = (float)((v / 127.5 - 1 - s->mean) * s->scale);
}

/* table[c] has the scaled values of channel c. */
static void image_row(const few_data *d, int64_t index, float (*table)[256], float *out) {
  assert(index >= 0 && index < d->n && d->pixels);
  const uint8_t *p = d->pixels + index * few_data_item_size(d);
  for (int64_t i = 0; i < (int64_t)d->h * d->w; i++)
    for (int c = 0; c < d->c; c++) *out++ = table[c][*p++];
}

/* Scales coordinate c by scale[c * step]. With step 0 all coordinates have the same scale. */
static void point_row(const few_data *d, int64_t index, const struct few_data_scale *scale,
                      int step, float *out) {
  assert(index >= 0 && index < d->n && d->points && (step == 0 || step == 1));
  const float *p = d->points + index * d->c;
  for (int c = 0; c < d->c; c++) {
    const struct few_data_scale *s = scale + c * step;
    out[c] = (float)((p[c] - s->mean) * s->scale);
  }
}

few_status few_data_get(float *out, const few_data *d, int64_t index) {
  if (index < 0 || index >= d->n)
    return few__fail(d->ctx, FEW_E_INVALID, "%s has items 0..%lld; there is no item %lld", d->spec,
                     (long long)d->n - 1, (long long)index);
  struct few_data_scale raw = FEW_DATA_SCALE_NONE;
  if (d->kind == FEW_DATA_POINTS) {
    point_row(d, index, &raw, 0, out);
    return FEW_OK;
  }
  float table[FEW_DATA_MAX_CHANNELS][256];
  for (int c = 0; c < d->c; c++) make_table(&raw, table[c]);
  image_row(d, index, table, out);
  return FEW_OK;
}

static few_status check_places(const few_data *d, int64_t first, int64_t count) {
  if (first >= 0 && count >= 0 && first <= places - count) return FEW_OK;
  return few__fail(d->ctx, FEW_E_INVALID,
                   "%s: positions %lld + %lld of the stream are outside 0..2^40 - 1", d->spec,
                   (long long)first, (long long)count);
}

few_status few_data_fill_augment(float *out, const few_data *d,
                                 const struct few_data_stream *stream, int64_t first_position,
                                 int64_t count) {
  FEW_TRY(few__opts_check(d->ctx, "few_data_stream", stream, FEW_DATA_STREAM_VERSION));
  FEW_TRY(few__augment_check(d, &stream->augment));
  FEW_TRY(check_places(d, first_position, count));
  for (int64_t i = 0; i < count; i++) {
    struct few_augment a = {0};
    if (stream->augment.p > 0)
      few__augment_draw(&a, d, &stream->augment, stream->seed, first_position + i);
    few__augment_label(out + i * FEW_AUGMENT_LABELS, &a, d, &stream->augment);
  }
  return FEW_OK;
}

static void fill_image(float *out, const few_data *d, const struct few_data_stream *stream,
                       float (*table)[256], int64_t index, int64_t position) {
  const bool flip = stream->flip && flips(stream->seed, position);
  const struct few_data_scale *scale = stream->scales ? stream->scales : &stream->scale;
  struct few_augment a = {0};
  struct few_warp warp;
  if (stream->augment.p > 0) few__augment_draw(&a, d, &stream->augment, stream->seed, position);
  a.flip_x = a.flip_x != flip;
  if (few__augment_warp(&warp, &a, d, &stream->augment))
    few__warp(d, index, &warp, scale, stream->scales ? 1 : 0, out);
  else
    image_row(d, index, table, out);
}

few_status few_data_fill(float *x, int32_t *labels, const few_data *d,
                         const struct few_data_stream *stream, int64_t first_position,
                         int64_t count) {
  FEW_TRY(few__opts_check(d->ctx, "few_data_stream", stream, FEW_DATA_STREAM_VERSION));
  FEW_TRY(few__augment_check(d, &stream->augment));
  const struct few_data_scale *scale = stream->scales ? stream->scales : &stream->scale;
  const int step = stream->scales ? 1 : 0;
  for (int c = 0; c < (step ? d->c : 1); c++)
    if (!isfinite(scale[c].mean) || !isfinite(scale[c].scale))
      return few__fail(d->ctx, FEW_E_INVALID, "%s: mean %g and scale %g: give finite numbers",
                       d->spec, scale[c].mean, scale[c].scale);
  FEW_TRY(check_places(d, first_position, count));
  float table[FEW_DATA_MAX_CHANNELS][256];
  for (int c = 0; c < d->c && d->kind == FEW_DATA_IMAGES; c++)
    make_table(scale + c * step, table[c]);
  for (int64_t i = 0; i < count; i++) {
    int64_t at = first_position + i;
    int64_t index = stream->shuffle ? few_data_batch_index(d->n, stream->seed, at) : at % d->n;
    float *row = x + i * few_data_item_size(d);
    if (d->kind == FEW_DATA_IMAGES)
      fill_image(row, d, stream, table, index, at);
    else
      point_row(d, index, scale, step, row);
    if (labels) labels[i] = few_data_label(d, index);
  }
  return FEW_OK;
}
