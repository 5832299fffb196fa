/* safetensors.h - named tensors and a string map in one file. */
#ifndef FEW_SRC_IO_SAFETENSORS_H
#define FEW_SRC_IO_SAFETENSORS_H

#include "store.h"

struct few_st_tensor {
  const char *name;
  enum few_store store;
  int rank; /* 0: one number */
  int64_t dim[FEW_STORE_RANK];
  const void *data; /* use few__store_to_*: not aligned to its type if a file mixes types */
  int64_t count;    /* product of dim; the writer ignores it */
  size_t bytes;     /* count times the size of an element; the writer ignores it */
};

struct few_st_pair {
  const char *key, *value; /* UTF-8 */
};

/* The content of a file. Tensors are in the order of their bytes. It owns all memory. */
struct few_st {
  struct few_st_tensor *at;
  int n;
  struct few_st_pair *meta; /* `__metadata__`, in the file's order */
  int n_meta;
  struct few_st_hold *hold;
};

/* Files written by few have a digest, and any damage to them is FEW_E_FORMAT. Other files are read
 * without one. *out is zeroed on failure; few__st_free accepts a zeroed one. */
few_status few__st_read(few_ctx *ctx, struct few_st *out, const char *path, size_t max_bytes);
/* The same from memory. The bytes are copied. */
few_status few__st_parse(few_ctx *ctx, struct few_st *out, const char *place, const void *bytes,
                         size_t n);
void few__st_free(few_ctx *ctx, struct few_st *st);

const struct few_st_tensor *few__st_find(const struct few_st *st, const char *name); /* or NULL */
const char *few__st_meta(const struct few_st *st, const char *key);                  /* or NULL */

/* Writes a file atomically, with a digest (metadata `few.digest`) and the tensors in the order
 * given. Put wide types first: the alignment of data depends on what precedes it. FEW_E_INVALID for
 * a name that is given twice or is not UTF-8, and for an invalid shape. */
few_status few__st_write(few_ctx *ctx, const char *path, const struct few_st_tensor *tensors, int n,
                         const struct few_st_pair *meta, int n_meta);

#endif
