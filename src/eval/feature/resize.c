/* resize.c - bilinear resizing without antialiasing, in the two ways that implementations of the
 * FID use. Parmar et al. (arXiv 2104.11222) measured how much the FID depends on this. */
#include <math.h>

#include "net.h"

struct tap { /* (1 - f) at[0] + f at[1] */
  int64_t at[2];
  float f;
};

static struct tap tap_of(int64_t i, int64_t to, int64_t from, bool half_pixel) {
  const double scale = (double)from / (double)to;
  double x = half_pixel ? ((double)i + 0.5) * scale - 0.5 : (double)i * scale;
  if (x < 0) x = 0;
  int64_t low = (int64_t)floor(x);
  if (low > from - 1) low = from - 1;
  return (struct tap){{low, low + 1 < from ? low + 1 : low}, (float)(x - (double)low)};
}

void few__feature_bilinear(const struct few_bilinear *r, int64_t h, int64_t w, int64_t c,
                           const uint8_t *image, float *to) {
  for (int64_t y = 0; y < r->th; y++) {
    const struct tap v = tap_of(y, r->th, h, r->half_pixel);
    const uint8_t *top = image + v.at[0] * w * c, *bottom = image + v.at[1] * w * c;
    for (int64_t x = 0; x < r->tw; x++, to += 3) {
      const struct tap u = tap_of(x, r->tw, w, r->half_pixel);
      for (int64_t k = 0; k < 3; k++) {
        const int64_t ch = c == 3 ? k : 0, i = u.at[0] * c + ch, j = u.at[1] * c + ch;
        const float above = (1 - u.f) * (float)top[i] + u.f * (float)top[j];
        const float below = (1 - u.f) * (float)bottom[i] + u.f * (float)bottom[j];
        to[k] = r->a * ((1 - v.f) * above + v.f * below) + r->b;
      }
    }
  }
}
