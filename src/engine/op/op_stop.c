/* stop - x with derivative zero ("stop-gradient"). */
#include "op.h"

few_node few_stop(few_graph *g, few_node x) {
  return few__op_node(g, FEW_OP_STOP, 1, &x, FEW_NO_ATTR);
}

static bool infer(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  return true;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  return few__op_def(few__op(g, n->in[0]))->flags & FEW_OP_FLAT ? n->in[0] : FEW_NONE;
}

const struct few_op_def few__op_stop = {.name = "stop",
                                        .arity = 1,
                                        .flags = FEW_OP_VIEW | FEW_OP_FLAT,
                                        .infer = infer,
                                        .simplify = simplify};
