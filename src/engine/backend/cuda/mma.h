/* mma.h - matrix units: a warp multiplies a tile of 16 x 16 by one of 16 x 8. Factors are bf16,
 * sums are f32.
 *
 * Lane l = 4 g + t of the warp, g in 0..7, t in 0..3, has pairs of adjacent numbers, the first in
 * the low half of a word:
 *
 *   a[0..3]   (row g, columns 2t, 2t + 1), (row g + 8, the same), and both 8 columns further
 *   b[0..1]   (rows 2t, 2t + 1 of column g), the same 8 rows further
 *   d[0..3]   (row g, columns 2t, 2t + 1), (row g + 8, the same)
 *
 * So two adjacent tiles d, rounded, are one tile a.
 */
#ifndef FEW_SRC_CUDA_MMA_H
#define FEW_SRC_CUDA_MMA_H

#include "cuda.h"

#ifdef FEW_CUDA_EMULATED
static inline uint32_t few__bf16_pair(float low, float high) {
  return few__to_bf16(low) | (uint32_t)few__to_bf16(high) << 16;
}
static inline void few__mma(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  emu_mma(d, a, b);
}
static inline void few__mma_turned_at(uint32_t b[2], const uint32_t *row) {
  emu_load_turned(b, row);
}
static inline void few__copy_16(void *to, const void *from, bool there) {
  if (there)
    memcpy(to, from, 16);
  else
    memset(to, 0, 16);
}
static inline void few__copies_end() {}
template <int LEFT>
static inline void few__copies_wait() {}
#else
#include <cuda_bf16.h>
static __device__ inline uint32_t few__bf16_pair(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}
static __device__ inline void few__mma(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
static __device__ inline uint32_t few__shared(const void *at) {
  return (uint32_t)__cvta_generic_to_shared(at);
}
static __device__ inline void few__mma_turned_at(uint32_t b[2], const uint32_t *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
               : "=r"(b[0]), "=r"(b[1])
               : "r"(few__shared(row))
               : "memory");
}
/* Starts to copy 16 bytes, or zeros, to shared memory. few__copies_wait() waits for the end. */
static __device__ inline void few__copy_16(void *to, const void *from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(few__shared(to)), "l"(from), "r"(there ? 16 : 0)
               : "memory");
}
/* few__copies_end() ends a group of copies; few__copies_wait() waits for all but the last LEFT
 * groups. */
static __device__ inline void few__copies_end() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int LEFT>
static __device__ inline void few__copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}
#endif

/* Rounds two adjacent tiles d, of 16 columns, to one tile a. */
static __device__ inline void few__mma_factor(uint32_t a[4], const float (*d)[4]) {
  a[0] = few__bf16_pair(d[0][0], d[0][1]);
  a[1] = few__bf16_pair(d[0][2], d[0][3]);
  a[2] = few__bf16_pair(d[1][0], d[1][1]);
  a[3] = few__bf16_pair(d[1][2], d[1][3]);
}

/* Tile b: columns n0 .. n0 + 7 and rows k0 .. k0 + 15 of a matrix whose column n is stored, as
 * pairs, from at + n step on. */
static __device__ inline void few__mma_column(uint32_t b[2], const uint32_t *at, int step, int n0,
                                              int k0) {
  const int lane = (int)threadIdx.x % 32;
  const uint32_t *from = at + (n0 + lane / 4) * step + k0 / 2 + lane % 4;
  b[0] = from[0];
  b[1] = from[4];
}

/* The same tile of a matrix whose row k is stored, as pairs, from at + k step on. Rows must begin
 * at multiples of 16 bytes. */
static __device__ inline void few__mma_row(uint32_t b[2], const uint32_t *at, int step, int n0,
                                           int k0) {
  few__mma_turned_at(b, at + (k0 + (int)threadIdx.x % 16) * step + n0 / 2);
}

#endif
