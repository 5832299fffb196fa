/* conv_ops.cu - conv, conv_dx, conv_dw. Our kernels are [kh,kw,I,O], cuDNN's for images that end in
 * channels [O,kh,kw,I]: a copy in the scratch is turned, before or after. Where one of the images
 * is stored in bf16 all of the call is: the other image, if it is not, is narrowed or widened in
 * the scratch as well.
 */
#include "conv.h"
#include "narrow.h"

/* to[o, e] = from[e, o]; back: from[e, o] = to[o, e]. */
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
  s.type = sizeof(real) == 8 ? FEW_CONV_F64 : few__cuda_narrow(c) ? FEW_CONV_BF16 : FEW_CONV_F32;
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

/* The scratch: the turned kernel, then images that are not stored as the call has them. */
static size_t kernel_bytes(struct few_shape w, size_t real_size) {
  return ((size_t)count_of(w) * real_size + 255) & ~(size_t)255;
}

static size_t room_bytes(const struct few_call *c, struct few_shape w, size_t real_size) {
  size_t bytes = kernel_bytes(w, real_size);
  if (c->precision != FEW_BF16) return bytes;
  for (int k = 0; k < 2; k++) bytes += few__cuda_narrow_bytes(c->in[k].shape);
  return bytes + few__cuda_narrow_bytes(c->shape);
}

template <class real>
static uint16_t *behind_kernel(const struct few_call *c, struct few_shape w) {
  return (uint16_t *)((char *)c->scratch + kernel_bytes(w, sizeof(real)));
}

static void *image(const struct few_call *c, const struct few_conv *s, int k, uint16_t **room) {
  if (s->type != FEW_CONV_BF16) return (void *)c->in[k].data;
  return (void *)few__cuda_narrowed(c, k, room);
}

/* An image that comes out, with few__cuda_conv's other two in place. */
template <class real>
static void to_image(const struct few_call *c, const struct few_conv *s, enum few_conv_what what) {
  uint16_t *room = behind_kernel<real>(c, c->in[1].shape);
  void *in = image(c, s, 0, &room), *w = c->scratch;
  const bool apart = s->type == FEW_CONV_BF16 && !c->half[0];
  void *out = apart ? (void *)room : c->out;
  turn<real, false>(c, s, operand<real>(c, 1), {w, s->type == FEW_CONV_BF16});
  few__cuda_conv(c->queue, s, what, what == FEW_CONV_Y ? out : in, what == FEW_CONV_Y ? in : out,
                 w);
  if (apart) few__cuda_from_bf16(c->queue, room, (float *)c->out, count_of(c->shape));
}

template <class real>
static void conv(const struct few_call *c) {
  const struct few_conv s = geometry<real>(c, c->in[0].shape, c->in[1].shape, c->shape);
  to_image<real>(c, &s, FEW_CONV_Y);
}
FEW_CUDA_KERNEL(conv)

template <class real>
static void conv_dx(const struct few_call *c) {
  const struct few_conv s = geometry<real>(c, c->shape, c->in[1].shape, c->in[0].shape);
  to_image<real>(c, &s, FEW_CONV_X);
}
FEW_CUDA_KERNEL(conv_dx)

template <class real>
static void conv_dw(const struct few_call *c) {
  const struct few_conv s = geometry<real>(c, c->in[0].shape, c->shape, c->in[1].shape);
  uint16_t *room = behind_kernel<real>(c, c->shape);
  void *x = image(c, &s, 0, &room), *y = image(c, &s, 1, &room);
  few__cuda_conv(c->queue, &s, FEW_CONV_W, y, x, c->scratch);
  turn<real, true>(c, &s, {c->scratch, s.type == FEW_CONV_BF16}, result<real>(c));
}
FEW_CUDA_KERNEL(conv_dw)

template <class real>
static size_t conv_scratch(const struct few_call *c) {
  return room_bytes(c, c->in[1].shape, sizeof(real));
}
FEW_CUDA_SCRATCH(conv)

template <class real>
static size_t conv_dx_scratch(const struct few_call *c) {
  return room_bytes(c, c->in[1].shape, sizeof(real));
}
FEW_CUDA_SCRATCH(conv_dx)

template <class real>
static size_t conv_dw_scratch(const struct few_call *c) {
  return room_bytes(c, c->shape, sizeof(real));
}
FEW_CUDA_SCRATCH(conv_dw)
