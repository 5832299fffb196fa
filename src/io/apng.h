/* apng.h - animated PNG files (PNG, third edition, W3C 2025). */
#ifndef FEW_SRC_IO_APNG_H
#define FEW_SRC_IO_APNG_H

#include "png.h"

struct few_apng;

/* Writes an animation frame by frame, so that only one is in memory as pixels. The still image is
 * what programs show that cannot animate it. n_frames frames follow, of the same size. */
few_status few__apng_open(few_ctx *ctx, struct few_apng **out, const char *path,
                          const struct few_image *still, const struct few_png_text *text,
                          int n_text, int n_frames);
/* A frame that is shown for so many milliseconds, at most 65,535. */
few_status few__apng_frame(struct few_apng *a, const struct few_image *frame, int milliseconds);
/* Frees a. If st is FEW_OK, the file replaces PATH; otherwise nothing is written. Returns st, or
 * the writer's error. If a is NULL, returns st. */
few_status few__apng_end(struct few_apng *a, few_status st);

#endif
