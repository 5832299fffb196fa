/* cache.h - keeps decoded images of a folder from one run to the next. */
#ifndef FEW_SRC_DATA_CACHE_H
#define FEW_SRC_DATA_CACHE_H

#include <sys/stat.h>

#include "io/sha256.h"
#include "reader.h"

struct few_cache {
  bool used;             /* false: neither read nor written */
  struct few_sha256 sum; /* of everything on which the decoded images depend */
  char key[FEW_SHA256_TEXT];
  char *path;
  double newest; /* time of the last change of any file, seconds since 1970 */
  double began;  /* time before the folder was scanned, the same */
};

/* Call before the files are listed. The cache is in the folder `dir`. `name` tells sets in this
 * folder apart; "" is the folder itself. `o` are the options for decoding. */
few_status few__cache_begin(few_ctx *ctx, struct few_cache *c, const char *dir, const char *name,
                            const struct few_data_opts *o);
/* Adds a file, by its path relative to `dir`. The label matters because a limit depends on it. */
void few__cache_add(struct few_cache *c, const char *path, int32_t label, const struct stat *s);

/* Sets shape, pixels, n and skipped of d, and (*kept)[d->n]: for each image, the index of its file
 * in the order of few__cache_add, below `files`. The caller frees *kept. *hit false: there is no
 * valid cache, and d is unchanged. */
few_status few__cache_load(few_data *d, struct few_cache *c, int files, int32_t **kept, bool *hit);

/* Writes the cache if decoding took long; kept[d->n] is as in few__cache_load, and `skipped` files
 * were skipped. A failure to write is only logged. */
void few__cache_store(few_data *d, struct few_cache *c, const int32_t *kept, int64_t skipped,
                      double seconds, const struct few_data_opts *o);
void few__cache_free(few_ctx *ctx, struct few_cache *c);

#endif
