/* feed.c - reads a file in order.
 *
 * A file may come from a stranger, and its length may be misleading: a hole of gigabytes needs no
 * space on a disk. So readers check the header of a file before they allocate memory for the rest
 * of it, and if the format allows, they decode while they read.
 *
 * Large reads go directly into the reader's memory; small ones come from a buffer.
 */
#define _XOPEN_SOURCE 700
#include "feed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

enum { BUFFER = 1 << 16 };

static few_status too_short(struct few_feed *s) {
  return few__fail(s->ctx, FEW_E_FORMAT, "%s: the file ends too early, after %llu bytes: %s",
                   s->place, (unsigned long long)s->size, "fetch or make it again");
}

/* A pipe has no length: all of it is read, within the limit of few__file_read. */
static few_status open_whole(few_ctx *ctx, struct few_feed *s, const char *path) {
  char *bytes;
  size_t n;
  FEW_TRY(few__file_read(ctx, &bytes, &n, path, SIZE_MAX / 2));
  few__feed_memory(ctx, s, path, bytes, n);
  s->buffer = (uint8_t *)bytes;
  return FEW_OK;
}

/* O_NONBLOCK, since the path may have been replaced by a pipe since it was checked. */
few_status few__feed_open(few_ctx *ctx, struct few_feed *s, const char *path) {
  struct stat info;
  *s = (struct few_feed){.ctx = ctx, .place = path, .fd = -1};
  if (!few__path_is_file(path)) return open_whole(ctx, s, path);
  s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (s->fd < 0) return few__fail_errno(ctx, "open", path, errno);
  few_status st = fstat(s->fd, &info) ? few__fail_errno(ctx, "read", path, errno) : FEW_OK;
  if (!st) st = few__new(ctx, &s->buffer, BUFFER, 1);
  if (!st) s->size = (uint64_t)info.st_size;
  if (st) few__feed_close(s);
  return st;
}

void few__feed_memory(few_ctx *ctx, struct few_feed *s, const char *place, const void *bytes,
                      size_t n) {
  *s = (struct few_feed){.ctx = ctx, .place = place, .size = n, .fd = -1, .at = bytes, .left = n};
}

void few__feed_close(struct few_feed *s) {
  if (s->fd >= 0) close(s->fd);
  if (s->buffer) few__free(s->ctx, s->buffer);
  *s = (struct few_feed){.fd = -1};
}

few_status few__feed_limit(const struct few_feed *s, size_t max_bytes) {
  if (s->size <= max_bytes) return FEW_OK;
  return few__fail(s->ctx, FEW_E_FORMAT,
                   "%s is larger than the %zu bytes allowed here: is it the file you meant?",
                   s->place, max_bytes);
}

/* Reads up to n bytes of the file; *got is 0 at its end. */
static few_status read_some(struct few_feed *s, void *out, size_t n, size_t *got) {
  assert(s->fd >= 0 && n > 0); /* 0 bytes would read as the end of the file */
  ssize_t k;
  do k = read(s->fd, out, n < SSIZE_MAX ? n : SSIZE_MAX);
  while (k < 0 && errno == EINTR);
  *got = k > 0 ? (size_t)k : 0;
  return k < 0 ? few__fail_errno(s->ctx, "read", s->place, errno) : FEW_OK;
}

/* Fills the buffer if it is empty. At the end of the file it stays empty. */
static few_status fill(struct few_feed *s) {
  if (s->left || s->fd < 0) return FEW_OK;
  s->at = s->buffer;
  return read_some(s, s->buffer, BUFFER, &s->left);
}

few_status few__feed_read(struct few_feed *s, void *out, size_t n) {
  uint8_t *to = out;
  while (n) {
    size_t got = s->left < n ? s->left : n;
    if (got) {
      memcpy(to, s->at, got);
      s->at += got;
      s->left -= got;
    } else if (s->fd >= 0 && n >= BUFFER) {
      FEW_TRY(read_some(s, to, n, &got));
    } else {
      FEW_TRY(fill(s));
      if (s->left) continue;
    }
    if (!got) return too_short(s);
    to += got;
    n -= got;
    s->taken += got;
  }
  return FEW_OK;
}

few_status few__feed_skip(struct few_feed *s, uint64_t n) {
  if (n > s->size - s->taken) return too_short(s);
  s->taken += n;
  const size_t here = s->left < n ? s->left : (size_t)n;
  s->at += here;
  s->left -= here;
  n -= here;
  if (!n) return FEW_OK;
  assert(s->fd >= 0 && n <= INT64_MAX); /* all bytes of memory are here */
  return lseek(s->fd, (off_t)n, SEEK_CUR) < 0 ? few__fail_errno(s->ctx, "read", s->place, errno)
                                              : FEW_OK;
}

few_status few__feed_peek(struct few_feed *s, const uint8_t **at, size_t *n) {
  assert(!s->taken);
  for (size_t got = 1; s->fd >= 0 && got && s->left < FEW_FEED_PEEK; s->left += got) {
    s->at = s->buffer;
    FEW_TRY(read_some(s, s->buffer + s->left, FEW_FEED_PEEK - s->left, &got));
  }
  *at = s->at;
  *n = s->left < FEW_FEED_PEEK ? s->left : FEW_FEED_PEEK;
  return FEW_OK;
}

few_status few__feed_next(struct few_feed *s, const uint8_t **at, size_t *n) {
  FEW_TRY(fill(s));
  *at = s->at;
  *n = s->left;
  s->at += s->left;
  s->taken += s->left;
  s->left = 0;
  return FEW_OK;
}
