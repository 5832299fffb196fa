/* tile.h - the register tile of products in bf16: factors in bf16, sums in f32.
 *
 * A tile is C[m x 32] (+)= A[m x k] B[k x 32]. It is computed by the processor's matrix units: tile
 * registers (AMX), or the dot products of pairs of AVX512-BF16. On a processor without them, plain
 * C does the same as tile registers, so that the kernels can be tested on every machine.
 *
 *     A   rows of bf16, `as` elements apart, k of each contiguous. k may have several parts, each
 *         at an offset of its own, as the taps of a convolution have.
 *     B   a panel of pairs, [k / 2][32][2]: two consecutive k of a column are neighbours, so
 *         B(k,j) = b[k / 2][j][k % 2]. Parts follow one another.
 *     C   [m][32] floats.
 *
 * Each element is one chain of additions with k ascending, for every m and position in the tile. So
 * a row gets the same bits whatever rows are computed with it.
 */
#ifndef FEW_SRC_CPU_BF16_TILE_H
#define FEW_SRC_CPU_BF16_TILE_H

#include "../cpu.h"
#include "../vec.h"

/* Rows and columns of a tile, and the number of which k must be a multiple. Rows are processed in
 * groups of BF16_ROWS: A and C must have room for whole groups. */
#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)
enum { BF16_M = 14, BF16_K = 2, BF16_ROWS = 1 };
#else
enum { BF16_M = 32, BF16_K = 32, BF16_ROWS = 16 };
#endif
enum { BF16_N = 32 };

/* The units that compute tiles. The base set does the same as tile registers in plain C. AVX2 and
 * AVX-512 without BF16 have no units: f32 products are faster there, and bf16 is only a storage
 * format. */
enum few_bf16_units {
  BF16_NONE,
  BF16_PAIRS,
  BF16_TILES,
#if defined(__AMX_BF16__) || !defined(__AVX2__)
  BF16_UNITS = BF16_TILES
#elif defined(__AVX512BF16__)
  BF16_UNITS = BF16_PAIRS
#else
  BF16_UNITS = BF16_NONE
#endif
};

/* few_backend.bf16_only_stored */
#if defined(__AMX_BF16__) || defined(__AVX512BF16__)
#define BF16_ONLY_STORED NULL
#else
#define BF16_ONLY_STORED                                                                         \
  "this processor has no units for products in bf16 (AVX512-BF16 or AMX): precision bf16 saves " \
  "memory here, but takes longer than fp32"
#endif

struct few_bf16_tile {
  const uint16_t *a;
  int64_t as;            /* elements from row to row of A */
  const int64_t *offset; /* [parts] elements from a; NULL: one part at 0 */
  int64_t parts, k;      /* k elements of each row and part; a multiple of BF16_K */
  const uint16_t *b;
  float *c;
  int m; /* rows, at most BF16_M; A and C have them up to the next multiple of BF16_ROWS */
  bool add;
};

/* Set up and release the thread's tile registers. Tiles are computed between the two calls. */
void FEW_ISA(few__bf16_begin)(void);
void FEW_ISA(few__bf16_end)(void);
void FEW_ISA(few__bf16_tile)(const struct few_bf16_tile *t);

/* The size of a part of the scratch, rounded up so that the next part is aligned too. */
VF_INLINE size_t bf16_part(int64_t bytes) { return (size_t)round_up(bytes, 64); }

/* Rows of the next tile when `left` remain: nearly equal heights, or whole groups. */
VF_INLINE int bf16_tile_rows(int64_t left) {
  const int64_t tiles = (left + BF16_M - 1) / BF16_M;
  return (int)(BF16_ROWS > 1 ? min_of(left, BF16_M) : (left + tiles - 1) / tiles);
}

#endif
