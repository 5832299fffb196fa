/* random.cu - random numbers, the same bits as those of base/rng.c.
 *
 * Both files use base/rng_draw.h, whose multiplications and additions must not be fused. So this
 * file is compiled with -fmad=false. Row r of dim 0 is the stream of sample row0 + r. Each thread
 * draws a block of four.
 */
#include "pack.h"

#define FEW_RNG_FUNCTION static __device__ inline
#include "base/rng_draw.h"

template <class real, bool NORMAL>
static __global__ void draw_kernel(const struct few_replay_key *key, uint32_t purpose, int64_t rows,
                                   int64_t n, real *out) {
  const int64_t blocks = (n + 3) / 4;
  FOR_EACH_ELEMENT(i, rows * blocks) {
    const int64_t row = i / blocks, block = i % blocks;
    const struct few_rng r = {key->seed, key->step, key->row0 + (uint64_t)row, purpose};
    uint32_t w[4];
    struct pack<real, 4> four;
    few__draw_block(&r, (uint32_t)block, w);
    for (int k = 0; k < 4; k++)
      four.at[k] = (real)(NORMAL ? few__draw_normal(w[k]) : few__draw_uniform(w[k]));
    if (n % 4 == 0)
      ((struct pack<real, 4> *)out)[i] = four;
    else
      for (int k = 0; k < 4 && block * 4 + k < n; k++) out[row * n + block * 4 + k] = four.at[k];
  }
}

template <class real, bool NORMAL>
static void draw(const struct few_call *c) {
  const int64_t rows = c->shape.dim[0], n = inner_of(c->shape, 0);
  FEW_LAUNCH(c->queue, (draw_kernel<real, NORMAL>), blocks_for(rows * ((n + 3) / 4)), THREADS, 0,
             few__cuda_key(c->queue), (uint32_t)c->node->attr.random.purpose, rows, n,
             (real *)c->out);
}

template <class real>
static void randn(const struct few_call *c) {
  draw<real, true>(c);
}
FEW_CUDA_KERNEL(randn)

template <class real>
static void randu(const struct few_call *c) {
  draw<real, false>(c);
}
FEW_CUDA_KERNEL(randu)
