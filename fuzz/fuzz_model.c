/* If a description gives a model, the description of that model gives the same model. */
#include "fuzz.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  few_model *m, *back;
  struct few_text t = {0}, again = {0};
  if (fuzz_ok(ctx, few__model_from_description(ctx, &m, "input", (const char *)data, size))) {
    FUZZ_REQUIRE(few__model_describe(m, &t) == FEW_OK);
    FUZZ_REQUIRE(few__model_from_description(ctx, &back, "back", t.at, t.len) == FEW_OK);
    FUZZ_REQUIRE(few__model_describe(back, &again) == FEW_OK);
    FUZZ_REQUIRE(!strcmp(t.at, again.at));
    few_model_free(back);
  }
  few__text_free(ctx, &t);
  few__text_free(ctx, &again);
  few_model_free(m);
  few_ctx_free(ctx);
  return 0;
}
