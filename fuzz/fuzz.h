/* fuzz.h - included by every fuzz target.
 *
 * A target parses bytes and checks what must hold for every result. If it does not hold, the target
 * aborts, which both a fuzzer and the replay detect. */
#ifndef FEW_FUZZ_H
#define FEW_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(x)                                                      \
  do {                                                                       \
    if (!(x)) {                                                              \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x); \
      abort();                                                               \
    }                                                                        \
  } while (0)

/* Allocates at most 256 MB at a time. A small input must not need more, or must be refused. */
static inline void *fuzz_alloc(void *user, size_t n) {
  (void)user;
  return n <= (size_t)256 << 20 ? malloc(n) : NULL;
}

static inline void fuzz_release(void *user, void *p) {
  (void)user;
  free(p);
}

static inline few_ctx *fuzz_ctx(void) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  few_ctx *ctx;
  o.allocator = (struct few_allocator){NULL, fuzz_alloc, fuzz_release};
  o.workers = 1;
  FUZZ_REQUIRE(few_ctx_create(&ctx, &o) == FEW_OK);
  return ctx;
}

/* Returns true if the call succeeded, so that there is a result to check. A failure must have a
 * sentence. */
static inline bool fuzz_ok(const few_ctx *ctx, few_status st) {
  FUZZ_REQUIRE(st == FEW_OK || strlen(few_error(ctx)) >= 10);
  return st == FEW_OK;
}

#endif
