/* zip.h - a file out of a zip archive. */
#ifndef FEW_SRC_IO_ZIP_H
#define FEW_SRC_IO_ZIP_H

#include "base/base.h"

/* Read member `name` of an archive; NULL: its only one. *out is yours (few__free), at most
 * max_bytes long, and 64 times its part of the file or 16 MB; 64-byte aligned, and NULL on failure.
 * No such member is FEW_E_INVALID with the names there are; a damaged one is FEW_E_FORMAT. */
few_status few__zip_read(few_ctx *ctx, char **out, size_t *n, const char *path, const char *name,
                         size_t max_bytes);
/* Is there such a member? False for what is no archive too. */
bool few__zip_has(const char *path, const char *name);

#endif
