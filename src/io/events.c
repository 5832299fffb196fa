/* events.c - see events.h.
 *
 * The file is a series of TFRecords, all integers little-endian:
 *
 *   u64 length, u32 masked CRC of the length, the bytes, u32 masked CRC of the bytes
 *
 * A mask keeps a CRC of data that hold a CRC from being trivial: ((crc >> 15 | crc << 17) +
 * 0xa282ead8. The bytes are a message of protocol buffers (protobuf.h):
 *
 *   Event    1 wall time (double, seconds since 1970), 2 step, 3 file version, 5 summary
 *   Summary  1 value
 *   Value    1 tag, 2 number (float), 4 image
 *   Image    1 height, 2 width, 3 channels, 4 the bytes of a PNG
 *
 * The first event has the file version, "brain.Event:2". */
#include "events.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "png.h"
#include "protobuf.h"

enum { HEAD = 12, TAIL = 4 }; /* bytes around those of a record */

struct few_events {
  few_ctx *ctx;
  char *path;
  int fd;
  struct few_proto proto;
  struct few_message event, summary, value, inner; /* that are being built */
};

/* ---- records ---- */

uint32_t few__crc32c(const void *bytes, size_t n) {
  const unsigned char *at = bytes;
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < n; i++) {
    crc ^= at[i];
    for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

static uint32_t masked(const void *bytes, size_t n) {
  const uint32_t crc = few__crc32c(bytes, n);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static bool matches(const unsigned char *stored, const void *bytes, size_t n) {
  const uint32_t crc = masked(bytes, n);
  return !memcmp(stored, &crc, sizeof crc); /* few runs on little-endian machines (io/store.h) */
}

/* The length of the record at the start of n bytes, with its frame; 0 if it is not whole. */
static size_t record(const unsigned char *at, size_t n) {
  uint64_t length;
  if (n < HEAD + TAIL) return 0;
  memcpy(&length, at, sizeof length);
  if (!matches(at + 8, at, 8) || length > n - HEAD - TAIL) return 0;
  const size_t end = HEAD + (size_t)length;
  return matches(at + end, at + HEAD, (size_t)length) ? end + TAIL : 0;
}

static bool varint(const unsigned char **at, const unsigned char *end, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    const unsigned char byte = *(*at)++;
    *out |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return false;
}

/* The step of an Event, which is 0 if it is left out; -1 if the bytes are not a message. */
static int64_t step_of(const unsigned char *at, size_t n) {
  const unsigned char *end = at + n;
  uint64_t step = 0, key, x;
  while (at < end) {
    if (!varint(&at, end, &key)) return -1;
    const unsigned wire = (unsigned)(key & 7);
    if (wire == 0 || wire == 2) {
      if (!varint(&at, end, &x)) return -1;
    } else if (wire == 1 || wire == 5) {
      x = wire == 1 ? 8 : 4;
    } else {
      return -1;
    }
    if (key == 2 << 3) step = x;
    if (wire && x > (size_t)(end - at)) return -1;
    if (wire) at += x;
  }
  return step > INT64_MAX ? -1 : (int64_t)step;
}

size_t few__events_keep(unsigned char *bytes, size_t n, int64_t step, int64_t *last) {
  size_t kept = 0;
  *last = -1;
  for (size_t at = 0, size; (size = record(bytes + at, n - at)) > 0; at += size) {
    const int64_t own = step_of(bytes + at + HEAD, size - HEAD - TAIL);
    if (own < 0) break;
    if (own > step) continue;
    memmove(bytes + kept, bytes + at, size);
    kept += size;
    if (own > *last) *last = own;
  }
  return kept;
}

/* ---- writing ---- */

static few_status write_all(struct few_events *e, const void *bytes, size_t n) {
  for (size_t at = 0; at < n;) { /* a full disk may take a part */
    const ssize_t done = write(e->fd, (const char *)bytes + at, n - at);
    if (done > 0)
      at += (size_t)done;
    else if (errno != EINTR)
      return few__fail_errno(e->ctx, "write", e->path, errno);
  }
  return FEW_OK;
}

/* Writes the event as a record. A process that is killed leaves at most an incomplete last one. */
static few_status put_record(struct few_events *e) {
  FEW_TRY(e->proto.status);
  unsigned char head[HEAD];
  const uint64_t length = e->event.n;
  const uint32_t crc = masked(&length, sizeof length), tail = masked(e->event.at, e->event.n);
  memcpy(head, &length, sizeof length);
  memcpy(head + sizeof length, &crc, sizeof crc);
  FEW_TRY(write_all(e, head, sizeof head));
  FEW_TRY(write_all(e, e->event.at, e->event.n));
  return write_all(e, &tail, sizeof tail);
}

static void begin(struct few_events *e, int64_t step) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  e->proto.status = FEW_OK;
  e->event.n = e->summary.n = e->value.n = e->inner.n = 0;
  few__proto_double(&e->proto, &e->event, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
  few__proto_int(&e->proto, &e->event, 2, step);
}

void few__events_begin(struct few_events *e, int64_t step) {
  assert(step >= 0);
  begin(e, step);
}

void few__events_number(struct few_events *e, const char *tag, double x) {
  few__proto_text(&e->proto, &e->value, 1, tag);
  few__proto_float(&e->proto, &e->value, 2, (float)x);
  few__proto_message(&e->proto, &e->summary, 1, &e->value);
}

static int64_t big_endian(const unsigned char *at) {
  return (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

void few__events_png(struct few_events *e, const char *tag, const void *png, size_t n) {
  static const int channels[] = {1, 0, 3, 3, 2, 0, 4}; /* of a PNG's colour types */
  const unsigned char *at = png;
  assert(few__png_is(png, n) && n > 26 && at[25] < FEW_COUNT(channels)); /* the chunk IHDR */
  few__proto_text(&e->proto, &e->value, 1, tag);
  few__proto_int(&e->proto, &e->inner, 1, big_endian(at + 20));
  few__proto_int(&e->proto, &e->inner, 2, big_endian(at + 16));
  few__proto_int(&e->proto, &e->inner, 3, channels[at[25]]);
  few__proto_bytes(&e->proto, &e->inner, 4, png, n);
  few__proto_message(&e->proto, &e->value, 4, &e->inner);
  few__proto_message(&e->proto, &e->summary, 1, &e->value);
}

few_status few__events_end(struct few_events *e) {
  if (!e->summary.n) return e->proto.status;
  few__proto_message(&e->proto, &e->event, 5, &e->summary);
  return put_record(e);
}

/* ---- opening ---- */

static few_status trim(struct few_events *e, int64_t step, int64_t *last) {
  char *bytes;
  size_t n;
  FEW_TRY(few__file_read(e->ctx, &bytes, &n, e->path, SIZE_MAX / 4));
  const size_t kept = few__events_keep((unsigned char *)bytes, n, step, last);
  const few_status st = kept == n ? FEW_OK : few__file_write(e->ctx, e->path, bytes, kept);
  few__free(e->ctx, bytes);
  return st;
}

static few_status open_file(struct few_events *e, int64_t step, int64_t *last) {
  if (few__path_exists(e->path)) FEW_TRY(trim(e, step, last));
  e->fd = open(e->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (e->fd < 0) return few__fail_errno(e->ctx, "open", e->path, errno);
  if (*last >= 0) return FEW_OK;
  begin(e, 0);
  few__proto_text(&e->proto, &e->event, 3, "brain.Event:2");
  return put_record(e);
}

few_status few__events_open(few_ctx *ctx, struct few_events **out, const char *path, int64_t step,
                            int64_t *last) {
  assert(step >= 0);
  *last = -1;
  FEW_TRY(FEW_NEW(ctx, out, 1));
  struct few_events *e = *out;
  e->ctx = ctx;
  e->fd = -1;
  e->proto = (struct few_proto){.ctx = ctx, .what = "an event"};
  e->path = few__strdup(ctx, path);
  const few_status st =
      e->path ? open_file(e, step, last) : few__fail(ctx, FEW_E_MEMORY, "out of memory: %s", path);
  if (!st) return FEW_OK;
  few__events_close(e);
  *out = NULL;
  return st;
}

void few__events_close(struct few_events *e) {
  if (!e) return;
  struct few_message *const all[] = {&e->event, &e->summary, &e->value, &e->inner};
  for (int i = 0; i < FEW_COUNT(all); i++) few__free(e->ctx, all[i]->at);
  if (e->fd >= 0) close(e->fd);
  few__free(e->ctx, e->path);
  few__free(e->ctx, e);
}
