/* conv.cu - cuDNN's convolutions on NHWC. Sums are taken in f32.
 *
 * Algorithms are tried in the order of cuDNN's heuristics, and then one that always exists. The
 * first that runs is kept for the geometry. Timing them would often choose better, but not always
 * the same one, and a repeated run must give the same bits. For the same reason, algorithms that
 * add in no fixed order are left out.
 */
#include "conv.h"

#include <vector>

#include "queue.h"

struct descriptors {
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv;
};

static bool on_units(const struct few_conv *s) { return s->type == FEW_CONV_BF16 || s->tf32; }
static cudnnMathType_t math_of(const struct few_conv *s) {
  return on_units(s) ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH;
}

static bool describe(struct few_queue *q, struct descriptors *d, const struct few_conv *s) {
  const cudnnDataType_t type = s->type == FEW_CONV_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  return FEW_DNN(q, cudnnCreateTensorDescriptor(&d->x)) &&
         FEW_DNN(q, cudnnCreateTensorDescriptor(&d->y)) &&
         FEW_DNN(q, cudnnCreateFilterDescriptor(&d->w)) &&
         FEW_DNN(q, cudnnCreateConvolutionDescriptor(&d->conv)) &&
         FEW_DNN(q, cudnnSetTensor4dDescriptor(d->x, CUDNN_TENSOR_NHWC, type, (int)s->N, (int)s->I,
                                               (int)s->H, (int)s->W)) &&
         FEW_DNN(q, cudnnSetTensor4dDescriptor(d->y, CUDNN_TENSOR_NHWC, type, (int)s->N, (int)s->O,
                                               (int)s->P, (int)s->Q)) &&
         FEW_DNN(q, cudnnSetFilter4dDescriptor(d->w, type, CUDNN_TENSOR_NHWC, (int)s->O, (int)s->I,
                                               (int)s->kh, (int)s->kw)) &&
         FEW_DNN(q, cudnnSetConvolution2dDescriptor(d->conv, (int)s->pad, (int)s->pad,
                                                    (int)s->stride, (int)s->stride, 1, 1,
                                                    CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT)) &&
         FEW_DNN(q, cudnnSetConvolutionMathType(d->conv, math_of(s)));
}

static void destroy(struct descriptors *d) {
  if (d->conv) cudnnDestroyConvolutionDescriptor(d->conv);
  if (d->w) cudnnDestroyFilterDescriptor(d->w);
  if (d->y) cudnnDestroyTensorDescriptor(d->y);
  if (d->x) cudnnDestroyTensorDescriptor(d->x);
}

/* ---- algorithms ---- */

static bool transforms(enum few_conv_what what, int algo) {
  if (what == FEW_CONV_Y)
    return algo == CUDNN_CONVOLUTION_FWD_ALGO_FFT ||
           algo == CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING ||
           algo == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD ||
           algo == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED;
  if (what == FEW_CONV_X)
    return algo == CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT ||
           algo == CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING ||
           algo == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD ||
           algo == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED;
  return algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT ||
         algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING ||
         algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD ||
         algo == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED;
}

enum { CANDIDATES = 8 };
using candidates = std::vector<struct few_conv_choice>;

template <class Performance>
static void add_fitting(candidates *out, const struct few_conv *s, enum few_conv_what what,
                        const Performance *of, int n) {
  for (int k = 0; k < n; k++) {
    if (of[k].status != CUDNN_STATUS_SUCCESS || of[k].memory > (size_t)WORKSPACE) continue;
    if (of[k].determinism != CUDNN_DETERMINISTIC) continue;
    if (s->direct && transforms(what, of[k].algo)) continue;
    const bool narrows = of[k].mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION;
    out->push_back({of[k].algo, on_units(s) && !narrows ? of[k].mathType : math_of(s)});
  }
}

