/* digest.h - a checksum of a file's content. It detects damage, but not forgery. */
#ifndef FEW_SRC_IO_DIGEST_H
#define FEW_SRC_IO_DIGEST_H

#include "base/base.h"

typedef struct few_digest few_digest;

/* "xxh3-128:" and 32 lower-case hexadecimal digits, as xxhsum -H2 prints them. */
#define FEW_DIGEST_NAME "xxh3-128:"
enum { FEW_DIGEST_DIGITS = 32, FEW_DIGEST_TEXT = sizeof FEW_DIGEST_NAME + FEW_DIGEST_DIGITS };

few_status few__digest_start(few_ctx *ctx, few_digest **out);
void few__digest_add(few_digest *d, const void *bytes, size_t n);
/* The digest of all bytes added so far. */
void few__digest_text(const few_digest *d, char out[FEW_DIGEST_TEXT]);
void few__digest_free(few_ctx *ctx, few_digest *d); /* NULL is fine */

#endif
