/* gram.c - inner products of rows, with 8 sums per row in registers and the widest instructions
 * that the processor has. Rows are split into pieces of 256 values, so that the rows of a stay in
 * cache.
 *
 * No product is fused with a sum (-ffp-contract=off), and no sum is reordered, because each lane of
 * a vector holds a sum of its own. So all widths give the same bits, on every machine and for any
 * grouping, and two equal rows have distance 0. A BLAS does not guarantee this: its sums depend on
 * the position of a row in a matrix, and on its threads.
 */
#include "gram.h"

enum { PIECE = 256 };

#define GRAM_NAME base
#define GRAM_LANES 2
#define GRAM_ROWS 2
#define GRAM_TARGET
#include "gram_strip.h"

#ifdef __x86_64__
#define GRAM_NAME avx2
#define GRAM_LANES 4
#define GRAM_ROWS 4
#define GRAM_TARGET __attribute__((target("avx2")))
#include "gram_strip.h"

#define GRAM_NAME avx512
#define GRAM_LANES 8
#define GRAM_ROWS 8
#define GRAM_TARGET __attribute__((target("avx512f")))
#include "gram_strip.h"
#endif

typedef void strip(const double *a, const double *b, int64_t n, int64_t k, double *out);

static strip *const widths[] = {
    strip_base,
#ifdef __x86_64__
    strip_avx2,
    strip_avx512,
#endif
};

int few__gram_widths(void) {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512f") ? 3 : __builtin_cpu_supports("avx2") ? 2 : 1;
#else
  return FEW_COUNT(widths);
#endif
}

void few__gram_strip_by(int width, const double *a, const double *b, int64_t n, int64_t k,
                        double *out) {
  assert(width >= 0 && width < few__gram_widths());
  widths[width](a, b, n, k, out);
}

void few__gram_strip(const double *a, const double *b, int64_t n, int64_t k, double *out) {
  assert(n >= 0 && k >= 1);
  few__gram_strip_by(few__gram_widths() - 1, a, b, n, k, out);
}
