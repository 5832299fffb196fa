/* program.h - the source of a kernel for a fused pointwise program. */
#ifndef FEW_SRC_CUDA_PROGRAM_H
#define FEW_SRC_CUDA_PROGRAM_H

#include <string>

#include "cuda.h"

/* The source of the call's program in `real` ("float" or "double"): one kernel few_program, which
 * takes a struct few_pointers. `wide` means that all operands and results of the call's shape are
 * aligned to four numbers and that their count is a multiple of four. Shapes and attributes are in
 * the source, so equal sources are equal kernels. */
std::string few__program_text(const struct few_call *call, const struct few_program *program,
                              const char *real, bool wide);

/* The argument of few_program: operands and results in the order of the call. */
struct few_pointers {
  const void *in[FEW_PROGRAM_LEAVES];
  void *out[FEW_PROGRAM_STORES];
};

#endif
