/* png.c - PNG through libpng.
 *
 * libpng leaves by longjmp when it fails. All that must survive lives in a `struct job` outside the
 * frame that calls setjmp, and what runs below it is a function of its own, so no local variable is
 * ever read after a jump.
 *
 * Reading: the many kinds (palette, 1 to 16 bits, grey with alpha, interlaced ...) all become RGBA
 * of 8 bits by libpng's transformations and come to the channels asked for in image.c.
 *
 * Limits against hostile files: sides are bounded by the caller; a text or profile chunk may not
 * unpack to more than 8 MB; and since deflate packs at most 1032 to 1, an image whose rows could
 * not come from so few bytes is refused before memory is taken for it.
 */
#include "io/png.h"

#include <limits.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#include "io/exif.h"
#include "io/file.h"

enum { CHUNK_MAX = 8000000, CHUNKS_MAX = 1000, DEFLATE_RATIO = 1032 };
static const size_t file_max = (size_t)1 << 30;

struct job {
  few_ctx *ctx;
  const char *place;
  png_structp png;
  png_infop info;
  jmp_buf back;
  few_status status; /* what an error in this step is */
  char message[128]; /* libpng's */

  const uint8_t *in; /* reading: what is left */
  size_t left;
  int max_side;
  int h, w, orientation;
  uint8_t *rgba;
  png_bytep *rows;

  const struct few_image *image; /* writing */
  const struct few_png_text *text;
  int n_text;
  png_text *chunks;
  uint8_t *out;
  size_t n, cap;
};

/* ---- libpng's callbacks ---- */

