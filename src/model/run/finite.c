/* finite.c - checks that samples are finite.
 *
 * Finite weights can give samples that are not finite. As bytes such values would be black, and
 * distances between such images would look like ordinary numbers. So samples are checked here
 * before they are written or measured.
 */
#include <inttypes.h>
#include <math.h>

#include "sample.h"

enum { LISTED = 5 };

int64_t few__samples_broken(int64_t n, int64_t dims, const float *x, int64_t *list, int64_t most) {
  assert(n >= 0 && dims > 0 && (list || !most));
  int64_t bad = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t k = 0;
    while (k < dims && isfinite(x[i * dims + k])) k++;
    if (k == dims) continue;
    if (bad < most) list[bad] = i;
    bad++;
  }
  return bad;
}

few_status few__samples_check(few_ctx *ctx, const few_model *m, const char *what, int64_t first,
                              int64_t n, const float *x) {
  int64_t list[LISTED];
  struct few_text t = {0};
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  const int64_t bad = few__samples_broken(n, dims, x, list, LISTED);
  assert(bad <= n);
  if (!bad) return FEW_OK;
  for (int64_t i = 0; i < bad && i < LISTED; i++)
    few__text_add(ctx, &t, "%s%" PRId64, i ? ", " : "", first + list[i]);
  few_status st = few__fail(ctx, FEW_E_DIVERGED,
                            "%s: %" PRId64 " of %" PRId64
                            " samples (number%s %s%s) have values that are not finite: the model "
                            "is damaged, its training diverged, or guidance is too strong: use an "
                            "earlier checkpoint, or less guidance",
                            what, bad, n, bad == 1 ? "" : "s", t.at && !t.failed ? t.at : "",
                            bad > LISTED ? " ..." : "");
  few__text_free(ctx, &t);
  return st;
}
