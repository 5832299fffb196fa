/* tar.c - reads tar archives: ustar and pax (POSIX.1-2017, pax), GNU and the old format of V7.
 *
 * An archive is a sequence of blocks of 512 bytes. A member is a header block, then its content,
 * padded to whole blocks. A block of zeros is the end mark. Fields of a header:
 *
 *   0    100  name             124  12  size: octal digits, or 0x80 and a number in base 256 (GNU)
 *   148    8  sum of the bytes of the header, with this field as blanks
 *   156    1  type             257   6  "ustar" and NUL: then 345, 155 bytes, is put before name
 *
 * A member of type x has records "LENGTH KEY=VALUE\n" about the next member: its path and size
 * count here. The content of a member of type L is the name of the next one (GNU). Members of type
 * g hold defaults of which none matters here. Sparse files are refused, because their content is
 * not that of the file.
 *
 * An archive may come from a stranger. It is read in order with a small buffer, names are limited,
 * and gzipped data has the limits of gzip.c. A plain archive is skipped through without reading it.
 */
#define ZLIB_CONST
#include "tar.h"

#include <limits.h>
#include <zlib.h>

#include "feed.h"
#include "gzip.h"

enum {
  BLOCK = 512,
  BUFFER = 1 << 16,
  NAME_MAX_BYTES = 4096,
  RECORDS_MAX = 1 << 20, /* bytes of a member of type x */
  RATIO_MAX = 64,
  FREE = 1 << 24
};

struct few_tar {
  few_ctx *ctx;
  struct few_feed feed;
  bool gz, inflating;
  z_stream z;
  uint8_t *buffer; /* gzip: BUFFER inflated bytes */
  size_t from, to; /* the next bytes are buffer[from .. to) */
  uint64_t at;     /* in the unpacked archive */
  uint64_t left;   /* bytes of the member that are not read yet, with padding */
  uint64_t size;   /* of the member */
  char name[NAME_MAX_BYTES + 1];
  /* Of the next member, from members of type x and L. */
  bool named, sized;
  uint64_t given_size;
};

static few_status damaged(const few_tar *t, const char *what) {
  return few__fail(t->ctx, FEW_E_FORMAT, "%s: %s at byte %llu: fetch or make the archive again",
                   t->feed.place, what, (unsigned long long)t->at);
}

/* ---- bytes of the unpacked archive ---- */

/* The most bytes that the unpacked archive may have. */
static uint64_t most(const few_tar *t) {
  if (!t->gz) return t->feed.size;
  const uint64_t by_ratio =
      t->feed.size < UINT64_MAX / RATIO_MAX ? t->feed.size * RATIO_MAX : UINT64_MAX;
  return by_ratio > FREE ? by_ratio : FREE;
}

static few_status too_much(const few_tar *t) {
  return few__fail(t->ctx, FEW_E_FORMAT,
                   "%s inflates to more than %d times its size: if you trust it, unpack it with "
                   "gunzip first",
                   t->feed.place, RATIO_MAX);
}

/* Inflates into the empty buffer. It stays empty at the end of the file. */
static few_status inflate_some(few_tar *t) {
  t->from = t->to = 0;
  while (!t->to) {
    if (!t->z.avail_in) {
      size_t n;
      FEW_TRY(few__feed_next(&t->feed, &t->z.next_in, &n));
      assert(n <= UINT_MAX);
      t->z.avail_in = (uInt)n;
      if (!n && t->inflating) return damaged(t, "the gzip data ends too early");
      if (!n) return FEW_OK;
    }
    t->inflating = true;
    t->z.next_out = t->buffer;
    t->z.avail_out = BUFFER;
    const int code = inflate(&t->z, Z_NO_FLUSH);
    t->to = BUFFER - t->z.avail_out;
    if (code == Z_MEM_ERROR) return few__fail(t->ctx, FEW_E_MEMORY, "out of memory to inflate");
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
      return damaged(t, "the gzip data is broken");
    if (code == Z_STREAM_END) t->inflating = false;
    if (code == Z_STREAM_END && inflateReset(&t->z) != Z_OK) return damaged(t, "zlib failed");
  }
  return FEW_OK;
}

/* Takes up to n bytes; out NULL skips them. *got < n only at the end of the file. */
static few_status take(few_tar *t, void *out, uint64_t n, uint64_t *got) {
  uint8_t *to = out;
  *got = 0;
  if (!t->gz) {
    const uint64_t there = t->feed.size - t->at;
    *got = n < there ? n : there;
    FEW_TRY(out ? few__feed_read(&t->feed, out, (size_t)*got) : few__feed_skip(&t->feed, *got));
  }
  while (t->gz && *got < n) {
    if (t->from == t->to) FEW_TRY(inflate_some(t));
    if (t->from == t->to) break;
    const size_t there = t->to - t->from, k = n - *got < there ? (size_t)(n - *got) : there;
    if (to) memcpy(to + *got, t->buffer + t->from, k);
    t->from += k;
    *got += k;
    if (t->at + *got > most(t)) return too_much(t);
  }
  t->at += *got;
  return FEW_OK;
}

