/* compile.h - kernels whose text is written at run time. */
#ifndef FEW_SRC_CUDA_COMPILE_H
#define FEW_SRC_CUDA_COMPILE_H

#include <string>

#include "program.h"

/* Launch the kernel few_program of this text; its first run compiles it. FEW_FIRST and FEW_STEP are
 * a thread's first element and its stride. A failure sticks to the queue. */
void few__compile_and_run(struct few_queue *q, const std::string &text, int64_t blocks, int threads,
                          const struct few_pointers *at);

#endif
