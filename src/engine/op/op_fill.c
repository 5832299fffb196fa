/* fill - the same number everywhere. */
#include "op_sources.h"

few_node few_fill(few_graph *g, double value, struct few_shape shape) {
  return few__emit(
      g, &(struct few_node_data){.op = FEW_OP_FILL, .shape = shape, .attr = FEW_ATTR(fill, value)});
}

FEW_SOURCE_OP(fill, 0)
