/* Unpacked data are not larger than the limit. */
#include "fuzz.h"
#include "io/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  enum { LIMIT = 100000 };
  few_ctx *ctx = fuzz_ctx();
  char *out;
  size_t n;
  if (fuzz_ok(ctx, few__gzip_parse(ctx, &out, &n, "input", data, size, LIMIT)))
    FUZZ_REQUIRE(n <= LIMIT);
  few__free(ctx, out);
  few_ctx_free(ctx);
  return 0;
}
