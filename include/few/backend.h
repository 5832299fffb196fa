/* few/backend.h - backends: the sets of kernels that compute. The recipe key `backend` and the
 * option --backend choose one. */
#ifndef FEW_BACKEND_H
#define FEW_BACKEND_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct few_backend_info {
  const char *name, *help; /* static */
  const char *missing;     /* NULL, or why it cannot be used here and what to install; static */
  bool device;             /* it has memory of its own; few_bench_device measures it */
  int ops;                 /* ops that need a kernel */
  int kernels[2];          /* how many of those have one in f32, in f64 */
};
/* Describes the backend of that name on this machine; false if there is none. few_component lists
 * the names. `size` is sizeof *out. */
FEW_API bool few_backend_info(struct few_backend_info *out, size_t size, const char *name);
/* The k-th op for which a backend has no kernel in f32, or in f64 if `f64`; NULL past the last.
 * Planning a graph that needs such an op fails. */
FEW_API const char *few_backend_lacks(const char *name, bool f64, int k);

/* Sets the backend on which networks of this context run from now on; NULL: "cpu". Results are the
 * same bits for any number of workers, but another backend adds in another order. FEW_E_INVALID for
 * an unknown name, FEW_E_UNSUPPORTED for a backend that is missing here. */
FEW_API FEW_MUST_USE few_status few_ctx_set_backend(few_ctx *ctx, const char *name);

/* How factors of matrix products are rounded; also the values of the recipe key `precision`. Matrix
 * units add the products in f32. FEW_FP32: factors are not rounded. FEW_TF32: factors have 10 bits
 * of mantissa instead of 23. FEW_BF16: factors have 7 bits, and activations are stored in bf16. */
typedef enum few_precision { FEW_FP32, FEW_TF32, FEW_BF16 } few_precision;

/* Sets the precision in which networks of this context are evaluated from now on; the default is
 * FEW_FP32. Features of few_eval are always computed in fp32, and training has the precision of its
 * recipe. FEW_E_INVALID for a value out of range. If the backend lacks the precision, evaluating a
 * network fails with FEW_E_UNSUPPORTED. If the precision is not faster there, a warning is
 * logged. */
FEW_API FEW_MUST_USE few_status few_ctx_set_precision(few_ctx *ctx, few_precision precision);

#ifdef __cplusplus
}
#endif
#endif
