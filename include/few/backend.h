/* few/backend.h - what computes: a recipe names one by `backend`, the program by --backend. */
#ifndef FEW_BACKEND_H
#define FEW_BACKEND_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct few_backend_info {
  const char *name, *help;
  const char *missing; /* NULL, or why it cannot be used here: what to install */
  bool device;         /* with memory of its own: few_bench_device measures it */
  int ops;             /* that want a kernel */
  int kernels[2];      /* of them there are in f32, in f64 */
};
FEW_API int few_backend_list_count(void);
FEW_API struct few_backend_info few_backend_list(int i); /* static strings */
/* The k-th op that backend i has no kernel for in f32 (f64: true is f64); NULL past the last. A
 * graph that needs it is refused when it is planned. */
FEW_API const char *few_backend_lacks(int i, bool f64, int k);

/* What networks of models run on in this context from now on, by its name; NULL: "cpu". Images
 * are the same for any number of workers, not for any backend: sums are taken in other orders.
 * FEW_E_INVALID for a name that there is not, FEW_E_UNSUPPORTED for one that is missing here. */
FEW_API FEW_MUST_USE few_status few_ctx_set_backend(few_ctx *ctx, const char *name);

#ifdef __cplusplus
}
#endif
#endif
