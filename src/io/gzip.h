/* gzip.h - reads whole files, plain or gzipped. */
#ifndef FEW_SRC_IO_GZIP_H
#define FEW_SRC_IO_GZIP_H

#include "base/base.h"

bool few__gzip_is(const void *bytes, size_t n); /* by its first 2 bytes */

/* Reads a file, and inflates it if its content (not its name) is gzip. *out is yours (few__free),
 * at most max_bytes long, 64-byte aligned, and NULL on failure. FEW_E_FORMAT for truncated or
 * damaged data, with the offset in the file, and for data that inflates to more than 16 MB and to
 * more than 64 times its size. */
few_status few__gzip_read(few_ctx *ctx, char **out, size_t *n, const char *path, size_t max_bytes);
few_status few__gzip_parse(few_ctx *ctx, char **out, size_t *n_out, const char *place,
                           const void *bytes, size_t n, size_t max_bytes);

#endif
