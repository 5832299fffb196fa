/* gram_strip.h - the kernel of gram.c for one width, included once per width. GRAM_NAME is the
 * width's name; vectors have GRAM_LANES doubles; GRAM_ROWS rows are computed at once, as many as
 * fit the registers. */

#define GRAM_PASTE_(a, b) a##_##b
#define GRAM_PASTE(a, b) GRAM_PASTE_(a, b)
#define GRAM(name) GRAM_PASTE(name, GRAM_NAME)

typedef double GRAM(lanes) __attribute__((vector_size(8 * GRAM_LANES)));
typedef GRAM(lanes) GRAM(loads) __attribute__((aligned(8), may_alias)); /* at any address */

/* out += a b^T of a piece, for GRAM_ROWS rows of a. */
GRAM_TARGET static inline void GRAM(tile)(const double *restrict a, const double *restrict b,
                                          int64_t k, double *restrict out, int64_t stride) {
  enum { PARTS = FEW_PANEL / GRAM_LANES };
  GRAM(lanes) sum[GRAM_ROWS][PARTS] = {{{0}}};
  for (int64_t x = 0; x < k; x++) {
    const GRAM(loads) *y = (const void *)(b + x * FEW_PANEL);
#pragma GCC unroll 8
    for (int i = 0; i < GRAM_ROWS; i++)
#pragma GCC unroll 8
      for (int j = 0; j < PARTS; j++) sum[i][j] += a[x * FEW_PANEL + i] * y[j];
  }
  for (int i = 0; i < GRAM_ROWS; i++)
    for (int j = 0; j < FEW_PANEL; j++)
      out[i * stride + j] += sum[i][j / GRAM_LANES][j % GRAM_LANES];
}

GRAM_TARGET static void GRAM(strip)(const double *a, const double *b, int64_t n, int64_t k,
                                    double *out) {
  int64_t stride = n * FEW_PANEL;
  memset(out, 0, (size_t)(FEW_PANEL * stride) * sizeof *out);
  for (int64_t from = 0; from < k; from += PIECE) {
    int64_t piece = k - from < PIECE ? k - from : PIECE;
    const double *pa = a + from * FEW_PANEL;
    for (int64_t j = 0; j < n; j++) {
      const double *pb = b + (j * k + from) * FEW_PANEL;
      for (int i = 0; i < FEW_PANEL; i += GRAM_ROWS)
        GRAM(tile)(pa + i, pb, piece, out + i * stride + j * FEW_PANEL, stride);
    }
  }
}

#undef GRAM
#undef GRAM_PASTE
#undef GRAM_PASTE_
#undef GRAM_NAME
#undef GRAM_LANES
#undef GRAM_ROWS
#undef GRAM_TARGET
