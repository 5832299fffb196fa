/* onnx.c - the ONNX format (onnx.ai, onnx.proto): messages of protocol buffers (protobuf.h), of
 * which a writer needs a dozen small ones:
 *
 *   ModelProto   1 IR version, 2 producer, 3 its version, 6 doc string, 7 graph, 8 operator set,
 *                14 properties
 *   GraphProto   1 node, 2 name, 5 initializer, 11 input, 12 output
 *   NodeProto    1 input, 2 output, 3 name, 4 operator, 5 attribute
 *   Attribute    1 name, 2 real, 3 int, 4 text, 8 ints, 20 kind
 *   TensorProto  1 dims, 2 type, 8 name, 9 raw bytes, little-endian
 *   ValueInfo    1 name, 2 type: 1 tensor: 1 element type, 2 shape: 1 dim: 1 size or 2 symbol
 */
#include "onnx.h"

#include "file.h"
#include "protobuf.h"

struct few_onnx {
  struct few_proto proto;
  struct few_message graph, model; /* the graph, and what follows it in the model */
  struct few_message part, inner;  /* messages that are being built */
};

/* ---- The messages ---- */

few_status few__onnx_create(few_ctx *ctx, struct few_onnx **out) {
  FEW_TRY(FEW_NEW(ctx, out, 1));
  (*out)->proto = (struct few_proto){.ctx = ctx, .what = "an ONNX file"};
  return FEW_OK;
}

void few__onnx_free(struct few_onnx *o) {
  if (!o) return;
  struct few_message *const all[] = {&o->graph, &o->model, &o->part, &o->inner};
  for (int i = 0; i < FEW_COUNT(all); i++) few__free(o->proto.ctx, all[i]->at);
  few__free(o->proto.ctx, o);
}

static void value_info(struct few_onnx *o, int field, const char *name, enum few_onnx_type type,
                       int rank, const int64_t *dim) {
  struct few_message shape = {0}, tensor = {0}, t = {0};
  for (int k = 0; k < rank; k++) {
    if (dim[k] < 0)
      few__proto_text(&o->proto, &o->inner, 2, "N");
    else
      few__proto_int(&o->proto, &o->inner, 1, dim[k]);
    few__proto_message(&o->proto, &shape, 1, &o->inner);
  }
  few__proto_int(&o->proto, &tensor, 1, type);
  few__proto_message(&o->proto, &tensor, 2, &shape);
  few__proto_message(&o->proto, &t, 1, &tensor);
  few__proto_text(&o->proto, &o->part, 1, name);
  few__proto_message(&o->proto, &o->part, 2, &t);
  few__proto_message(&o->proto, &o->graph, field, &o->part);
  few__free(o->proto.ctx, shape.at);
  few__free(o->proto.ctx, tensor.at);
  few__free(o->proto.ctx, t.at);
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
  struct few_message *m = &o->part;
  size_t n = type == FEW_ONNX_INT64 ? sizeof(int64_t) : sizeof(float);
  assert(type == FEW_ONNX_INT64 || type == FEW_ONNX_FLOAT);
  for (int k = 0; k < rank; k++) {
    few__proto_int(&o->proto, m, 1, dim[k]);
    n = few__mul_size(n, (size_t)dim[k]);
  }
  few__proto_int(&o->proto, m, 2, type);
  few__proto_text(&o->proto, m, 8, name);
  few__proto_bytes(&o->proto, m, 9, values, n);
  few__proto_message(&o->proto, &o->graph, 5, m);
}

static void put_attr(struct few_onnx *o, const struct few_onnx_attr *a) {
  struct few_message *m = &o->inner;
  few__proto_text(&o->proto, m, 1, a->name);
  if (a->kind == FEW_ONNX_REAL) few__proto_float(&o->proto, m, 2, (float)a->real);
  if (a->kind == FEW_ONNX_INT) few__proto_int(&o->proto, m, 3, a->i);
  if (a->kind == FEW_ONNX_TEXT) few__proto_text(&o->proto, m, 4, a->text);
  for (int k = 0; k < a->n; k++) few__proto_int(&o->proto, m, 8, a->ints[k]);
  few__proto_int(&o->proto, m, 20, a->kind);
  few__proto_message(&o->proto, &o->part, 5, m);
}

void few__onnx_node(struct few_onnx *o, const char *op, const char *out, int n_in,
                    const char *const *in, int n_attrs, const struct few_onnx_attr *attr) {
  for (int k = 0; k < n_in; k++) few__proto_text(&o->proto, &o->part, 1, in[k]);
  few__proto_text(&o->proto, &o->part, 2, out);
  few__proto_text(&o->proto, &o->part, 3, out); /* a node has one value, and its name */
  few__proto_text(&o->proto, &o->part, 4, op);
  for (int k = 0; k < n_attrs; k++) put_attr(o, &attr[k]);
  few__proto_message(&o->proto, &o->graph, 1, &o->part);
}

void few__onnx_property(struct few_onnx *o, const char *key, const char *value) {
  few__proto_text(&o->proto, &o->part, 1, key);
  few__proto_text(&o->proto, &o->part, 2, value);
  few__proto_message(&o->proto, &o->model, 14, &o->part);
}

few_status few__onnx_write(struct few_onnx *o, const char *path, const char *name,
                           const char *about) {
  struct few_message *head = &o->part;
  few_writer *w;
  few__proto_text(&o->proto, &o->graph, 2, name);
  few__proto_int(&o->proto, &o->inner, 2,
                 FEW_ONNX_OPSET); /* the domain, field 1, is that of ONNX itself */
  few__proto_message(&o->proto, &o->model, 8, &o->inner);
  few__proto_int(&o->proto, head, 1, FEW_ONNX_IR);
  few__proto_text(&o->proto, head, 2, "few");
  few__proto_text(&o->proto, head, 3, few_version());
  few__proto_text(&o->proto, head, 6, about);
  few__proto_head(&o->proto, head, 7, o->graph.n);
  few__proto_reserve(&o->proto, &o->graph, head->n + o->model.n); /* 2 GB in all */
  FEW_TRY(o->proto.status);
  FEW_TRY(few__writer_open(o->proto.ctx, &w, path));
  few_status st = few__writer_put(w, head->at, head->n);
  if (!st) st = few__writer_put(w, o->graph.at, o->graph.n);
  if (!st) st = few__writer_put(w, o->model.at, o->model.n);
  return few__writer_end(w, st);
}
