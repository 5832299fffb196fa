/* net.h - network architectures: one file and one row in nets.def, or added to a context.
 * few/ext/net.h has the definition and the layers. */
#ifndef FEW_SRC_NET_H
#define FEW_SRC_NET_H

#include "base/option.h"
#include "diffusion/process/process.h"
#include "few/ext/net.h"
#include "nn.h"

/* Built-in networks, then those of the context, which may be NULL. */
int few__net_count(const few_ctx *ctx);
const struct few_net_def *few__net_at(const few_ctx *ctx, int i);
const struct few_net_def *few__net_find(const few_ctx *ctx, const char *name); /* NULL: none */

/* Fails the graph if an input that the network has is not given. */
void few__cond_check(few_graph *g, const struct few_net_spec *spec, const struct few_net_input *in);

/* The raw network's input for `in`: x is scaled to the state of spec->process. */
struct few_net_input few__net_input(few_graph *g, const struct few_net_spec *spec,
                                    const struct few_net_input *in);
/* TrigFlow's F from `raw`, the raw network's output for the input `in` (raw.c). */
few_node few__net_F(few_graph *g, const struct few_net_spec *spec, const struct few_net_input *in,
                    few_node raw);

#endif
