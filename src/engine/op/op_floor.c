/* floor - the largest integer that is not above x. Flat: its derivative is zero wherever it
 * exists. */
#include "pointwise.h"

few_node few_floor(few_graph *g, few_node x) {
  return few__op_node(g, FEW_OP_FLOOR, 1, &x, FEW_NO_ATTR);
}

static few_node example(few_graph *g, int k) { return few__pointwise_example(g, FEW_OP_FLOOR, k); }

const struct few_op_def few__op_floor = {.name = "floor",
                                         .arity = 1,
                                         .flags = FEW_OP_POINTWISE | FEW_OP_FLAT,
                                         .simplify = few__fold_pointwise,
                                         .example = example,
                                         .n_examples = 1};
