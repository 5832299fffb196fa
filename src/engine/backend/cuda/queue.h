/* queue.h - a stream, with the handles and the workspace that libraries need. */
#ifndef FEW_SRC_CUDA_QUEUE_H
#define FEW_SRC_CUDA_QUEUE_H

#include <cublasLt.h>
#include <cudnn.h>

#include <array>
#include <map>

#include "cuda.h"

enum { WORKSPACE = 256 << 20 };

/* A map from the description of a call to the algorithm that a library chose for it. A captured
 * graph must use the same algorithm as the run before it, and choosing costs more than a launch. */
using few_gemm_key = std::array<int64_t, 14>;
using few_conv_key = std::array<int64_t, 15>;
struct few_conv_choice {
  int algo, math;
};

struct few_queue {
  cudaStream_t stream;
  struct few_replay_key *key; /* in device memory */
  void *workspace;            /* WORKSPACE bytes for libraries, shared, since calls run in order */
  cublasLtHandle_t blas;
  cudnnHandle_t dnn;
  std::map<few_gemm_key, cublasLtMatmulAlgo_t> gemms;
  std::map<few_conv_key, struct few_conv_choice> convs;
  bool failed;
  char why[512];
};

/* FEW_BLAS(q, call) and FEW_DNN(q, call) are true if the call succeeded. q keeps an error. */
#define FEW_BLAS(q, call) few__blas_ok(q, (call), #call)
#define FEW_DNN(q, call) few__dnn_ok(q, (call), #call)
bool few__blas_ok(struct few_queue *q, cublasStatus_t st, const char *call);
bool few__dnn_ok(struct few_queue *q, cudnnStatus_t st, const char *call);

#endif
