/* gram.c - the kernel: 4 x 8 sums in registers, over pieces of 256 so that a's stay in the cache.
 *
 * No product is fused with a sum and no sum is reordered (-std=c11 forbids both), so that the bits
 * are the same on every machine and for any grouping.
 */
#include "gram.h"

enum { PIECE = 256, ROWS = 2 };

typedef double pair __attribute__((vector_size(16)));
enum { PAIRS = FEW_PANEL / 2 };

/* out += a b^T of a piece, for ROWS rows of a. */
static inline void tile(const double *restrict a, const double *restrict b, int64_t k,
                        double *restrict out, int64_t stride) {
  pair sum[ROWS][PAIRS] = {{{0}}};
  for (int64_t x = 0; x < k; x++) {
    pair y[PAIRS];
    memcpy(y, b + x * FEW_PANEL, sizeof y);
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 8
      for (int j = 0; j < PAIRS; j++) sum[i][j] += a[x * FEW_PANEL + i] * y[j];
  }
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < FEW_PANEL; j++) out[i * stride + j] += sum[i][j / 2][j % 2];
}

void few__gram_strip(const double *a, const double *b, int64_t n, int64_t k, double *out) {
  int64_t stride = n * FEW_PANEL;
  memset(out, 0, (size_t)(FEW_PANEL * stride) * sizeof *out);
  for (int64_t from = 0; from < k; from += PIECE) {
    int64_t piece = k - from < PIECE ? k - from : PIECE;
    const double *pa = a + from * FEW_PANEL;
    for (int64_t j = 0; j < n; j++) {
      const double *pb = b + (j * k + from) * FEW_PANEL;
      for (int i = 0; i < FEW_PANEL; i += ROWS)
        tile(pa + i, pb, piece, out + i * stride + j * FEW_PANEL, stride);
    }
  }
}
