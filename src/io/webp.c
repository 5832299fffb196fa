/* webp.c - reading WebP through libwebp.
 *
 * A file is a RIFF container: "RIFF", the size of the rest, "WEBP", then chunks of a name, a size
 * and that many bytes, padded to an even number. The image is the chunk "VP8 " (lossy) or "VP8L"
 * (lossless); the orientation is in the chunk "EXIF", which may follow it.
 *
 * libwebp predicts blocks from their neighbours above and has no decoder that keeps only some rows.
 * So the file and the decoded image are in memory, and their sizes are limited before memory is
 * allocated. A small file may contain a large image of one colour, as in PNG.
 */
#include "webp.h"

#include <webp/decode.h>

#include "exif.h"

enum {
  FILE_MAX = 1 << 28,
  PIXELS_MAX = 1 << 26,
  RIFF = 12,    /* bytes before the first chunk */
  CHUNK = 8,    /* bytes before the content of a chunk */
  EXIF_NAME = 6 /* "Exif\0\0", which some programs write first */
};

bool few__webp_is(const void *bytes, size_t n) {
  const char *p = bytes;
  return n >= RIFF && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WEBP", 4);
}

static size_t little_endian(const uint8_t *p) {
  return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

static int orientation_of(const uint8_t *bytes, size_t n) {
  for (size_t at = RIFF; at + CHUNK <= n;) {
    const size_t size = little_endian(bytes + at + 4), left = n - at - CHUNK;
    const uint8_t *content = bytes + at + CHUNK;
    if (size > left) break;
    if (!memcmp(bytes + at, "EXIF", 4)) {
      const bool named = size >= EXIF_NAME && !memcmp(content, "Exif\0\0", EXIF_NAME);
      return few__exif_orientation(content + (named ? EXIF_NAME : 0),
                                   size - (named ? EXIF_NAME : 0));
    }
    at += CHUNK + size + (size & 1);
  }
  return 1;
}

static few_status damaged(few_ctx *ctx, const char *place, VP8StatusCode code) {
  if (code == VP8_STATUS_OUT_OF_MEMORY)
    return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory for a WebP image", place);
  return few__fail(ctx, FEW_E_FORMAT, "%s: %s: is the file damaged?", place,
                   code == VP8_STATUS_NOT_ENOUGH_DATA ? "the file ends too early"
                                                      : "its WebP data cannot be decoded");
}

static few_status check(few_ctx *ctx, const char *place, const WebPBitstreamFeatures *f,
                        int max_side) {
  if (f->has_animation)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "%s is an animation: save the frame that you need as an image", place);
  if (f->width > max_side || f->height > max_side)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: %d x %d pixels are more than the allowed %d per side: make it smaller",
                     place, f->width, f->height, max_side);
  if ((int64_t)f->width * f->height > PIXELS_MAX)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "%s: %d x %d are more than %d pixels, the limit of a WebP: save it as PNG or "
                     "make it smaller",
                     place, f->width, f->height, (int)PIXELS_MAX);
  return FEW_OK;
}

/* Decodes the n bytes of a file. */
static few_status decode(few_ctx *ctx, const char *place, const uint8_t *bytes, size_t n,
                         int max_side, const struct few_image_sink *sink) {
  WebPDecoderConfig c;
  uint8_t *rgba = NULL;
  if (!WebPInitDecoderConfig(&c))
    return few__fail(ctx, FEW_E_UNSUPPORTED, "%s: libwebp is older than its header: install both",
                     place);
  if (n - CHUNK < little_endian(bytes + 4)) return damaged(ctx, place, VP8_STATUS_NOT_ENOUGH_DATA);
  VP8StatusCode code = WebPGetFeatures(bytes, n, &c.input);
  if (code) return damaged(ctx, place, code);
  FEW_TRY(check(ctx, place, &c.input, max_side));
  const int h = c.input.height, w = c.input.width, turn = orientation_of(bytes, n);
  assert(h > 0 && w > 0);
  FEW_TRY(few__new(ctx, &rgba, (size_t)h * (size_t)w, 4));
  c.output.colorspace = MODE_RGBA;
  c.output.is_external_memory = 1;
  c.output.u.RGBA = (WebPRGBABuffer){rgba, 4 * w, (size_t)h * (size_t)w * 4};
  code = WebPDecode(bytes, n, &c);
  WebPFreeDecBuffer(&c.output);
  few_status st = code ? damaged(ctx, place, code) : sink->begin(sink->user, h, w, turn);
  for (int y = 0; y < h && !st; y++)
    sink->put(sink->user, y, 0, 1, w, 4, rgba + (size_t)y * (size_t)w * 4);
  if (!st) st = sink->end(sink->user, turn);
  few__free(ctx, rgba);
  return st;
}

few_status few__webp_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                          const struct few_image_sink *sink) {
  uint8_t *bytes = NULL;
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_peek(from, &head, &n));
  if (!few__webp_is(head, n))
    return few__fail(ctx, FEW_E_FORMAT, "%s: this is not a WebP file", from->place);
  if (from->size > FILE_MAX)
    return few__fail(ctx, FEW_E_UNSUPPORTED, "%s: %llu bytes are too many for a WebP: make it %s",
                     from->place, (unsigned long long)from->size, "smaller");
  n = (size_t)from->size;
  FEW_TRY(few__new(ctx, &bytes, n, 1));
  few_status st = few__feed_read(from, bytes, n);
  if (!st) st = decode(ctx, from->place, bytes, n, max_side, sink);
  few__free(ctx, bytes);
  return st;
}

few_status few__webp_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side) {
  struct few_image_whole whole;
  const struct few_image_sink sink = few__image_whole(ctx, &whole, out, channels);
  struct few_feed from;
  few__feed_memory(ctx, &from, place, bytes, n);
  few_status st = few__webp_rows(ctx, &from, max_side, &sink);
  if (st) few__image_free(ctx, out);
  return st;
}
