/* photo.c - recognises PNG, JPEG and WebP by their first bytes, because many files called .png
 * are JPEGs.
 */
#include "photo.h"

#include "jpeg.h"
#include "png.h"
#include "webp.h"

static bool has_suffix(const char *name, const char *suffix) {
  size_t n = strlen(name), k = strlen(suffix);
  if (n <= k) return false;
  for (size_t i = 0; i < k; i++) {
    char c = name[n - k + i];
    if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
    if (c != suffix[i]) return false;
  }
  return true;
}

static bool ends_in_one(const char *path, const char *const *endings, int n) {
  for (int i = 0; i < n; i++)
    if (has_suffix(path, endings[i])) return true;
  return false;
}

bool few__photo_named(const char *path) {
  static const char *const endings[] = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp"};
  return ends_in_one(path, endings, FEW_COUNT(endings));
}

bool few__photo_foreign(const char *path) {
  static const char *const endings[] = {".gif", ".bmp",  ".tif",  ".tiff", ".ppm", ".pgm",
                                        ".pnm", ".heic", ".heif", ".avif", ".jp2", ".jxl",
                                        ".tga", ".svg",  ".ico",  ".dng",  ".cr2"};
  return ends_in_one(path, endings, FEW_COUNT(endings));
}

few_status few__photo_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                           const struct few_image_sink *sink) {
  static const struct {
    size_t n;
    const char *magic, *name;
  } others[] = {{4, "GIF8", "GIF"},
                {2, "BM", "BMP"},
                {4, "II*\0", "TIFF"},
                {4, "MM\0*", "TIFF"},
                {8, "\0\0\0\14jP  ", "JPEG 2000"},
                {8, "\0\0\0\34ftyp", "AVIF"},
                {8, "\0\0\0\40ftyp", "AVIF"},
                {2, "\xff\x0a", "JPEG XL"},
                {5, "<?xml", "SVG"},
                {4, "<svg", "SVG"},
                {2, "\x1f\x8b", "gzip"}};
  const uint8_t *bytes;
  size_t n;
  FEW_TRY(few__feed_peek(from, &bytes, &n));
  if (few__png_is(bytes, n)) return few__png_rows(ctx, from, max_side, sink);
  if (few__jpeg_is(bytes, n)) return few__jpeg_rows(ctx, from, 3, max_side, sink);
  if (few__webp_is(bytes, n)) return few__webp_rows(ctx, from, max_side, sink);
  for (int i = 0; i < FEW_COUNT(others); i++)
    if (n >= others[i].n && !memcmp(bytes, others[i].magic, others[i].n))
      return few__fail(ctx, FEW_E_UNSUPPORTED, "%s contains %s: convert it to PNG, JPEG or WebP",
                       from->place, others[i].name);
  return few__fail(ctx, FEW_E_FORMAT, "%s is neither PNG, JPEG nor WebP: is the file damaged?",
                   from->place);
}
