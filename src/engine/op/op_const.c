/* const - an array of numbers known when the graph is built, kept in f64. */
#include "op_sources.h"

few_node few_const(few_graph *g, struct few_shape shape, const double *values) {
  return few__emit(g,
                   &(struct few_node_data){.op = FEW_OP_CONST, .shape = shape, .values = values});
}

FEW_SOURCE_OP(const, 0)
