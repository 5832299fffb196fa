/* conv_plain.h - convolutions of f64, by kernels of our own: cuDNN has none for NHWC
 * images. */
#ifndef FEW_SRC_CUDA_CONV_PLAIN_H
#define FEW_SRC_CUDA_CONV_PLAIN_H

#include "conv.h"

/* As few__cuda_conv, with w [kh,kw,I,O]. */
void few__cuda_conv_plain(struct few_queue *q, const struct few_conv *s, enum few_conv_what what,
                          double *y, double *x, double *w);

#endif
