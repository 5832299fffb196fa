/* vector.cu - passes over long arrays: gradients, optimizer, averages. All of them are bound by
 * memory, except for the roots of the optimizer.
 */
#include "cuda.h"

static __global__ void zero_kernel(float *x, int64_t n) { FOR_EACH_ELEMENT(i, n) x[i] = 0; }
static void zero(struct few_queue *q, float *x, int64_t n) {
  FEW_LAUNCH(q, zero_kernel, blocks_for(n), THREADS, 0, x, n);
}

static __global__ void copy_kernel(float *__restrict__ to, const float *__restrict__ from,
                                   int64_t n) {
  FOR_EACH_ELEMENT(i, n) to[i] = from[i];
}
static void copy(struct few_queue *q, float *to, const float *from, int64_t n) {
  FEW_LAUNCH(q, copy_kernel, blocks_for(n), THREADS, 0, to, from, n);
}

static __global__ void add_kernel(float *__restrict__ to, const float *__restrict__ from,
                                  int64_t n) {
  FOR_EACH_ELEMENT(i, n) to[i] += from[i];
}
static void add(struct few_queue *q, float *to, const float *from, int64_t n) {
  FEW_LAUNCH(q, add_kernel, blocks_for(n), THREADS, 0, to, from, n);
}

static __global__ void scale_kernel(float *x, float by, int64_t n) {
  FOR_EACH_ELEMENT(i, n) x[i] *= by;
}
static void scale(struct few_queue *q, float *x, float by, int64_t n) {
  FEW_LAUNCH(q, scale_kernel, blocks_for(n), THREADS, 0, x, by, n);
}

/* There is one block per part for any n, so the order of the sum does not depend on the GPU. */
static __global__ void dot_kernel(double *part, const float *a, const float *b, int64_t n) {
  double sum = 0;
  FOR_EACH_ELEMENT(i, n) sum += (double)a[i] * (double)b[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) part[blockIdx.x] = sum;
}
static void dot(struct few_queue *q, double *part, const float *a, const float *b, int64_t n) {
  FEW_LAUNCH(q, dot_kernel, FEW_DOT_PARTS, THREADS, 0, part, a, b, n);
}

struct factors {
  int n;
  double at[8];
};
static __global__ void combine_kernel(float *x, int64_t n, int64_t step, struct factors f) {
  FOR_EACH_ELEMENT(i, n) {
    double sum = 0;
    for (int k = 0; k < f.n; k++) sum += f.at[k] * (double)x[k * step + i];
    x[i] = (float)sum;
  }
}
static void combine(struct few_queue *q, float *x, int64_t n, int64_t step, int n_rows,
                    const double *factor) {
  struct factors f = {n_rows, {0}};
  for (int k = 0; k < n_rows; k++) f.at[k] = factor[k];
  FEW_LAUNCH(q, combine_kernel, blocks_for(n), THREADS, 0, x, n, step, f);
}

struct averaged {
  float *__restrict__ at;
  int64_t n;
  float fresh;
};
static __global__ void moments_kernel(struct few_moments_coef c, int64_t n, float *__restrict__ p,
                                      const float *__restrict__ g, float *__restrict__ m,
                                      float *__restrict__ v, struct averaged average) {
  FOR_EACH_ELEMENT(i, n) {
    const float gi = c.grad_scale * g[i];
    const float mi = c.beta1 * m[i] + c.fresh1 * gi, vi = c.beta2 * v[i] + c.fresh2 * gi * gi;
    const float by = c.adaptive ? c.root_scale * sqrtf(vi) + c.eps : 1;
    const float now = c.keep * p[i] - c.rate * mi / by;
    m[i] = mi;
    v[i] = vi;
    p[i] = now;
    if (i < average.n) average.at[i] += average.fresh * (now - average.at[i]);
  }
}
static void moments(struct few_queue *q, const struct few_moments *s) {
  const struct averaged average = {s->average, s->average ? s->n_average : 0, (float)(1 - s->beta)};
  FEW_LAUNCH(q, moments_kernel, blocks_for(s->n), THREADS, 0, s->coef, s->n, s->param, s->grad,
             s->m, s->v, average);
}

static __global__ void follow_kernel(float *__restrict__ to, const float *__restrict__ from,
                                     float fresh, int64_t n) {
  FOR_EACH_ELEMENT(i, n) to[i] += fresh * (from[i] - to[i]);
}
static void follow(struct few_queue *q, float *to, const float *from, float fresh, int64_t n) {
  FEW_LAUNCH(q, follow_kernel, blocks_for(n), THREADS, 0, to, from, fresh, n);
}

const struct few_vectors few__cuda_vectors = {zero, copy,    add,     scale,
                                              dot,  combine, moments, follow};
