/* What is kept of an event file is whole, and keeping it again changes nothing. */
#include "fuzz.h"
#include "io/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  unsigned char *bytes = few__alloc(ctx, size + 1);
  int64_t last, again;
  FUZZ_REQUIRE(bytes);
  memcpy(bytes, data, size);
  const size_t kept = few__events_keep(bytes, size, 5, &last);
  FUZZ_REQUIRE(kept <= size && last <= 5 && (last >= 0) == (kept > 0));
  FUZZ_REQUIRE(few__events_keep(bytes, kept, 5, &again) == kept && again == last);
  few__free(ctx, bytes);
  few_ctx_free(ctx);
  return 0;
}
