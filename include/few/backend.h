/* few/backend.h - what computes: recipes name one by `backend`, `few bench` by --backend. */
#ifndef FEW_BACKEND_H
#define FEW_BACKEND_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct few_backend_info {
  const char *name, *help;
  const char *missing; /* NULL, or why it cannot be used here: what to install */
  int ops;             /* that want a kernel */
  int kernels[2];      /* of them there are in f32, in f64 */
};
int few_backend_list_count(void);
struct few_backend_info few_backend_list(int i); /* static strings */
/* The k-th op that backend i has no kernel for in f32 (f64: true is f64); NULL past the last. A
 * graph that needs it is refused when it is planned. */
const char *few_backend_lacks(int i, bool f64, int k);

#ifdef __cplusplus
}
#endif
#endif
