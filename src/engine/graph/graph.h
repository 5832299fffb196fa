/* graph.h - the inside of a graph: nodes, attributes, the rows of its table of ops. */
#ifndef FEW_SRC_GRAPH_H
#define FEW_SRC_GRAPH_H

#include "base/base.h"
#include "few/graph.h"

typedef enum few_op {
#define FEW_OP(ENUM, name, arity) FEW_OP_##ENUM,
#include "few/each_op.h"
  FEW_OP_COUNT
} few_op;

/* The attributes of a node: its constants beside the operands. An op reads the member of its own
 * kind. Ops that are not named here have no attributes, and all bytes are 0.
 *
 * Attributes are hashed and compared as bytes. So no member has padding, and few__attr() sets the
 * bytes behind a member to 0. `bytes` comes first: initialising it with {0} clears the whole
 * union. */
enum { FEW_MAX_TAPS = 6 };
union few_attr {
  unsigned char bytes[56];
  struct few_attr_fill {
    double value;
  } fill;
  struct few_attr_random { /* randn, randu */
    int64_t purpose;       /* below 2^16 (base/rng.h) */
  } random;
  struct few_attr_affine { /* a x + b */
    double a, b;
  } affine;
  struct few_attr_shape { /* reshape, broadcast, sum: the shape of the result */
    int64_t rank, dim[FEW_MAX_RANK];
  } shape;
  struct few_attr_transpose { /* dim k of the result is dim perm[k] of the operand */
    int64_t perm[FEW_MAX_RANK];
  } transpose;
  struct few_attr_slice {
    int64_t axis, start, len;
  } slice;
  struct few_attr_pad { /* zeros before and after */
    int64_t axis, before, after;
  } pad;
  struct few_attr_concat {
    int64_t axis;
  } concat;
  struct few_attr_onehot {
    int64_t classes;
  } onehot;
  struct few_attr_matmul { /* which operand is transposed: 0 or 1 */
    int32_t ta, tb;
  } matmul;
  struct few_attr_conv { /* conv, conv_dx, conv_dw */
    int32_t stride, pad;
    int64_t h,
        w; /* of the result of a transpose: of the images for conv_dx, the kernel for conv_dw */
  } conv;
  struct few_attr_resample { /* down, up: the filter, of sum 1 */
    int64_t n;               /* taps */
    double tap[FEW_MAX_TAPS];
  } resample;
  struct few_attr_norm { /* norm, norm_tangent */
    int32_t groups, center;
    double eps;
  } norm;
  struct few_attr_attention { /* and its two derivatives */
    double scale;
  } attention;
};

static inline union few_attr few__attr(const void *member, size_t size) {
  union few_attr a = {{0}};
  assert(size <= sizeof a);
  memcpy(a.bytes, member, size);
  return a;
}
/* FEW_ATTR(matmul, ta, tb): attributes of the kind `matmul`. */
#define FEW_ATTR(kind, ...) \
  few__attr(&(struct few_attr_##kind){__VA_ARGS__}, sizeof(struct few_attr_##kind))
#define FEW_NO_ATTR ((union few_attr){{0}})

struct few_node_data {
  few_op op;
  few_dtype type;
  struct few_shape shape;
  int n_in;
  few_node in[FEW_MAX_IN];
  union few_attr attr;
  const char *name;     /* inputs and params; owned by the graph */
  const char *scope;    /* where it was built; owned by the graph, never NULL */
  const double *values; /* CONST; owned by the graph */
};

/* ---- the table of ops ---- */

enum few_op_flag {
  FEW_OP_POINTWISE = 1, /* broadcasts its operands; has an expression in ops.def */
  FEW_OP_SOURCE = 2,    /* no operands */
  FEW_OP_RANDOM = 4,    /* value depends on the replay's random key */
  FEW_OP_VIEW = 8,      /* same bytes as its operand: costs nothing */
  FEW_OP_FLAT = 16      /* derivative zero everywhere: no rules needed */
};

struct few_op_def {
  const char *name;
  int arity;
  unsigned flags;
  /* Checks the operands, which are valid nodes, and sets out->shape and out->type. On a mistake it
   * calls few__graph_fail and returns false. NULL for pointwise ops. */
  bool (*infer)(few_graph *g, struct few_node_data *out);
  /* An existing or simpler node that equals proto, or FEW_NONE. May be NULL. It may use the values
   * of constant operands, but not the operands of an operand: a derivative with respect to that
   * operand would then miss the path. */
  few_node (*simplify)(few_graph *g, const struct few_node_data *proto);
  /* Tangent of `self` for tangents dx[k] of its operands, not all of them FEW_NONE. */
  few_node (*jvp)(few_graph *g, few_node self, const few_node *dx);
  /* Cotangents dx[k] for cotangent dy. The caller sets them to FEW_NONE; need[k] is false where
   * dx[k] is not used. */
  void (*vjp)(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx);
  /* Unary pointwise ops give their slope dy/dx instead of jvp and vjp; y is the node itself. */
  few_node (*slope)(few_graph *g, few_node x, few_node y);
  /* The same value from ops that have rules: derivatives of a fused op come from here when it has
   * no jvp or no vjp of its own. */
  few_node (*decompose)(few_graph *g, few_node self);
  /* Multiply-adds count as two. NULL: about one flop per element, which is not counted. */
  double (*flops)(const few_graph *g, const struct few_node_data *n);
  /* Small uses of the op for the derivative test: builds example k from inputs named "a", "b" ...;
   * n_examples of them. Pointwise ops have a default. */
  few_node (*example)(few_graph *g, int k);
  int n_examples;
};

/* A graph of ops from this table, which has one row for each value of few_op. The table is borrowed
 * and outlives the graph. few_graph_create passes the table of engine/op/. */
few_status few__graph_create(few_ctx *ctx, few_graph **out, const struct few_op_def *const *ops);

bool few__node_is(const few_graph *g, few_node n); /* of this graph */
bool few__rank_is_valid(struct few_shape s);
bool few__shape_is_valid(struct few_shape s);
#define FEW_SHAPE_RULE "rank 0..%d, every dim at least 1, fewer than 2^59 elements"

few_ctx *few__graph_ctx(const few_graph *g);
/* Valid until the next node is added. */
const struct few_node_data *few__node(const few_graph *g, few_node n);
static inline few_op few__op(const few_graph *g, few_node n) { return few__node(g, n)->op; }

/* Appends the node, or returns the equal node that exists. Checks the operands, and infers the
 * shape by the op's rule; a source has its type, shape, name and values in `proto`. */
few_node few__emit(few_graph *g, const struct few_node_data *proto);

/* Records the first failure; returns FEW_NONE. The message is prefixed with the scope. */
FEW_PRINTF(3, 4) few_node few__graph_fail(few_graph *g, few_status st, const char *fmt, ...);

/* "[64,28,28,1]" into a static-size buffer, for messages. */
struct few_shape_text {
  char at[160];
};
struct few_shape_text few__shape_text(struct few_shape s);

#endif
