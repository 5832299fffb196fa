/* conv.c - CONV, CONV_DX, CONV_DW: chooses an algorithm for each layer.
 *
 *     3x3, stride 1, padding 1, at least 8 channels in and out     Winograd
 *     stride 1, up to 4 channels in or out                         the thin algorithms
 *     all other layers                                             products with im2col
 *
 * For stride 1 the gradient with respect to x is the convolution of dy with w rotated by 180
 * degrees and its channels exchanged, with padding k-1-pad. So the same algorithms compute it.
 */
#include "conv.h"

enum { WINOGRAD_LEAST = 8 };

enum way { NOTHING, WINOGRAD, THIN_OUT, THIN_IN, PRODUCT };

static bool empty(const struct few_conv *v) {
  return v->n * v->h * v->w * v->ci == 0 || v->n * v->oh * v->ow * v->co == 0;
}

static bool winograd(const struct few_conv *v) {
  return !v->direct && v->kh == 3 && v->kw == 3 && v->stride == 1 && v->pad_h == 1 &&
         v->pad_w == 1 && v->ci >= WINOGRAD_LEAST && v->co >= WINOGRAD_LEAST;
}

static void clear_out(const struct few_call *c) {
  int64_t n = 1;
  for (int i = 0; i < c->shape.rank; i++) n *= c->shape.dim[i];
  memset(c->out, 0, (size_t)n * sizeof(float));
}

/* ---- CONV ---- */

/* Algorithms for y, and for dx of stride 1. */
static const struct {
  int64_t (*scratch)(const struct few_conv *v);
  void (*run)(const struct few_conv *v);
} ways[] = {
    [WINOGRAD] = {FEW_ISA(few__winograd_scratch), FEW_ISA(few__winograd)},
    [THIN_OUT] = {FEW_ISA(few__conv_thin_out_scratch), FEW_ISA(few__conv_thin_out)},
    [THIN_IN] = {FEW_ISA(few__conv_thin_in_scratch), FEW_ISA(few__conv_thin_in)},
    [PRODUCT] = {FEW_ISA(few__conv_product_scratch), FEW_ISA(few__conv_product)},
};

static enum way way_of_conv(const struct few_conv *v) {
  if (empty(v)) return NOTHING;
  if (winograd(v)) return WINOGRAD;
  if (v->co <= CONV_THIN) return THIN_OUT;
  return v->ci <= CONV_THIN && v->stride == 1 ? THIN_IN : PRODUCT;
}

static struct few_conv conv_layer(const struct few_call *c) {
  struct few_conv v = few__conv_layer(c, c->in[0].shape, c->in[1].shape, c->shape);
  v.x = c->in[0].data;
  v.weights = c->in[1].data;
  return v;
}

size_t FEW_ISA(few__cpu_conv_scratch)(const struct few_call *c) {
  const struct few_conv v = conv_layer(c);
  const enum way way = way_of_conv(&v);
  return way == NOTHING ? 0 : (size_t)ways[way].scratch(&v) * sizeof(float);
}

void FEW_ISA(few__cpu_conv)(const struct few_call *c) {
  const struct few_conv v = conv_layer(c);
  const enum way way = way_of_conv(&v);
  if (way == NOTHING)
    clear_out(c);
  else
    ways[way].run(&v);
}

/* ---- CONV_DX ---- */

static struct few_conv dx_layer(const struct few_call *c) {
  struct few_conv v = few__conv_layer(c, c->shape, c->in[1].shape, c->in[0].shape);
  v.y = c->in[0].data;
  v.weights = c->in[1].data;
  return v;
}

/* The layer whose y is dx, if the stride is 1. */
static struct few_conv turned(struct few_conv v) {
  struct few_conv t = v;
  t.h = v.oh, t.w = v.ow, t.ci = v.co;
  t.oh = v.h, t.ow = v.w, t.co = v.ci;
  t.pad_h = v.kh - 1 - v.pad_h;
  t.pad_w = v.kw - 1 - v.pad_w;
  t.x = v.y;
  t.turned = true;
  return t;
}

static int64_t weights_floats(const struct few_conv *v) {
  return round_up(v->kh * v->kw * v->ci * v->co, 16);
}

static void turn_weights(const struct few_conv *v, float *to) {
  const int64_t taps = v->kh * v->kw;
  for (int64_t k = 0; k < taps; k++)
    for (int64_t o = 0; o < v->co; o++)
      for (int64_t i = 0; i < v->ci; i++)
        *to++ = v->weights[((taps - 1 - k) * v->ci + i) * v->co + o];
}

size_t FEW_ISA(few__cpu_conv_dx_scratch)(const struct few_call *c) {
  const struct few_conv v = dx_layer(c), t = turned(v);
  const enum way way = way_of_conv(&t);
  if (way == NOTHING) return 0;
  int64_t floats = v.stride > 1 ? FEW_ISA(few__conv_product_scratch)(&v) : ways[way].scratch(&t);
  if (v.stride == 1 && way != WINOGRAD) floats += weights_floats(&v);
  return (size_t)floats * sizeof(float);
}

void FEW_ISA(few__cpu_conv_dx)(const struct few_call *c) {
  const struct few_conv v = dx_layer(c);
  struct few_conv t = turned(v);
  const enum way way = way_of_conv(&t);
  if (way == NOTHING) {
    clear_out(c);
    return;
  }
  if (v.stride > 1) {
    FEW_ISA(few__conv_product_dx)(&v);
    return;
  }
  if (way != WINOGRAD) { /* Winograd's transform turns the weights itself */
    turn_weights(&v, v.scratch);
    t.weights = v.scratch;
    t.turned = false;
    t.scratch = v.scratch + weights_floats(&v);
  }
  ways[way].run(&t);
}

/* ---- CONV_DW ---- */

static struct few_conv dw_layer(const struct few_call *c) {
  struct few_conv v = few__conv_layer(c, c->in[0].shape, c->shape, c->in[1].shape);
  v.x = c->in[0].data;
  v.y = c->in[1].data;
  return v;
}

static bool thin_dw(const struct few_conv *v) {
  return v->stride == 1 && (v->ci <= CONV_THIN || v->co <= CONV_THIN);
}

size_t FEW_ISA(few__cpu_conv_dw_scratch)(const struct few_call *c) {
  const struct few_conv v = dw_layer(c);
  if (empty(&v)) return 0;
  const int64_t floats = winograd(&v)  ? FEW_ISA(few__winograd_dw_scratch)(&v)
                         : thin_dw(&v) ? FEW_ISA(few__conv_thin_dw_scratch)(&v)
                                       : FEW_ISA(few__conv_product_scratch)(&v);
  return (size_t)floats * sizeof(float);
}

void FEW_ISA(few__cpu_conv_dw)(const struct few_call *c) {
  const struct few_conv v = dw_layer(c);
  if (empty(&v))
    clear_out(c);
  else if (winograd(&v))
    FEW_ISA(few__winograd_dw)(&v);
  else if (thin_dw(&v))
    FEW_ISA(few__conv_thin_dw)(&v);
  else
    FEW_ISA(few__conv_product_dw)(&v);
}
