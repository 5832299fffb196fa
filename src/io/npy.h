/* npy.h - NumPy's array files. */
#ifndef FEW_SRC_IO_NPY_H
#define FEW_SRC_IO_NPY_H

#include "store.h"

/* A row-major array of bool, int8, uint8, int16, int32, int64, float16, float32 or float64. */
struct few_npy {
  enum few_store store;
  int rank;
  int64_t dim[FEW_STORE_RANK];
  int64_t count;
  size_t bytes;
  void *data; /* 64-byte aligned; yours: few__npy_free */
};

/* *out is zeroed on failure. Column-major and big-endian arrays are FEW_E_UNSUPPORTED. */
few_status few__npy_read(few_ctx *ctx, struct few_npy *out, const char *path, size_t max_bytes);
few_status few__npy_parse(few_ctx *ctx, struct few_npy *out, const char *place, const void *bytes,
                          size_t n);
void few__npy_free(few_ctx *ctx, struct few_npy *a);

/* Writes version 1.0 of the format, atomically. store is any type except BF16. */
few_status few__npy_write(few_ctx *ctx, const char *path, enum few_store store, int rank,
                          const int64_t *dim, const void *data);

#endif
