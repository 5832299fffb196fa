/* k_shape.c - ops that only move numbers: transpose, slice, pad, concat, onehot.
 *
 * Along one axis a tensor is [outer, dim, inner]. Slice, pad and concat copy runs of whole inner
 * blocks.
 */
#include "real.h"
#include "walk.h"

static void copy(real *to, const real *from, int64_t n) {
  if (n > 0) memcpy(to, from, (size_t)n * sizeof *to);
}

/* Dim k of the result is dim perm[k] of the operand, which advances along it by the stride of that
 * dim. */
void K(transpose)(const struct few_call *c) {
  const struct few_shape in = c->in[0].shape;
  const int64_t *perm = c->node->attr.transpose.perm;
  struct walk w = {0};
  for (int k = 0; k < in.rank; k++) w.stride[0][k] = inner_of(in, (int)perm[k]);
  walk_start(&w, c->shape);
  real *out = c->out;
  for (int64_t row = 0; row < w.rows; row++) {
    const real *x = (const real *)c->in[0].data + walk_at(&w, 0, row);
    for (int64_t j = 0; j < w.len; j++) *out++ = x[j * w.step[0]];
  }
}

NO_SCRATCH(transpose)

void K(slice)(const struct few_call *c) {
  const int axis = (int)c->node->attr.slice.axis;
  const int64_t start = c->node->attr.slice.start, len = c->node->attr.slice.len;
  const int64_t dim = c->in[0].shape.dim[axis];
  assert(0 <= start && start + len <= dim);
  const int64_t outer = outer_of(c->shape, axis), inner = inner_of(c->shape, axis);
  const real *x = c->in[0].data;
  real *out = c->out;
  for (int64_t o = 0; o < outer; o++)
    copy(out + o * len * inner, x + (o * dim + start) * inner, len * inner);
}

NO_SCRATCH(slice)

void K(pad)(const struct few_call *c) {
  const int axis = (int)c->node->attr.pad.axis;
  const int64_t before = c->node->attr.pad.before, after = c->node->attr.pad.after;
  const int64_t dim = c->in[0].shape.dim[axis];
  const int64_t outer = outer_of(c->shape, axis), inner = inner_of(c->shape, axis);
  const real *x = c->in[0].data;
  real *out = c->out;
  for (int64_t o = 0; o < outer; o++) {
    clear(out, before * inner);
    out += before * inner;
    copy(out, x + o * dim * inner, dim * inner);
    out += dim * inner;
    clear(out, after * inner);
    out += after * inner;
  }
}

NO_SCRATCH(pad)

void K(concat)(const struct few_call *c) {
  const int axis = (int)c->node->attr.concat.axis;
  const int64_t outer = outer_of(c->shape, axis), inner = inner_of(c->shape, axis);
  real *out = c->out;
  for (int64_t o = 0; o < outer; o++)
    for (int k = 0; k < c->n_in; k++) {
      const int64_t n = c->in[k].shape.dim[axis] * inner;
      copy(out, (const real *)c->in[k].data + o * n, n);
      out += n;
    }
}

NO_SCRATCH(concat)

/* An index outside 0 .. classes - 1 means "no label" and gives a row of zeros. */
void K(onehot)(const struct few_call *c) {
  const int32_t *index = c->in[0].data;
  const int64_t n = c->shape.dim[0], classes = c->shape.dim[1];
  real *out = c->out;
  clear(out, n * classes);
  for (int64_t r = 0; r < n; r++)
    if (0 <= index[r] && index[r] < classes) out[r * classes + index[r]] = 1;
}

NO_SCRATCH(onehot)
