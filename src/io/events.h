/* events.h - event files of TensorBoard (summary.proto, event.proto): numbers and images over the
 * steps of a run, appended to one file. */
#ifndef FEW_SRC_IO_EVENTS_H
#define FEW_SRC_IO_EVENTS_H

#include "base/base.h"

struct few_events;

/* Opens a file for appending, and creates it if needed. Events of steps after `step`, and whatever
 * follows a damaged record, are removed from it first. *last is the last step that it has, or -1 if
 * it has none. On failure *out is NULL. */
few_status few__events_open(few_ctx *ctx, struct few_events **out, const char *path, int64_t step,
                            int64_t *last);
void few__events_close(struct few_events *e); /* NULL is fine */

/* An event: few__events_begin, its values, and few__events_end, which writes it. Errors stick until
 * then. Without values nothing is written. */
void few__events_begin(struct few_events *e, int64_t step);
void few__events_number(struct few_events *e, const char *tag, double x);
void few__events_png(struct few_events *e, const char *tag, const void *png, size_t n);
few_status few__events_end(struct few_events *e);

/* Keeps the events up to `step` of a file in memory and returns the bytes that are left, at its
 * start. *last as above. */
size_t few__events_keep(unsigned char *bytes, size_t n, int64_t step, int64_t *last);
/* CRC-32C (Castagnoli, RFC 3720). */
uint32_t few__crc32c(const void *bytes, size_t n);

#endif
