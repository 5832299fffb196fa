/* onnx.c - the ONNX format (onnx.ai, onnx.proto), of which a writer needs ten small messages.
 *
 * A message of protocol buffers is a list of fields. A field is a number with a wire type, and a
 * value: a varint (seven bits a byte, the lowest first), four bytes, or a length with that many
 * bytes, which may be a message again:
 *
 *   ModelProto   1 IR version, 2 producer, 3 its version, 6 doc string, 7 graph, 8 operator set,
 *                14 properties
 *   GraphProto   1 node, 2 name, 5 initializer, 11 input, 12 output
 *   NodeProto    1 input, 2 output, 3 name, 4 operator, 5 attribute
 *   Attribute    1 name, 2 real, 3 int, 4 text, 8 ints, 20 kind
 *   TensorProto  1 dims, 2 type, 8 name, 9 raw bytes, little-endian
 *   ValueInfo    1 name, 2 type: 1 tensor: 1 element type, 2 shape: 1 dim: 1 size or 2 symbol
 *
 * Only lengths make this more than appending: a message that is inside another is built first. A
 * code generator, with its runtime, would be more code than these functions, and one more package.
 */
#include "onnx.h"

#include "file.h"

static const size_t most_bytes = INT32_MAX; /* of a message, in every implementation */

struct message {
  unsigned char *at;
  size_t n, cap;
};

struct few_onnx {
  few_ctx *ctx;
  few_status status;
  struct message graph, model; /* the graph, and what follows it in the model */
  struct message part, inner;  /* messages that are being built */
};

/* ---- The wire ---- */

static bool reserve(struct few_onnx *o, struct message *m, size_t more) {
  if (o->status) return false;
  if (more > most_bytes || m->n + more > most_bytes) {
    o->status = few__fail(o->ctx, FEW_E_UNSUPPORTED,
                          "the model has more than 2 GB, the most that an ONNX file can hold: "
                          "export a smaller one");
    return false;
  }
  if (m->n + more <= m->cap) return true;
  size_t cap = m->cap + m->cap / 2;
  if (cap < m->n + more) cap = m->n + more + 256;
  void *at = few__realloc(o->ctx, m->at, cap);
  if (!at) {
    o->status = few__fail(o->ctx, FEW_E_MEMORY, "out of memory: %zu bytes of an ONNX file", cap);
    return false;
  }
  m->at = at;
  m->cap = cap;
  return true;
}

static void put(struct few_onnx *o, struct message *m, const void *bytes, size_t n) {
  if (n == 0 || !reserve(o, m, n)) return;
  memcpy(m->at + m->n, bytes, n);
  m->n += n;
}

static void put_varint(struct few_onnx *o, struct message *m, uint64_t x) {
  unsigned char bytes[10];
  size_t n = 0;
  for (; x > 127; x >>= 7) bytes[n++] = (unsigned char)(x | 128);
  bytes[n++] = (unsigned char)x;
  put(o, m, bytes, n);
}

enum wire { VARINT = 0, BYTES = 2, FOUR = 5 };
static void put_key(struct few_onnx *o, struct message *m, int field, enum wire wire) {
  put_varint(o, m, (uint64_t)field << 3 | (uint64_t)wire);
}

static void put_int(struct few_onnx *o, struct message *m, int field, int64_t x) {
  put_key(o, m, field, VARINT);
  put_varint(o, m, (uint64_t)x);
}

static void put_bytes(struct few_onnx *o, struct message *m, int field, const void *bytes,
                      size_t n) {
  put_key(o, m, field, BYTES);
  put_varint(o, m, n);
  put(o, m, bytes, n);
}

static void put_text(struct few_onnx *o, struct message *m, int field, const char *text) {
  put_bytes(o, m, field, text, strlen(text));
}

static void put_real(struct few_onnx *o, struct message *m, int field, float x) {
  put_key(o, m, field, FOUR);
  put(o, m, &x, sizeof x); /* few runs on little-endian machines (io/store.h) */
}

/* Append a message that is finished to the one around it. */
static void put_message(struct few_onnx *o, struct message *m, int field, struct message *inner) {
  put_bytes(o, m, field, inner->at, inner->n);
  inner->n = 0;
}

/* ---- The messages ---- */

few_status few__onnx_create(few_ctx *ctx, struct few_onnx **out) {
  FEW_TRY(FEW_NEW(ctx, out, 1));
  (*out)->ctx = ctx;
  return FEW_OK;
}

void few__onnx_free(struct few_onnx *o) {
  if (!o) return;
  struct message *const all[] = {&o->graph, &o->model, &o->part, &o->inner};
  for (int i = 0; i < FEW_COUNT(all); i++) few__free(o->ctx, all[i]->at);
  few__free(o->ctx, o);
}

