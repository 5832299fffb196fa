/* clip.c - sum of squares, with the same bits for any number of workers.
 *
 * A chunk is summed in eight interleaved f64 lanes, so that the compiler can vectorise it without
 * reordering additions. The lanes are added in a binary tree, and so are the chunks.
 */
#include "clip.h"

#include <math.h>

enum { CHUNK = 1 << 16, LANES = 8 };

struct sumsq {
  int64_t n;
  const float *g;
  double *part;
};

double few__sum_tree(double *a, int64_t n) {
  if (n <= 0) return 0;
  for (; n > 1; n = (n + 1) / 2) {
    for (int64_t i = 0; i < n / 2; i++) a[i] = a[2 * i] + a[2 * i + 1];
    if (n % 2) a[n / 2] = a[n - 1];
  }
  return a[0];
}

static double chunk_sumsq(const float *g, int64_t n) {
  double lane[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) {
      double x = (double)g[i + k];
      lane[k] += x * x;
    }
  for (int k = 0; i < n; i++, k++) lane[k] += (double)g[i] * (double)g[i];
  return few__sum_tree(lane, LANES);
}

static void sumsq_task(void *user, int64_t i, int worker) {
  FEW_UNUSED(worker);
  struct sumsq *s = user;
  int64_t begin = i * CHUNK, n = s->n - begin;
  s->part[i] = chunk_sumsq(s->g + begin, n < CHUNK ? n : CHUNK);
}

few_status few__sumsq(few_ctx *ctx, few_workers *w, int64_t n, const float *g, double *out) {
  assert(n >= 0);
  int64_t chunks = (n + CHUNK - 1) / CHUNK;
  struct sumsq s = {n, g, NULL};
  FEW_TRY(FEW_NEW(ctx, &s.part, chunks + 1));
  if (w)
    few__workers_run(w, chunks, sumsq_task, &s);
  else
    for (int64_t i = 0; i < chunks; i++) sumsq_task(&s, i, 0);
  *out = few__sum_tree(s.part, chunks);
  few__free(ctx, s.part);
  return FEW_OK;
}

double few__clip_scale(double norm, double limit) {
  if (!isfinite(norm)) return 0;
  return limit > 0 && norm > limit ? limit / norm : 1;
}
