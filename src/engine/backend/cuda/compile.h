/* compile.h - kernels whose source is generated at run time. */
#ifndef FEW_SRC_CUDA_COMPILE_H
#define FEW_SRC_CUDA_COMPILE_H

#include <string>

#include "program.h"

/* Launches the kernel few_program of this source, which is compiled for its first run. In the
 * source, FEW_FIRST and FEW_STEP are a thread's first element and its stride. The queue keeps an
 * error. */
void few__compile_and_run(struct few_queue *q, const std::string &text, int64_t blocks, int threads,
                          const struct few_pointers *at);

#endif
