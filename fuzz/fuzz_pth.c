/* If tensors are read, all their numbers are in the file. */
#include "fuzz.h"
#include "io/pth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_pth p;
  (void)few__pth_is(data, size);
  if (fuzz_ok(ctx, few__pth_parse(ctx, &p, "input", data, size))) {
    for (int i = 0; i < p.n; i++) {
      const struct few_st_tensor *t = &p.at[i];
      FUZZ_REQUIRE(t->bytes == (size_t)t->count * few__store_size(t->store));
      FUZZ_REQUIRE(t->bytes < size);
      for (int64_t k = 0; k < t->count; k++) {
        float x;
        few__store_to_f32(t->store, (const char *)t->data + (size_t)k * few__store_size(t->store),
                          1, &x);
      }
      FUZZ_REQUIRE(few__pth_find(&p, t->name));
    }
  }
  few__pth_free(ctx, &p);
  few_ctx_free(ctx);
  return 0;
}
