/* gram.h - inner products of rows in f64, in tiles of 8 x 8 rows. Covariances, kernels and
 * distances are computed from them.
 *
 * Rows are in panels of 8: element k of row i is panels[(i / 8) * 8 * k_count + 8 k + i % 8]. Rows
 * past the last are zero. A sum runs over k in fixed blocks, so the bits of an inner product do not
 * depend on the position of its rows. The inner product of two equal rows is exactly that of each
 * row with itself.
 */
#ifndef FEW_SRC_METRIC_GRAM_H
#define FEW_SRC_METRIC_GRAM_H

#include "base/base.h"

enum { FEW_PANEL = 8 };

static inline int64_t few__panels(int64_t rows) { return (rows + FEW_PANEL - 1) / FEW_PANEL; }

/* The number of doubles of `rows` rows of k values in panels. */
static inline size_t few__panels_size(int64_t rows, int64_t k) {
  return few__mul_size((size_t)(few__panels(rows) * FEW_PANEL), (size_t)k);
}

/* out[i][8 j + l] = <row i of panel a, row l of panel b_j>, i < 8; j < n panels of b. */
void few__gram_strip(const double *a, const double *b, int64_t n, int64_t k, double *out);

/* For tests: the same with one of the widths that this processor has, 0 .. widths - 1. */
int few__gram_widths(void);
void few__gram_strip_by(int width, const double *a, const double *b, int64_t n, int64_t k,
                        double *out);

#endif
