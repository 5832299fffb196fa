/* If statistics are read, they fill a set, whose moments and rows are finite. */
#include <math.h>

#include "eval/statistics.h"
#include "fuzz.h"

static void look(few_ctx *ctx, const struct few_statistics *s) {
  few_workers *w;
  few_eval_set *set;
  const struct few_eval_set_opts o = {
      .name = "input",
      .needs = FEW_NEED_MOMENTS | FEW_NEED_ROWS | (s->spatial ? FEW_NEED_SPATIAL : 0),
      .n = s->n,
      .dim = s->dim,
      .spatial = s->spatial,
      .keep = s->kept,
      .splits = 1};
  FUZZ_REQUIRE(s->dim > 0 && s->kept > 0 && s->kept <= s->n && s->h > 0 && s->w > 0 && s->c > 0);
  FUZZ_REQUIRE(few__workers_create(ctx, &w, 1) == FEW_OK);
  if (fuzz_ok(ctx, few__eval_set_create(ctx, &set, w, &o))) {
    float *row = malloc((size_t)s->dim * sizeof *row);
    FUZZ_REQUIRE(row && few__statistics_fill(s, set) == FEW_OK);
    FUZZ_REQUIRE(few__moments_n(set->moments) == s->n);
    for (int64_t i = 0; i < s->kept; i++) {
      few__eval_set_kept(set, i, row);
      for (int64_t k = 0; k < s->dim; k++) FUZZ_REQUIRE(isfinite(row[k]));
    }
    free(row);
  }
  few__eval_set_free(set);
  few__workers_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_statistics *s;
  if (fuzz_ok(ctx, few__statistics_parse(ctx, &s, "input", data, size))) look(ctx, s);
  few__statistics_free(s);
  few_ctx_free(ctx);
  return 0;
}
