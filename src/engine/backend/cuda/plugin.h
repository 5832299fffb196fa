/* plugin.h - the one symbol between libfew and libfew_cuda, which is loaded where it is found. */
#ifndef FEW_SRC_CUDA_PLUGIN_H
#define FEW_SRC_CUDA_PLUGIN_H

#include "engine/backend/backend.h"

/* Raised whenever backend.h, graph.h or an op's attributes change: a library that was built for
 * another number is refused. */
#define FEW_CUDA_ABI 5

#ifdef __cplusplus
extern "C"
#endif
    __attribute__((visibility("default"))) const struct few_backend *
    few_cuda_backend(int abi);

#endif
