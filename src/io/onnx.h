/* onnx.h - writes ONNX files: a graph of operators with its weights, for other programs to run.
 *
 * A file is built in memory and written at once. Names that are given are copied. Errors stick: it
 * is enough to check the result of few__onnx_write. */
#ifndef FEW_SRC_IO_ONNX_H
#define FEW_SRC_IO_ONNX_H

#include "base/base.h"

enum { FEW_ONNX_IR = 8, FEW_ONNX_OPSET = 18 };

/* TensorProto.DataType. */
enum few_onnx_type {
  FEW_ONNX_FLOAT = 1,
  FEW_ONNX_UINT8 = 2,
  FEW_ONNX_INT64 = 7,
  FEW_ONNX_BOOL = 9
};

/* AttributeProto.AttributeType. */
enum few_onnx_attr_kind {
  FEW_ONNX_REAL = 1,
  FEW_ONNX_INT = 2,
  FEW_ONNX_TEXT = 3,
  FEW_ONNX_INTS = 7
};
struct few_onnx_attr {
  const char *name;
  enum few_onnx_attr_kind kind;
  int64_t i; /* INT */
  double real;
  const char *text;
  int n; /* INTS */
  const int64_t *ints;
};
#define FEW_ONNX_ATTR_INT(key, x) \
  (struct few_onnx_attr) { .name = (key), .kind = FEW_ONNX_INT, .i = (x) }
#define FEW_ONNX_ATTR_REAL(key, x) \
  (struct few_onnx_attr) { .name = (key), .kind = FEW_ONNX_REAL, .real = (x) }
#define FEW_ONNX_ATTR_TEXT(key, x) \
  (struct few_onnx_attr) { .name = (key), .kind = FEW_ONNX_TEXT, .text = (x) }
#define FEW_ONNX_ATTR_INTS(key, count, x) \
  (struct few_onnx_attr) { .name = (key), .kind = FEW_ONNX_INTS, .n = (count), .ints = (x) }

struct few_onnx;
few_status few__onnx_create(few_ctx *ctx, struct few_onnx **out);
void few__onnx_free(struct few_onnx *o); /* NULL is fine */

/* An input or output of the graph. A dim below 0 is the size of the batch, N. */
void few__onnx_input(struct few_onnx *o, const char *name, enum few_onnx_type type, int rank,
                     const int64_t *dim);
void few__onnx_output(struct few_onnx *o, const char *name, enum few_onnx_type type, int rank,
                      const int64_t *dim);
/* A constant array: float, or int64_t. */
void few__onnx_tensor(struct few_onnx *o, const char *name, enum few_onnx_type type, int rank,
                      const int64_t *dim, const void *values);
/* The operator `op` makes the value `out` from the values in[n_in]. Nodes are given in order, each
 * after those whose values it reads. */
void few__onnx_node(struct few_onnx *o, const char *op, const char *out, int n_in,
                    const char *const *in, int n_attrs, const struct few_onnx_attr *attr);
/* A pair of texts about the model. */
void few__onnx_property(struct few_onnx *o, const char *key, const char *value);

/* Writes the file, atomically. `name` is that of the graph, `about` describes the model.
 * FEW_E_UNSUPPORTED for more than 2 GB, which protobuf cannot hold. */
few_status few__onnx_write(struct few_onnx *o, const char *path, const char *name,
                           const char *about);

#endif
