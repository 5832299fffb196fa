/* jpeg.c - reading JPEG through libjpeg.
 *
 * libjpeg fills the missing part of a truncated file with grey and only warns. A training set with
 * half-grey images is worse than an error, so warnings are errors here, except for three kinds that
 * change no pixel. An error leaves a step by longjmp to guarded(). What steps change is in struct
 * job, outside the frame that calls setjmp, so its values are defined afterwards.
 *
 * The slow integer DCT and the default upsampling are selected explicitly, so that pixels are the
 * same on every machine with this library.
 *
 * Limits against hostile files: the file is read in parts, and rows go to a sink. A file of several
 * scans (progressive) cannot be decoded row by row: libjpeg holds the coefficients of the whole
 * image, 2 bytes each, for which it may use 256 MB. Every block of 8 x 8 takes at least one bit of
 * a Huffman code, so an image with more blocks than the file has bits is refused before memory is
 * allocated. Metadata before the image may take up to 16 MB. The number of scans is limited too,
 * since a progressive file could repeat scans to waste time.
 */
#include "jpeg.h"

#include <setjmp.h>
#include <stdio.h>
/* jpeglib.h needs stdio.h to be included first */
#include <jerror.h>
#include <jpeglib.h>

#include "exif.h"
#include "file.h"

enum {
  SCANS_MAX = 500,
  EXIF_MARKER = JPEG_APP0 + 1,
  EXIF_MAX = 65533,
  EXIF_NAME = 6,
  MEMORY_MAX = 1 << 28,
  LIBRARY_MAX = 1 << 24,
  HEADER_MAX = 1 << 24,
  BLOCK = 64
};

struct job {
  struct jpeg_decompress_struct c;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  few_ctx *ctx;
  const char *place;
  jmp_buf back;
  few_status status; /* returned if this step fails */
  char message[JMSG_LENGTH_MAX];

  bool recorded; /* the context has the error sentence already */

  struct jpeg_source_mgr source;
  struct few_feed *in;
  const struct few_image_sink *sink;
  int channels, max_side, orientation;
  uint8_t *row;
};

/* ---- libjpeg's callbacks ---- */

static void on_error(j_common_ptr c) {
  struct job *j = c->client_data;
  c->err->format_message(c, j->message);
  if (c->err->msg_code == JERR_OUT_OF_MEMORY) j->status = FEW_E_MEMORY;
  longjmp(j->back, 1);
}

/* Level -1 is a warning; higher levels are traces. */
static void on_message(j_common_ptr c, int level) {
  static const int harmless[] = {JWRN_EXTRANEOUS_DATA, JWRN_JFIF_MAJOR, JWRN_ADOBE_XFORM};
  if (level >= 0) return;
  for (int i = 0; i < FEW_COUNT(harmless); i++)
    if (c->err->msg_code == harmless[i]) return;
  on_error(c);
}

static void on_output(j_common_ptr c) { FEW_UNUSED(c); }

/* Leaves a step with an error that few found. */
static void leave(struct job *j, few_status status, const char *message) {
  j->status = status;
  snprintf(j->message, sizeof j->message, "%s", message);
  longjmp(j->back, 1);
}

static void on_progress(j_common_ptr c) {
  const struct jpeg_decompress_struct *d = (const struct jpeg_decompress_struct *)c;
  if (d->input_scan_number > SCANS_MAX) leave(c->client_data, FEW_E_FORMAT, "too many scans");
}

static void leave_recorded(struct job *j, few_status status) {
  j->recorded = true;
  leave(j, status, "");
}

static void on_start(j_decompress_ptr c) { FEW_UNUSED(c); }

/* At the end of the data libjpeg would insert an end marker and warn, which is an error here. */
static boolean on_fill(j_decompress_ptr c) {
  struct job *j = c->client_data;
  if (!j->row && j->in->taken > HEADER_MAX)
    leave(j, FEW_E_FORMAT, "no image begins in the first 16 MB");
  few_status st = few__feed_next(j->in, &j->source.next_input_byte, &j->source.bytes_in_buffer);
  if (st) leave_recorded(j, st);
  if (!j->source.bytes_in_buffer) leave(j, FEW_E_FORMAT, "the file ends too early");
  return TRUE;
}

static void on_skip(j_decompress_ptr c, long n) {
  struct job *j = c->client_data;
  size_t left = n > 0 ? (size_t)n : 0;
  while (left > j->source.bytes_in_buffer) {
    left -= j->source.bytes_in_buffer;
    on_fill(c);
  }
  j->source.next_input_byte += left;
  j->source.bytes_in_buffer -= left;
}

static few_status guarded(struct job *j, void (*step)(struct job *j)) {
  if (setjmp(j->back))
    return j->recorded
               ? j->status
               : few__fail(j->ctx, j->status, "%s: %s: %s", j->place, j->message,
                           j->status == FEW_E_UNSUPPORTED ? "convert it to a baseline JPEG of RGB"
                                                          : "is the file damaged?");
  step(j);
  return FEW_OK;
}

/* ---- reading ---- */

/* Takes the orientation from the Exif data. Other data may be in APP1 markers too; Exif data begin
 * with "Exif". */
static void take_orientation(struct job *j) {
  for (jpeg_saved_marker_ptr m = j->c.marker_list; m; m = m->next) {
    if (m->marker != EXIF_MARKER || m->data_length < EXIF_NAME) continue;
    if (memcmp(m->data, "Exif\0\0", EXIF_NAME) != 0) continue;
    j->orientation = few__exif_orientation(m->data + EXIF_NAME, m->data_length - EXIF_NAME);
    return;
  }
}

