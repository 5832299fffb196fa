/* conv_ops.cu - conv, conv_dx, conv_dw. Our kernels are [kh,kw,I,O], cuDNN's for images that end in
 * channels [O,kh,kw,I]: a copy in the scratch is turned, before or after.
 */
#include "conv.h"

/* to[o, e] = from[e, o]; back: from[e, o] = to[o, e]. */
template <class real, bool BACK>
static __global__ void turn_kernel(int64_t E, int64_t O, const real *from, real *to) {
  FOR_EACH_ELEMENT(i, E * O) {
    const int64_t e = i % E, o = i / E;
    if (BACK)
      to[e * O + o] = from[i];
    else
      to[i] = from[e * O + o];
  }
}

static struct few_conv geometry(const struct few_call *c, struct few_shape x, struct few_shape w,
                                struct few_shape y) {
  struct few_conv s = {};
  s.tf32 = c->precision != FEW_FP32;
  s.N = x.dim[0];
  s.H = x.dim[1];
  s.W = x.dim[2];
  s.I = x.dim[3];
  s.P = y.dim[1];
  s.Q = y.dim[2];
  s.O = y.dim[3];
  s.kh = w.dim[0];
  s.kw = w.dim[1];
  s.stride = c->node->attr.i[0];
  s.pad = c->node->attr.i[1];
  return s;
}

template <class real>
static real *turned(const struct few_call *c, const struct few_conv *s, const void *w) {
  real *to = (real *)c->scratch;
  const int64_t E = s->kh * s->kw * s->I;
  FEW_LAUNCH(c->queue, (turn_kernel<real, false>), blocks_for(E * s->O), THREADS, 0, E, s->O,
             (const real *)w, to);
  return to;
}

template <class real>
static void conv(const struct few_call *c) {
  const struct few_conv s = geometry(c, c->in[0].shape, c->in[1].shape, c->shape);
  few__cuda_conv(c->queue, &s, FEW_CONV_Y, (real *)c->out, (real *)c->in[0].data,
                 turned<real>(c, &s, c->in[1].data));
}
FEW_CUDA_KERNEL(conv)

template <class real>
static void conv_dx(const struct few_call *c) {
  const struct few_conv s = geometry(c, c->shape, c->in[1].shape, c->in[0].shape);
  few__cuda_conv(c->queue, &s, FEW_CONV_X, (real *)c->in[0].data, (real *)c->out,
                 turned<real>(c, &s, c->in[1].data));
}
FEW_CUDA_KERNEL(conv_dx)

template <class real>
static void conv_dw(const struct few_call *c) {
  const struct few_conv s = geometry(c, c->in[0].shape, c->shape, c->in[1].shape);
  const int64_t E = s.kh * s.kw * s.I;
  real *w = (real *)c->scratch;
  few__cuda_conv(c->queue, &s, FEW_CONV_W, (real *)c->in[1].data, (real *)c->in[0].data, w);
  FEW_LAUNCH(c->queue, (turn_kernel<real, true>), blocks_for(E * s.O), THREADS, 0, E, s.O, w,
             (real *)c->out);
}
FEW_CUDA_KERNEL(conv_dw)

template <class real>
static size_t conv_scratch(const struct few_call *c) {
  return (size_t)count_of(c->in[1].shape) * sizeof(real);
}
FEW_CUDA_SCRATCH(conv)

template <class real>
static size_t conv_dx_scratch(const struct few_call *c) {
  return (size_t)count_of(c->in[1].shape) * sizeof(real);
}
FEW_CUDA_SCRATCH(conv_dx)

template <class real>
static size_t conv_dw_scratch(const struct few_call *c) {
  return (size_t)count_of(c->shape) * sizeof(real);
}
FEW_CUDA_SCRATCH(conv_dw)
