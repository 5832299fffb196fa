/* shape.cu - ops that only move numbers: broadcast, transpose, slice, pad, concat, onehot.
 *
 * Broadcast and transpose are one kernel: each element of the result is read at an index that
 * follows from the operand's strides. Dims that are contiguous in the operand are merged first. For
 * the other ops a tensor is [outer, dim, inner] along their axis.
 */
#include "pack.h"

/* ---- broadcast, transpose ---- */

struct gather {
  int rank;
  int64_t dim[FEW_MAX_RANK], stride[FEW_MAX_RANK]; /* dims of the result, strides in the operand */
};

template <class real>
static __global__ void gather_kernel(struct gather g, int64_t n, struct from<real> x,
                                     struct to<real> out) {
  FOR_EACH_ELEMENT(i, n) {
    int64_t left = i, at = 0;
    for (int k = g.rank - 1; k >= 0; k--) {
      at += left % g.dim[k] * g.stride[k];
      left /= g.dim[k];
    }
    out.put(i, x[at]);
  }
}

static void add_dim(struct gather *g, int64_t dim, int64_t stride) {
  if (dim == 1) return;
  if (g->rank && g->stride[g->rank - 1] == stride * dim) {
    g->dim[g->rank - 1] *= dim;
    g->stride[g->rank - 1] = stride;
    return;
  }
  g->dim[g->rank] = dim;
  g->stride[g->rank++] = stride;
}

template <class real>
static void run_gather(const struct few_call *c, const struct gather *g) {
  const int64_t n = count_of(c->shape);
  FEW_LAUNCH(c->queue, gather_kernel<real>, blocks_for(n), THREADS, 0, *g, n, operand<real>(c, 0),
             result<real>(c));
}

template <class real>
static void broadcast(const struct few_call *c) {
  const struct few_shape s = c->in[0].shape;
  struct gather g = {};
  for (int k = 0; k < c->shape.rank; k++) {
    const bool stands = s.rank == 0 || s.dim[k] == 1;
    add_dim(&g, c->shape.dim[k], stands ? 0 : inner_of(s, k));
  }
  run_gather<real>(c, &g);
}
FEW_CUDA_KERNEL(broadcast)

template <class real>
static void transpose(const struct few_call *c) {
  struct gather g = {};
  for (int k = 0; k < c->shape.rank; k++)
    add_dim(&g, c->shape.dim[k], inner_of(c->in[0].shape, (int)c->node->attr.transpose.perm[k]));
  run_gather<real>(c, &g);
}
FEW_CUDA_KERNEL(transpose)

/* ---- along an axis ---- */

/* out[o, j] = x[o, j] for j = 0 .. n - 1, N numbers at a time, where N divides n. Rows of out are
 * `row` numbers apart, those of x x_row. */
template <class real, int N>
static __global__ void copy_kernel(int64_t outer, int64_t n, struct from<real> x, int64_t x_row,
                                   struct to<real> out, int64_t row) {
  FOR_EACH_ELEMENT(i, outer * n / N) {
    const int64_t o = i * N / n, j = i * N % n;
    real v[1][N];
    read_packs<real, N, 1>(x, o * x_row + j, 0, 1, v);
    write_pack<real, N>(out, o * row + j, v[0]);
  }
}

template <class real>
static __global__ void clear_kernel(int64_t outer, int64_t n, struct to<real> out, int64_t row) {
  FOR_EACH_ELEMENT(i, outer * n) out.put(i / n * row + i % n, 0);
}

template <class real>
static void copy(const struct few_call *c, int64_t outer, int64_t n, struct from<real> x,
                 int64_t x_row, struct to<real> out, int64_t row) {
  const bool fours = n % 4 == 0 && few__by_fours(x.at, x.bf16, sizeof(real), x_row) &&
                     few__by_fours(out.at, out.bf16, sizeof(real), row);
  if (outer * n == 0) return;
  if (fours)
    FEW_LAUNCH(c->queue, (copy_kernel<real, 4>), blocks_for(outer * n / 4), THREADS, 0, outer, n, x,
               x_row, out, row);
  else
    FEW_LAUNCH(c->queue, (copy_kernel<real, 1>), blocks_for(outer * n), THREADS, 0, outer, n, x,
               x_row, out, row);
}

template <class real>
static void clear(const struct few_call *c, int64_t outer, int64_t n, struct to<real> out,
                  int64_t row) {
  if (outer * n > 0)
    FEW_LAUNCH(c->queue, clear_kernel<real>, blocks_for(outer * n), THREADS, 0, outer, n, out, row);
}

template <class real>
static void slice(const struct few_call *c) {
  const int axis = (int)c->node->attr.slice.axis;
  const int64_t inner = inner_of(c->shape, axis), n = c->shape.dim[axis] * inner;
  const struct from<real> x = operand<real>(c, 0) + c->node->attr.slice.start * inner;
  copy<real>(c, outer_of(c->shape, axis), n, x, c->in[0].shape.dim[axis] * inner, result<real>(c),
             n);
}
FEW_CUDA_KERNEL(slice)

template <class real>
static void pad(const struct few_call *c) {
  const int axis = (int)c->node->attr.pad.axis;
  const int64_t outer = outer_of(c->shape, axis), inner = inner_of(c->shape, axis);
  const int64_t before = c->node->attr.pad.before * inner, after = c->node->attr.pad.after * inner;
  const int64_t n = c->in[0].shape.dim[axis] * inner, row = before + n + after;
  struct to<real> out = result<real>(c);
  clear<real>(c, outer, before, out, row);
  copy<real>(c, outer, n, operand<real>(c, 0), n, out + before, row);
  clear<real>(c, outer, after, out + before + n, row);
}
FEW_CUDA_KERNEL(pad)

template <class real>
static void concat(const struct few_call *c) {
  const int axis = (int)c->node->attr.concat.axis;
  const int64_t outer = outer_of(c->shape, axis), inner = inner_of(c->shape, axis);
  struct to<real> out = result<real>(c);
  for (int k = 0; k < c->n_in; k++) {
    const int64_t n = c->in[k].shape.dim[axis] * inner;
    copy<real>(c, outer, n, operand<real>(c, k), n, out, c->shape.dim[axis] * inner);
    out = out + n;
  }
}
FEW_CUDA_KERNEL(concat)

template <class real>
static __global__ void onehot_kernel(int64_t n, int64_t classes, const int32_t *index, real *out) {
  FOR_EACH_ELEMENT(i, n) out[i] = index[i / classes] == i % classes ? 1 : 0;
}

/* An index outside 0 .. classes - 1 means "no label" and gives a row of zeros. */
template <class real>
static void onehot(const struct few_call *c) {
  const int64_t n = count_of(c->shape);
  FEW_LAUNCH(c->queue, onehot_kernel<real>, blocks_for(n), THREADS, 0, n, c->shape.dim[1],
             (const int32_t *)c->in[0].data, (real *)c->out);
}
FEW_CUDA_KERNEL(onehot)
