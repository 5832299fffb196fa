/* png.c - PNG through libpng.
 *
 * libpng leaves by longjmp when it fails. All state that must survive is in a `struct job` outside
 * the frame that calls setjmp, and the code that may fail is in functions of its own. So no local
 * variable is ever read after a jump.
 *
 * Reading: libpng's transformations convert all kinds (palette, 1 to 16 bits, grey with alpha,
 * interlaced, ...) to RGBA of 8 bits, which goes to a sink row by row. An interlaced image has
 * seven passes, each with a part of the pixels; the sink receives the rows of one pass after
 * another.
 *
 * Limits against hostile files: the file is read in parts and not kept. The caller limits the
 * sides. Texts and profiles are skipped. libpng may use 16 MB for everything else (a row of 32,768
 * pixels takes 1 MB). Deflate packs at most 1032 to 1, so an image whose rows could not come from
 * so few bytes is refused before memory is allocated.
 */
#include "io/png.h"

#include <limits.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>

#include "exif.h"
#include "file.h"

enum { MEMORY_MAX = 1 << 24, CHUNK_MAX = 1 << 20, CHUNKS_MAX = 100, DEFLATE_RATIO = 1032 };

struct job {
  few_ctx *ctx;
  const char *place;
  png_structp png;
  png_infop info;
  jmp_buf back;
  few_status status; /* returned if this step fails */
  char message[128]; /* libpng's error */
  bool recorded;     /* the context has the error sentence already */

