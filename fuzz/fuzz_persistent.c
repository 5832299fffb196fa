/* If a network is read, all its numbers are in the file, and its configuration is JSON. */
#include "fuzz.h"
#include "io/json.h"
#include "io/persistent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_pth p;
  struct few_text config;
  (void)few__persistent_is(data, size);
  if (fuzz_ok(ctx, few__persistent_parse(ctx, &p, &config, "input", data, size))) {
    json_t *all;
    for (int i = 0; i < p.n; i++) {
      const struct few_st_tensor *t = &p.at[i];
      FUZZ_REQUIRE(t->bytes == (size_t)t->count * few__store_size(t->store));
      for (int64_t k = 0; k < t->count; k++) {
        float x;
        few__store_to_f32(t->store, (const char *)t->data + (size_t)k * few__store_size(t->store),
                          1, &x);
      }
    }
    if (fuzz_ok(ctx, few__json_parse(ctx, &all, "config", config.at, config.len))) json_decref(all);
  }
  few__text_free(ctx, &config);
  few__pth_free(ctx, &p);
  few_ctx_free(ctx);
  return 0;
}