static void value_info(struct few_onnx *o, int field, const char *name, enum few_onnx_type type,
                       int rank, const int64_t *dim) {
  struct message shape = {0}, tensor = {0}, t = {0};
  for (int k = 0; k < rank; k++) {
    if (dim[k] < 0)
      put_text(o, &o->inner, 2, "N");
    else
      put_int(o, &o->inner, 1, dim[k]);
    put_message(o, &shape, 1, &o->inner);
  }
  put_int(o, &tensor, 1, type);
  put_message(o, &tensor, 2, &shape);
  put_message(o, &t, 1, &tensor);
  put_text(o, &o->part, 1, name);
  put_message(o, &o->part, 2, &t);
  put_message(o, &o->graph, field, &o->part);
  few__free(o->ctx, shape.at);
  few__free(o->ctx, tensor.at);
  few__free(o->ctx, t.at);
}

void few__onnx_input(struct few_onnx *o, const char *name, enum few_onnx_type type, int rank,
                     const int64_t *dim) {
  value_info(o, 11, name, type, rank, dim);
}

void few__onnx_output(struct few_onnx *o, const char *name, enum few_onnx_type type, int rank,
                      const int64_t *dim) {
  value_info(o, 12, name, type, rank, dim);
}

void few__onnx_tensor(struct few_onnx *o, const char *name, enum few_onnx_type type, int rank,
                      const int64_t *dim, const void *values) {
  struct message *m = &o->part;
  size_t n = type == FEW_ONNX_INT64 ? sizeof(int64_t) : sizeof(float);
  assert(type == FEW_ONNX_INT64 || type == FEW_ONNX_FLOAT);
  for (int k = 0; k < rank; k++) {
    put_int(o, m, 1, dim[k]);
    n = few__mul_size(n, (size_t)dim[k]);
  }
  put_int(o, m, 2, type);
  put_text(o, m, 8, name);
  put_bytes(o, m, 9, values, n);
  put_message(o, &o->graph, 5, m);
}

static void put_attr(struct few_onnx *o, const struct few_onnx_attr *a) {
  struct message *m = &o->inner;
  put_text(o, m, 1, a->name);
  if (a->kind == FEW_ONNX_REAL) put_real(o, m, 2, (float)a->real);
  if (a->kind == FEW_ONNX_INT) put_int(o, m, 3, a->i);
  if (a->kind == FEW_ONNX_TEXT) put_text(o, m, 4, a->text);
  for (int k = 0; k < a->n; k++) put_int(o, m, 8, a->ints[k]);
  put_int(o, m, 20, a->kind);
  put_message(o, &o->part, 5, m);
}

void few__onnx_node(struct few_onnx *o, const char *op, const char *out, int n_in,
                    const char *const *in, int n_attrs, const struct few_onnx_attr *attr) {
  for (int k = 0; k < n_in; k++) put_text(o, &o->part, 1, in[k]);
  put_text(o, &o->part, 2, out);
  put_text(o, &o->part, 3, out); /* a node has one value, and its name */
  put_text(o, &o->part, 4, op);
  for (int k = 0; k < n_attrs; k++) put_attr(o, &attr[k]);
  put_message(o, &o->graph, 1, &o->part);
}

void few__onnx_property(struct few_onnx *o, const char *key, const char *value) {
  put_text(o, &o->part, 1, key);
  put_text(o, &o->part, 2, value);
  put_message(o, &o->model, 14, &o->part);
}

few_status few__onnx_write(struct few_onnx *o, const char *path, const char *name,
                           const char *about) {
  struct message *head = &o->part;
  few_writer *w;
  put_text(o, &o->graph, 2, name);
  put_int(o, &o->inner, 2, FEW_ONNX_OPSET); /* the domain, field 1, is that of ONNX itself */
  put_message(o, &o->model, 8, &o->inner);
  put_int(o, head, 1, FEW_ONNX_IR);
  put_text(o, head, 2, "few");
  put_text(o, head, 3, few_version());
  put_text(o, head, 6, about);
  put_key(o, head, 7, BYTES);
  put_varint(o, head, o->graph.n);
  if (!reserve(o, &o->graph, head->n + o->model.n)) return o->status; /* 2 GB in all */
  FEW_TRY(few__writer_open(o->ctx, &w, path));
  few_status st = few__writer_put(w, head->at, head->n);
  if (!st) st = few__writer_put(w, o->graph.at, o->graph.n);
  if (!st) st = few__writer_put(w, o->model.at, o->model.n);
  return few__writer_end(w, st);
}
