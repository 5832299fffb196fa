/* image.c - converts colours and size of an image, row by row while it is decoded.
 *
 * Size: the square in the middle of the image has s pixels per side, and the result S. In units of
 * 1 / S of a source pixel, source pixel j covers [j S, (j+1) S) and result pixel i covers
 * [i s, (i+1) s). So all overlaps are
 * integers, and a result is sum(overlap * value) / s^2, rounded once. The same loop
 * enlarges an image, though without smoothing. Sums of integers do not depend on their order, so
 * the passes of an interlaced image are added as they come, and only the sums are kept.
 *
 * Colours are converted before the size, so that the colour of transparent pixels does not bleed
 * into their neighbours.
 */
#include "image.h"

#include "io/exif.h"
#include "io/photo.h"

struct keeper {
  few_ctx *ctx;
  const char *path;
  const struct few_image_opts *o;
  struct few_image *out;
  int64_t top, left, side; /* of the square; side is s above */
  int64_t size;            /* of the result, S above */
  int32_t *column;         /* [side] the first result column that a source column touches */
  int64_t *row, *sum;      /* sums of a row [size][c] and of the result [size][size][c] */
};

static uint8_t over(int value, int alpha, int background) {
  return (uint8_t)((value * alpha + background * (255 - alpha) + 127) / 255);
}

/* Converts a pixel of n channels to o->c channels. */
static void colours(const struct few_image_opts *o, int n, const uint8_t *p, uint8_t *out) {
  uint8_t v[3];
  const int alpha = n == 4 ? p[3] : 255;
  for (int k = 0; k < 3; k++) v[k] = over(p[n == 1 ? 0 : k], alpha, o->background);
  if (o->c == 3)
    memcpy(out, v, 3);
  else
    out[0] = (uint8_t)((299 * v[0] + 587 * v[1] + 114 * v[2] + 500) / 1000);
}

/* ---- whole images ---- */

static few_status begin_whole(void *user, int h, int w, int orientation) {
  struct keeper *k = user;
  FEW_UNUSED(orientation);
  if ((int64_t)h * w > FEW_IMAGE_MAX_PIXELS)
    return few__fail(k->ctx, FEW_E_UNSUPPORTED,
                     "%s: %d x %d are more than %d pixels, the limit of an image that is not "
                     "shrunk: give size = N to shrink it",
                     k->path, w, h, (int)FEW_IMAGE_MAX_PIXELS);
  return few__image_new(k->ctx, k->out, h, w, k->o->c);
}

static void put_whole(void *user, int y, int x, int dx, int n, int c, const uint8_t *pixels) {
  struct keeper *k = user;
  const int64_t to = k->o->c;
  assert(y >= 0 && y < k->out->h && x >= 0 && x + (int64_t)(n - 1) * dx < k->out->w);
  uint8_t *out = k->out->at + ((int64_t)y * k->out->w + x) * to;
  for (int i = 0; i < n; i++, pixels += c, out += dx * to) colours(k->o, c, pixels, out);
}

static few_status end_whole(void *user, int orientation) {
  struct keeper *k = user;
  return few__image_upright(k->ctx, k->out, orientation);
}

/* ---- images of a given size ---- */

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* If an odd number of pixels is cut from a side, one end loses one pixel more: the lower or right
 * end of the upright image. Which end this is in the file depends on the orientation. */
static few_status begin_square(void *user, int h, int w, int orientation) {
  struct keeper *k = user;
  const int64_t s = h < w ? h : w, S = k->o->size, c = k->o->c;
  assert(s > 0 && S > 0 && !k->column);
  k->side = s;
  k->size = S;
  k->top = (h - s + few__exif_from_bottom(orientation)) / 2;
  k->left = (w - s + few__exif_from_right(orientation)) / 2;
  FEW_TRY(FEW_NEW(k->ctx, &k->column, s));
  for (int64_t x = 0; x < s; x++) k->column[x] = (int32_t)(x * S / s);
  FEW_TRY(FEW_NEW(k->ctx, &k->row, S * c));
  FEW_TRY(FEW_NEW(k->ctx, &k->sum, S * S * c));
  return few__image_new(k->ctx, k->out, (int)S, (int)S, (int)c);
}

/* The overlap of source pixel j and result pixel i. */
static int64_t overlap(const struct keeper *k, int64_t i, int64_t j) {
  const int64_t s = k->side, S = k->size;
  return min64((i + 1) * s, (j + 1) * S) - max64(i * s, j * S);
}

static void put_square(void *user, int y, int x, int dx, int n, int c, const uint8_t *pixels) {
  struct keeper *k = user;
  const int64_t s = k->side, S = k->size, to = k->o->c == 3 ? 3 : 1, v = y - k->top;
  if (v < 0 || v >= s) return;
  memset(k->row, 0, (size_t)(S * to) * sizeof *k->row);
  for (int64_t i = 0, u = x - k->left; i < n && u < s; i++, u += dx) {
    uint8_t p[3];
    if (u < 0) continue;
    colours(k->o, c, pixels + i * c, p);
    for (int64_t q = k->column[u]; q * s < (u + 1) * S; q++) {
      const int64_t length = overlap(k, q, u);
      for (int64_t b = 0; b < to; b++) k->row[q * to + b] += length * p[b];
    }
  }
  for (int64_t q = k->column[v]; q * s < (v + 1) * S; q++) {
    const int64_t length = overlap(k, q, v);
    for (int64_t b = 0; b < S * to; b++) k->sum[q * S * to + b] += length * k->row[b];
  }
}

static few_status end_square(void *user, int orientation) {
  struct keeper *k = user;
  const int64_t area = k->side * k->side;
  assert(area > 0 && k->out->h == k->size && k->out->w == k->size);
  for (int64_t i = 0; i < k->size * k->size * k->o->c; i++)
    k->out->at[i] = (uint8_t)((k->sum[i] + area / 2) / area);
  return few__image_upright(k->ctx, k->out, orientation);
}

/* ---- the file ---- */

few_status few__image_decode(few_ctx *ctx, struct few_image *out, struct few_feed *from,
                             const struct few_image_opts *o) {
  struct keeper k = {.ctx = ctx, .path = from->place, .o = o, .out = out};
  const struct few_image_sink whole = {&k, begin_whole, put_whole, end_whole},
                              square = {&k, begin_square, put_square, end_square};
  assert((o->c == 1 || o->c == 3) && o->size >= 0);
  *out = (struct few_image){0};
  few_status st = few__photo_rows(ctx, from, o->max_side, o->size ? &square : &whole);
  if (st) few__image_free(ctx, out);
  few__free(ctx, k.column);
  few__free(ctx, k.row);
  few__free(ctx, k.sum);
  return st;
}

few_status few__image_read(few_ctx *ctx, struct few_image *out, const char *path,
                           const struct few_image_opts *o) {
  struct few_feed from;
  *out = (struct few_image){0};
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = few__image_decode(ctx, out, &from, o);
  few__feed_close(&from);
  return st;
}
