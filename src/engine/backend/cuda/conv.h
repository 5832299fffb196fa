/* conv.h - convolutions, by cuDNN. */
#ifndef FEW_SRC_CUDA_CONV_H
#define FEW_SRC_CUDA_CONV_H

#include "cuda.h"

/* A convolution has three arrays (ref/k_conv.c): y [N,P,Q,O], x [N,H,W,I] and w [O,kh,kw,I]. The
 * one that `what` names is computed from the other two. All have one number type. */
enum few_conv_what { FEW_CONV_Y, FEW_CONV_X, FEW_CONV_W };
enum few_conv_type { FEW_CONV_F32, FEW_CONV_BF16 };
struct few_conv {
  int64_t N, H, W, I, P, Q, O, kh, kw, stride, pad;
  enum few_conv_type type;
  bool tf32;   /* for f32: matrix units may round the factors to TF32 */
  bool direct; /* use no algorithm that transforms the image */
};
void few__cuda_conv(struct few_queue *q, const struct few_conv *s, enum few_conv_what what, void *y,
                    void *x, void *w);

#endif
