/* conv.h - convolutions, by cuDNN. */
#ifndef FEW_SRC_CUDA_CONV_H
#define FEW_SRC_CUDA_CONV_H

#include "cuda.h"

/* The three of one trilinear form (ref/k_conv.c): y [N,P,Q,O], x [N,H,W,I], w [O,kh,kw,I]. The one
 * that is asked for is written, the others are read. */
enum few_conv_what { FEW_CONV_Y, FEW_CONV_X, FEW_CONV_W };
struct few_conv {
  int64_t N, H, W, I, P, Q, O, kh, kw, stride, pad;
  bool tf32; /* of float: factors rounded as matrix units take them */
};
void few__cuda_conv(struct few_queue *q, const struct few_conv *s, enum few_conv_what what,
                    float *y, float *x, float *w);
void few__cuda_conv(struct few_queue *q, const struct few_conv *s, enum few_conv_what what,
                    double *y, double *x, double *w);

#endif
