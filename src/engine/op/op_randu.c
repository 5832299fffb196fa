/* randu - uniform numbers in (0, 1); the purpose selects the stream (base/rng.h). Dropout masks
 * are made of it: all passes of a step with the same purpose have the same mask. */
#include "op_sources.h"

few_node few_randu(few_graph *g, uint32_t purpose, struct few_shape shape) {
  if (shape.rank < 1)
    return few__graph_fail(g, FEW_E_INVALID, "randu: needs a batch axis: shape [rows, ..]");
  return few__emit(g, &(struct few_node_data){
                          .op = FEW_OP_RANDU, .shape = shape, .attr = FEW_ATTR(random, purpose)});
}

FEW_SOURCE_OP(randu, FEW_OP_RANDOM)
