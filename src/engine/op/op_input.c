/* input - an array that is bound by name before each run. */
#include "op_sources.h"

few_node few_input(few_graph *g, const char *name, few_dtype type, struct few_shape shape) {
  return few__emit(
      g, &(struct few_node_data){.op = FEW_OP_INPUT, .type = type, .shape = shape, .name = name});
}

FEW_SOURCE_OP(input, 0)