static few_status take_all(few_tar *t, void *out, uint64_t n) {
  uint64_t got;
  FEW_TRY(take(t, out, n, &got));
  return got == n ? FEW_OK : damaged(t, "the archive ends too early");
}

/* ---- headers ---- */

/* A number of n bytes; UINT64_MAX: it is none, or above 2^62. */
static uint64_t number(const uint8_t *p, size_t n) {
  uint64_t x = 0;
  size_t i = 0;
  if (p[0] == 0x80) { /* 0xff would be negative */
    for (i = 1; i < n; i++) {
      if (x >> 54) return UINT64_MAX;
      x = x << 8 | p[i];
    }
    return x;
  }
  while (i < n && p[i] == ' ') i++;
  for (; i < n && p[i] >= '0' && p[i] <= '7'; i++) {
    if (x >> 59) return UINT64_MAX;
    x = x << 3 | (uint64_t)(p[i] - '0');
  }
  for (; i < n; i++)
    if (p[i] && p[i] != ' ') return UINT64_MAX;
  return x;
}

/* Old programs added signed bytes. */
static bool sum_is_right(const uint8_t *block) {
  enum { SUM = 148, SUM_BYTES = 8 };
  int64_t plain = 0, with_sign = 0;
  for (int i = 0; i < BLOCK; i++) {
    const uint8_t b = i >= SUM && i < SUM + SUM_BYTES ? ' ' : block[i];
    plain += b;
    with_sign += b < 128 ? b : b - 256;
  }
  const uint64_t stored = number(block + SUM, SUM_BYTES);
  return stored == (uint64_t)plain || (with_sign >= 0 && stored == (uint64_t)with_sign);
}

static bool is_zero(const uint8_t *block) {
  for (int i = 0; i < BLOCK; i++)
    if (block[i]) return false;
  return true;
}

static few_status set_name(few_tar *t, const char *name, size_t n) {
  if (n > NAME_MAX_BYTES || memchr(name, 0, n))
    return damaged(t, n > NAME_MAX_BYTES ? "a name has more than 4096 bytes" : "a name has a NUL");
  memcpy(t->name, name, n);
  t->name[n] = '\0';
  return FEW_OK;
}

static void name_from_header(few_tar *t, const uint8_t *block) {
  enum { NAME = 100, MAGIC = 257, PREFIX = 345, PREFIX_BYTES = 155 };
  const char *b = (const char *)block;
  const bool ustar = !memcmp(b + MAGIC, "ustar", 6); /* with the NUL; GNU has a blank */
  size_t n = 0;
  if (ustar && b[PREFIX]) {
    n = strnlen(b + PREFIX, PREFIX_BYTES);
    memcpy(t->name, b + PREFIX, n);
    t->name[n++] = '/';
  }
  const size_t own = strnlen(b, NAME);
  memcpy(t->name + n, b, own);
  t->name[n + own] = '\0';
}

/* Reads the content of a member of type x or L. The caller frees *out. */
static few_status read_about(few_tar *t, uint64_t size, char **out) {
  *out = NULL;
  if (size > RECORDS_MAX) return damaged(t, "a member about the next one has more than 1 MB");
  const uint64_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
  FEW_TRY(few__new(t->ctx, out, (size_t)padded + 1, 1));
  return take_all(t, *out, padded);
}

/* Takes one record KEY=VALUE of n bytes. */
static few_status take_record(few_tar *t, const char *record, size_t n) {
  static const char path[] = "path=", size[] = "size=", sparse[] = "GNU.sparse.";
  if (n >= 5 && !memcmp(record, path, 5)) {
    t->named = true;
    return set_name(t, record + 5, n - 5);
  }
  if (n >= sizeof sparse - 1 && !memcmp(record, sparse, sizeof sparse - 1))
    return damaged(t, "a sparse file, which few does not read,");
  if (n < 6 || memcmp(record, size, 5) != 0) return FEW_OK;
  t->given_size = 0;
  t->sized = true;
  for (size_t i = 5; i < n; i++) {
    if (record[i] < '0' || record[i] > '9' || t->given_size >> 58)
      return damaged(t, "a broken size");
    t->given_size = 10 * t->given_size + (uint64_t)(record[i] - '0');
  }
  return FEW_OK;
}

/* Takes the records of a member of type x. */
static few_status take_records(few_tar *t, const char *p, size_t n) {
  while (n) {
    size_t length = 0, digits = 0;
    while (digits < n && digits < 8 && p[digits] >= '0' && p[digits] <= '9')
      length = 10 * length + (size_t)(p[digits++] - '0');
    if (!digits || digits + 1 >= length || length > n || p[digits] != ' ' || p[length - 1] != '\n')
      return damaged(t, "a broken record of pax");
    FEW_TRY(take_record(t, p + digits + 1, length - digits - 2));
    p += length;
    n -= length;
  }
  return FEW_OK;
}

/* Takes a member that is about the next one. */
static few_status take_about(few_tar *t, char type, uint64_t size) {
  char *content;
  few_status st = read_about(t, size, &content);
  if (!st && type == 'x') st = take_records(t, content, (size_t)size);
  if (!st && type == 'L') {
    t->named = true;
    st = set_name(t, content, strnlen(content, (size_t)size));
  }
  few__free(t->ctx, content);
  return st;
}

