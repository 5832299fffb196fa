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

/* An archive of which any number of members is read. One thread at a time. */
typedef struct few_zip few_zip;

/* Opens an archive. FEW_E_FORMAT if its members claim more bytes than the file has, so that they
 * overlap, or all together more than both 16 MB and 64 times the size of the file. */
few_status few__zip_open(few_ctx *ctx, few_zip **out, const char *path);
void few__zip_close(few_zip *z); /* NULL is fine */
int64_t few__zip_count(const few_zip *z);
/* The name of member i and its unpacked size in bytes. Borrowed. */
const char *few__zip_member(const few_zip *z, int64_t i, uint64_t *size);
/* Reads member i; as few__zip_read. */
few_status few__zip_get(const few_zip *z, int64_t i, char **out, size_t *n, size_t max_bytes);

/* Whether a file that begins with these bytes is an archive. */
static inline bool few__zip_is(const void *bytes, size_t n) {
  return n >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4));
}
/* Whether the archive has this member. False if the file is not an archive. */
bool few__zip_has(const char *path, const char *name);

#endif
