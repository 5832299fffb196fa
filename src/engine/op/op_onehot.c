/* onehot - [N] labels to [N, classes] rows with a single 1; a label outside 0..classes-1 gives a
 * row of zeros and stands for "no label". Followed by a matmul it is an embedding lookup. */
#include "op.h"

few_node few_onehot(few_graph *g, few_node index, int64_t classes) {
  return few__op_node(g, FEW_OP_ONEHOT, 1, &index, FEW_ATTR(onehot, classes));
}

static bool infer(few_graph *g, struct few_node_data *n) {
  const struct few_node_data *in = few__node(g, n->in[0]);
  if (in->type != FEW_INDEX || in->shape.rank != 1) {
    few__graph_fail(g, FEW_E_INVALID, "onehot: needs labels [N] of type index, got %s",
                    few__shape_text(in->shape).at);
    return false;
  }
  n->shape = FEW_SHAPE(in->shape.dim[0], n->attr.onehot.classes);
  return true;
}

const struct few_op_def few__op_onehot = {
    .name = "onehot", .arity = 1, .flags = FEW_OP_FLAT, .infer = infer};
