/* tar.h - reads a tar archive in order, plain or gzipped. */
#ifndef FEW_SRC_IO_TAR_H
#define FEW_SRC_IO_TAR_H

#include "base/base.h"

typedef struct few_tar few_tar;

struct few_tar_member {
  const char *name; /* borrowed until the next call; "./" at its head is left out */
  bool file;        /* a regular file; false: a folder, a link or a device */
  uint64_t size;    /* bytes of a file */
  uint64_t at;      /* where its content begins in the unpacked archive */
};

/* Opens an archive; gzip is recognised by its content. `path` is borrowed. */
few_status few__tar_open(few_ctx *ctx, few_tar **out, const char *path);
/* Reads from n bytes in memory, which must outlive the archive. */
few_status few__tar_memory(few_ctx *ctx, few_tar **out, const char *place, const void *bytes,
                           size_t n);
void few__tar_close(few_tar *t); /* NULL is fine */

/* Goes to the next member. At the end of the archive *end is true and *m is zeroed. FEW_E_FORMAT if
 * the archive is damaged, ends without its end mark, or is packed more than 64 to 1. */
few_status few__tar_next(few_tar *t, struct few_tar_member *m, bool *end);
/* Reads the content of the member, once. *out is yours (few__free), followed by a NUL that is not
 * counted in *n. FEW_E_FORMAT if it has more than max_bytes. */
few_status few__tar_read(few_tar *t, char **out, size_t *n, size_t max_bytes);

#endif
