/* picture.c - colours and size of a picture.
 *
 * Size: let the square have s pixels a side and the result S. Measured in units of 1 / S of a
 * source pixel, source pixel j covers [jS, (j+1)S) and result pixel i covers [is, (i+1)s), so all
 * overlaps are integers and a result is sum(overlap * value) / s^2, rounded once. The same loop
 * makes a picture larger, though without smoothing.
 */
#include "picture.h"

static uint8_t over(int value, int alpha, int background) {
  return (uint8_t)((value * alpha + background * (255 - alpha) + 127) / 255);
}

void few__picture_colours(const struct few_image *from, int c, uint8_t background, uint8_t *out) {
  assert((c == 1 || c == 3) && (from->c == 1 || from->c == 3 || from->c == 4));
  const uint8_t *p = from->at;
  for (int64_t i = (int64_t)from->h * from->w; i > 0; i--, p += from->c, out += c) {
    int alpha = from->c == 4 ? p[3] : 255;
    uint8_t v[3];
    for (int k = 0; k < 3; k++) v[k] = over(p[from->c == 1 ? 0 : k], alpha, background);
    if (c == 3)
      memcpy(out, v, 3);
    else
      out[0] = (uint8_t)((299 * v[0] + 587 * v[1] + 114 * v[2] + 500) / 1000);
  }
}

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

/* The length that source pixel j and result pixel i share. */
static int64_t overlap(int64_t i, int64_t j, int64_t s, int64_t S) {
  return min64((i + 1) * s, (j + 1) * S) - max64(i * s, j * S);
}

void few__picture_square(const struct few_image *from, int size, uint8_t *out) {
  int64_t s = from->h < from->w ? from->h : from->w, S = size;
  int64_t top = (from->h - s) / 2, left = (from->w - s) / 2;
  for (int64_t y = 0; y < S; y++)
    for (int64_t x = 0; x < S; x++, out += from->c) {
      int64_t sum[4] = {0};
      for (int64_t v = y * s / S; v * S < (y + 1) * s; v++)
        for (int64_t u = x * s / S; u * S < (x + 1) * s; u++) {
          const uint8_t *p = from->at + ((top + v) * from->w + left + u) * from->c;
          int64_t area = overlap(y, v, s, S) * overlap(x, u, s, S);
          for (int k = 0; k < from->c; k++) sum[k] += area * p[k];
        }
      for (int k = 0; k < from->c; k++) out[k] = (uint8_t)((sum[k] + s * s / 2) / (s * s));
    }
}
