/* op_sources.h - the rows of ops without operands, which have no rules and no examples. */
#ifndef FEW_SRC_OP_SOURCES_H
#define FEW_SRC_OP_SOURCES_H

#include "op.h"

#define FEW_SOURCE_OP(op_name, more_flags)      \
  const struct few_op_def few__op_##op_name = { \
      .name = #op_name, .arity = 0, .flags = FEW_OP_SOURCE | FEW_OP_FLAT | (more_flags)};

#endif
