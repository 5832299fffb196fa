/* param - a learned array, bound by name. */
#include "op_sources.h"

few_node few_param(few_graph *g, const char *name, struct few_shape shape) {
  return few__emit(g, &(struct few_node_data){.op = FEW_OP_PARAM, .shape = shape, .name = name});
}

FEW_SOURCE_OP(param, 0)