/* Refuses an image with more blocks than the file has bits, and an image of several scans whose
 * coefficients would take more than MEMORY_MAX. */
static void check_blocks(struct job *j) {
  uint64_t blocks = 0;
  for (int i = 0; i < j->c.num_components; i++)
    blocks += (uint64_t)j->c.comp_info[i].width_in_blocks * j->c.comp_info[i].height_in_blocks;
  if (!j->c.arith_code && blocks / 8 > j->in->size)
    leave(j, FEW_E_FORMAT, "the file ends too early");
  if (!jpeg_has_multiple_scans(&j->c)) return;
  if (blocks * BLOCK * sizeof(JCOEF) <= MEMORY_MAX) return;
  leave(j, FEW_E_UNSUPPORTED, "progressive, and too large to be decoded in memory (256 MB)");
}

static void take_header(struct job *j) {
  jpeg_create_decompress(&j->c);
  j->c.progress = &j->progress;
  j->c.mem->max_memory_to_use = MEMORY_MAX + LIBRARY_MAX;
  j->source = (struct jpeg_source_mgr){.init_source = on_start,
                                       .fill_input_buffer = on_fill,
                                       .skip_input_data = on_skip,
                                       .resync_to_restart = jpeg_resync_to_restart,
                                       .term_source = on_start};
  j->c.src = &j->source;
  jpeg_save_markers(&j->c, EXIF_MARKER, EXIF_MAX);
  jpeg_read_header(&j->c, TRUE);
  take_orientation(j);
  if (j->c.image_width > (JDIMENSION)j->max_side || j->c.image_height > (JDIMENSION)j->max_side) {
    char text[100];
    snprintf(text, sizeof text, "%u x %u pixels are more than the allowed %d per side",
             j->c.image_width, j->c.image_height, j->max_side);
    leave(j, FEW_E_FORMAT, text);
  }
  J_COLOR_SPACE s = j->c.jpeg_color_space;
  if (s != JCS_GRAYSCALE && s != JCS_YCbCr && s != JCS_RGB)
    leave(j, FEW_E_UNSUPPORTED, "neither grey nor RGB");
  check_blocks(j);
}

static void take_pixels(struct job *j) {
  j->c.out_color_space = j->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  j->c.dct_method = JDCT_ISLOW;
  j->c.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&j->c);
  const int h = (int)j->c.output_height, w = (int)j->c.output_width;
  if (j->c.output_components != j->channels) leave(j, FEW_E_FORMAT, "an unknown kind of pixel");
  if (few__new(j->ctx, &j->row, (size_t)w, (size_t)j->channels))
    leave(j, FEW_E_MEMORY, "out of memory for a row");
  few_status st = j->sink->begin(j->sink->user, h, w, j->orientation);
  if (st) leave_recorded(j, st);
  while (j->c.output_scanline < j->c.output_height) {
    JSAMPROW row = j->row;
    const int y = (int)j->c.output_scanline;
    if (jpeg_read_scanlines(&j->c, &row, 1))
      j->sink->put(j->sink->user, y, 0, 1, w, j->channels, j->row);
  }
  jpeg_finish_decompress(&j->c); /* reads to the end marker, so truncation there is detected too */
}

bool few__jpeg_is(const void *bytes, size_t n) {
  return n >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

few_status few__jpeg_rows(few_ctx *ctx, struct few_feed *from, int channels, int max_side,
                          const struct few_image_sink *sink) {
  struct job *j;
  const uint8_t *head;
  size_t n;
  if (channels != 1 && channels != 3)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: a JPEG cannot be read with %d channels: choose 1 or 3", from->place,
                     channels);
  FEW_TRY(few__feed_peek(from, &head, &n));
  if (!few__jpeg_is(head, n))
    return few__fail(ctx, FEW_E_FORMAT, "%s: this is not a JPEG file", from->place);
  FEW_TRY(FEW_NEW(ctx, &j, 1));
  *j = (struct job){.ctx = ctx,
                    .place = from->place,
                    .status = FEW_E_FORMAT,
                    .in = from,
                    .sink = sink,
                    .channels = channels,
                    .max_side = max_side};
  j->c.err = jpeg_std_error(&j->errors);
  j->c.client_data = j;
  j->errors.error_exit = on_error;
  j->errors.emit_message = on_message;
  j->errors.output_message = on_output;
  j->progress.progress_monitor = on_progress;
  few_status st = guarded(j, take_header);
  if (!st) st = guarded(j, take_pixels);
  if (!st) st = sink->end(sink->user, j->orientation);
  jpeg_destroy_decompress(&j->c);
  few__free(ctx, j->row);
  few__free(ctx, j);
  return st;
}

static few_status read_whole(few_ctx *ctx, struct few_image *out, struct few_feed *from,
                             int channels, int max_side) {
  struct few_image_whole whole;
  struct few_image_sink sink = few__image_whole(ctx, &whole, out, channels);
  few_status st = few__jpeg_rows(ctx, from, channels, max_side, &sink);
  if (st) few__image_free(ctx, out);
  return st;
}

few_status few__jpeg_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side) {
  struct few_feed from;
  few__feed_memory(ctx, &from, place, bytes, n);
  return read_whole(ctx, out, &from, channels, max_side);
}

few_status few__jpeg_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                          int max_side) {
  struct few_feed from;
  *out = (struct few_image){0};
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = read_whole(ctx, out, &from, channels, max_side);
  few__feed_close(&from);
  return st;
}
