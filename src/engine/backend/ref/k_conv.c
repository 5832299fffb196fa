/* k_conv.c - 2-d convolution (cross-correlation) and its transposes.
 *
 * With x [N,H,W,I], w [kh,kw,I,O] and y [N,P,Q,O], all three kernels belong to one trilinear form
 *
 *     sum over n,p,q,a,b,i,o of  y[n,p,q,o] x[n, p s + a - pad, q s + b - pad, i] w[a,b,i,o]
 *
 * with x = 0 outside. Its derivatives with respect to y, x and w are conv, conv_dx and conv_dw. The
 * function `visit` loops over n,p,q,a,b where x is inside; each kernel has the loops over channels.
 */
#include "real.h"

struct conv {
  int64_t N, H, W, I, P, Q, O, kh, kw, stride, pad;
  const real *y, *x, *w; /* two operands; the one that is computed is NULL */
  real *out;             /* the result */
};

/* y, x, w: offsets of y[n,p,q,0], x[n,.,.,0], w[a,b,0,0]. */
typedef void (*channels_fn)(const struct conv *v, int64_t y, int64_t x, int64_t w);

__attribute__((always_inline)) static inline void visit(const struct conv *v, channels_fn f) {
  for (int64_t n = 0; n < v->N; n++)
    for (int64_t p = 0; p < v->P; p++)
      for (int64_t q = 0; q < v->Q; q++)
        for (int64_t a = 0; a < v->kh; a++)
          for (int64_t b = 0; b < v->kw; b++) {
            const int64_t h = p * v->stride + a - v->pad, w = q * v->stride + b - v->pad;
            if (h < 0 || h >= v->H || w < 0 || w >= v->W) continue;
            f(v, ((n * v->P + p) * v->Q + q) * v->O, ((n * v->H + h) * v->W + w) * v->I,
              (a * v->kw + b) * v->I * v->O);
          }
}

static struct conv geometry(const struct few_call *c, struct few_shape x, struct few_shape w,
                            struct few_shape y) {
  struct conv v = {.N = x.dim[0], .H = x.dim[1], .W = x.dim[2], .I = x.dim[3]};
  v.P = y.dim[1];
  v.Q = y.dim[2];
  v.O = y.dim[3];
  v.kh = w.dim[0];
  v.kw = w.dim[1];
  v.stride = c->node->attr.conv.stride;
  v.pad = c->node->attr.conv.pad;
  v.out = c->out;
  assert(x.rank == 4 && w.rank == 4 && y.rank == 4);
  assert(y.dim[0] == v.N && w.dim[2] == v.I && w.dim[3] == v.O);
  assert(v.P == (v.H + 2 * v.pad - v.kh) / v.stride + 1);
  assert(v.Q == (v.W + 2 * v.pad - v.kw) / v.stride + 1);
  clear(c->out, count_of(c->shape));
  return v;
}

static inline void for_y(const struct conv *v, int64_t y, int64_t x, int64_t w) {
  for (int64_t i = 0; i < v->I; i++)
    for (int64_t o = 0; o < v->O; o++) v->out[y + o] += v->x[x + i] * v->w[w + i * v->O + o];
}

static inline void for_x(const struct conv *v, int64_t y, int64_t x, int64_t w) {
  for (int64_t i = 0; i < v->I; i++)
    for (int64_t o = 0; o < v->O; o++) v->out[x + i] += v->y[y + o] * v->w[w + i * v->O + o];
}

static inline void for_w(const struct conv *v, int64_t y, int64_t x, int64_t w) {
  for (int64_t i = 0; i < v->I; i++)
    for (int64_t o = 0; o < v->O; o++) v->out[w + i * v->O + o] += v->x[x + i] * v->y[y + o];
}

void K(conv)(const struct few_call *c) {
  struct conv v = geometry(c, c->in[0].shape, c->in[1].shape, c->shape);
  v.x = c->in[0].data;
  v.w = c->in[1].data;
  visit(&v, for_y);
}

NO_SCRATCH(conv)

void K(conv_dx)(const struct few_call *c) {
  struct conv v = geometry(c, c->shape, c->in[1].shape, c->in[0].shape);
  v.y = c->in[0].data;
  v.w = c->in[1].data;
  visit(&v, for_x);
}

NO_SCRATCH(conv_dx)

void K(conv_dw)(const struct few_call *c) {
  struct conv v = geometry(c, c->in[0].shape, c->shape, c->in[1].shape);
  v.x = c->in[0].data;
  v.y = c->in[1].data;
  visit(&v, for_w);
}

NO_SCRATCH(conv_dw)
