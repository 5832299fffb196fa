/* balance.h - one update from the gradients of several losses.
 *
 * Losses that are added compete. A balancer computes the factors a_i of the update u = sum_i a_i
 * g_i from the inner products of their gradients g_i over the student's parameters.
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
  /* NULL: the given weights as they are, and one gradient of the weighted sum is enough.
   * gram[i * n + j] = <g_i, g_j>, n <= FEW_BALANCE_MAX; given[i] >= 0 are the recipe's weights. */
  void (*weigh)(int n, const double *gram, const double *given, double *factor);
};

#define FEW_BALANCER(name) extern const struct few_balancer few__balancer_##name;
#include "balancers.def"
#undef FEW_BALANCER

int few__balancer_count(void);
const struct few_balancer *few__balancer_at(int i);
/* Find by name; the error lists all names. */
few_status few__balancer_find(few_ctx *ctx, const struct few_balancer **out, const char *name);

/* grad[k * n .. k * n + n) is gradient k. Inner products are over the first n_shared numbers; the
 * others belong to one loss and keep its weight. The combination replaces gradient 0. Same bits for
 * any number of workers. */
few_status few__balance(few_ctx *ctx, few_workers *w, const struct few_balancer *b, int n_grads,
                        int64_t n, int64_t n_shared, const double *given, float *grad,
                        double *factor);

#endif
