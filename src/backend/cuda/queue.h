/* queue.h - a stream, with what libraries need on it. */
#ifndef FEW_SRC_CUDA_QUEUE_H
#define FEW_SRC_CUDA_QUEUE_H

#include <cublasLt.h>
#include <cudnn.h>

#include "cuda.h"

enum { WORKSPACE = 256 << 20 };

struct few_queue {
  cudaStream_t stream;
  struct few_replay_key *key; /* the device's */
  void *workspace;            /* of libraries, WORKSPACE bytes; calls in order may share it */
  cublasLtHandle_t blas;
  cudnnHandle_t dnn;
  bool failed;
  char why[512];
};

/* FEW_BLAS(q, call), FEW_DNN(q, call): true if the call succeeded; a failure sticks to q. */
#define FEW_BLAS(q, call) few__blas_ok(q, (call), #call)
#define FEW_DNN(q, call) few__dnn_ok(q, (call), #call)
bool few__blas_ok(struct few_queue *q, cublasStatus_t st, const char *call);
bool few__dnn_ok(struct few_queue *q, cudnnStatus_t st, const char *call);

#endif
