/* balance.h - one update from the gradients of several losses.
 *
 * The gradients of losses that are added may conflict. A balancer computes the factors a_i of the
 * update u = sum_i a_i g_i from the inner products of the gradients g_i over the student's
 * parameters.
 *
 * A balancer is one file and one row in balancers.def.
 */
#ifndef FEW_SRC_OPTIM_BALANCE_H
#define FEW_SRC_OPTIM_BALANCE_H

#include "base/base.h"
#include "base/workers.h"

enum { FEW_BALANCE_MAX = 8 };

struct few_balancer {
  const char *name, *source, *help;
  /* Sets factor[n] from gram[i * n + j] = <g_i, g_j> and the recipe's weights given[i] >= 0;
   * n <= FEW_BALANCE_MAX. NULL: the factors are the weights, so one gradient, that of the weighted
   * sum, is enough. */
  void (*weigh)(int n, const double *gram, const double *given, double *factor);
};

#define FEW_BALANCER(name) extern const struct few_balancer few__balancer_##name;
#include "balancers.def"
#undef FEW_BALANCER

int few__balancer_count(void);
const struct few_balancer *few__balancer_at(int i);
/* Finds a balancer by its name; the error lists all names. */
few_status few__balancer_find(few_ctx *ctx, const struct few_balancer **out, const char *name);

/* Combines n_grads gradients; gradient k is grad[k * n .. k * n + n). Inner products are over the
 * first n_shared elements. Each of the others belongs to one loss and keeps its weight. The result
 * overwrites gradient 0. Its bits do not depend on the number of workers. */
few_status few__balance(few_ctx *ctx, few_workers *w, const struct few_balancer *b, int n_grads,
                        int64_t n, int64_t n_shared, const double *given, float *grad,
                        double *factor);

#endif
