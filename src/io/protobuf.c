/* protobuf.c - see protobuf.h. */
#include "protobuf.h"

static const size_t most_bytes = INT32_MAX; /* of a message */

enum wire { VARINT = 0, EIGHT = 1, BYTES = 2, FOUR = 5 };

bool few__proto_reserve(struct few_proto *p, struct few_message *m, size_t more) {
  if (p->status) return false;
  if (more > most_bytes || m->n + more > most_bytes) {
    p->status = few__fail(p->ctx, FEW_E_UNSUPPORTED,
                          "more than 2 GB, the most that %s can hold: make it smaller", p->what);
    return false;
  }
  if (m->n + more <= m->cap) return true;
  size_t cap = m->cap + m->cap / 2;
  if (cap < m->n + more) cap = m->n + more + 256;
  void *at = few__realloc(p->ctx, m->at, cap);
  if (!at) {
    p->status = few__fail(p->ctx, FEW_E_MEMORY, "out of memory: %zu bytes of %s", cap, p->what);
    return false;
  }
  m->at = at;
  m->cap = cap;
  return true;
}

static void put(struct few_proto *p, struct few_message *m, const void *bytes, size_t n) {
  if (n == 0 || !few__proto_reserve(p, m, n)) return;
  memcpy(m->at + m->n, bytes, n);
  m->n += n;
}

static void put_varint(struct few_proto *p, struct few_message *m, uint64_t x) {
  unsigned char bytes[10];
  size_t n = 0;
  for (; x > 127; x >>= 7) bytes[n++] = (unsigned char)(x | 128);
  bytes[n++] = (unsigned char)x;
  put(p, m, bytes, n);
}

static void put_key(struct few_proto *p, struct few_message *m, int field, enum wire wire) {
  assert(field > 0);
  put_varint(p, m, (uint64_t)field << 3 | (uint64_t)wire);
}

void few__proto_int(struct few_proto *p, struct few_message *m, int field, int64_t x) {
  put_key(p, m, field, VARINT);
  put_varint(p, m, (uint64_t)x);
}

/* few runs on little-endian machines (io/store.h). */
void few__proto_float(struct few_proto *p, struct few_message *m, int field, float x) {
  put_key(p, m, field, FOUR);
  put(p, m, &x, sizeof x);
}

void few__proto_double(struct few_proto *p, struct few_message *m, int field, double x) {
  put_key(p, m, field, EIGHT);
  put(p, m, &x, sizeof x);
}

void few__proto_head(struct few_proto *p, struct few_message *m, int field, size_t n) {
  put_key(p, m, field, BYTES);
  put_varint(p, m, n);
}

void few__proto_bytes(struct few_proto *p, struct few_message *m, int field, const void *bytes,
                      size_t n) {
  few__proto_head(p, m, field, n);
  put(p, m, bytes, n);
}

void few__proto_text(struct few_proto *p, struct few_message *m, int field, const char *text) {
  few__proto_bytes(p, m, field, text, strlen(text));
}

void few__proto_message(struct few_proto *p, struct few_message *m, int field,
                        struct few_message *inner) {
  few__proto_bytes(p, m, field, inner->at, inner->n);
  inner->n = 0;
}
