/* pack.h - packs: several adjacent numbers that are read or written in one access. Several reads
 * start before the first is waited for. This is for kernels that mostly read and write.
 */
#ifndef FEW_SRC_CUDA_PACK_H
#define FEW_SRC_CUDA_PACK_H

#include "cuda.h"

/* N adjacent numbers, aligned to N numbers. */
template <class T, int N>
struct alignas(sizeof(T) * N) pack {
  T at[N];
};

/* Whether an operand that starts at `at`, with rows of `width` numbers, may be read in packs of
 * four. */
static inline bool few__by_fours(const void *at, bool bf16, size_t real_size, int64_t width) {
  return width % 4 == 0 && (uintptr_t)at % (4 * (bf16 ? sizeof(uint16_t) : real_size)) == 0;
}

/* These convert a number from the type in which it is stored, and back. */
static __device__ inline float few__number(uint16_t bits) { return few__from_bf16(bits); }
template <class real>
static __device__ inline real few__number(real x) {
  return x;
}
template <class real>
static __device__ inline void few__put(uint16_t *to, real x) {
  *to = few__to_bf16((float)x);
}
template <class real>
static __device__ inline void few__put(real *to, real x) {
  *to = x;
}

template <class T, class real, int N, int U>
static __device__ inline void few__read(const T *x, int64_t step, int there, real out[U][N]) {
  pack<T, N> p[U];
  FEW_UNROLL
  for (int u = 0; u < U; u++) p[u] = u < there ? *(const pack<T, N> *)(x + u * step) : pack<T, N>{};
  FEW_UNROLL
  for (int i = 0; i < U * N; i++) out[i / N][i % N] = (real)few__number(p[i / N].at[i % N]);
}
template <class T, class real, int N>
static __device__ inline void few__write(T *y, const real x[N]) {
  pack<T, N> p;
  FEW_UNROLL
  for (int k = 0; k < N; k++) few__put(&p.at[k], x[k]);
  *(pack<T, N> *)y = p;
}

/* Reads U packs `step` numbers apart. Only the first `there` exist; the others become 0. */
template <class real, int N, int U>
static __device__ inline void read_packs(struct from<real> x, int64_t first, int64_t step,
                                         int there, real out[U][N]) {
  if (x.bf16)
    few__read<uint16_t, real, N, U>((const uint16_t *)x.at + first, step, there, out);
  else
    few__read<real, real, N, U>((const real *)x.at + first, step, there, out);
}

template <class real, int N>
static __device__ inline void write_pack(struct to<real> y, int64_t i, const real x[N]) {
  if (y.bf16)
    few__write<uint16_t, real, N>((uint16_t *)y.at + i, x);
  else
    few__write<real, real, N>((real *)y.at + i, x);
}

#endif
