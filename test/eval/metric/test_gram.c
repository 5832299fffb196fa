/* Inner products by tiles have the bits of plain loops over blocks of 256, with every vector width
 * that the processor has. */
#include "eval/metric/gram.h"

#include "sets.h"

enum { MOST_K = 700, PANELS = 3, ROWS = FEW_PANEL * PANELS };

static double plain(const double *a, const double *b, int64_t k) {
  double total = 0;
  for (int64_t from = 0; from < k; from += 256) {
    double sum = 0;
    for (int64_t x = from; x < k && x < from + 256; x++) {
      const volatile double product = a[x * FEW_PANEL] * b[x * FEW_PANEL]; /* not fused */
      sum += product;
    }
    total += sum;
  }
  return total;
}

static void test_widths(void **state) {
  (void)state;
  static float values[ROWS * MOST_K];
  static double panels[ROWS * MOST_K], out[FEW_PANEL * ROWS + 1];
  const int64_t lengths[] = {1, 2, 7, 255, 256, 257, 512, MOST_K};
  assert_in_range(few__gram_widths(), 1, 3);
  for (int l = 0; l < FEW_COUNT(lengths); l++) {
    const int64_t k = lengths[l];
    normal_rows(ROWS, k, (uint64_t)l, values);
    for (int64_t i = 0; i < ROWS * k; i++) panels[i] = (double)values[i] / 3; /* sums that round */
    for (int w = 0; w < few__gram_widths(); w++) {
      out[FEW_PANEL * ROWS] = -7;
      few__gram_strip_by(w, panels + FEW_PANEL * k, panels, PANELS, k, out);
      assert_true(out[FEW_PANEL * ROWS] == -7);
      for (int i = 0; i < FEW_PANEL; i++)
        for (int j = 0; j < ROWS; j++) {
          const double *a = panels + FEW_PANEL * k + i;
          const double *b = panels + j / FEW_PANEL * FEW_PANEL * k + j % FEW_PANEL;
          const double want = plain(a, b, k), is = out[i * ROWS + j];
          if (is != want)
            fail_msg("width %d, %lld values, (%d, %d): %.17g, wanted %.17g", w, (long long)k, i, j,
                     is, want);
        }
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_widths)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
