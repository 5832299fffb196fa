/* workers.c - threads that wait on a condition variable. The tasks of a job are numbered by a
 * counter, which each worker increments to get its next task. */
#include "workers.h"

#include <pthread.h>
#include <stdatomic.h>

struct worker {
  few_workers *pool;
  int index;
  pthread_t thread;
};

struct few_workers {
  few_ctx *ctx;
  int n;
  struct worker *worker; /* worker[0] is the calling thread and has no pthread */
  pthread_mutex_t lock;
  pthread_cond_t wake, done;
  uint64_t job; /* number of the current job: a sleeping worker waits for it to change */
  int busy;
  bool quit;
  int64_t tasks;
  atomic_llong next;
  void (*task)(void *user, int64_t i, int worker);
  void *user;
};

static void drain(few_workers *w, int index) {
  for (;;) {
    int64_t i = atomic_fetch_add(&w->next, 1);
    if (i >= w->tasks) return;
    w->task(w->user, i, index);
  }
}

static void *worker_main(void *arg) {
  struct worker *me = arg;
  few_workers *w = me->pool;
  uint64_t seen = 0;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    while (w->job == seen && !w->quit) pthread_cond_wait(&w->wake, &w->lock);
    if (w->quit) break;
    seen = w->job;
    pthread_mutex_unlock(&w->lock);
    drain(w, me->index);
    pthread_mutex_lock(&w->lock);
    if (--w->busy == 0) pthread_cond_signal(&w->done);
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

few_status few__workers_create(few_ctx *ctx, few_workers **out, int n) {
  *out = NULL;
  few_workers *w;
  FEW_TRY(FEW_NEW(ctx, &w, 1));
  w->ctx = ctx;
  w->n = 1;
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->wake, NULL);
  pthread_cond_init(&w->done, NULL);
  few_status st = FEW_NEW(ctx, &w->worker, n < 1 ? 1 : n);
  for (; !st && w->n < n; w->n++) {
    w->worker[w->n].pool = w;
    w->worker[w->n].index = w->n;
    if (pthread_create(&w->worker[w->n].thread, NULL, worker_main, &w->worker[w->n]))
      break; /* fewer workers give the same results, more slowly */
  }
  if (st) {
    few__workers_free(w);
    return st;
  }
  *out = w;
  return FEW_OK;
}

void few__workers_free(few_workers *w) {
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->quit = true;
  pthread_cond_broadcast(&w->wake);
  pthread_mutex_unlock(&w->lock);
  for (int i = 1; i < w->n; i++) pthread_join(w->worker[i].thread, NULL);
  pthread_cond_destroy(&w->done);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  few__free(w->ctx, w->worker);
  few__free(w->ctx, w);
}

int few__workers_count(const few_workers *w) { return w->n; }

void few__workers_run(few_workers *w, int64_t n, void (*task)(void *user, int64_t i, int worker),
                      void *user) {
  pthread_mutex_lock(&w->lock);
  assert(n >= 0 && task && !w->busy); /* one job at a time */
  w->tasks = n;
  w->task = task;
  w->user = user;
  atomic_store(&w->next, 0);
  w->busy = w->n - 1;
  w->job++;
  pthread_cond_broadcast(&w->wake);
  pthread_mutex_unlock(&w->lock);
  drain(w, 0);
  pthread_mutex_lock(&w->lock);
  while (w->busy > 0) pthread_cond_wait(&w->done, &w->lock);
  pthread_mutex_unlock(&w->lock);
}