static void on_error(png_structp png, png_const_charp message) {
  struct job *j = png_get_error_ptr(png);
  if (j->status == FEW_OK) j->status = FEW_E_FORMAT;
  snprintf(j->message, sizeof j->message, "%s", message);
  longjmp(j->back, 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  FEW_UNUSED(png);
  FEW_UNUSED(message);
}

static png_voidp on_alloc(png_structp png, png_alloc_size_t n) {
  struct job *j = png_get_mem_ptr(png);
  void *p = few__alloc(j->ctx, n);
  if (!p) j->status = FEW_E_MEMORY;
  return p;
}

static void on_free(png_structp png, png_voidp p) {
  struct job *j = png_get_mem_ptr(png);
  few__free(j->ctx, p);
}

static void on_read(png_structp png, png_bytep out, size_t n) {
  struct job *j = png_get_io_ptr(png);
  if (n > j->left) png_error(png, "the file ends too early");
  memcpy(out, j->in, n);
  j->in += n;
  j->left -= n;
}

static void on_write(png_structp png, png_bytep bytes, size_t n) {
  struct job *j = png_get_io_ptr(png);
  if (n > j->cap - j->n) {
    size_t cap = j->cap + n <= SIZE_MAX / 2 ? (j->cap + n) * 2 : SIZE_MAX;
    uint8_t *p = few__realloc(j->ctx, j->out, cap);
    j->status = FEW_E_MEMORY;
    if (!p) png_error(png, "out of memory");
    j->status = FEW_OK;
    j->out = p;
    j->cap = cap;
  }
  memcpy(j->out + j->n, bytes, n);
  j->n += n;
}

static void on_flush(png_structp png) { FEW_UNUSED(png); }

/* Run a step; libpng's errors come back here. */
static few_status guarded(struct job *j, void (*step)(struct job *j)) {
  if (setjmp(j->back)) {
    const char *mend = j->status == FEW_E_MEMORY ? "free some memory" : "is the file damaged?";
    return few__fail(j->ctx, j->status, "%s: %s: %s", j->place, j->message, mend);
  }
  step(j);
  return FEW_OK;
}

/* For failures of our own inside a step. */
static void leave(struct job *j, few_status status, const char *message) {
  j->status = status;
  png_error(j->png, message);
}

/* ---- reading ---- */

static void take_header(struct job *j) {
  png_set_user_limits(j->png, INT_MAX, INT_MAX); /* ours follow */
  png_set_chunk_malloc_max(j->png, CHUNK_MAX);
  png_set_chunk_cache_max(j->png, CHUNKS_MAX);
  png_read_info(j->png, j->info);
  size_t packed = j->left;
  png_uint_32 h = png_get_image_height(j->png, j->info), w = png_get_image_width(j->png, j->info);
  if (h > (png_uint_32)j->max_side || w > (png_uint_32)j->max_side) {
    char text[100];
    snprintf(text, sizeof text, "%u x %u pixels are more than the %d a side allowed", (unsigned)w,
             (unsigned)h, j->max_side);
    leave(j, FEW_E_FORMAT, text);
  }
  /* `left` is short of the chunk header just read, which holds no pixels. */
  if (few__mul_size(png_get_rowbytes(j->png, j->info), h) / DEFLATE_RATIO > packed)
    leave(j, FEW_E_FORMAT, "the file ends too early");
  j->h = (int)h;
  j->w = (int)w;
}

static void take_pixels(struct job *j) {
  png_set_expand(j->png); /* palette and few bits to 8, tRNS to alpha */
  png_set_scale_16(j->png);
  png_set_gray_to_rgb(j->png);
  png_set_add_alpha(j->png, 255, PNG_FILLER_AFTER);
  png_set_interlace_handling(j->png);
  png_read_update_info(j->png, j->info);
  size_t row = png_get_rowbytes(j->png, j->info);
  if (row != (size_t)j->w * 4) leave(j, FEW_E_UNSUPPORTED, "rows of an unknown kind");
  if (few__new(j->ctx, &j->rgba, (size_t)j->h, row) ||
      few__new(j->ctx, &j->rows, (size_t)j->h, sizeof *j->rows))
    leave(j, FEW_E_MEMORY, "out of memory for the pixels");
  for (int y = 0; y < j->h; y++) j->rows[y] = j->rgba + (size_t)y * row;
  png_read_image(j->png, j->rows);
  png_read_end(j->png, j->info); /* eXIf may follow the pixels */
  png_uint_32 length = 0;
  png_bytep exif = NULL;
  if (png_get_eXIf_1(j->png, j->info, &length, &exif))
    j->orientation = few__exif_orientation(exif, length);
}

static few_status open_reader(struct job *j) {
  j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_alloc,
                                    on_free);
  j->info = j->png ? png_create_info_struct(j->png) : NULL;
  if (!j->info) return few__fail(j->ctx, FEW_E_MEMORY, "%s: out of memory", j->place);
  png_set_read_fn(j->png, j, on_read);
  return FEW_OK;
}

few_status few__png_parse(few_ctx *ctx, struct few_image *out, const char *place, const void *bytes,
                          size_t n, int channels, int max_side) {
  struct job j = {.ctx = ctx, .place = place, .in = bytes, .left = n, .max_side = max_side};
  *out = (struct few_image){0};
  if (n < 8 || png_sig_cmp(bytes, 0, 8))
    return few__fail(ctx, FEW_E_FORMAT, "%s: this is no PNG file", place);
  few_status st = open_reader(&j);
  if (!st) st = guarded(&j, take_header);
  if (!st) st = guarded(&j, take_pixels);
  if (!st) st = few__image_new(ctx, out, j.h, j.w, channels);
  if (!st) few__image_from_rgba(j.rgba, (int64_t)j.h * j.w, channels, out->at);
  if (!st) st = few__image_upright(ctx, out, j.orientation);
  if (st) few__image_free(ctx, out);
  png_destroy_read_struct(&j.png, &j.info, NULL);
  few__free(ctx, j.rgba);
  few__free(ctx, j.rows);
  return st;
}

few_status few__png_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                         int max_side) {
  char *bytes;
  size_t n;
  *out = (struct few_image){0};
  FEW_TRY(few__file_read(ctx, &bytes, &n, path, file_max));
  few_status st = few__png_parse(ctx, out, path, bytes, n, channels, max_side);
  few__free(ctx, bytes);
  return st;
}

/* ---- writing ---- */

static bool is_ascii(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s >= 0x80) return false;
  return true;
}

