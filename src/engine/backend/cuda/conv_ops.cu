/* conv_ops.cu - conv, conv_dx, conv_dw. In f32, few's kernels are [kh,kw,I,O], and those of cuDNN
 * for NHWC images are [O,kh,kw,I]. So a copy of the kernel in the scratch is transposed, before or
 * after. cuDNN takes one number type per call, so an image that is stored in the other type is
 * converted there too.
 */
#include "bf16.h"
#include "conv_plain.h"

/* to[o, e] = from[e, o], or with BACK from[e, o] = to[o, e]. */
template <class real, bool BACK>
static __global__ void turn_kernel(int64_t E, int64_t O, struct from<real> x, struct to<real> out) {
  FOR_EACH_ELEMENT(i, E * O) {
    const int64_t e = i % E, o = i / E, there = e * O + o;
    if (BACK)
      out.put(there, x[i]);
    else
      out.put(i, x[there]);
  }
}

template <class real, bool BACK>
static void turn(const struct few_call *c, const struct few_conv *s, struct from<real> x,
                 struct to<real> out) {
  const int64_t E = s->kh * s->kw * s->I;
  FEW_LAUNCH(c->queue, (turn_kernel<real, BACK>), blocks_for(E * s->O), THREADS, 0, E, s->O, x,
             out);
}

template <class real>
static struct few_conv geometry(const struct few_call *c, struct few_shape x, struct few_shape w,
                                struct few_shape y) {
  struct few_conv s = {};
  s.type = FEW_CONV_F32;
  s.tf32 = c->precision == FEW_TF32;
  s.direct = c->direct;
  s.N = x.dim[0];
  s.H = x.dim[1];
  s.W = x.dim[2];
  s.I = x.dim[3];
  s.P = y.dim[1];
  s.Q = y.dim[2];
  s.O = y.dim[3];
  s.kh = w.dim[0];
  s.kw = w.dim[1];
  s.stride = c->node->attr.conv.stride;
  s.pad = c->node->attr.conv.pad;
  return s;
}

/* The scratch has the transposed kernel, then the converted image. */
static size_t kernel_bytes(struct few_shape w, size_t real_size) {
  return ((size_t)count_of(w) * real_size + 255) & ~(size_t)255;
}

template <class real>
static uint16_t *behind_kernel(const struct few_call *c, struct few_shape w) {
  return (uint16_t *)((char *)c->scratch + kernel_bytes(w, sizeof(real)));
}

/* A call computes in the type in which its result is stored. For bf16, all images are bf16. Images
 * with few channels and outputs are f32; then the other image is converted to f32. Matrix units
 * round it to bf16 again, which loses nothing if it was bf16. */
template <class real>
static void to_image(const struct few_call *c, struct few_conv s, enum few_conv_what what) {
  void *in = (void *)c->in[0].data, *w = c->scratch;
  uint16_t *room = behind_kernel<real>(c, c->in[1].shape);
  if (sizeof(real) == 8) {
    w = (void *)c->in[1].data;
    return few__cuda_conv_plain(c->queue, &s, what, (double *)(what == FEW_CONV_Y ? c->out : in),
                                (double *)(what == FEW_CONV_Y ? in : c->out), (double *)w);
  }
  if (c->bf16[0]) {
    s.type = FEW_CONV_BF16;
    in = (void *)few__cuda_as_bf16(c, 0, &room);
  } else if (c->in[0].bf16) {
    s.tf32 = true;
    few__cuda_from_bf16(c->queue, (const uint16_t *)in, (float *)room, count_of(c->in[0].shape));
    in = room;
  }
  turn<real, false>(c, &s, operand<real>(c, 1), {w, s.type == FEW_CONV_BF16});
  few__cuda_conv(c->queue, &s, what, what == FEW_CONV_Y ? c->out : in,
                 what == FEW_CONV_Y ? in : c->out, w);
}

template <class real>
static void conv(const struct few_call *c) {
  to_image<real>(c, geometry<real>(c, c->in[0].shape, c->in[1].shape, c->shape), FEW_CONV_Y);
}
FEW_CUDA_KERNEL(conv)

template <class real>
static void conv_dx(const struct few_call *c) {
  to_image<real>(c, geometry<real>(c, c->shape, c->in[1].shape, c->in[0].shape), FEW_CONV_X);
}
FEW_CUDA_KERNEL(conv_dx)

/* cuDNN writes the kernel's gradient in the type of the images. */
template <class real>
static void conv_dw(const struct few_call *c) {
  struct few_conv s = geometry<real>(c, c->in[0].shape, c->shape, c->in[1].shape);
  void *x = (void *)c->in[0].data, *y = (void *)c->in[1].data;
  if (sizeof(real) == 8)
    return few__cuda_conv_plain(c->queue, &s, FEW_CONV_W, (double *)y, (double *)x,
                                (double *)c->out);
  if (few__cuda_any_bf16(c)) {
    uint16_t *room = behind_kernel<real>(c, c->shape);
    s.type = FEW_CONV_BF16;
    x = (void *)few__cuda_as_bf16(c, 0, &room);
    y = (void *)few__cuda_as_bf16(c, 1, &room);
  }
  few__cuda_conv(c->queue, &s, FEW_CONV_W, y, x, c->scratch);
  turn<real, true>(c, &s, {c->scratch, s.type == FEW_CONV_BF16}, result<real>(c));
}
FEW_CUDA_KERNEL(conv_dw)

/* Has room for an image in either type, since its storage is not known yet. */
template <class real>
static size_t conv_scratch(const struct few_call *c) {
  const size_t widened = c->precision == FEW_BF16 ? 2 * few__cuda_bf16_bytes(c->in[0].shape) : 0;
  return kernel_bytes(c->in[1].shape, sizeof(real)) + widened;
}
FEW_CUDA_SCRATCH(conv)

template <class real>
static size_t conv_dx_scratch(const struct few_call *c) {
  return conv_scratch<real>(c);
}
FEW_CUDA_SCRATCH(conv_dx)

template <class real>
static size_t conv_dw_scratch(const struct few_call *c) {
  size_t bytes = kernel_bytes(c->shape, sizeof(real));
  for (int k = 0; k < 2 && c->precision == FEW_BF16; k++)
    bytes += few__cuda_bf16_bytes(c->in[k].shape);
  return bytes;
}
FEW_CUDA_SCRATCH(conv_dw)
