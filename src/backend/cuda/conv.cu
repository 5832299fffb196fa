/* conv.cu - cuDNN's convolutions on NHWC, with the algorithm that its heuristics put first among
 * those whose workspace fits. Sums are taken in f32, of f64 in f64.
 */
#include "conv.h"

#include "queue.h"

struct descriptors {
  cudnnTensorDescriptor_t x, y;
  cudnnFilterDescriptor_t w;
  cudnnConvolutionDescriptor_t conv;
};

static bool describe(struct few_queue *q, struct descriptors *d, const struct few_conv *s) {
  static const cudnnDataType_t types[] = {CUDNN_DATA_FLOAT, CUDNN_DATA_DOUBLE, CUDNN_DATA_BFLOAT16};
  const cudnnDataType_t type = types[s->type];
  const cudnnDataType_t sums = s->type == FEW_CONV_F64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT;
  const bool units = s->type == FEW_CONV_BF16 || s->tf32;
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
                                                    CUDNN_CROSS_CORRELATION, sums)) &&
         FEW_DNN(q, cudnnSetConvolutionMathType(d->conv,
                                                units ? CUDNN_TENSOR_OP_MATH : CUDNN_FMA_MATH));
}

static void destroy(struct descriptors *d) {
  if (d->conv) cudnnDestroyConvolutionDescriptor(d->conv);
  if (d->w) cudnnDestroyFilterDescriptor(d->w);
  if (d->y) cudnnDestroyTensorDescriptor(d->y);
  if (d->x) cudnnDestroyTensorDescriptor(d->x);
}

/* The first of the candidates that fits: heuristics put the fastest first. Those that add in no
 * fixed order are left out, for a run must give its bits again. */
template <class Performance>
static const Performance *first_fit(struct few_queue *q, const Performance *of, int n) {
  for (int k = 0; k < n; k++)
    if (of[k].status == CUDNN_STATUS_SUCCESS && of[k].memory <= (size_t)WORKSPACE &&
        of[k].determinism == CUDNN_DETERMINISTIC)
      return &of[k];
  few__cuda_fail(q, "a convolution", "cuDNN has no algorithm for it");
  return nullptr;
}

enum { CANDIDATES = 8 };

struct scalars { /* in the type of the sums */
  const void *one, *zero;
};

static void forward(struct few_queue *q, const struct descriptors *d, const struct scalars *k,
                    void *y, const void *x, const void *w) {
  cudnnConvolutionFwdAlgoPerf_t of[CANDIDATES];
  int n = 0;
  if (!FEW_DNN(q, cudnnGetConvolutionForwardAlgorithm_v7(q->dnn, d->x, d->w, d->conv, d->y,
                                                         CANDIDATES, &n, of)))
    return;
  const auto *best = first_fit(q, of, n);
  if (best)
    FEW_DNN(q, cudnnConvolutionForward(q->dnn, k->one, d->x, x, d->w, w, d->conv, best->algo,
                                       q->workspace, WORKSPACE, k->zero, d->y, y));
}

static void backward_data(struct few_queue *q, const struct descriptors *d, const struct scalars *k,
                          const void *y, void *x, const void *w) {
  cudnnConvolutionBwdDataAlgoPerf_t of[CANDIDATES];
  int n = 0;
  if (!FEW_DNN(q, cudnnGetConvolutionBackwardDataAlgorithm_v7(q->dnn, d->w, d->y, d->conv, d->x,
                                                              CANDIDATES, &n, of)))
    return;
  const auto *best = first_fit(q, of, n);
  if (best)
    FEW_DNN(q, cudnnConvolutionBackwardData(q->dnn, k->one, d->w, w, d->y, y, d->conv, best->algo,
                                            q->workspace, WORKSPACE, k->zero, d->x, x));
}

static void backward_filter(struct few_queue *q, const struct descriptors *d,
                            const struct scalars *k, const void *y, const void *x, void *w) {
  cudnnConvolutionBwdFilterAlgoPerf_t of[CANDIDATES];
  int n = 0;
  if (!FEW_DNN(q, cudnnGetConvolutionBackwardFilterAlgorithm_v7(q->dnn, d->x, d->y, d->conv, d->w,
                                                                CANDIDATES, &n, of)))
    return;
  const auto *best = first_fit(q, of, n);
  if (best)
    FEW_DNN(q, cudnnConvolutionBackwardFilter(q->dnn, k->one, d->x, x, d->y, y, d->conv, best->algo,
                                              q->workspace, WORKSPACE, k->zero, d->w, w));
}

void few__cuda_conv(struct few_queue *q, const struct few_conv *s, enum few_conv_what what, void *y,
                    void *x, void *w) {
  static const float narrow[] = {1, 0};
  static const double wide[] = {1, 0};
  const struct scalars k =
      s->type == FEW_CONV_F64 ? scalars{&wide[0], &wide[1]} : scalars{&narrow[0], &narrow[1]};
  struct descriptors d = {};
  if (describe(q, &d, s)) {
    if (what == FEW_CONV_Y) forward(q, &d, &k, y, x, w);
    if (what == FEW_CONV_X) backward_data(q, &d, &k, y, x, w);
    if (what == FEW_CONV_W) backward_filter(q, &d, &k, y, x, w);
  }
  destroy(&d);
}