static bool is_keyword(const char *s) {
  size_t n = strlen(s);
  if (n < 1 || n > 79 || s[0] == ' ' || s[n - 1] == ' ' || strstr(s, "  ")) return false;
  for (; *s; s++)
    if (*s < ' ' || *s > '~') return false;
  return true;
}

/* libpng's structure asks for pointers to mutable text and only reads it: lend it copies. */
static few_status prepare_text(struct job *j) {
  FEW_TRY(FEW_NEW(j->ctx, &j->chunks, j->n_text));
  for (int i = 0; i < j->n_text; i++) {
    const struct few_png_text *t = &j->text[i];
    if (!is_keyword(t->key))
      return few__fail(j->ctx, FEW_E_INVALID, "`%.80s` cannot name a text in a PNG: use letters",
                       t->key);
    png_text *c = &j->chunks[i];
    c->compression = is_ascii(t->value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    c->key = few__strdup(j->ctx, t->key);
    c->text = few__strdup(j->ctx, t->value);
    if (!c->key || !c->text) return few__fail(j->ctx, FEW_E_MEMORY, "%s: out of memory", j->place);
  }
  return FEW_OK;
}

static void free_text(struct job *j) {
  for (int i = 0; j->chunks && i < j->n_text; i++) {
    few__free(j->ctx, j->chunks[i].key);
    few__free(j->ctx, j->chunks[i].text);
  }
  few__free(j->ctx, j->chunks);
}

static void put_image(struct job *j) {
  static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, 0, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
  const struct few_image *im = j->image;
  png_set_IHDR(j->png, j->info, (png_uint_32)im->w, (png_uint_32)im->h, 8, colours[im->c],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (j->n_text) png_set_text(j->png, j->info, j->chunks, j->n_text);
  png_write_info(j->png, j->info);
  size_t row = (size_t)im->w * (size_t)im->c;
  for (int y = 0; y < im->h; y++) png_write_row(j->png, im->at + (size_t)y * row);
  png_write_end(j->png, NULL);
}

static few_status open_writer(struct job *j) {
  j->png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_alloc,
                                     on_free);
  j->info = j->png ? png_create_info_struct(j->png) : NULL;
  if (!j->info) return few__fail(j->ctx, FEW_E_MEMORY, "out of memory for a PNG");
  png_set_user_limits(j->png, INT_MAX, INT_MAX);
  png_set_write_fn(j->png, j, on_write, on_flush);
  return FEW_OK;
}

static few_status encode(few_ctx *ctx, uint8_t **out, size_t *n, const char *place,
                         const struct few_image *im, const struct few_png_text *text, int n_text) {
  struct job j = {.ctx = ctx, .place = place, .image = im, .text = text, .n_text = n_text};
  *out = NULL;
  *n = 0;
  if (im->h <= 0 || im->w <= 0 || (im->c != 1 && im->c != 3 && im->c != 4))
    return few__fail(ctx, FEW_E_INVALID, "%s: no PNG is %d x %d with %d channels: give 1, 3 or 4",
                     place, im->h, im->w, im->c);
  few_status st = prepare_text(&j);
  if (!st) st = open_writer(&j);
  if (!st) st = guarded(&j, put_image);
  png_destroy_write_struct(&j.png, &j.info);
  free_text(&j);
  if (st) {
    few__free(ctx, j.out);
    return st;
  }
  *out = j.out;
  *n = j.n;
  return FEW_OK;
}

few_status few__png_encode(few_ctx *ctx, uint8_t **out, size_t *n, const struct few_image *im,
                           const struct few_png_text *text, int n_text) {
  return encode(ctx, out, n, "a PNG", im, text, n_text);
}

few_status few__png_write(few_ctx *ctx, const char *path, const struct few_image *im,
                          const struct few_png_text *text, int n_text) {
  uint8_t *bytes;
  size_t n;
  FEW_TRY(encode(ctx, &bytes, &n, path, im, text, n_text));
  few_status st = few__file_write(ctx, path, bytes, n);
  few__free(ctx, bytes);
  return st;
}
