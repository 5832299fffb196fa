/* graph.h - the inside of a graph: nodes, attributes, value numbering. */
#ifndef FEW_SRC_GRAPH_H
#define FEW_SRC_GRAPH_H

#include "base/base.h"
#include "few/graph.h"

typedef enum few_op {
#define FEW_OP(ENUM, name, arity) FEW_OP_##ENUM,
#include "few/each_op.h"
  FEW_OP_COUNT
} few_op;

/* What makes one use of an op differ from another; each op file says what it keeps where. Unused
 * members are zero: attributes are hashed and compared as bytes. */
struct few_attr {
  int64_t i[2 * FEW_MAX_RANK];
  double f[6];
};

struct few_node_data {
  few_op op;
  few_dtype type;
  struct few_shape shape;
  int n_in;
  few_node in[FEW_MAX_IN];
  struct few_attr attr;
  const char *name;     /* inputs and params; owned by the graph */
  const char *scope;    /* where it was built; owned by the graph, never NULL */
  const double *values; /* CONST; owned by the graph */
};

bool few__node_is(const few_graph *g, few_node n); /* of this graph */
bool few__rank_is_valid(struct few_shape s);
bool few__shape_is_valid(struct few_shape s);
#define FEW_SHAPE_RULE "rank 0..%d, every dim at least 1, fewer than 2^59 elements"

few_ctx *few__graph_ctx(const few_graph *g);
/* Valid until the next node is added. */
const struct few_node_data *few__node(const few_graph *g, few_node n);
static inline few_op few__op(const few_graph *g, few_node n) { return few__node(g, n)->op; }

/* Append the op, or return the node that already is that. Checks operands and infers the shape
 * with the op's own rule; for sources `proto` brings type, shape, name, values. */
few_node few__emit(few_graph *g, const struct few_node_data *proto);

/* Record the first failure; returns FEW_NONE. The message is prefixed with the scope. */
FEW_PRINTF(3, 4) few_node few__graph_fail(few_graph *g, few_status st, const char *fmt, ...);

/* "[64,28,28,1]" into a static-size buffer, for messages. */
struct few_shape_text {
  char at[160];
};
struct few_shape_text few__shape_text(struct few_shape s);

#endif
