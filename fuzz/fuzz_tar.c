/* Members of an archive follow each other, and what is read of one has its size. */
#include "fuzz.h"
#include "io/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_tar_member m;
  few_tar *t;
  uint64_t from = 0;
  bool end = false;
  if (!fuzz_ok(ctx, few__tar_memory(ctx, &t, "input", data, size))) goto out;
  while (fuzz_ok(ctx, few__tar_next(t, &m, &end)) && !end) {
    char *bytes;
    size_t n;
    FUZZ_REQUIRE(m.name && m.at > from);
    from = m.at;
    if (m.file && m.at / 512 % 2 && fuzz_ok(ctx, few__tar_read(t, &bytes, &n, 1 << 20))) {
      FUZZ_REQUIRE(n == m.size && !bytes[n]);
      few__free(ctx, bytes);
    }
  }
  few__tar_close(t);
out:
  few_ctx_free(ctx);
  return 0;
}
