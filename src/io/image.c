/* image.c - 8-bit images in memory.
 *
 * Readers return RGBA, and it is converted to the requested channels here, so that an image has the
 * same pixels in every encoding. It is composited on white by (a v + (255 - a) 255) / 255; grey is
 * Y = 0.299 R + 0.587 G + 0.114 B.
 */
#include "image.h"

#include <math.h>

#include "exif.h"

enum { PADDING = 2, NEUTRAL = 128 };

few_status few__image_new(few_ctx *ctx, struct few_image *out, int h, int w, int c) {
  *out = (struct few_image){0};
  if (h <= 0 || w <= 0 || (c != 1 && c != 3 && c != 4))
    return few__fail(ctx, FEW_E_INVALID,
                     "an image cannot be %d x %d with %d channels: give 1, 3 or 4 channels", h, w,
                     c);
  size_t pixels = few__mul_size((size_t)h, (size_t)w);
  FEW_TRY(few__new(ctx, &out->at, pixels, (size_t)c));
  out->h = h;
  out->w = w;
  out->c = c;
  return FEW_OK;
}

void few__image_free(few_ctx *ctx, struct few_image *im) {
  few__free(ctx, im->at);
  *im = (struct few_image){0};
}

static int on_white(int v, int a) { return (a * v + (255 - a) * 255 + 127) / 255; }

void few__image_from_rgba(const uint8_t *rgba, int64_t pixels, int c, uint8_t *out) {
  assert(c == 1 || c == 3 || c == 4);
  if (c == 4) {
    memcpy(out, rgba, (size_t)pixels * 4);
    return;
  }
  for (int64_t i = 0; i < pixels; i++, rgba += 4, out += c) {
    int r = on_white(rgba[0], rgba[3]), g = on_white(rgba[1], rgba[3]),
        b = on_white(rgba[2], rgba[3]);
    out[0] = (uint8_t)(c == 3 ? r : (299 * r + 587 * g + 114 * b + 500) / 1000);
    if (c == 1) continue;
    out[1] = (uint8_t)g;
    out[2] = (uint8_t)b;
  }
}

/* ---- the whole image ---- */

static few_status begin_whole(void *user, int h, int w, int orientation) {
  struct few_image_whole *s = user;
  FEW_UNUSED(orientation);
  return few__image_new(s->ctx, s->out, h, w, s->channels);
}

static void put_whole(void *user, int y, int x, int dx, int n, int c, const uint8_t *pixels) {
  struct few_image_whole *s = user;
  const int to = s->channels;
  assert(y >= 0 && y < s->out->h && x >= 0 && dx > 0);
  assert(n > 0 && x + (int64_t)(n - 1) * dx < s->out->w); /* in the row */
  uint8_t *out = s->out->at + ((size_t)y * (size_t)s->out->w + (size_t)x) * (size_t)to;
  for (int i = 0; i < n; i++, pixels += c, out += (size_t)dx * (size_t)to) {
    const int g = c == 1 ? 0 : 1, b = c == 1 ? 0 : 2;
    const uint8_t rgba[4] = {pixels[0], pixels[g], pixels[b], c == 4 ? pixels[3] : 255};
    few__image_from_rgba(rgba, 1, to, out);
  }
}

static few_status end_whole(void *user, int orientation) {
  struct few_image_whole *s = user;
  return few__image_upright(s->ctx, s->out, orientation);
}

struct few_image_sink few__image_whole(few_ctx *ctx, struct few_image_whole *state,
                                       struct few_image *out, int channels) {
  *out = (struct few_image){0};
  *state = (struct few_image_whole){ctx, out, channels};
  return (struct few_image_sink){state, begin_whole, put_whole, end_whole};
}

/* ---- grids ---- */

static void put_tile(struct few_image *grid, const uint8_t *tile, int top, int left, int h, int w) {
  assert(top >= 0 && left >= 0 && top + h <= grid->h && left + w <= grid->w);
  size_t row = (size_t)w * (size_t)grid->c, stride = (size_t)grid->w * (size_t)grid->c;
  for (int y = 0; y < h; y++)
    memcpy(grid->at + (size_t)(top + y) * stride + (size_t)left * (size_t)grid->c,
           tile + (size_t)y * row, row);
}

few_status few__image_grid(few_ctx *ctx, struct few_image *out, const uint8_t *images, int n, int h,
                           int w, int c, int columns) {
  *out = (struct few_image){0};
  if (n <= 0 || h <= 0 || w <= 0 || columns < 0)
    return few__fail(ctx, FEW_E_INVALID, "a grid of %d images of %d x %d: give at least one", n, h,
                     w);
  if (!columns) columns = (int)ceil(sqrt(n));
  if (columns > n) columns = n;
  int64_t rows = ((int64_t)n + columns - 1) / columns;
  int64_t height = rows * (h + (int64_t)PADDING) + PADDING;
  int64_t width = columns * (w + (int64_t)PADDING) + PADDING;
  if (height > INT32_MAX || width > INT32_MAX)
    return few__fail(ctx, FEW_E_INVALID, "a grid of %d images of %d x %d is too large: show fewer",
                     n, h, w);
  FEW_TRY(few__image_new(ctx, out, (int)height, (int)width, c));
  memset(out->at, NEUTRAL, (size_t)height * (size_t)width * (size_t)c);
  size_t tile = (size_t)h * (size_t)w * (size_t)c;
  for (int i = 0; i < n; i++)
    put_tile(out, images + (size_t)i * tile, PADDING + i / columns * (h + PADDING),
             PADDING + i % columns * (w + PADDING), h, w);
  return FEW_OK;
}
