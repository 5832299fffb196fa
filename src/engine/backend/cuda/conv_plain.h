/* conv_plain.h - few's own kernels for convolutions in f64, since cuDNN has none for NHWC
 * images. */
#ifndef FEW_SRC_CUDA_CONV_PLAIN_H
#define FEW_SRC_CUDA_CONV_PLAIN_H

#include "conv.h"

/* The same as few__cuda_conv, except that w is [kh,kw,I,O]. */
void few__cuda_conv_plain(struct few_queue *q, const struct few_conv *s, enum few_conv_what what,
                          double *y, double *x, double *w);

#endif
