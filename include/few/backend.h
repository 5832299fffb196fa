/* few/backend.h - backends: the sets of kernels that compute. A recipe names one by `backend`, the
 * program by --backend. */
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
/* What the backend of that name can do here; false if there is none. few_component lists the names.
 * `size` is sizeof *out. */
FEW_API bool few_backend_info(struct few_backend_info *out, size_t size, const char *name);
/* The k-th op for which a backend has no kernel in f32, or in f64 if `f64`; NULL past the last.
 * Planning a graph that needs such an op fails. */
FEW_API const char *few_backend_lacks(const char *name, bool f64, int k);

/* Run networks of this context on the backend of that name from now on; NULL: "cpu". Results are the
 * same bits for any number of workers, but not on another backend, which adds in another order.
 * FEW_E_INVALID for an unknown name, FEW_E_UNSUPPORTED for a backend that is missing here. */
FEW_API FEW_MUST_USE few_status few_ctx_set_backend(few_ctx *ctx, const char *name);

/* How products may round their factors for matrix units, which add in f32; also the choices of the key
 * `precision` of recipes. FEW_FP32: not at all. FEW_TF32: to 10 bits of mantissa instead of 23.
 * FEW_BF16: to 7 bits, and activations are stored in bf16. */
typedef enum few_precision { FEW_FP32, FEW_TF32, FEW_BF16 } few_precision;

/* Evaluate networks of this context in that precision from now on; FEW_FP32 to begin with. What
 * measures, as the features of few_eval do, stays in fp32; a training has the precision of its recipe.
 * FEW_E_INVALID for a value out of range. A backend that lacks it is reported when a network is
 * evaluated, FEW_E_UNSUPPORTED; where it gains no speed, a warning is logged. */
FEW_API FEW_MUST_USE few_status few_ctx_set_precision(few_ctx *ctx, few_precision precision);

#ifdef __cplusplus
}
#endif
#endif