/* Does a member of this type have content? Links, devices, folders and pipes have none. */
static bool has_content(char type) { return type < '1' || type > '6'; }

static few_status take_header(few_tar *t, const uint8_t *block, struct few_tar_member *m) {
  enum { SIZE = 124, SIZE_BYTES = 12, TYPE = 156 };
  const char type = (char)block[TYPE];
  uint64_t size = number(block + SIZE, SIZE_BYTES);
  if (!sum_is_right(block) || (has_content(type) && size == UINT64_MAX))
    return damaged(t, "no header of a member");
  if (type == 'S') return damaged(t, "a sparse file, which few does not read,");
  if (type == 'x' || type == 'L' || type == 'K' || type == 'g') return take_about(t, type, size);
  if (!t->named) name_from_header(t, block);
  if (t->sized) size = t->given_size;
  t->named = t->sized = false;
  t->size = has_content(type) ? size : 0;
  t->left = (t->size + BLOCK - 1) / BLOCK * BLOCK;
  if (t->size > most(t) || t->left > most(t) - t->at)
    return t->gz ? too_much(t) : damaged(t, "a member that is longer than the rest of the archive");
  const bool file = type == '0' || type == '\0' || type == '7';
  const size_t dot = t->name[0] == '.' && t->name[1] == '/' ? 2 : 0;
  const size_t n = strlen(t->name);
  /* in V7 a folder is a file whose name ends in a slash */
  *m = (struct few_tar_member){t->name + dot, file && n && t->name[n - 1] != '/', t->size, t->at};
  return FEW_OK;
}

few_status few__tar_next(few_tar *t, struct few_tar_member *m, bool *end) {
  uint8_t block[BLOCK];
  *m = (struct few_tar_member){0};
  *end = false;
  FEW_TRY(take_all(t, NULL, t->left));
  t->left = 0;
  while (!m->name) {
    uint64_t got;
    FEW_TRY(take(t, block, BLOCK, &got));
    if (got < BLOCK) return damaged(t, "the archive ends too early, without its end mark,");
    *end = is_zero(block);
    if (*end) return FEW_OK;
    FEW_TRY(take_header(t, block, m));
  }
  return FEW_OK;
}

few_status few__tar_read(few_tar *t, char **out, size_t *n, size_t max_bytes) {
  *out = NULL;
  *n = 0;
  assert(t->left == (t->size + BLOCK - 1) / BLOCK * BLOCK); /* nothing was read */
  if (t->size > max_bytes)
    return few__fail(t->ctx, FEW_E_FORMAT, "%s: %s has %llu bytes, more than %zu: leave it out",
                     t->feed.place, t->name, (unsigned long long)t->size, max_bytes);
  char *bytes;
  FEW_TRY(few__new(t->ctx, &bytes, (size_t)t->size + 1, 1));
  few_status st = take_all(t, bytes, t->size);
  if (st) {
    few__free(t->ctx, bytes);
    return st;
  }
  bytes[t->size] = '\0';
  t->left -= t->size;
  *out = bytes;
  *n = (size_t)t->size;
  return FEW_OK;
}

/* ---- opening ---- */

static voidpf on_alloc(voidpf user, uInt items, uInt size) {
  return few__alloc(user, few__mul_size(items, size));
}

static void on_free(voidpf user, voidpf p) { few__free(user, p); }

/* Finds out whether the feed, which is open, is gzipped. */
static few_status begin(few_tar *t) {
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_peek(&t->feed, &head, &n));
  if (!few__gzip_is(head, n)) return FEW_OK;
  FEW_TRY(few__new(t->ctx, &t->buffer, BUFFER, 1));
  t->z.opaque = t->ctx;
  t->z.zalloc = on_alloc;
  t->z.zfree = on_free;
  if (inflateInit2(&t->z, 15 + 16) != Z_OK)
    return few__fail(t->ctx, FEW_E_MEMORY, "%s: out of memory to inflate", t->feed.place);
  t->gz = true;
  return FEW_OK;
}

few_status few__tar_open(few_ctx *ctx, few_tar **out, const char *path) {
  few_tar *t;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &t, 1));
  t->ctx = ctx;
  t->feed.fd = -1;
  few_status st = few__feed_open(ctx, &t->feed, path);
  if (!st) st = begin(t);
  if (st)
    few__tar_close(t);
  else
    *out = t;
  return st;
}

few_status few__tar_memory(few_ctx *ctx, few_tar **out, const char *place, const void *bytes,
                           size_t n) {
  few_tar *t;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &t, 1));
  t->ctx = ctx;
  few__feed_memory(ctx, &t->feed, place, bytes, n);
  few_status st = begin(t);
  if (st)
    few__tar_close(t);
  else
    *out = t;
  return st;
}

void few__tar_close(few_tar *t) {
  if (!t) return;
  if (t->gz) inflateEnd(&t->z);
  few__free(t->ctx, t->buffer);
  few__feed_close(&t->feed);
  few__free(t->ctx, t);
}
