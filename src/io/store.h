/* store.h - the number types that tensors have in files, and conversion to and from float. */
#ifndef FEW_SRC_IO_STORE_H
#define FEW_SRC_IO_STORE_H

#include "base/base.h"

/* In the order of safetensors. Files contain the names, never these numbers. */
enum few_store {
  FEW_STORE_BOOL,
  FEW_STORE_U8,
  FEW_STORE_I8,
  FEW_STORE_I16,
  FEW_STORE_F16,
  FEW_STORE_BF16,
  FEW_STORE_I32,
  FEW_STORE_F32,
  FEW_STORE_I64,
  FEW_STORE_F64,
  FEW_STORE_COUNT
};

enum { FEW_STORE_RANK = 8 };

size_t few__store_size(enum few_store s);      /* bytes of one element */
const char *few__store_name(enum few_store s); /* "F32": as in safetensors */
bool few__store_from_name(enum few_store *out, const char *name);

/* Computes the product of the dims and its bytes. False if a dim is negative or a result
 * overflows. */
bool few__store_count(enum few_store s, int rank, const int64_t *dim, int64_t *count,
                      size_t *bytes);

/* Converts n elements of any type. `in` need not be aligned; in and out must not overlap. Integers
 * above 2^24 (f32) or 2^53 (f64) are rounded. */
void few__store_to_f32(enum few_store s, const void *in, int64_t n, float *out);
void few__store_to_f64(enum few_store s, const void *in, int64_t n, double *out);
/* s is F16, BF16, F32 or F64. Rounds to nearest, ties to even. Numbers too large for F16 become
 * infinity. */
void few__store_from_f32(enum few_store s, const float *in, int64_t n, void *out);

#endif
