/* queue.cu - the device: streams, memory, captured graphs, errors. */
#include "queue.h"

#include <stdio.h>
#include <string.h>

/* ---- errors ---- */

void few__cuda_fail(struct few_queue *q, const char *what, const char *why) {
  if (q->failed) return;
  q->failed = true;
  snprintf(q->why, sizeof q->why, "%s: %.400s", what, why);
}

void few__cuda_check(struct few_queue *q, cudaError_t status, const char *what) {
  if (status == cudaSuccess) return;
  cudaGetLastError(); /* clear the error, or the next launch would report it again */
  few__cuda_fail(q, what, cudaGetErrorString(status));
}

bool few__blas_ok(struct few_queue *q, cublasStatus_t st, const char *call) {
  if (st != CUBLAS_STATUS_SUCCESS) few__cuda_fail(q, call, cublasLtGetStatusString(st));
  return st == CUBLAS_STATUS_SUCCESS;
}

bool few__dnn_ok(struct few_queue *q, cudnnStatus_t st, const char *call) {
  if (st != CUDNN_STATUS_SUCCESS) few__cuda_fail(q, call, cudnnGetErrorString(st));
  return st == CUDNN_STATUS_SUCCESS;
}

cudaStream_t few__cuda_stream(struct few_queue *q) { return q->stream; }
const struct few_replay_key *few__cuda_key(struct few_queue *q) { return q->key; }

/* ---- the device ---- */

static void queue_close(struct few_queue *q) {
  if (!q) return;
  if (q->dnn) cudnnDestroy(q->dnn);
  if (q->blas) cublasLtDestroy(q->blas);
  cudaFree(q->workspace);
  cudaFree(q->key);
  if (q->stream) cudaStreamDestroy(q->stream);
  delete q;
}

static void set_up(struct few_queue *q) {
  few__cuda_check(q, cudaStreamCreateWithFlags(&q->stream, cudaStreamNonBlocking), "a stream");
  few__cuda_check(q, cudaMalloc((void **)&q->key, sizeof *q->key), "memory of a queue");
  few__cuda_check(q, cudaMalloc(&q->workspace, WORKSPACE), "memory of a queue");
  if (!q->failed && FEW_BLAS(q, cublasLtCreate(&q->blas)) && FEW_DNN(q, cudnnCreate(&q->dnn)))
    FEW_DNN(q, cudnnSetStream(q->dnn, q->stream));
}

static const char *queue_open(struct few_queue **out) {
  static char why[512];
  int n = 0;
  *out = nullptr;
  const cudaError_t st = cudaGetDeviceCount(&n);
  if (st != cudaSuccess || n == 0) {
    snprintf(why, sizeof why, "no GPU: %s",
             st == cudaSuccess ? "none found" : cudaGetErrorString(st));
    return why;
  }
  struct few_queue *q = new few_queue();
  set_up(q);
  if (q->failed) {
    memcpy(why, q->why, sizeof why);
    queue_close(q);
    return why;
  }
  *out = q;
  return nullptr;
}

static void device_name(struct few_queue *q, char *out, size_t size) {
  struct cudaDeviceProp p = {};
  int device = 0;
  few__cuda_check(q, cudaGetDevice(&device), "the device");
  few__cuda_check(q, cudaGetDeviceProperties(&p, device), "the device");
  snprintf(out, size, "%s", p.name);
}

static void *memory(struct few_queue *q, size_t bytes) {
  void *at = nullptr;
  (void)q;
  if (cudaMalloc(&at, bytes ? bytes : 1) == cudaSuccess) return at;
  cudaGetLastError(); /* the caller reports that memory ran out; the queue can still be used */
  return nullptr;
}

static void give_back(struct few_queue *q, void *at) {
  (void)q;
  cudaFree(at);
}

static void *host_memory(struct few_queue *q, size_t bytes) {
  void *at = nullptr;
  (void)q;
  if (cudaMallocHost(&at, bytes ? bytes : 1) == cudaSuccess) return at;
  cudaGetLastError();
  return nullptr;
}

static void give_host_back(struct few_queue *q, void *at) {
  (void)q;
  cudaFreeHost(at);
}

/* When the call returns, pageable memory at `from` has been read completely. */
static void put(struct few_queue *q, void *to, const void *from, size_t bytes) {
  few__cuda_check(q, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, q->stream), "a copy");
}

static void get(struct few_queue *q, void *to, const void *from, size_t bytes) {
  if (bytes)
    few__cuda_check(q, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, q->stream),
                    "a copy");
  few__cuda_check(q, cudaStreamSynchronize(q->stream), "waiting for a copy");
}

static void set_key(struct few_queue *q, const struct few_replay_key *key) {
  put(q, q->key, key, sizeof *key);
}

static const char *finish(struct few_queue *q) {
  static thread_local char why[512];
  few__cuda_check(q, cudaStreamSynchronize(q->stream), "waiting");
  if (!q->failed) return nullptr;
  q->failed = false;
  memcpy(why, q->why, sizeof why);
  return why;
}

/* ---- captured graphs ---- */

struct few_captured_graph {
  cudaGraphExec_t exec;
};

static void capture_begin(struct few_queue *q) {
  few__cuda_check(q, cudaStreamBeginCapture(q->stream, cudaStreamCaptureModeThreadLocal),
                  "capturing a graph");
}

static struct few_captured_graph *capture_end(struct few_queue *q) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  few__cuda_check(q, cudaStreamEndCapture(q->stream, &graph), "capturing a graph");
  if (graph) few__cuda_check(q, cudaGraphInstantiate(&exec, graph, 0), "capturing a graph");
  if (graph) cudaGraphDestroy(graph);
  return exec ? new few_captured_graph{exec} : nullptr;
}

static void launch(struct few_queue *q, struct few_captured_graph *r) {
  few__cuda_check(q, cudaGraphLaunch(r->exec, q->stream), "launching a captured graph");
}

static void captured_graph_free(struct few_captured_graph *r) {
  if (!r) return;
  cudaGraphExecDestroy(r->exec);
  delete r;
}

extern "C" const struct few_device few__cuda_device = {queue_open,
                                                       queue_close,
                                                       device_name,
                                                       memory,
                                                       give_back,
                                                       host_memory,
                                                       give_host_back,
                                                       put,
                                                       get,
                                                       set_key,
                                                       capture_begin,
                                                       capture_end,
                                                       launch,
                                                       captured_graph_free,
                                                       finish,
                                                       &few__cuda_vectors};
