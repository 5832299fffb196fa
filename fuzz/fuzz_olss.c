/* A file gives a fitted schedule that can be run, or an error. */
#include "fuzz.h"
#include "model/run/olss_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_olss *o;
  if (fuzz_ok(ctx, few__olss_parse(ctx, &o, "input", (const char *)data, size))) {
    FUZZ_REQUIRE(o->steps >= 1 && o->sigma_d > 0);
    for (int k = 0; k < o->steps; k++)
      FUZZ_REQUIRE(o->t[k] > 0 && (k == 0 || o->t[k] < o->t[k - 1]));
  }
  few__olss_free(ctx, o);
  few_ctx_free(ctx);
  return 0;
}
