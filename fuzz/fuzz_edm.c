/* If a list of labels is read, no label is negative, and looking up a path gives its label. */
#include "data/edm.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_edm e;
  if (fuzz_ok(ctx, few__edm_parse(ctx, &e, "input", (const char *)data, size))) {
    FUZZ_REQUIRE(e.n == 0 || e.kind == FEW_EDM_LABELLED);
    for (int i = 0; i < e.n; i++)
      FUZZ_REQUIRE(e.at[i].label >= 0 && few__edm_label(&e, e.at[i].path) == e.at[i].label);
  }
  few__edm_free(ctx, &e);
  few_ctx_free(ctx);
  return 0;
}
