/* Every row of a table is found by its file, which no other row has. */
#include "data/table.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_table t;
  if (fuzz_ok(ctx, few__table_parse(ctx, &t, "input", (const char *)data, size))) {
    FUZZ_REQUIRE(t.n >= 1);
    for (int i = 0; i < t.n; i++)
      FUZZ_REQUIRE(t.at[i].line >= 1 && *t.at[i].label &&
                   few__table_find(&t, t.at[i].file) == &t.at[i]);
  }
  few__table_free(ctx, &t);
  few_ctx_free(ctx);
  return 0;
}
