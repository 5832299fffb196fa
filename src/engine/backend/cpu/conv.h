/* conv.h - the convolutions of this folder: Winograd, thin layers, and the general algorithm. */
#ifndef FEW_SRC_CPU_CONV_H
#define FEW_SRC_CPU_CONV_H

#include "gemm.h"

/* A layer: y [n,oh,ow,co] is x [n,h,w,ci], zero outside, correlated with w [kh,kw,ci,co]. Each
 * function below computes y, or the gradient with respect to x or w. */
struct few_conv {
  int64_t n, h, w, ci;
  int64_t oh, ow, co;
  int64_t kh, kw, stride, pad_h, pad_w;
  bool direct;                  /* do not use Winograd */
  bool turned;                  /* Winograd only: weights are [3,3,co,ci], rotated by 180 degrees */
  const float *x, *weights, *y; /* the operands; for a gradient y is its cotangent */
  float *out;                   /* the result: y, dx or dw; its member above is NULL */
  float *scratch;               /* 64-byte aligned, of .._scratch() floats */
};

/* The layer of a call with the shapes x [n,h,w,ci], w [kh,kw,ci,co] and y [n,oh,ow,co]. */
static inline struct few_conv few__conv_layer(const struct few_call *c, struct few_shape x,
                                              struct few_shape w, struct few_shape y) {
  assert(x.rank == 4 && w.rank == 4 && y.rank == 4);
  struct few_conv v = {.n = x.dim[0],
                       .h = x.dim[1],
                       .w = x.dim[2],
                       .ci = x.dim[3],
                       .oh = y.dim[1],
                       .ow = y.dim[2],
                       .co = y.dim[3],
                       .kh = w.dim[0],
                       .kw = w.dim[1],
                       .stride = c->node->attr.conv.stride,
                       .pad_h = c->node->attr.conv.pad,
                       .pad_w = c->node->attr.conv.pad,
                       .direct = c->direct,
                       .out = c->out,
                       .scratch = c->scratch};
  assert(y.dim[0] == v.n && w.dim[2] == v.ci && w.dim[3] == v.co);
  return v;
}

/* Winograd for 3x3, stride 1, padding 1: y. With `turned` it is conv_dx of the layer whose weights
 * these are. */
int64_t FEW_ISA(few__winograd_scratch)(const struct few_conv *v);
void FEW_ISA(few__winograd)(const struct few_conv *v);

/* The same layer's gradient with respect to the weights, from x and y. */
int64_t FEW_ISA(few__winograd_dw_scratch)(const struct few_conv *v);
void FEW_ISA(few__winograd_dw)(const struct few_conv *v);

/* Layers with at most CONV_THIN channels on one side.
 * thin_out: y, if co is small. thin_in: y, if ci is small and the stride is 1. thin_dw: dw, if
 * either is small and the stride is 1. */
enum { CONV_THIN = 4 };
int64_t FEW_ISA(few__conv_thin_out_scratch)(const struct few_conv *v);
void FEW_ISA(few__conv_thin_out)(const struct few_conv *v);
int64_t FEW_ISA(few__conv_thin_in_scratch)(const struct few_conv *v);
void FEW_ISA(few__conv_thin_in)(const struct few_conv *v);
int64_t FEW_ISA(few__conv_thin_dw_scratch)(const struct few_conv *v);
void FEW_ISA(few__conv_thin_dw)(const struct few_conv *v);

/* Any layer, as matrix products with the rows of im2col, a block of pixels at a time: y, dx, dw. */
int64_t FEW_ISA(few__conv_product_scratch)(const struct few_conv *v);
void FEW_ISA(few__conv_product)(const struct few_conv *v);
void FEW_ISA(few__conv_product_dx)(const struct few_conv *v);
void FEW_ISA(few__conv_product_dw)(const struct few_conv *v);

#endif
