/* If an array is read, all its numbers are in the file. */
#include "fuzz.h"
#include "io/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_npy a;
  if (fuzz_ok(ctx, few__npy_parse(ctx, &a, "input", data, size))) {
    FUZZ_REQUIRE(a.bytes < size && a.bytes == (size_t)a.count * few__store_size(a.store));
    for (int64_t i = 0; i < a.count; i++) {
      float x;
      few__store_to_f32(a.store, (const char *)a.data + (size_t)i * few__store_size(a.store), 1,
                        &x);
    }
  }
  few__npy_free(ctx, &a);
  few_ctx_free(ctx);
  return 0;
}
