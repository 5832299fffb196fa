/* cache.h - decoded images of a folder, kept from one run to the next. */
#ifndef FEW_SRC_DATA_CACHE_H
#define FEW_SRC_DATA_CACHE_H

#include <sys/stat.h>

#include "io/sha256.h"
#include "reader.h"

struct few_cache {
  bool used;             /* it may be read and written */
  struct few_sha256 sum; /* of what the images follow from */
  char key[FEW_SHA256_TEXT];
  char *path;
  double newest; /* when a file changed last, seconds since 1970 */
  double began;  /* when the files were looked at */
};

/* Before the files of `dir` are looked at; images follow from these options. */
few_status few__cache_begin(few_ctx *ctx, struct few_cache *c, const char *dir,
                            const struct few_data_opts *o);
/* A file, by its path from `dir` on; a limit goes by its label. */
void few__cache_add(struct few_cache *c, const char *path, int32_t label, const struct stat *s);

/* Fill in shape, pixels, n and skipped, and *kept, yours: which of `files` files, as they were
 * added, each image is of. *hit false: there is nothing that can be used, and d is as it was. */
few_status few__cache_load(few_data *d, struct few_cache *c, int files, int32_t **kept, bool *hit);

/* Keep images that took so many seconds; kept[d->n] as above, and how many of the files were
 * skipped. What cannot be written is no failure. */
void few__cache_store(few_data *d, struct few_cache *c, const int32_t *kept, int64_t skipped,
                      double seconds, const struct few_data_opts *o);
void few__cache_free(few_ctx *ctx, struct few_cache *c);

#endif
