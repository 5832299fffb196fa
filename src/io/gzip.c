/* gzip.c - reads whole files, plain or gzipped, through zlib.
 *
 * A gzip file (RFC 1952) has one or more members. Each is a header, deflate data, and the CRC-32
 * and length of the inflated data, which zlib checks. The first two bytes, 1f 8b, distinguish it
 * from other files.
 *
 * The limit is on the inflated size: deflate packs up to 1032 to 1, so a small file may inflate to
 * a large one. Real data packs 2 to 20 to 1. So data that inflates to more than 16 MB and to more
 * than 64 times its size is refused; users who need it can unpack it first. Anything other than a
 * member after the last member is an error.
 */
#define ZLIB_CONST
#include "gzip.h"

#include <limits.h>
#include <zlib.h>

#include "file.h"

enum { RATIO_MAX = 64, FREE = 1 << 24 };

struct job {
  few_ctx *ctx;
  const char *place;
  const uint8_t *in;
  size_t in_n, in_at; /* in_at: the offset for messages */
  char *out;
  size_t n, cap, max;
  z_stream z;
};

static voidpf on_alloc(voidpf user, uInt items, uInt size) {
  struct job *j = user;
  return few__alloc(j->ctx, few__mul_size(items, size));
}

static void on_free(voidpf user, voidpf p) {
  struct job *j = user;
  few__free(j->ctx, p);
}

static few_status damaged(struct job *j, const char *what) {
  return few__fail(j->ctx, FEW_E_FORMAT, "%s: byte %zu: %s: fetch the file again", j->place,
                   j->in_at, what);
}

static few_status out_of_memory(struct job *j) {
  return few__fail(j->ctx, FEW_E_MEMORY, "%s: out of memory after %zu bytes", j->place, j->n);
}

/* The largest inflated size that is allowed. */
static size_t most(const struct job *j) {
  const size_t by_ratio = few__mul_size(j->in_n, RATIO_MAX),
               bound = by_ratio > FREE ? by_ratio : FREE;
  return j->max < bound ? j->max : bound;
}

static few_status too_much(struct job *j) {
  if (j->n > j->max)
    return few__fail(
        j->ctx, FEW_E_FORMAT,
        "%s inflates to more than the %zu bytes allowed here: is it the file you meant?", j->place,
        j->max);
  return few__fail(j->ctx, FEW_E_FORMAT,
                   "%s inflates to more than %d times its size: if you trust it, unpack it with "
                   "gunzip first",
                   j->place, RATIO_MAX);
}

/* Makes room, up to one byte more than the limit, so that exceeding it is detected. */
static few_status make_room(struct job *j) {
  if (j->n < j->cap) return FEW_OK;
  size_t limit = most(j) < SIZE_MAX ? most(j) + 1 : SIZE_MAX;
  size_t cap = j->cap <= limit / 2 ? j->cap * 2 : limit;
  if (cap < 4096) cap = 4096;
  char *p = few__realloc(j->ctx, j->out, cap);
  if (!p) return out_of_memory(j);
  j->out = p;
  j->cap = cap;
  return FEW_OK;
}

static uInt clamp(size_t n) { return n < UINT_MAX ? (uInt)n : UINT_MAX; }

/* Calls inflate once, with all the input and room there is. *end is set at the end of a member. */
static few_status step(struct job *j, bool *end) {
  FEW_TRY(make_room(j));
  assert(j->in_at <= j->in_n && j->n < j->cap);
  uInt given = clamp(j->in_n - j->in_at), room = clamp(j->cap - j->n);
  j->z.next_in = j->in + j->in_at;
  j->z.avail_in = given;
  j->z.next_out = (Bytef *)j->out + j->n;
  j->z.avail_out = room;
  int code = inflate(&j->z, Z_NO_FLUSH);
  j->in_at += given - j->z.avail_in;
  j->n += room - j->z.avail_out;
  if (j->n > most(j)) return too_much(j);
  *end = code == Z_STREAM_END;
  if (code == Z_OK || code == Z_STREAM_END) return FEW_OK;
  if (code == Z_MEM_ERROR) return out_of_memory(j);
  if (code == Z_BUF_ERROR) return damaged(j, "the data ends too early");
  return damaged(j, j->z.msg ? j->z.msg : "this is not gzip data");
}

static few_status inflate_members(struct job *j) {
  while (j->in_at < j->in_n) {
    for (bool end = false; !end;) FEW_TRY(step(j, &end));
    if (inflateReset(&j->z) != Z_OK) return damaged(j, "zlib failed");
  }
  return FEW_OK;
}

static few_status inflate_all(struct job *j) {
  j->z.opaque = j;
  j->z.zalloc = on_alloc;
  j->z.zfree = on_free;
  if (inflateInit2(&j->z, 15 + 16) != Z_OK) return out_of_memory(j); /* 16: gzip, not zlib */
  few_status st = inflate_members(j);
  inflateEnd(&j->z);
  return st;
}

bool few__gzip_is(const void *bytes, size_t n) {
  return n >= 2 && memcmp(bytes, "\x1f\x8b", 2) == 0;
}

static few_status copy_plain(struct job *j) {
  if (j->in_n > j->max)
    return few__fail(j->ctx, FEW_E_FORMAT, "%s is larger than the %zu bytes allowed here", j->place,
                     j->max);
  FEW_TRY(few__new(j->ctx, &j->out, j->in_n, 1));
  if (j->in_n) memcpy(j->out, j->in, j->in_n);
  j->n = j->in_n;
  return FEW_OK;
}

few_status few__gzip_parse(few_ctx *ctx, char **out, size_t *n_out, const char *place,
                           const void *bytes, size_t n, size_t max_bytes) {
  struct job j = {.ctx = ctx, .place = place, .in = bytes, .in_n = n, .max = max_bytes};
  few_status st = few__gzip_is(bytes, n) ? inflate_all(&j) : copy_plain(&j);
  if (st) few__free(ctx, j.out);
  *out = st ? NULL : j.out;
  *n_out = st ? 0 : j.n;
  return st;
}

few_status few__gzip_read(few_ctx *ctx, char **out, size_t *n, const char *path, size_t max_bytes) {
  char *bytes;
  size_t packed, slack = max_bytes / 1024 + 65536; /* incompressible data grows a little */
  *out = NULL;
  *n = 0;
  FEW_TRY(few__file_read(ctx, &bytes, &packed, path,
                         max_bytes < SIZE_MAX - slack ? max_bytes + slack : SIZE_MAX));
  if (!few__gzip_is(bytes, packed) && packed <= max_bytes) { /* no copy is needed */
    *out = bytes;
    *n = packed;
    return FEW_OK;
  }
  few_status st = few__gzip_parse(ctx, out, n, path, bytes, packed, max_bytes);
  few__free(ctx, bytes);
  return st;
}
