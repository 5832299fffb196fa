/* conv.h - the convolution triple. With T(x, w, d) = sum d * conv(x, w):
 *   conv(x, w)    is the gradient of T with respect to d,
 *   conv_dx(d, w) with respect to x,
 *   conv_dw(x, d) with respect to w.
 * T is linear in each, so the derivative of one of them is another one: the triple is closed. */
#ifndef FEW_SRC_CONV_H
#define FEW_SRC_CONV_H

#include "op.h"

struct few_conv_geometry {
  int stride, pad;
  int64_t h, w, kh, kw; /* of the input and of the kernel */
};
/* Outgoing side of a convolution, or -1 where nothing fits. */
static inline int64_t few__conv_out(int64_t in, int64_t kernel, int stride, int pad) {
  int64_t room = in + 2 * (int64_t)pad - kernel;
  return room < 0 || stride < 1 || pad < 0 || kernel < 1 ? -1 : room / stride + 1;
}
double few__conv_flops(struct few_shape y, struct few_shape w);

#endif
