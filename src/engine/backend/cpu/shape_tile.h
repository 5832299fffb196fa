/* shape_tile.h - transpose a block of 4 x 4 floats. */
#ifndef FEW_SRC_CPU_SHAPE_TILE_H
#define FEW_SRC_CPU_SHAPE_TILE_H

#include "vec.h"

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_any __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__clang__)
#define V4_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int32_t v4_index __attribute__((vector_size(16)));
#define V4_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (v4_index){__VA_ARGS__})
#endif

/* to[i to_row + j] = from[j from_row + i] */
VF_INLINE void transpose_4x4(float *to, int64_t to_row, const float *from, int64_t from_row) {
  const v4 a = *(const v4_any *)from, b = *(const v4_any *)(from + from_row),
           c = *(const v4_any *)(from + 2 * from_row), d = *(const v4_any *)(from + 3 * from_row);
  const v4 ab = V4_SHUFFLE(a, b, 0, 4, 1, 5), cd = V4_SHUFFLE(c, d, 0, 4, 1, 5);
  const v4 AB = V4_SHUFFLE(a, b, 2, 6, 3, 7), CD = V4_SHUFFLE(c, d, 2, 6, 3, 7);
  *(v4_any *)to = V4_SHUFFLE(ab, cd, 0, 1, 4, 5);
  *(v4_any *)(to + to_row) = V4_SHUFFLE(ab, cd, 2, 3, 6, 7);
  *(v4_any *)(to + 2 * to_row) = V4_SHUFFLE(AB, CD, 0, 1, 4, 5);
  *(v4_any *)(to + 3 * to_row) = V4_SHUFFLE(AB, CD, 2, 3, 6, 7);
}

/* The same for n columns of `to` and m rows, row by row: a cache line of `to` is filled at once. */
VF_INLINE void transpose_tile(float *to, int64_t to_row, const float *from, int64_t from_row,
                              int64_t n, int64_t m) {
  const int64_t n4 = n & ~(int64_t)3, m4 = m & ~(int64_t)3;
  for (int64_t i = 0; i < m4; i += 4) {
    for (int64_t j = 0; j < n4; j += 4)
      transpose_4x4(to + i * to_row + j, to_row, from + j * from_row + i, from_row);
    for (int64_t j = n4; j < n; j++)
      for (int64_t k = i; k < i + 4; k++) to[k * to_row + j] = from[j * from_row + k];
  }
  for (int64_t i = m4; i < m; i++)
    for (int64_t j = 0; j < n; j++) to[i * to_row + j] = from[j * from_row + i];
}

#endif
