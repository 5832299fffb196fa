/* exif.c - the orientation of an image.
 *
 * A camera that is held sideways stores the pixels in the order of its sensor, and also stores how
 * to turn them. This is tag 0x0112 in the first directory of a TIFF file without pixels (CIPA
 * DC-008, "Exif"; TIFF 6.0, section 8), which JPEG carries in its segment APP1 and PNG in its chunk
 * eXIf:
 *
 *   2 bytes   "II" little-endian, "MM" big-endian
 *   2         42
 *   4         offset of the directory, which has 2 bytes of count, then entries of 12 bytes:
 *             2 tag, 2 type (1 byte, 3 short, 4 long), 4 count, 4 value, left-aligned
 *
 *   value   first row of the stored pixels, first column     to make it upright
 *   1       top, left                                        nothing
 *   2       top, right                                       mirror left to right
 *   3       bottom, right                                    turn by 180 degrees
 *   4       bottom, left                                     mirror top to bottom
 *   5       left, top                                        transpose
 *   6       right, top                                       turn by 90 degrees clockwise
 *   7       right, bottom                                    transpose across the other diagonal
 *   8       left, bottom                                     turn by 90 degrees anticlockwise
 *
 * One tag does not need a library. The code reads only this path through the file and compares
 * every offset with the size of the block. The only loop is over the directory, whose entries are
 * counted.
 */
#include "exif.h"

enum { ORIENTATION = 0x0112, BYTE = 1, SHORT = 3, LONG = 4, HEADER = 8, ENTRY = 12 };

struct tiff {
  const uint8_t *at;
  size_t n;
  bool big;
};

/* The number in the `size` bytes at `where`, which must be inside the block. */
static uint32_t number(const struct tiff *t, size_t where, int size) {
  uint32_t v = 0;
  assert(where + (size_t)size <= t->n);
  for (int i = 0; i < size; i++) v = v << 8 | t->at[where + (size_t)(t->big ? i : size - 1 - i)];
  return v;
}

static int read_entry(const struct tiff *t, size_t where) {
  const uint32_t type = number(t, where + 2, 2), count = number(t, where + 4, 4);
  const int size = type == BYTE ? 1 : type == SHORT ? 2 : type == LONG ? 4 : 0;
  const uint32_t v = size && count == 1 ? number(t, where + 8, size) : 1;
  return v >= 1 && v <= 8 ? (int)v : 1;
}

int few__exif_orientation(const void *bytes, size_t n) {
  struct tiff t = {bytes, n, false};
  if (n < HEADER || (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0)) return 1;
  t.big = t.at[0] == 'M';
  const size_t start = number(&t, 4, 4);
  if (number(&t, 2, 2) != 42 || start > n - 2) return 1;
  const size_t entries = number(&t, start, 2);
  for (size_t i = 0, at = start + 2; i < entries && at + ENTRY <= n; i++, at += ENTRY)
    if (number(&t, at, 2) == ORIENTATION) return read_entry(&t, at);
  return 1;
}

bool few__exif_from_bottom(int o) { return o == 3 || o == 4 || o == 6 || o == 7; }
bool few__exif_from_right(int o) { return o == 2 || o == 3 || o == 7 || o == 8; }

few_status few__image_upright(few_ctx *ctx, struct few_image *im, int orientation) {
  if (orientation <= 1 || orientation > 8) return FEW_OK;
  /* Pixel (y, x) of the result is at (v, u), or transposed at (u, v), then mirrored. */
  const bool transposed = orientation >= 5;
  const bool from_right = few__exif_from_right(orientation);
  const bool from_bottom = few__exif_from_bottom(orientation);
  struct few_image out;
  FEW_TRY(few__image_new(ctx, &out, transposed ? im->w : im->h, transposed ? im->h : im->w, im->c));
  uint8_t *to = out.at;
  for (int y = 0; y < out.h; y++)
    for (int x = 0; x < out.w; x++, to += im->c) {
      int v = transposed ? x : y, u = transposed ? y : x;
      if (from_bottom) v = im->h - 1 - v;
      if (from_right) u = im->w - 1 - u;
      memcpy(to, im->at + ((size_t)v * (size_t)im->w + (size_t)u) * (size_t)im->c, (size_t)im->c);
    }
  assert(to == out.at + (size_t)out.h * (size_t)out.w * (size_t)out.c);
  few__image_free(ctx, im);
  *im = out;
  return FEW_OK;
}
