/* packed.c - parameters in the form that their kernels use (few_kernel.pack).
 *
 * Matrix units read weights in a special layout. Packing them in every call would cost as much
 * as the product of a few hundred rows. So a plan keeps packed copies, which all its threads share.
 * When the parameters have changed (few_binding.values is a new number), the first thread begins to
 * pack them. Threads that arrive meanwhile pack the parameters of other instructions, and all
 * threads wait until the last one is packed.
 */
#include <pthread.h>

#include "plan_internal.h"

struct few_packed {
  pthread_mutex_t lock;
  pthread_cond_t all_done;
  uint64_t values; /* few_binding.values of what is packed or being packed; 0: none */
  int next;        /* the next instruction to pack */
  int busy;        /* threads that are packing */
  char *data;
};

few_status few__packed_create(few_plan *plan) {
  struct few_packed *p;
  if (!plan->packed_bytes) return FEW_OK;
  FEW_TRY(FEW_NEW(plan->ctx, &p, 1));
  plan->packed = p;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->all_done, NULL);
  p->data = few__alloc(plan->ctx, plan->packed_bytes);
  return p->data ? FEW_OK
                 : few__fail(plan->ctx, FEW_E_MEMORY,
                             "out of memory: %.1f MiB for packed weights: give precision fp32",
                             (double)plan->packed_bytes / 1048576);
}

void few__packed_free(few_ctx *ctx, struct few_packed *p) {
  if (!p) return;
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->all_done);
  few__free(ctx, p->data);
  few__free(ctx, p);
}

static void pack(const few_plan *plan, const struct few_binding *b, const struct instruction *in) {
  struct few_call call = in->call;
  const struct few_run_memory none = {NULL, plan->pool, NULL, NULL};
  call.in[1].data = few__plan_address(plan, &none, b, in->in[1]);
  in->pack(&call, plan->packed->data + in->packed);
}

/* The next instruction with a parameter to pack; the number of instructions if there is none. */
static int take(const few_plan *plan) {
  struct few_packed *p = plan->packed;
  while (p->next < plan->code.n && !plan->code.at[p->next].pack) p->next++;
  return p->next < plan->code.n ? p->next++ : p->next;
}

const char *few__packed_bring(const few_plan *plan, const struct few_binding *b) {
  struct few_packed *p = plan->packed;
  if (!b->values) return NULL;
  pthread_mutex_lock(&p->lock);
  if (p->values != b->values) {
    assert(p->busy == 0);
    p->values = b->values;
    p->next = 0;
  }
  p->busy++;
  for (int i; (i = take(plan)) < plan->code.n;) {
    pthread_mutex_unlock(&p->lock);
    pack(plan, b, &plan->code.at[i]);
    pthread_mutex_lock(&p->lock);
  }
  if (--p->busy == 0) pthread_cond_broadcast(&p->all_done);
  while (p->busy) pthread_cond_wait(&p->all_done, &p->lock);
  pthread_mutex_unlock(&p->lock);
  return p->data;
}
