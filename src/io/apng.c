/* apng.c - see apng.h.
 *
 * libpng does not write animations. But a frame is a PNG whose pixels are in chunks of another
 * name, so each image is encoded by libpng and its chunks are copied:
 *
 *   signature, IHDR, texts           of the still image
 *   acTL   u32 frames, u32 plays     0: for ever
 *   IDAT ...                         the still image, which is not a frame
 *   fcTL   u32 sequence, width, height, x, y, u16 delay, u16 its unit (1/n s), u8 dispose, u8 blend
 *   fdAT   u32 sequence, then the bytes of an IDAT      fcTL and fdAT for each frame
 *   IEND
 *
 * A chunk is a u32 length, four letters, the bytes and their CRC; numbers are big-endian. */
#include "apng.h"

#include <zlib.h>

#include "file.h"

enum { SIGNATURE = 8, AROUND = 12 /* bytes of a chunk besides its data */ };

struct few_apng {
  few_ctx *ctx;
  few_writer *w;
  int n_frames, made;
  uint32_t sequence;
  int h, wide, c;
};

static void put_u32(unsigned char out[4], uint32_t x) {
  for (int i = 0; i < 4; i++) out[i] = (unsigned char)(x >> (24 - 8 * i));
}

static uint32_t get_u32(const unsigned char *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Writes a chunk whose data are in two parts. Errors stick in the writer. */
static void chunk(struct few_apng *a, const char name[4], const void *head, size_t n_head,
                  const void *data, size_t n) {
  unsigned char size[4], sum[4];
  uLong crc = crc32_z(0, (const Bytef *)name, 4);
  crc = crc32_z(crc, head, n_head);
  if (n) crc = crc32_z(crc, data, n);
  put_u32(size, (uint32_t)(n_head + n));
  put_u32(sum, (uint32_t)crc);
  few__writer_put(a->w, size, 4);
  few__writer_put(a->w, name, 4);
  few__writer_put(a->w, head, n_head);
  few__writer_put(a->w, data, n);
  few__writer_put(a->w, sum, 4);
}

static void control(struct few_apng *a) {
  unsigned char data[8] = {0};
  put_u32(data, (uint32_t)a->n_frames);
  chunk(a, "acTL", data, sizeof data, NULL, 0);
}

static void begin_frame(struct few_apng *a, int milliseconds) {
  unsigned char data[26] = {0};
  put_u32(data, a->sequence++);
  put_u32(data + 4, (uint32_t)a->wide);
  put_u32(data + 8, (uint32_t)a->h);
  data[20] = (unsigned char)(milliseconds >> 8);
  data[21] = (unsigned char)milliseconds;
  data[22] = 1000 >> 8;
  data[23] = 1000 & 255;
  chunk(a, "fcTL", data, sizeof data, NULL, 0);
}

/* Copies the chunks of the still image, with acTL before the first IDAT. */
static void copy_still(struct few_apng *a, const unsigned char *png, size_t n) {
  bool pixels = false;
  few__writer_put(a->w, png, SIGNATURE);
  for (size_t at = SIGNATURE; at < n;) {
    const size_t size = get_u32(png + at) + AROUND;
    const bool idat = !memcmp(png + at + 4, "IDAT", 4);
    if (idat && !pixels) control(a);
    pixels = pixels || idat;
    if (memcmp(png + at + 4, "IEND", 4) != 0) few__writer_put(a->w, png + at, size);
    at += size;
  }
}

static void copy_frame(struct few_apng *a, const unsigned char *png, size_t n) {
  for (size_t at = SIGNATURE; at < n; at += get_u32(png + at) + AROUND) {
    unsigned char head[4];
    if (memcmp(png + at + 4, "IDAT", 4) != 0) continue;
    put_u32(head, a->sequence++);
    chunk(a, "fdAT", head, 4, png + at + 8, get_u32(png + at));
  }
}

few_status few__apng_open(few_ctx *ctx, struct few_apng **out, const char *path,
                          const struct few_image *still, const struct few_png_text *text,
                          int n_text, int n_frames) {
  uint8_t *png;
  size_t n;
  assert(n_frames > 0);
  *out = NULL;
  FEW_TRY(few__png_encode(ctx, &png, &n, still, text, n_text));
  few_status st = FEW_NEW(ctx, out, 1);
  if (!st) {
    **out = (struct few_apng){
        .ctx = ctx, .n_frames = n_frames, .h = still->h, .wide = still->w, .c = still->c};
    st = few__writer_open(ctx, &(*out)->w, path);
    if (!st) copy_still(*out, png, n);
  }
  few__free(ctx, png);
  if (!st) return FEW_OK;
  few__free(ctx, *out);
  *out = NULL;
  return st;
}

few_status few__apng_frame(struct few_apng *a, const struct few_image *frame, int milliseconds) {
  uint8_t *png;
  size_t n;
  assert(frame->h == a->h && frame->w == a->wide && frame->c == a->c);
  assert(a->made < a->n_frames && milliseconds >= 0 && milliseconds <= 65535);
  FEW_TRY(few__png_encode(a->ctx, &png, &n, frame, NULL, 0));
  begin_frame(a, milliseconds);
  copy_frame(a, png, n);
  few__free(a->ctx, png);
  a->made++;
  return FEW_OK;
}

few_status few__apng_end(struct few_apng *a, few_status st) {
  if (!a) return st;
  assert(st || a->made == a->n_frames);
  if (!st) chunk(a, "IEND", "", 0, NULL, 0);
  st = few__writer_end(a->w, st);
  few__free(a->ctx, a);
  return st;
}
