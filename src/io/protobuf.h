/* protobuf.h - writes the wire format of protocol buffers (protobuf.dev), for ONNX and TensorBoard.
 *
 * A message is a list of fields. A field is a number with a wire type, and a value: a varint (seven
 * bits per byte, the lowest first), four or eight bytes, or a length with that many bytes, which
 * may be a message again. Only lengths make this more than appending: a message that is inside
 * another is built first. A code generator, with its runtime, would be more code than these
 * functions, and one more package. */
#ifndef FEW_SRC_IO_PROTOBUF_H
#define FEW_SRC_IO_PROTOBUF_H

#include "base/base.h"

struct few_message {
  unsigned char *at; /* few__free */
  size_t n, cap;
};

/* The state of a writer. Errors stick: it is enough to check `status` at the end. */
struct few_proto {
  few_ctx *ctx;
  few_status status;
  const char *what; /* "an ONNX file", for messages */
};

/* Makes room for `more` bytes. FEW_E_UNSUPPORTED if the message would have more than 2 GB, the
 * limit of every implementation. */
bool few__proto_reserve(struct few_proto *p, struct few_message *m, size_t more);

void few__proto_int(struct few_proto *p, struct few_message *m, int field, int64_t x);
void few__proto_float(struct few_proto *p, struct few_message *m, int field, float x);
void few__proto_double(struct few_proto *p, struct few_message *m, int field, double x);
void few__proto_bytes(struct few_proto *p, struct few_message *m, int field, const void *bytes,
                      size_t n);
void few__proto_text(struct few_proto *p, struct few_message *m, int field, const char *text);
/* The beginning of a field of n bytes, which the caller appends. */
void few__proto_head(struct few_proto *p, struct few_message *m, int field, size_t n);
/* Appends a finished message to the one around it, and empties it. */
void few__proto_message(struct few_proto *p, struct few_message *m, int field,
                        struct few_message *inner);

#endif
