/* norm.h - attributes that norm and norm_tangent share: i[0] groups, i[1] center, f[0] eps. */
#ifndef FEW_SRC_NORM_H
#define FEW_SRC_NORM_H

#include "op.h"

bool few__norm_check(few_graph *g, struct few_node_data *n);
static inline struct few_attr few__norm_attr(int groups, bool center, double eps) {
  return (struct few_attr){.i = {groups, center}, .f = {eps}};
}

#endif
