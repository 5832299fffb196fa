/* If a value is read, it is the same after it was written and read again, unless its nesting is too
 * deep to write. */
#include "fuzz.h"
#include "io/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  json_t *v, *back;
  struct few_text t = {0};
  if (fuzz_ok(ctx, few__json_parse(ctx, &v, "input", (const char *)data, size))) {
    struct few_json j = few__json_begin(ctx, &t);
    few__json_put_value(&j, NULL, v);
    FUZZ_REQUIRE(few__json_end(&j, "back") == FEW_OK);
    FUZZ_REQUIRE(few__json_parse(ctx, &back, "back", t.at, t.len) == FEW_OK);
    FUZZ_REQUIRE(json_equal(v, back));
    json_decref(back);
  }
  few__text_free(ctx, &t);
  json_decref(v);
  few_ctx_free(ctx);
  return 0;
}
