/* plugin.h - the only symbol of libfew_cuda, which libfew loads if it is installed. */
#ifndef FEW_SRC_CUDA_PLUGIN_H
#define FEW_SRC_CUDA_PLUGIN_H

#include "engine/backend/backend.h"

/* Increase this number whenever backend.h, graph.h or the attributes of an op change. libfew
 * refuses a library that was built with another number. */
#define FEW_CUDA_ABI 5

#ifdef __cplusplus
extern "C"
#endif
    __attribute__((visibility("default"))) const struct few_backend *
    few_cuda_backend(int abi);

#endif
