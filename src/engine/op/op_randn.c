/* randn - standard normal numbers; the purpose selects the stream (base/rng.h). Row r of dim 0
 * belongs to sample row0 + r of the run. */
#include "op_sources.h"

few_node few_randn(few_graph *g, uint32_t purpose, struct few_shape shape) {
  if (shape.rank < 1)
    return few__graph_fail(g, FEW_E_INVALID, "randn: needs a batch axis: shape [rows, ..]");
  return few__emit(g, &(struct few_node_data){
                          .op = FEW_OP_RANDN, .shape = shape, .attr = FEW_ATTR(random, purpose)});
}

FEW_SOURCE_OP(randn, FEW_OP_RANDOM)
