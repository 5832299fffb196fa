/* each_op.h - the rows of ops.def, expanded: define FEW_OP, FEW_UNARY, FEW_BINARY, FEW_TERNARY, or
 * some of them, and include this. Rows of a kind that is not defined are expanded by FEW_OP. If
 * FEW_OP is not defined either, they are left out. No kind is defined afterwards. The file has no
 * include guard, because it is included many times.
 */
#ifndef FEW_OP
#define FEW_OP(ENUM, name, arity)
#endif
#ifndef FEW_UNARY
#define FEW_UNARY(ENUM, name, expression) FEW_OP(ENUM, name, 1)
#endif
#ifndef FEW_BINARY
#define FEW_BINARY(ENUM, name, expression) FEW_OP(ENUM, name, 2)
#endif
#ifndef FEW_TERNARY
#define FEW_TERNARY(ENUM, name, expression) FEW_OP(ENUM, name, 3)
#endif

#include "few/ops.def"

#undef FEW_OP
#undef FEW_UNARY
#undef FEW_BINARY
#undef FEW_TERNARY
