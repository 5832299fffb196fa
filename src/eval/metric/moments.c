/* moments.c - a running mean and covariance.
 *
 * Rows are collected in blocks of 256. The mean of a full block is subtracted from it, the block is
 * multiplied with itself, and the result is merged with the sums so far (Chan, Golub and LeVeque
 * 1979, with n rows so far and b in the block):
 *
 *   delta = mean_b - mean,  mean += delta b / (n + b),  M += M_b + delta delta^T n b / (n + b)
 *
 * Other implementations subtract n mean^2 from the sum of squares. That loses digits if the mean is
 * large compared with the deviation, as with pixels and with features after a ReLU. Here nothing
 * large is subtracted. Blocks begin at multiples of 256 rows, so the bits do not depend on how rows
 * are grouped into calls.
 */
#include "moments.h"

#include "gram.h"

enum { BLOCK = 256 };

struct few_moments {
  few_ctx *ctx;
  few_workers *w;
  const char *what;
  int64_t d, n, held; /* rows merged, rows waiting */
  float *waiting;     /* [BLOCK][d] */
  double *panels;     /* the block minus its mean, one panel per 8 columns: [d / 8][held][8] */
  double *block_mean; /* [d rounded up to 8] */
  double *strips;     /* one row of tiles per worker: [workers][8][d rounded up] */
  double *mean;       /* [d] */
  double *m2;         /* [d][d], the lower half */
};

few_status few__moments_create(few_ctx *ctx, few_moments **out, few_workers *w, int64_t d,
                               const char *what) {
  few_moments *m = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  if (d > FEW_MOMENTS_MAX_DIM)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "%s: rows of %lld values, and a covariance is kept up to %d: take a feature "
                     "net with fewer",
                     what, (long long)d, FEW_MOMENTS_MAX_DIM);
  size_t wide = (size_t)few__panels(d) * FEW_PANEL;
  FEW_GOTO(FEW_NEW(ctx, &m, 1));
  *m = (few_moments){.ctx = ctx, .w = w, .what = what, .d = d};
  FEW_GOTO(FEW_NEW(ctx, &m->waiting, (size_t)d * BLOCK));
  FEW_GOTO(FEW_NEW(ctx, &m->panels, wide * BLOCK));
  FEW_GOTO(FEW_NEW(ctx, &m->block_mean, wide));
  FEW_GOTO(FEW_NEW(ctx, &m->strips, wide * FEW_PANEL * (size_t)few__workers_count(w)));
  FEW_GOTO(FEW_NEW(ctx, &m->mean, d));
  FEW_GOTO(FEW_NEW(ctx, &m->m2, (size_t)d * (size_t)d));
  *out = m;
out:
  if (st) few__moments_free(m);
  return st;
}

void few__moments_free(few_moments *m) {
  if (!m) return;
  few__free(m->ctx, m->waiting);
  few__free(m->ctx, m->panels);
  few__free(m->ctx, m->block_mean);
  few__free(m->ctx, m->strips);
  few__free(m->ctx, m->mean);
  few__free(m->ctx, m->m2);
  few__free(m->ctx, m);
}

/* Writes columns 8 p .. 8 p + 7 of the block, minus their means, as panel p. */
static void centre(void *user, int64_t p, int worker) {
  few_moments *m = user;
  const int64_t rows = m->held, first = p * FEW_PANEL;
  const int64_t width = m->d - first < FEW_PANEL ? m->d - first : FEW_PANEL;
  double *panel = m->panels + p * FEW_PANEL * rows;
  FEW_UNUSED(worker);
  for (int64_t j = 0; j < width; j++) {
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += (double)m->waiting[r * m->d + first + j];
    m->block_mean[first + j] = sum / (double)rows;
  }
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < FEW_PANEL; j++)
      panel[r * FEW_PANEL + j] =
          j < width ? (double)m->waiting[r * m->d + first + j] - m->block_mean[first + j] : 0;
}

/* Merges the block into rows 8 p .. 8 p + 7 of the lower half of M. */
static void merge_rows(void *user, int64_t p, int worker) {
  few_moments *m = user;
  const int64_t d = m->d, wide = (p + 1) * FEW_PANEL, rows = m->held;
  double *strip = m->strips + worker * FEW_PANEL * few__panels(d) * FEW_PANEL;
  const double weight = (double)m->n * (double)rows / (double)(m->n + rows);
  few__gram_strip(m->panels + p * FEW_PANEL * rows, m->panels, p + 1, rows, strip);
  for (int64_t i = p * FEW_PANEL; i < d && i < wide; i++) {
    double di = (m->block_mean[i] - m->mean[i]) * weight;
    const double *s = strip + (i - p * FEW_PANEL) * wide;
    for (int64_t j = 0; j <= i; j++)
      m->m2[i * d + j] += s[j] + di * (m->block_mean[j] - m->mean[j]);
  }
}

static void merge(few_moments *m) {
  if (!m->held) return;
  few__workers_run(m->w, few__panels(m->d), centre, m);
  few__workers_run(m->w, few__panels(m->d), merge_rows, m);
  const double part = (double)m->held / (double)(m->n + m->held);
  for (int64_t i = 0; i < m->d; i++) m->mean[i] += (m->block_mean[i] - m->mean[i]) * part;
  m->n += m->held;
  m->held = 0;
}

void few__moments_add(few_moments *m, int64_t n, const float *rows) {
  assert(n >= 0 && (rows || !n) && m->held < BLOCK);
  while (n > 0) {
    int64_t k = n < BLOCK - m->held ? n : BLOCK - m->held;
    memcpy(m->waiting + m->held * m->d, rows, (size_t)(k * m->d) * sizeof *rows);
    m->held += k;
    rows += k * m->d;
    n -= k;
    if (m->held == BLOCK) merge(m);
  }
}

void few__moments_end(few_moments *m) { merge(m); }

int64_t few__moments_n(const few_moments *m) { return m->n; }
int64_t few__moments_dim(const few_moments *m) { return m->d; }
const double *few__moments_mean(const few_moments *m) { return m->mean; }
const double *few__moments_sums(const few_moments *m) { return m->m2; }

void few__moments_restore(few_moments *m, int64_t n, const double *mean, const double *sums) {
  assert(!m->n && !m->held);
  m->n = n;
  memcpy(m->mean, mean, (size_t)m->d * sizeof *mean);
  memcpy(m->m2, sums, (size_t)(m->d * m->d) * sizeof *sums);
}

void few__moments_covariance(const few_moments *m, double *out) {
  assert(m->n >= 2 && !m->held);
  for (int64_t i = 0; i < m->d; i++)
    for (int64_t j = 0; j <= i; j++)
      out[i * m->d + j] = out[j * m->d + i] = m->m2[i * m->d + j] / (double)(m->n - 1);
}
