/* image.c - converts colours and size of an image, row by row while it is decoded.
 *
 * Size: a rectangle of s x t source pixels becomes S x S. It is the central square (crop), the
 * square around the whole image (pad), or the image itself (stretch). Along one side, in units of
 * 1 / S of a source pixel, source pixel j covers [jS, (j+1)S) and result pixel i covers
 * [is, (i+1)s). So all overlaps are integers, and a result is sum(overlap * value) / (s t), rounded
 * once. What the image does not cover of a result has the background's value. The same loop
 * enlarges an image, though without smoothing. Sums of integers do not depend on their order, so
 * the passes of an interlaced image are added as they come, and only the sums are kept.
 *
 * Colours are converted before the size, so that the colour of transparent pixels does not bleed
 * into their neighbours.
 */
#include "image.h"

#include "io/exif.h"
#include "io/photo.h"

/* One side of the rectangle. */
struct side {
  int64_t n;        /* source pixels, s or t above */
  int64_t at;       /* where it begins in the image; below 0 if the image is padded */
  int64_t from, to; /* the part of it that the image covers */
  int32_t *first;   /* [n] the first result pixel that a source pixel touches */
};

struct keeper {
  few_ctx *ctx;
  const char *path;
  const struct few_image_opts *o;
  struct few_image *out;
  uint8_t background[3];
  int64_t size; /* S above */
  struct side x, y;
  int64_t *row, *sum; /* sums of a row [size][c] and of the result [size][size][c] */
};

static uint8_t luma(const uint8_t v[3]) {
  return (uint8_t)((299 * v[0] + 587 * v[1] + 114 * v[2] + 500) / 1000);
}

static void take_background(struct keeper *k) {
  const int64_t b = k->o->background;
  const bool grey = b < 256;
  assert(b >= 0 && (grey || (b >= FEW_RGB(0, 0, 0) && b <= FEW_RGB(255, 255, 255))));
  for (int i = 0; i < 3; i++) k->background[i] = (uint8_t)(grey ? b : b >> (16 - 8 * i) & 255);
}

static uint8_t over(int value, int alpha, int background) {
  return (uint8_t)((value * alpha + background * (255 - alpha) + 127) / 255);
}

/* Converts a pixel of n channels to o->c channels. */
static void colours(const struct keeper *k, int n, const uint8_t *p, uint8_t *out) {
  uint8_t v[3];
  const int alpha = n == 4 ? p[3] : 255;
  for (int i = 0; i < 3; i++) v[i] = over(p[n == 1 ? 0 : i], alpha, k->background[i]);
  if (k->o->c == 3)
    memcpy(out, v, 3);
  else
    out[0] = luma(v);
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
  for (int i = 0; i < n; i++, pixels += c, out += dx * to) colours(k, c, pixels, out);
}

static few_status end_whole(void *user, int orientation) {
  struct keeper *k = user;
  return few__image_upright(k->ctx, k->out, orientation);
}

/* ---- images of a given size ---- */

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* Chooses one side of the rectangle: n pixels of the `length` of the image. If an odd number is cut
 * or added, one end gets one pixel more: the lower or right end of the upright image. `turned`: that
 * is the first one in the file. */
static few_status take_side(struct keeper *k, struct side *s, int64_t n, int64_t length,
                            bool turned) {
  const int64_t cut = length > n ? (length - n + turned) / 2 : 0,
                added = n > length ? (n - length + turned) / 2 : 0;
  *s = (struct side){.n = n, .at = cut - added, .from = added};
  s->to = length > n ? n : added + length;
  FEW_TRY(FEW_NEW(k->ctx, &s->first, n));
  for (int64_t i = 0; i < n; i++) s->first[i] = (int32_t)(i * k->size / n);
  return FEW_OK;
}

static few_status begin_square(void *user, int h, int w, int orientation) {
  struct keeper *k = user;
  const int64_t S = k->o->size, c = k->o->c, small = min64(h, w), large = max64(h, w);
  const enum few_data_fit fit = k->o->fit;
  assert(small > 0 && S > 0 && !k->sum);
  k->size = S;
  FEW_TRY(take_side(k, &k->y,
                    fit == FEW_DATA_CROP  ? small
                    : fit == FEW_DATA_PAD ? large
                                          : h,
                    h, few__exif_from_bottom(orientation)));
  FEW_TRY(take_side(k, &k->x,
                    fit == FEW_DATA_CROP  ? small
                    : fit == FEW_DATA_PAD ? large
                                          : w,
                    w, few__exif_from_right(orientation)));
  FEW_TRY(FEW_NEW(k->ctx, &k->row, S * c));
  FEW_TRY(FEW_NEW(k->ctx, &k->sum, S * S * c));
  return few__image_new(k->ctx, k->out, (int)S, (int)S, (int)c);
}

/* The overlap of result pixel i and source pixels j .. end - 1. */
static int64_t overlap(const struct keeper *k, const struct side *s, int64_t i, int64_t j,
                       int64_t end) {
  return min64((i + 1) * s->n, end * k->size) - max64(i * s->n, j * k->size);
}

static void put_square(void *user, int y, int x, int dx, int n, int c, const uint8_t *pixels) {
  struct keeper *k = user;
  const int64_t S = k->size, to = k->o->c == 3 ? 3 : 1, v = y - k->y.at;
  if (v < 0 || v >= k->y.n) return;
  memset(k->row, 0, (size_t)(S * to) * sizeof *k->row);
  for (int64_t i = 0, u = x - k->x.at; i < n && u < k->x.n; i++, u += dx) {
    uint8_t p[3];
    if (u < 0) continue;
    colours(k, c, pixels + i * c, p);
    for (int64_t q = k->x.first[u]; q * k->x.n < (u + 1) * S; q++) {
      const int64_t length = overlap(k, &k->x, q, u, u + 1);
      for (int64_t b = 0; b < to; b++) k->row[q * to + b] += length * p[b];
    }
  }
  for (int64_t q = k->y.first[v]; q * k->y.n < (v + 1) * S; q++) {
    const int64_t length = overlap(k, &k->y, q, v, v + 1);
    for (int64_t b = 0; b < S * to; b++) k->sum[q * S * to + b] += length * k->row[b];
  }
}

/* How much of result pixel i the image covers, along one side. */
static int64_t covered(const struct keeper *k, const struct side *s, int64_t i) {
  return max64(0, overlap(k, s, i, s->from, s->to));
}

static few_status end_square(void *user, int orientation) {
  struct keeper *k = user;
  const int64_t area = k->x.n * k->y.n, S = k->size, c = k->o->c;
  assert(area > 0 && k->out->h == S && k->out->w == S);
  for (int64_t i = 0; i < S * S; i++) {
    const int64_t bare = area - covered(k, &k->y, i / S) * covered(k, &k->x, i % S);
    for (int64_t b = 0; b < c; b++) {
      const int level = c == 1 ? luma(k->background) : k->background[b];
      k->out->at[i * c + b] = (uint8_t)((k->sum[i * c + b] + bare * level + area / 2) / area);
    }
  }
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
  take_background(&k);
  few_status st = few__photo_rows(ctx, from, o->max_side, o->size ? &square : &whole);
  if (st) few__image_free(ctx, out);
  few__free(ctx, k.x.first);
  few__free(ctx, k.y.first);
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