static candidates find(struct few_queue *q, const struct descriptors *d, const struct few_conv *s,
                       enum few_conv_what what) {
  static const int always[] = {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
                               CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
                               CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1};
  cudnnConvolutionFwdAlgoPerf_t forward[CANDIDATES];
  cudnnConvolutionBwdDataAlgoPerf_t data[CANDIDATES];
  cudnnConvolutionBwdFilterAlgoPerf_t filter[CANDIDATES];
  candidates out;
  int n = 0;
  cudnnStatus_t st;
  if (what == FEW_CONV_Y) {
    st = cudnnGetConvolutionForwardAlgorithm_v7(q->dnn, d->x, d->w, d->conv, d->y, CANDIDATES, &n,
                                                forward);
    if (!st) add_fitting(&out, s, what, forward, n);
  } else if (what == FEW_CONV_X) {
    st = cudnnGetConvolutionBackwardDataAlgorithm_v7(q->dnn, d->w, d->y, d->conv, d->x, CANDIDATES,
                                                     &n, data);
    if (!st) add_fitting(&out, s, what, data, n);
  } else {
    st = cudnnGetConvolutionBackwardFilterAlgorithm_v7(q->dnn, d->x, d->y, d->conv, d->w,
                                                       CANDIDATES, &n, filter);
    if (!st) add_fitting(&out, s, what, filter, n);
  }
  out.push_back({always[what], math_of(s)});
  return out;
}

/* ---- running ---- */

struct arrays {
  void *y, *x, *w;
};

static cudnnStatus_t run(struct few_queue *q, const struct descriptors *d, enum few_conv_what what,
                         struct few_conv_choice by, struct arrays a) {
  static const float one = 1, zero = 0;
  const cudnnStatus_t st = cudnnSetConvolutionMathType(d->conv, (cudnnMathType_t)by.math);
  if (st) return st;
  if (what == FEW_CONV_Y)
    return cudnnConvolutionForward(q->dnn, &one, d->x, a.x, d->w, a.w, d->conv,
                                   (cudnnConvolutionFwdAlgo_t)by.algo, q->workspace, WORKSPACE,
                                   &zero, d->y, a.y);
  if (what == FEW_CONV_X)
    return cudnnConvolutionBackwardData(q->dnn, &one, d->w, a.w, d->y, a.y, d->conv,
                                        (cudnnConvolutionBwdDataAlgo_t)by.algo, q->workspace,
                                        WORKSPACE, &zero, d->x, a.x);
  return cudnnConvolutionBackwardFilter(q->dnn, &one, d->x, a.x, d->y, a.y, d->conv,
                                        (cudnnConvolutionBwdFilterAlgo_t)by.algo, q->workspace,
                                        WORKSPACE, &zero, d->w, a.w);
}

static few_conv_key key_of(const struct few_conv *s, enum few_conv_what what) {
  return {s->N,  s->H,   s->W,    s->I,    s->P,      s->Q, s->O,     s->kh,
          s->kw, s->pad, s->type, s->tf32, s->direct, what, s->stride};
}

static void choose_and_run(struct few_queue *q, const struct descriptors *d,
                           const struct few_conv *s, enum few_conv_what what, struct arrays a) {
  cudnnStatus_t st = CUDNN_STATUS_NOT_SUPPORTED;
  for (const auto &by : find(q, d, s, what)) {
    st = run(q, d, what, by, a);
    if (st) continue;
    q->convs[key_of(s, what)] = by;
    return;
  }
  few__cuda_fail(q, "a convolution: no algorithm of cuDNN runs", cudnnGetErrorString(st));
}

void few__cuda_conv(struct few_queue *q, const struct few_conv *s, enum few_conv_what what, void *y,
                    void *x, void *w) {
  const struct arrays a = {y, x, w};
  struct descriptors d = {};
  if (describe(q, &d, s)) {
    const auto known = q->convs.find(key_of(s, what));
    if (known == q->convs.end())
      choose_and_run(q, &d, s, what, a);
    else
      FEW_DNN(q, run(q, &d, what, known->second, a));
  }
  destroy(&d);
}
