/* digest.c - XXH3 of 128 bits (Collet, xxHash).
 *
 * A checkpoint may have gigabytes, and is written every few minutes. XXH3 runs at the speed of
 * memory; SHA-256 would take longer than the disk. XXH3 detects damage, not forgery. Therefore the
 * provenance of a model identifies its teacher by SHA-256 (sha256.h).
 *
 * xxHash is included as a header only, so that its state can be allocated by the context.
 */
#include "digest.h"

#include <inttypes.h>
#include <stdio.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

struct few_digest {
  XXH3_state_t state; /* aligned to 64 bytes, as all memory of a context is */
};

few_status few__digest_start(few_ctx *ctx, few_digest **out) {
  FEW_TRY(FEW_NEW(ctx, out, 1));
  XXH3_128bits_reset(&(*out)->state);
  return FEW_OK;
}

void few__digest_add(few_digest *d, const void *bytes, size_t n) {
  XXH3_128bits_update(&d->state, bytes, n);
}

void few__digest_text(const few_digest *d, char out[FEW_DIGEST_TEXT]) {
  const XXH128_hash_t h = XXH3_128bits_digest(&d->state);
  snprintf(out, FEW_DIGEST_TEXT, FEW_DIGEST_NAME "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64,
           (uint64_t)h.low64);
}

void few__digest_free(few_ctx *ctx, few_digest *d) { few__free(ctx, d); }
