/* zip.h - reads a file from a zip archive. */
#ifndef FEW_SRC_IO_ZIP_H
#define FEW_SRC_IO_ZIP_H

#include "base/base.h"

/* Reads member `name` of an archive, or its only member if name is NULL. *out is yours (few__free),
 * 64-byte aligned, and NULL on failure. FEW_E_INVALID if there is no such member, with a sentence
 * that lists the members. FEW_E_FORMAT if it is damaged, longer than max_bytes, or longer than both
 * 16 MB and 64 times its compressed size. */
few_status few__zip_read(few_ctx *ctx, char **out, size_t *n, const char *path, const char *name,
                         size_t max_bytes);
/* Whether the archive has this member. False if the file is not an archive. */
bool few__zip_has(const char *path, const char *name);

#endif
