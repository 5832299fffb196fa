/* If a file is read, each of its tensors can be read to its end. */
#include "fuzz.h"
#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_st st;
  size_t sum = 0;
  if (fuzz_ok(ctx, few__st_parse(ctx, &st, "input", data, size))) {
    for (int i = 0; i < st.n; i++) {
      const struct few_st_tensor *t = &st.at[i];
      double last = 0;
      FUZZ_REQUIRE(t->bytes == (size_t)t->count * few__store_size(t->store));
      if (t->count)
        few__store_to_f64(t->store, (const char *)t->data + t->bytes - few__store_size(t->store), 1,
                          &last);
      sum += t->bytes;
      FUZZ_REQUIRE(few__st_find(&st, t->name) == t);
    }
    FUZZ_REQUIRE(sum < size);
  }
  few__st_free(ctx, &st);
  few_ctx_free(ctx);
  return 0;
}
