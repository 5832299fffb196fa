/* safetensors.h - named tensors and a string map in one file. */
#ifndef FEW_SRC_IO_SAFETENSORS_H
#define FEW_SRC_IO_SAFETENSORS_H

#include "store.h"

struct few_st_tensor {
  const char *name;
  enum few_store store;
  int rank; /* 0: one number */
  int64_t dim[FEW_STORE_RANK];
  const void *data; /* may not be aligned to its type where a file mixes types: few__store_to_* */
  int64_t count;    /* product of dim; the writer computes it itself */
  size_t bytes;     /* count times the element's size; likewise */
};

struct few_st_pair {
  const char *key, *value; /* UTF-8 */
};

/* What a file holds: tensors in the order of their bytes, all memory owned by this. */
struct few_st {
  struct few_st_tensor *at;
  int n;
  struct few_st_pair *meta; /* `__metadata__`, in the file's order */
  int n_meta;
  struct few_st_hold *hold;
};

/* A file that few wrote carries a digest, and any damage to it is FEW_E_FORMAT; what others wrote
 * is read without. *out is zeroed on failure; few__st_free is fine on a zeroed one. */
few_status few__st_read(few_ctx *ctx, struct few_st *out, const char *path, size_t max_bytes);
/* The same from memory, which is copied. */
few_status few__st_parse(few_ctx *ctx, struct few_st *out, const char *place, const void *bytes,
                         size_t n);
void few__st_free(few_ctx *ctx, struct few_st *st);

const struct few_st_tensor *few__st_find(const struct few_st *st, const char *name); /* or NULL */
const char *few__st_meta(const struct few_st *st, const char *key);                  /* or NULL */

/* Write atomically, with a digest (metadata `few.digest`), tensors in the order given (put wide
 * types first: data is aligned only by what comes before it). FEW_E_INVALID for a name given twice
 * or not UTF-8, a bad shape. */
few_status few__st_write(few_ctx *ctx, const char *path, const struct few_st_tensor *tensors, int n,
                         const struct few_st_pair *meta, int n_meta);

#endif
