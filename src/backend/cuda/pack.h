/* pack.h - neighbouring numbers by one access, several accesses before the first is waited for:
 * what a kernel needs that does nothing but read and write.
 */
#ifndef FEW_SRC_CUDA_PACK_H
#define FEW_SRC_CUDA_PACK_H

#include "cuda.h"

/* N numbers at a place that N of them divide. */
template <class T, int N>
struct alignas(sizeof(T) * N) pack {
  T at[N];
};

/* May operands of this width (numbers) and start be read by fours? */
static inline bool few__by_fours(const void *at, bool half, size_t real_size, int64_t width) {
  return width % 4 == 0 && (uintptr_t)at % (4 * (half ? sizeof(uint16_t) : real_size)) == 0;
}

/* U packs, `step` numbers apart, of which the first `there` exist; others are 0. */
template <class real, int N, int U>
static __device__ inline void read_packs(struct from<real> x, int64_t first, int64_t step,
                                         int there, real out[U][N]) {
  if (x.half) {
    pack<uint16_t, N> p[U];
    FEW_UNROLL
    for (int u = 0; u < U; u++)
      p[u] = u < there ? *(const pack<uint16_t, N> *)((const uint16_t *)x.at + first + u * step)
                       : pack<uint16_t, N>{};
    FEW_UNROLL
    for (int u = 0; u < U; u++) FEW_UNROLL
    for (int k = 0; k < N; k++) out[u][k] = (real)few__from_bf16(p[u].at[k]);
  } else {
    pack<real, N> p[U];
    FEW_UNROLL
    for (int u = 0; u < U; u++)
      p[u] = u < there ? *(const pack<real, N> *)((const real *)x.at + first + u * step)
                       : pack<real, N>{};
    FEW_UNROLL
    for (int u = 0; u < U; u++) FEW_UNROLL
    for (int k = 0; k < N; k++) out[u][k] = p[u].at[k];
  }
}

template <class real, int N>
static __device__ inline void write_pack(struct to<real> y, int64_t i, const real x[N]) {
  if (y.half) {
    pack<uint16_t, N> p;
    FEW_UNROLL
    for (int k = 0; k < N; k++) p.at[k] = few__to_bf16((float)x[k]);
    *(pack<uint16_t, N> *)((uint16_t *)y.at + i) = p;
  } else {
    pack<real, N> p;
    FEW_UNROLL
    for (int k = 0; k < N; k++) p.at[k] = x[k];
    *(pack<real, N> *)((real *)y.at + i) = p;
  }
}

#endif
