/* reduce.cu - sums over the dims whose length in the result is 1.
 *
 * The dims of the operand are kept or summed; adjacent dims of one kind are merged. If the
 * innermost dim is kept, adjacent threads have adjacent results. If it is summed, the threads of a
 * warp share one result. Long sums are cut into slices, and a second launch adds their parts. How
 * they are cut depends on the shape only, and so does the order of the sum.
 */
#include "pack.h"

struct dims {
  int rank;
  int64_t dim[FEW_MAX_RANK], stride[FEW_MAX_RANK], count;
};

/* Kept and summed dims, each with strides in the operand. */
struct sums {
  struct dims kept, summed;
  bool inmost_kept;
  int64_t slices, slice; /* slices per sum; numbers per slice, of which the last may have fewer */
};

static __device__ inline int64_t offset_of(const struct dims *d, int64_t i) {
  int64_t at = 0;
  for (int k = d->rank - 1; k >= 0; k--) {
    at += i % d->dim[k] * d->stride[k];
    i /= d->dim[k];
  }
  return at;
}

/* Adds numbers begin, begin + lanes, ... of a sum. In a single dim they are a fixed step apart, so
 * several are loaded at a time. */
template <class real>
static __device__ inline real add_up(const struct dims *d, struct from<real> x, int64_t first,
                                     int64_t begin, int64_t end, int64_t lanes) {
  enum { AT_ONCE = 8 };
  real sum = 0;
  int64_t k = begin;
  if (d->rank <= 1) {
    const int64_t stride = d->rank ? d->stride[0] : 0;
    for (; k < end; k += AT_ONCE * lanes) {
      const int64_t left = (end - k + lanes - 1) / lanes;
      real v[AT_ONCE][1];
      read_packs<real, 1, AT_ONCE>(x, first + k * stride, lanes * stride,
                                   left < AT_ONCE ? (int)left : AT_ONCE, v);
      FEW_UNROLL
      for (int u = 0; u < AT_ONCE; u++) sum += v[u][0];
    }
  }
  for (; k < end; k += lanes) sum += x[first + offset_of(d, k)];
  return sum;
}

/* Writes part[slice][result], each by one thread or one warp. */
template <class real, bool WARP>
static __global__ void sum_kernel(struct sums s, struct from<real> x, struct to<real> part) {
  const int64_t n = s.kept.count * s.slices, lanes = WARP ? 32 : 1;
  const int64_t lane = WARP ? threadIdx.x % 32 : 0;
  for (int64_t i = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) / lanes; i < n;
       i += (int64_t)gridDim.x * blockDim.x / lanes) {
    const int64_t first = offset_of(&s.kept, i % s.kept.count);
    const int64_t begin = i / s.kept.count * s.slice;
    const int64_t end = begin + s.slice < s.summed.count ? begin + s.slice : s.summed.count;
    real sum = add_up(&s.summed, x, first, begin + lane, end, lanes);
    if (WARP) sum = warp_sum(sum);
    if (lane == 0) part.put(i, sum);
  }
}

/* Each block adds the parts of up to 32 results; the threads share the parts of a result. */
enum { ADDERS = 1024, ADDED = 32 };
template <class real>
static __global__ void add_kernel(int64_t n, int64_t slices, const real *part, int results,
                                  struct to<real> out) {
  __shared__ double sums[ADDERS];
  const int mine = (int)threadIdx.x % results, lanes = (int)blockDim.x / results;
  const int64_t i = (int64_t)blockIdx.x * results + mine;
  double sum = 0;
  for (int64_t k = threadIdx.x / results; i < n && k < slices; k += lanes)
    sum += (double)part[k * n + i];
  sums[threadIdx.x] = sum;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half * results)
      sums[threadIdx.x] += sums[(int)threadIdx.x + half * results];
  }
  if ((int)threadIdx.x < results && i < n) out.put(i, (real)sums[threadIdx.x]);
}

static void add_dim(struct dims *d, int64_t dim, int64_t stride) {
  d->count *= dim;
  if (dim == 1) return;
  if (d->rank && d->stride[d->rank - 1] == stride * dim) {
    d->dim[d->rank - 1] *= dim;
    d->stride[d->rank - 1] = stride;
    return;
  }
  d->dim[d->rank] = dim;
  d->stride[d->rank++] = stride;
}

enum { SHORT_SUM = 64, MOST_PARTS = 132 * 2048 };

static struct sums sums_of(const struct few_call *c) {
  const struct few_shape in = c->in[0].shape;
  struct sums s = {};
  s.kept.count = s.summed.count = 1;
  for (int k = 0; k < in.rank; k++) {
    const bool keeps = c->shape.rank && c->shape.dim[k] == in.dim[k];
    if (in.dim[k] != 1) s.inmost_kept = keeps;
    add_dim(keeps ? &s.kept : &s.summed, in.dim[k], inner_of(in, k));
  }
  const int64_t threads = s.kept.count * (s.inmost_kept ? 1 : 32), most = MOST_PARTS / threads;
  const int64_t least = s.inmost_kept ? SHORT_SUM : 32 * SHORT_SUM;
  s.slices = s.summed.count / least < most ? s.summed.count / least : most;
  if (s.slices < 1) s.slices = 1;
  s.slice = (s.summed.count + s.slices - 1) / s.slices;
  return s;
}

template <class real>
static void sum(const struct few_call *c) {
  const struct sums s = sums_of(c);
  const struct from<real> x = operand<real>(c, 0);
  const struct to<real> out = result<real>(c);
  const struct to<real> part = s.slices > 1 ? to<real>{c->scratch, false} : out;
  const int64_t parts = s.kept.count * s.slices;
  if (s.inmost_kept)
    FEW_LAUNCH(c->queue, (sum_kernel<real, false>), blocks_for(parts), THREADS, 0, s, x, part);
  else
    FEW_LAUNCH(c->queue, (sum_kernel<real, true>), blocks_for(parts * 32), THREADS, 0, s, x, part);
  int results = 1, threads;
  while (results < ADDED && results < s.kept.count) results *= 2;
  for (threads = results; threads < 32 || threads / results < s.slices; threads *= 2)
    if (threads == ADDERS) break;
  if (s.slices > 1)
    FEW_LAUNCH(c->queue, add_kernel<real>, (s.kept.count + results - 1) / results, threads, 0,
               s.kept.count, s.slices, (const real *)c->scratch, results, out);
}
FEW_CUDA_KERNEL(sum)

template <class real>
static size_t sum_scratch(const struct few_call *c) {
  const struct sums s = sums_of(c);
  return s.slices > 1 ? (size_t)(s.slices * s.kept.count) * sizeof(real) : 0;
}
FEW_CUDA_SCRATCH(sum)
