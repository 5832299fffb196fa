/* translate.h - turns a graph of few into operators of ONNX.
 *
 * A graph of few has static shapes, and one of ONNX a batch of any size, N. So the graph is traced
 * twice, for batches of two sizes. Dims that differ are multiples of N, and nothing else may
 * differ.
 *
 * few's images are [N,H,W,C], those of ONNX [N,C,H,W]. A value of rank 4 has the layout in which
 * its operator made it: convolutions, norms and resampling make images, reshapes keep channels
 * last, and pointwise operators keep what they get. An operator that needs the other layout gets a
 * transposed copy, which all its readers share.
 *
 * A value that is the same for all rows of the batch, such as the embedding of a constant time, is
 * computed for one row. A constant of equal elements is a scalar.
 */
#ifndef FEW_SRC_MODEL_EXPORT_TRANSLATE_H
#define FEW_SRC_MODEL_EXPORT_TRANSLATE_H

#include "engine/op/op.h"
#include "io/onnx.h"

enum few_onnx_layout {
  FEW_ONNX_PLAIN,  /* as in few */
  FEW_ONNX_IMAGES, /* [N,C,H,W] of [N,H,W,C]; of another rank as in few */
  FEW_ONNX_KERNEL, /* [O,I,kh,kw] of [kh,kw,I,O] */
  FEW_ONNX_POINT,  /* [O,I,1,1] of a matrix [I,O] */
  FEW_ONNX_TURNED, /* the last two dims are swapped */
  FEW_ONNX_LAYOUTS
};

/* What ONNX has of a value: all of it; one row, which stands for all rows; one number. */
enum few_onnx_extent { FEW_ONNX_ALL, FEW_ONNX_ONE_ROW, FEW_ONNX_SCALAR };

struct few_onnx_value {
  const char *name[FEW_ONNX_LAYOUTS]; /* NULL: not made in this layout */
  const char *whole[2];       /* all of it, plain or as images, if the extent is less; or NULL */
  int64_t rows[FEW_MAX_RANK]; /* k: the dim is k N; 0: it does not depend on N */
  const float *stored;        /* an array that is written when it is first read; or NULL */
  const char *stored_name;
  enum few_onnx_extent extent;
};

/* A graph at one size of the batch. */
struct few_onnx_trace {
  const few_graph *g;
  few_node y;
  int64_t rows;
};

struct few_onnx_names {
  char **at;
  int n, cap;
};

struct few_translation {
  few_ctx *ctx;
  struct few_onnx *out;
  struct few_onnx_trace at[2]; /* at two sizes of the batch; twice the same: all is static */
  const float *(*parameter)(void *user, const char *name); /* its values, borrowed, never NULL */
  void *user;

  /* Of the translation itself. */
  few_status status;
  struct few_onnx_value *value;           /* [nodes] */
  bool *live;                             /* [nodes] y depends on it */
  struct few_onnx_names names, constants; /* all names; those of constants, borrowed */
  few_node node;                          /* whose operator is being written */
  const char *arg[3];                     /* its operands, if it is pointwise */
  const char *first_input;                /* its first dim is N */
  const char *batch;                      /* N as int64 [1]; NULL: not needed so far */
};

/* Compares the two traces. FEW_E_UNSUPPORTED if they differ in more than multiples of N. */
few_status few__translate_begin(struct few_translation *t);
void few__translate_end(struct few_translation *t);
/* No parameter will have this name in the file: that of an input or output. */
void few__translate_reserve(struct few_translation *t, const char *name);
/* Does y depend on this input? */
bool few__translate_needs(const struct few_translation *t, const char *input);
/* An input of the graph is the value `name`, of all rows. To be called for each one that y needs,
 * first for one that has N as its first dim. */
void few__translate_input(struct few_translation *t, const char *input, enum few_onnx_layout layout,
                          const char *name);
/* Writes all operators. *y is the name of the result: all rows, images as images. */
few_status few__translate(struct few_translation *t, const char **y);

/* ---- For the table ---- */

/* How an op of few is written. One of the members is set. */
struct few_onnx_row {
  const char *same; /* a pointwise op that ONNX has: its name there */
  void (*write)(struct few_translation *t, const struct few_node_data *n);
  const char *refused; /* why it is not written */
};
extern const struct few_onnx_row few__onnx_rows[FEW_OP_COUNT];

/* Operand k of the current node in a layout. */
const char *few__onnx_in(struct few_translation *t, int k, enum few_onnx_layout layout);
/* Images if operand k is available as images, else plain. */
enum few_onnx_layout few__onnx_layout_of(const struct few_translation *t, int k);
/* Images if some operand is. */
enum few_onnx_layout few__onnx_layout(const struct few_translation *t);
int64_t few__onnx_axis(const struct few_node_data *n, enum few_onnx_layout layout, int64_t axis);
/* Sets the result of the current node. */
void few__onnx_set(struct few_translation *t, enum few_onnx_layout layout, const char *name);
/* The result is an array of the file; `values` is borrowed. */
void few__onnx_set_stored(struct few_translation *t, const char *name, const float *values);
void few__onnx_set_scalar(struct few_translation *t, double x);

/* ---- Operators. Each returns the name of its value; "" after an error. ---- */

const char *few__onnx_op(struct few_translation *t, const char *op, int n_in, const char *const *in,
                         int n_attrs, const struct few_onnx_attr *attr);
const char *few__onnx_op1(struct few_translation *t, const char *op, const char *a);
const char *few__onnx_op2(struct few_translation *t, const char *op, const char *a, const char *b);
const char *few__onnx_cast(struct few_translation *t, const char *a, enum few_onnx_type type);
const char *few__onnx_reshape(struct few_translation *t, const char *a, int rank,
                              const int64_t *dim); /* -1: what is left */
const char *few__onnx_transpose(struct few_translation *t, const char *a, int rank,
                                const int64_t *perm);
const char *few__onnx_batch(struct few_translation *t); /* N, int64 [1] */
/* Constants, which are shared. */
const char *few__onnx_real(struct few_translation *t, double x);
const char *few__onnx_int(struct few_translation *t, int64_t x); /* a scalar */
const char *few__onnx_ints(struct few_translation *t, int n, const int64_t *x);
/* An array of the file under a name that stands for its values. */
const char *few__onnx_array(struct few_translation *t, const char *name, int rank,
                            const int64_t *dim, const float *values);
const char *few__onnx_fill(struct few_translation *t, int64_t n, float x); /* [n] */

/* The dims of node v in a layout, of which the one that depends on N is -1. Returns the rank. */
int few__onnx_dims(const struct few_translation *t, few_node v, enum few_onnx_layout layout,
                   int64_t *dim);
/* The same as a value, with N in the place of -1; a dim in which operand `than` is as large is 1
 * (-1: none). */
const char *few__onnx_shape(struct few_translation *t, few_node v, enum few_onnx_layout layout,
                            few_node than);

#endif
