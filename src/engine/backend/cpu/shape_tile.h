/* shape_tile.h - transpose a block of 4 x 4 numbers. */
#ifndef FEW_SRC_CPU_SHAPE_TILE_H
#define FEW_SRC_CPU_SHAPE_TILE_H

#include "stored.h"

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_any __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__clang__)
#define V4_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t v4_index __attribute__((vector_size(16)));
#define V4_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (v4_index){__VA_ARGS__})
#endif

typedef uint32_t v4_bits __attribute__((vector_size(16)));
typedef uint16_t v4_half __attribute__((vector_size(8)));
typedef uint16_t v4_half_any __attribute__((vector_size(8), aligned(2), may_alias));

VF_INLINE v4 v4_load(struct from x, int64_t k) {
  if (!x.bf16) return *(const v4_any *)((const float *)x.at + k);
  const v4_half half = *(const v4_half_any *)((const uint16_t *)x.at + k);
  return (v4)(__builtin_convertvector(half, v4_bits) << 16);
}
VF_INLINE void v4_store(struct to y, int64_t k, v4 x) {
  if (!y.bf16) {
    *(v4_any *)((float *)y.at + k) = x;
    return;
  }
  const v4_bits bits = (v4_bits)x;
  const v4_bits nan = (v4_bits)(x != x); /* NOLINT(misc-redundant-expression) */
  const v4_bits nearest = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x400000;
  const v4_bits half = ((nan & quiet) | (~nan & nearest)) >> 16;
  *(v4_half_any *)((uint16_t *)y.at + k) = __builtin_convertvector(half, v4_half);
}

/* to[i to_row + j] = from[j from_row + i] */
VF_INLINE void transpose_4x4(struct to to, int64_t to_row, struct from from, int64_t from_row) {
  const v4 a = v4_load(from, 0), b = v4_load(from, from_row), c = v4_load(from, 2 * from_row),
           d = v4_load(from, 3 * from_row);
  const v4 ab = V4_SHUFFLE(a, b, 0, 4, 1, 5), cd = V4_SHUFFLE(c, d, 0, 4, 1, 5);
  const v4 AB = V4_SHUFFLE(a, b, 2, 6, 3, 7), CD = V4_SHUFFLE(c, d, 2, 6, 3, 7);
  v4_store(to, 0, V4_SHUFFLE(ab, cd, 0, 1, 4, 5));
  v4_store(to, to_row, V4_SHUFFLE(ab, cd, 2, 3, 6, 7));
  v4_store(to, 2 * to_row, V4_SHUFFLE(AB, CD, 0, 1, 4, 5));
  v4_store(to, 3 * to_row, V4_SHUFFLE(AB, CD, 2, 3, 6, 7));
}

/* The same for m rows and n columns of `to`, row by row, so that each cache line of `to` is filled
 * at once. */
VF_INLINE void transpose_tile(struct to to, int64_t to_row, struct from from, int64_t from_row,
                              int64_t n, int64_t m) {
  const int64_t n4 = n & ~(int64_t)3, m4 = m & ~(int64_t)3;
  for (int64_t i = 0; i < m4; i += 4) {
    for (int64_t j = 0; j < n4; j += 4)
      transpose_4x4(num_to(to, i * to_row + j), to_row, num_from(from, j * from_row + i), from_row);
    for (int64_t j = n4; j < n; j++)
      for (int64_t k = i; k < i + 4; k++)
        num_put(to, k * to_row + j, num_get(from, j * from_row + k));
  }
  for (int64_t i = m4; i < m; i++)
    for (int64_t j = 0; j < n; j++) num_put(to, i * to_row + j, num_get(from, j * from_row + i));
}

#endif
