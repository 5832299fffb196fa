/* sha256.h - SHA-256 of a file's content, as the text that sha256sum prints. */
#ifndef FEW_SRC_IO_SHA256_H
#define FEW_SRC_IO_SHA256_H

#include "base/base.h"

struct few_sha256 {
  uint32_t h[8];
  uint64_t bytes;
  uint8_t block[64];
};

enum { FEW_SHA256_TEXT = 65 }; /* 64 lower-case hexadecimal digits and a NUL */

void few__sha256_start(struct few_sha256 *s);
void few__sha256_add(struct few_sha256 *s, const void *bytes, size_t n);
void few__sha256_end(struct few_sha256 *s, char out[FEW_SHA256_TEXT]);

/* Reads the file in pieces, so it may be larger than memory. */
few_status few__sha256_file(few_ctx *ctx, char out[FEW_SHA256_TEXT], const char *path);

#endif
