/* feed.h - reads a file in order, and keeps only a part of it in memory. */
#ifndef FEW_SRC_IO_FEED_H
#define FEW_SRC_IO_FEED_H

#include "base/base.h"

struct few_feed {
  few_ctx *ctx;
  const char *place; /* for messages; borrowed */
  uint64_t size;     /* of the whole */
  uint64_t taken;    /* bytes that the caller has read */

  int fd;            /* -1: all bytes are in memory */
  uint8_t *buffer;   /* of a file; owned */
  const uint8_t *at; /* the next `left` bytes are in memory here */
  size_t left;
};

/* Opens a file, or a pipe as in few__file_read. After a failure there is nothing to close. */
few_status few__feed_open(few_ctx *ctx, struct few_feed *s, const char *path);
/* Reads from n bytes in memory, which must outlive the feed. Needs no few__feed_close. */
void few__feed_memory(few_ctx *ctx, struct few_feed *s, const char *place, const void *bytes,
                      size_t n);
void few__feed_close(struct few_feed *s);

/* FEW_E_FORMAT if the file has more than max_bytes. */
few_status few__feed_limit(const struct few_feed *s, size_t max_bytes);

/* Reads the next n bytes. FEW_E_FORMAT if the file has fewer. */
few_status few__feed_read(struct few_feed *s, void *out, size_t n);
/* Leaves out the next n bytes, of a file without reading them. FEW_E_FORMAT if there are fewer. */
few_status few__feed_skip(struct few_feed *s, uint64_t n);
/* Returns the first bytes without consuming them: at most FEW_FEED_PEEK, before any other call. *n
 * is smaller if the file is shorter. */
enum { FEW_FEED_PEEK = 4096 };
few_status few__feed_peek(struct few_feed *s, const uint8_t **at, size_t *n);
/* The next bytes, as many as the buffer has; *n is 0 at the end. Borrowed until the next call. */
few_status few__feed_next(struct few_feed *s, const uint8_t **at, size_t *n);

#endif
