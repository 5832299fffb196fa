/* balance.c - see balance.h. Inner products are summed in a fixed order; one pass then adds the
 * gradients. */
#include "balance.h"

#include <stdio.h>

#include "clip.h"

enum { CHUNK = 1 << 16 };

static const struct few_balancer *const table[] = {
#define FEW_BALANCER(name) &few__balancer_##name,
#include "balancers.def"
#undef FEW_BALANCER
};

int few__balancer_count(void) { return FEW_COUNT(table); }
const struct few_balancer *few__balancer_at(int i) { return table[i]; }

few_status few__balancer_find(few_ctx *ctx, const struct few_balancer **out, const char *name) {
  char known[128] = "";
  *out = NULL;
  for (int i = 0; i < FEW_COUNT(table); i++) {
    size_t n = strlen(known);
    if (!strcmp(table[i]->name, name)) *out = table[i];
    snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", table[i]->name);
  }
  return *out ? FEW_OK
              : few__fail(ctx, FEW_E_INVALID, "there is no balancer %s: give one of %s", name,
                          known);
}

struct job {
  int n_grads;
  int64_t n, n_shared, chunks;
  const double *given, *factor;
  float *grad;
  double *part; /* [pairs][chunks] */
};

static void dot_chunk(void *user, int64_t chunk, int worker) {
  struct job *j = user;
  FEW_UNUSED(worker);
  const int64_t first = chunk * CHUNK;
  const int64_t end = first + CHUNK < j->n_shared ? first + CHUNK : j->n_shared;
  int pair = 0;
  for (int a = 0; a < j->n_grads; a++)
    for (int b = a; b < j->n_grads; b++, pair++) {
      const float *x = j->grad + a * j->n, *y = j->grad + b * j->n;
      double sum = 0;
      for (int64_t i = first; i < end; i++) sum += (double)x[i] * (double)y[i];
      j->part[pair * j->chunks + chunk] = sum;
    }
}

/* Parameters that are not shared belong to one loss and keep its weight. */
static void add_chunk(void *user, int64_t chunk, int worker) {
  struct job *j = user;
  FEW_UNUSED(worker);
  const int64_t first = chunk * CHUNK, end = first + CHUNK < j->n ? first + CHUNK : j->n;
  for (int64_t i = first; i < end; i++) {
    const double *factor = i < j->n_shared ? j->factor : j->given;
    double sum = 0;
    for (int k = 0; k < j->n_grads; k++) sum += factor[k] * (double)j->grad[k * j->n + i];
    j->grad[i] = (float)sum;
  }
}

few_status few__balance(few_ctx *ctx, few_workers *w, const struct few_balancer *b, int n_grads,
                        int64_t n, int64_t n_shared, const double *given, float *grad,
                        double *factor) {
  double gram[FEW_BALANCE_MAX * FEW_BALANCE_MAX];
  struct job j = {n_grads, n, n_shared, (n_shared + CHUNK - 1) / CHUNK, given, factor, grad, NULL};
  assert(n_grads <= FEW_BALANCE_MAX && b->weigh);
  FEW_TRY(FEW_NEW(ctx, &j.part, n_grads * (n_grads + 1) / 2 * j.chunks));
  few__workers_run(w, j.chunks, dot_chunk, &j);
  int pair = 0;
  for (int i = 0; i < n_grads; i++)
    for (int k = i; k < n_grads; k++, pair++)
      gram[i * n_grads + k] = gram[k * n_grads + i] =
          few__sum_tree(j.part + pair * j.chunks, j.chunks);
  b->weigh(n_grads, gram, given, factor);
  few__workers_run(w, (n + CHUNK - 1) / CHUNK, add_chunk, &j);
  few__free(ctx, j.part);
  return FEW_OK;
}
