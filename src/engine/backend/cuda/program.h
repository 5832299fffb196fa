/* program.h - a fused pointwise program as the text of a kernel. */
#ifndef FEW_SRC_CUDA_PROGRAM_H
#define FEW_SRC_CUDA_PROGRAM_H

#include <string>

#include "cuda.h"

/* Source of the call's program in `real` ("float"): one kernel few_program, which takes a struct
 * few_pointers. `wide`: all that has the call's shape is aligned to four numbers, whose count
 * divides. Shapes and attributes are part of the text, so that equal texts are equal kernels. */
std::string few__program_text(const struct few_call *call, const struct few_program *program,
                              const char *real, bool wide);

/* What few_program takes, in the order of the call. */
struct few_pointers {
  const void *in[FEW_PROGRAM_LEAVES];
  void *out[FEW_PROGRAM_STORES];
};

#endif
