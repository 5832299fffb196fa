/* attention.h - what attention and its two derivatives share: f[0] is the scale. */
#ifndef FEW_SRC_ATTENTION_H
#define FEW_SRC_ATTENTION_H

#include "op.h"

/* softmax(q k^T scale) v from matmul and softmax. */
few_node few__attention_compose(few_graph *g, few_node qkv, double scale);
bool few__attention_check(few_graph *g, const struct few_node_data *n);
double few__attention_flops(const few_graph *g, const struct few_node_data *n, int products);

#endif
