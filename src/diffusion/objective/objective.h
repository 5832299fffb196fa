/* objective.h - objectives, the losses with which networks are trained: one file and one row in
 * objectives.def, or added to a context. few/ext/objective.h has the definition and the helpers. */
#ifndef FEW_SRC_OBJECTIVE_H
#define FEW_SRC_OBJECTIVE_H

#include "base/option.h"
#include "diffusion/net/net.h"
#include "few/ext/objective.h"

/* Built-in objectives, then those of the context, which may be NULL. */
int few__objective_count(const few_ctx *ctx);
const struct few_objective_def *few__objective_at(const few_ctx *ctx, int i);
/* NULL: there is none. */
const struct few_objective_def *few__objective_find(const few_ctx *ctx, const char *name);

#endif
