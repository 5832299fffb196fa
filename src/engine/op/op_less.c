/* less - 1 where a < b, else 0. Flat: its derivative is zero wherever it exists. */
#include "pointwise.h"

few_node few_less(few_graph *g, few_node a, few_node b) {
  return few__op_node(g, FEW_OP_LESS, 2, (few_node[]){a, b}, FEW_NO_ATTR);
}

static few_node example(few_graph *g, int k) { return few__pointwise_example(g, FEW_OP_LESS, k); }

const struct few_op_def few__op_less = {.name = "less",
                                        .arity = 2,
                                        .flags = FEW_OP_POINTWISE | FEW_OP_FLAT,
                                        .simplify = few__fold_pointwise,
                                        .example = example,
                                        .n_examples = 3};