  struct few_feed *in; /* reading */
  const struct few_image_sink *sink;
  int max_side;
  size_t live; /* bytes that libpng has allocated */
  int h, w, orientation;
  uint8_t *row;

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

/* An allocation begins with its size. libpng's bytes follow, aligned like malloc's. */
enum { BLOCK_HEAD = 16 };

static png_voidp on_alloc(png_structp png, png_alloc_size_t n) {
  struct job *j = png_get_mem_ptr(png);
  if (j->in && (n > MEMORY_MAX || j->live > MEMORY_MAX - n)) return NULL; /* a format error */
  char *p = few__alloc(j->ctx, n + BLOCK_HEAD);
  if (!p) j->status = FEW_E_MEMORY;
  if (!p) return NULL;
  memcpy(p, &n, sizeof n);
  j->live += n;
  return p + BLOCK_HEAD;
}

static void on_free(png_structp png, png_voidp p) {
  struct job *j = png_get_mem_ptr(png);
  if (!p) return;
  png_alloc_size_t n;
  char *block = (char *)p - BLOCK_HEAD;
  memcpy(&n, block, sizeof n);
  assert(n <= j->live);
  j->live -= n;
  few__free(j->ctx, block);
}

static void leave_recorded(struct job *j, few_status st) {
  j->status = st;
  j->recorded = true;
  png_error(j->png, "");
}

static void on_read(png_structp png, png_bytep out, size_t n) {
  struct job *j = png_get_io_ptr(png);
  few_status st = few__feed_read(j->in, out, n);
  if (st) leave_recorded(j, st);
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
  assert(n <= j->cap - j->n);
  memcpy(j->out + j->n, bytes, n);
  j->n += n;
}

static void on_flush(png_structp png) { FEW_UNUSED(png); }

/* Runs a step and returns libpng's error, if any. */
static few_status guarded(struct job *j, void (*step)(struct job *j)) {
  if (setjmp(j->back)) {
    if (j->recorded) return j->status;
    const char *fix = j->status == FEW_E_MEMORY ? "free some memory" : "is the file damaged?";
    return few__fail(j->ctx, j->status, "%s: %s: %s", j->place, j->message, fix);
  }
  step(j);
  return FEW_OK;
}

/* Leaves a step with an error that few found. */
static void leave(struct job *j, few_status status, const char *message) {
  j->status = status;
  png_error(j->png, message);
}

/* ---- reading ---- */

/* Skips chunks without pixels, which libpng would unpack and keep. */
static void pass_over_texts(struct job *j) {
  static const png_byte names[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT\0hIST\0pCAL\0sCAL";
  png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(j->png, PNG_HANDLE_CHUNK_NEVER, names, (int)sizeof names / 5);
}

static void take_header(struct job *j) {
  png_set_user_limits(j->png, INT_MAX, INT_MAX); /* the caller's limit is checked below */
  png_set_chunk_malloc_max(j->png, CHUNK_MAX);
  png_set_chunk_cache_max(j->png, CHUNKS_MAX);
  pass_over_texts(j);
  png_read_info(j->png, j->info);
  uint64_t packed = j->in->size - j->in->taken;
  png_uint_32 h = png_get_image_height(j->png, j->info), w = png_get_image_width(j->png, j->info);
  if (h > (png_uint_32)j->max_side || w > (png_uint_32)j->max_side) {
    char text[100];
    snprintf(text, sizeof text, "%u x %u pixels are more than the allowed %d per side", (unsigned)w,
             (unsigned)h, j->max_side);
    leave(j, FEW_E_FORMAT, text);
  }
  /* `packed` does not include the chunk header that was just read, which has no pixels. */
  if (few__mul_size(png_get_rowbytes(j->png, j->info), h) / DEFLATE_RATIO > packed)
    leave(j, FEW_E_FORMAT, "the file ends too early");
  j->h = (int)h;
  j->w = (int)w;
}

static void take_plain(struct job *j) {
  for (int y = 0; y < j->h; y++) {
    png_read_row(j->png, j->row, NULL);
    j->sink->put(j->sink->user, y, 0, 1, j->w, 4, j->row);
  }
}

/* Adam7: each pass has some columns of some rows. */
static void take_interlaced(struct job *j) {
  for (int k = 0; k < PNG_INTERLACE_ADAM7_PASSES; k++) {
    const int rows = PNG_PASS_ROWS(j->h, k), n = PNG_PASS_COLS(j->w, k);
    for (int i = 0; n && i < rows; i++) {
      png_read_row(j->png, j->row, NULL);
      j->sink->put(j->sink->user, (int)PNG_ROW_FROM_PASS_ROW(i, k), PNG_PASS_START_COL(k),
                   1 << PNG_PASS_COL_SHIFT(k), n, 4, j->row);
    }
  }
}

static void take_orientation(struct job *j) {
  png_uint_32 length = 0;
  png_bytep exif = NULL;
  if (png_get_eXIf_1(j->png, j->info, &length, &exif))
    j->orientation = few__exif_orientation(exif, length);
}

static void take_pixels(struct job *j) {
  assert(!j->row && j->h > 0 && j->w > 0);
  png_set_expand(j->png); /* palette and few bits to 8, tRNS to alpha */
  png_set_scale_16(j->png);
  png_set_gray_to_rgb(j->png);
  png_set_add_alpha(j->png, 255, PNG_FILLER_AFTER);
  png_read_update_info(j->png, j->info);
  size_t row = png_get_rowbytes(j->png, j->info);
  if (row != (size_t)j->w * 4) leave(j, FEW_E_UNSUPPORTED, "its rows have an unexpected length");
  if (few__new(j->ctx, &j->row, row, 1)) leave(j, FEW_E_MEMORY, "out of memory for a row");
  take_orientation(j);
  few_status st = j->sink->begin(j->sink->user, j->h, j->w, j->orientation);
  if (st) leave_recorded(j, st);
  if (png_get_interlace_type(j->png, j->info) == PNG_INTERLACE_NONE)
    take_plain(j);
  else
    take_interlaced(j);
  png_read_end(j->png, j->info); /* eXIf may follow the pixels */
  take_orientation(j);
}

static few_status open_reader(struct job *j) {
  j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_alloc,
                                    on_free);
  j->info = j->png ? png_create_info_struct(j->png) : NULL;
  if (!j->info) return few__fail(j->ctx, FEW_E_MEMORY, "%s: out of memory", j->place);
  png_set_read_fn(j->png, j, on_read);
  return FEW_OK;
}

bool few__png_is(const void *bytes, size_t n) { return n >= 8 && !png_sig_cmp(bytes, 0, 8); }

few_status few__png_rows(few_ctx *ctx, struct few_feed *from, int max_side,
                         const struct few_image_sink *sink) {
  struct job j = {.ctx = ctx, .place = from->place, .in = from, .sink = sink, .max_side = max_side};
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_peek(from, &head, &n));
  if (!few__png_is(head, n))
    return few__fail(ctx, FEW_E_FORMAT, "%s: this is not a PNG file", from->place);
  few_status st = open_reader(&j);
  if (!st) st = guarded(&j, take_header);
  if (!st) st = guarded(&j, take_pixels);
  if (!st) st = sink->end(sink->user, j.orientation);
  png_destroy_read_struct(&j.png, &j.info, NULL);
  few__free(ctx, j.row);
  return st;
}

static few_status read_whole(few_ctx *ctx, struct few_image *out, struct few_feed *from,
                             int channels, int max_side) {
  struct few_image_whole whole;
  struct few_image_sink sink = few__image_whole(ctx, &whole, out, channels);
  few_status st = few__png_rows(ctx, from, max_side, &sink);
  if (st) few__image_free(ctx, out);
  return st;
}

few_status few__png_parse(few_ctx *ctx, struct few_image *out, const char *place, const void *bytes,
                          size_t n, int channels, int max_side) {
  struct few_feed from;
  few__feed_memory(ctx, &from, place, bytes, n);
  return read_whole(ctx, out, &from, channels, max_side);
}

few_status few__png_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                         int max_side) {
  struct few_feed from;
  *out = (struct few_image){0};
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = read_whole(ctx, out, &from, channels, max_side);
  few__feed_close(&from);
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

/* libpng only reads the texts, but its structure has pointers to mutable text, so copies are
 * passed. */
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
  assert(im->c < FEW_COUNT(colours) && (im->c == 1 || colours[im->c]));
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
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: a PNG cannot be %d x %d with %d channels: give 1, 3 or 4 channels", place,
                     im->h, im->w, im->c);
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
