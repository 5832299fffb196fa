/* jpeg.c - reading JPEG through libjpeg.
 *
 * libjpeg fills what a truncated file lacks with grey and calls that a warning; a training set with
 * half-grey pictures is worse than an error, so warnings are errors here, but for three that leave
 * every pixel whole. As in png.c, a failure longjmps out of a step that keeps its state outside the
 * frame of setjmp.
 *
 * The slow integer DCT and the default upsampling are chosen by name: pixels are then the same on
 * every machine with this library. A progressive file may repeat its scans to burn time, so their
 * number is limited.
 */
#include "io/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
/* jpeglib.h needs stdio.h before it */
#include <jerror.h>
#include <jpeglib.h>

#include "io/exif.h"
#include "io/file.h"

enum { SCANS_MAX = 500, EXIF_MARKER = JPEG_APP0 + 1, EXIF_MAX = 65533, EXIF_NAME = 6 };
static const size_t file_max = (size_t)1 << 30;

struct job {
  struct jpeg_decompress_struct c;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  few_ctx *ctx;
  const char *place;
  jmp_buf back;
  few_status status; /* what a failure in this step is */
  char message[JMSG_LENGTH_MAX];

  const uint8_t *in;
  size_t in_n;
  int channels, max_side, orientation;
  struct few_image image;
};

/* ---- libjpeg's callbacks ---- */

static void on_error(j_common_ptr c) {
  struct job *j = c->client_data;
  c->err->format_message(c, j->message);
  if (c->err->msg_code == JERR_OUT_OF_MEMORY) j->status = FEW_E_MEMORY;
  longjmp(j->back, 1);
}

/* level -1 is a warning, above it a trace. */
static void on_message(j_common_ptr c, int level) {
  static const int harmless[] = {JWRN_EXTRANEOUS_DATA, JWRN_JFIF_MAJOR, JWRN_ADOBE_XFORM};
  if (level >= 0) return;
  for (int i = 0; i < FEW_COUNT(harmless); i++)
    if (c->err->msg_code == harmless[i]) return;
  on_error(c);
}

static void on_output(j_common_ptr c) { FEW_UNUSED(c); }

/* For failures of our own inside a step. */
static void leave(struct job *j, few_status status, const char *message) {
  j->status = status;
  snprintf(j->message, sizeof j->message, "%s", message);
  longjmp(j->back, 1);
}

static void on_progress(j_common_ptr c) {
  const struct jpeg_decompress_struct *d = (const struct jpeg_decompress_struct *)c;
  if (d->input_scan_number > SCANS_MAX) leave(c->client_data, FEW_E_FORMAT, "too many scans");
}

static few_status guarded(struct job *j, void (*step)(struct job *j)) {
  if (setjmp(j->back))
    return few__fail(j->ctx, j->status, "%s: %s: %s", j->place, j->message,
                     j->status == FEW_E_UNSUPPORTED ? "convert it to RGB" : "is the file damaged?");
  step(j);
  return FEW_OK;
}

/* ---- reading ---- */

/* APP1 is shared with others: Exif is named. */
static void take_orientation(struct job *j) {
  for (jpeg_saved_marker_ptr m = j->c.marker_list; m; m = m->next) {
    if (m->marker != EXIF_MARKER || m->data_length < EXIF_NAME) continue;
    if (memcmp(m->data, "Exif\0\0", EXIF_NAME) != 0) continue;
    j->orientation = few__exif_orientation(m->data + EXIF_NAME, m->data_length - EXIF_NAME);
    return;
  }
}

static void take_header(struct job *j) {
  jpeg_create_decompress(&j->c);
  j->c.progress = &j->progress;
  jpeg_mem_src(&j->c, j->in, j->in_n);
  jpeg_save_markers(&j->c, EXIF_MARKER, EXIF_MAX);
  jpeg_read_header(&j->c, TRUE);
  take_orientation(j);
  if (j->c.image_width > (JDIMENSION)j->max_side || j->c.image_height > (JDIMENSION)j->max_side) {
    char text[100];
    snprintf(text, sizeof text, "%u x %u pixels are more than the %d a side allowed",
             j->c.image_width, j->c.image_height, j->max_side);
    leave(j, FEW_E_FORMAT, text);
  }
  J_COLOR_SPACE s = j->c.jpeg_color_space;
  if (s != JCS_GRAYSCALE && s != JCS_YCbCr && s != JCS_RGB)
    leave(j, FEW_E_UNSUPPORTED, "neither grey nor RGB");
}

static void take_pixels(struct job *j) {
  j->c.out_color_space = j->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  j->c.dct_method = JDCT_ISLOW;
  j->c.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&j->c);
  int h = (int)j->c.output_height, w = (int)j->c.output_width;
  if (j->c.output_components != j->channels) leave(j, FEW_E_FORMAT, "an unknown kind of pixel");
  if (few__image_new(j->ctx, &j->image, h, w, j->channels))
    leave(j, FEW_E_MEMORY, "out of memory for the pixels");
  while (j->c.output_scanline < j->c.output_height) {
    JSAMPROW row = j->image.at + (size_t)j->c.output_scanline * (size_t)w * (size_t)j->channels;
    jpeg_read_scanlines(&j->c, &row, 1);
  }
  jpeg_finish_decompress(&j->c); /* reads to the end marker, so a cut there is seen too */
}

few_status few__jpeg_parse(few_ctx *ctx, struct few_image *out, const char *place,
                           const void *bytes, size_t n, int channels, int max_side) {
  struct job *j;
  *out = (struct few_image){0};
  if (channels != 1 && channels != 3)
    return few__fail(ctx, FEW_E_INVALID, "%s: a JPEG has no %d channels: ask for 1 or 3", place,
                     channels);
  if (n < 3 || memcmp(bytes, "\xff\xd8\xff", 3) != 0)
    return few__fail(ctx, FEW_E_FORMAT, "%s: this is no JPEG file", place);
  FEW_TRY(FEW_NEW(ctx, &j, 1));
  *j = (struct job){.ctx = ctx,
                    .place = place,
                    .status = FEW_E_FORMAT,
                    .in = bytes,
                    .in_n = n,
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
  if (!st) st = few__image_upright(ctx, &j->image, j->orientation);
  jpeg_destroy_decompress(&j->c);
  if (st)
    few__image_free(ctx, &j->image);
  else
    *out = j->image;
  few__free(ctx, j);
  return st;
}

few_status few__jpeg_read(few_ctx *ctx, struct few_image *out, const char *path, int channels,
                          int max_side) {
  char *bytes;
  size_t n;
  *out = (struct few_image){0};
  FEW_TRY(few__file_read(ctx, &bytes, &n, path, file_max));
  few_status st = few__jpeg_parse(ctx, out, path, bytes, n, channels, max_side);
  few__free(ctx, bytes);
  return st;
}
