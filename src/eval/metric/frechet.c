/* frechet.c - the Frechet distance of normal distributions (Frechet 1957; Dowson and Landau 1982),
 * squared, as in the literature on images (Heusel et al. 2017, arXiv:1706.08500):
 *
 *   d^2 = |mu_1 - mu_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^(1/2)
 *
 * S_1 S_2 is not symmetric. A general solver for its root gives a small imaginary part, which must
 * be dropped, and fails for a singular covariance unless something is added to the diagonal. This
 * file uses S = Q L Q^T, with which
 *
 *   tr (S_1 S_2)^(1/2) = tr (S_1^(1/2) S_2 S_1^(1/2))^(1/2) = sum of the singular values of A,
 *   A = L_1^(1/2) Q_1^T Q_2 L_2^(1/2)
 *
 * This also holds for singular covariances. The singular values are not computed as roots of the
 * eigenvalues of A A^T, because the root turns a rounding error of 1e-16 in a zero into 1e-8.
 * Eigenvalues below d eps of the largest are rounding errors, and are taken as 0.
 */
#include "frechet.h"

#include <float.h>
#include <math.h>

#include "base/lapack.h"
#include "base/watch.h"
#include "gram.h"

/* The root of a covariance: the rows sqrt(l_i) q_i with l_i > 0, in panels. */
struct root {
  double *panels;
  int64_t rank;
  double trace;
};

struct cross {
  const struct root *a, *b;
  int64_t d;
  double *out;    /* [rank a][rank b] */
  double *strips; /* [workers][8][rank b rounded up] */
  struct few_watch watch;
};

static few_status no_solution(few_ctx *ctx, const char *what, int64_t d, int info) {
  return few__fail(ctx, FEW_E_UNSUPPORTED,
                   "the %s of a covariance of %lld x %lld did not converge (LAPACK: %d): check "
                   "the features for huge values",
                   what, (long long)d, (long long)d, info);
}

/* Decomposes cov = Q L Q^T. On return row i of `cov` is q_i. */
static few_status eigen(few_ctx *ctx, int64_t d, double *cov, double *value) {
  const int n = (int)d;
  int int_size, *ints = NULL;
  double size, *work = NULL;
  few_status st = FEW_OK;
  int info = few__lapack_eigen(n, cov, value, &size, -1, &int_size, -1);
  assert(info == 0);
  FEW_GOTO(FEW_NEW(ctx, &work, size));
  FEW_GOTO(FEW_NEW(ctx, &ints, int_size));
  info = few__lapack_eigen(n, cov, value, work, (int)size, ints, int_size);
  if (info) st = no_solution(ctx, "eigenvalues", d, info);
out:
  few__free(ctx, ints);
  few__free(ctx, work);
  return st;
}

static few_status take_root(few_ctx *ctx, int64_t d, double *cov, struct root *out) {
  double *value = NULL;
  few_status st = FEW_OK;
  for (int64_t i = 0; i < d; i++) out->trace += cov[i * d + i];
  FEW_GOTO(FEW_NEW(ctx, &value, d));
  FEW_GOTO(eigen(ctx, d, cov, value));
  int64_t first = 0; /* the eigenvalues are in rising order */
  while (first < d && value[first] <= (double)d * DBL_EPSILON * value[d - 1]) first++;
  out->rank = d - first;
  FEW_GOTO(FEW_NEW(ctx, &out->panels, few__panels_size(out->rank, d)));
  for (int64_t i = 0; i < out->rank; i++) {
    double *panel = out->panels + i / FEW_PANEL * FEW_PANEL * d + i % FEW_PANEL;
    const double length = sqrt(value[first + i]), *q = cov + (first + i) * d;
    for (int64_t k = 0; k < d; k++) panel[k * FEW_PANEL] = length * q[k];
  }
out:
  few__free(ctx, value);
  return st;
}

static void cross_rows(void *user, int64_t p, int worker) {
  struct cross *c = user;
  const int64_t panels = few__panels(c->b->rank), wide = panels * FEW_PANEL;
  if (few__watch_stop(&c->watch, worker)) return;
  double *strip = c->strips + worker * FEW_PANEL * wide;
  few__gram_strip(c->a->panels + p * FEW_PANEL * c->d, c->b->panels, panels, c->d, strip);
  for (int64_t i = p * FEW_PANEL; i < c->a->rank && i < (p + 1) * FEW_PANEL; i++)
    memcpy(c->out + i * c->b->rank, strip + (i - p * FEW_PANEL) * wide,
           (size_t)c->b->rank * sizeof *strip);
}

/* Sum of the singular values of a [rows][columns], which is overwritten. */
static few_status nuclear(few_ctx *ctx, int64_t rows, int64_t columns, double *a, double *sum) {
  const int m = (int)columns, n = (int)rows; /* a^T to LAPACK */
  const int64_t count = rows < columns ? rows : columns;
  double size, *value = NULL, *work = NULL;
  int *ints = NULL;
  few_status st = FEW_OK;
  *sum = 0;
  if (!count) return FEW_OK;
  FEW_GOTO(FEW_NEW(ctx, &value, count));
  FEW_GOTO(FEW_NEW(ctx, &ints, 8 * count));
  int info = few__lapack_singular(m, n, a, value, &size, -1, ints);
  assert(info == 0);
  FEW_GOTO(FEW_NEW(ctx, &work, size));
  info = few__lapack_singular(m, n, a, value, work, (int)size, ints);
  if (info) FEW_GOTO(no_solution(ctx, "singular values", count, info));
  for (int64_t i = count - 1; i >= 0; i--) *sum += value[i]; /* small ones first */
out:
  few__free(ctx, work);
  few__free(ctx, ints);
  few__free(ctx, value);
  return st;
}

static few_status root_trace(few_ctx *ctx, few_workers *w, int64_t d, const struct root *a,
                             const struct root *b, double *out) {
  struct cross c = {.a = a,
                    .b = b,
                    .d = d,
                    .watch = {.ctx = ctx, .at = {.what = "Frechet distance"}, .began = few__now()}};
  few_status st = FEW_OK;
  FEW_GOTO(FEW_NEW(ctx, &c.out, a->rank * b->rank));
  FEW_GOTO(FEW_NEW(ctx, &c.strips,
                   few__panels(b->rank) * FEW_PANEL * FEW_PANEL * few__workers_count(w)));
  few__workers_run(w, few__panels(a->rank), cross_rows, &c);
  FEW_GOTO(c.watch.status);
  FEW_GOTO(nuclear(ctx, a->rank, b->rank, c.out, out));
out:
  few__free(ctx, c.strips);
  few__free(ctx, c.out);
  return st;
}

few_status few__frechet_of(few_ctx *ctx, few_workers *w, int64_t d, const double *mean_a,
                           double *cov_a, const double *mean_b, double *cov_b,
                           struct few_frechet *out) {
  struct root a = {0}, b = {0};
  double root = 0;
  int threads;
  few_status st = FEW_OK;
  *out = (struct few_frechet){0};
  FEW_GOTO(few__lapack_begin(ctx, &threads));
  FEW_GOTO(take_root(ctx, d, cov_a, &a));
  FEW_GOTO(take_root(ctx, d, cov_b, &b));
  FEW_GOTO(root_trace(ctx, w, d, &a, &b, &root));
  for (int64_t i = 0; i < d; i++) {
    double delta = mean_a[i] - mean_b[i];
    out->mean_part += delta * delta;
  }
  /* tr S_1 + tr S_2 >= 2 tr root, except for rounding */
  out->distance = out->mean_part + fmax(0, a.trace + b.trace - 2 * root);
  out->rank[0] = a.rank;
  out->rank[1] = b.rank;
out:
  few__lapack_end(threads);
  few__free(ctx, a.panels);
  few__free(ctx, b.panels);
  return st;
}

few_status few__frechet(few_ctx *ctx, few_workers *w, const few_moments *a, const few_moments *b,
                        struct few_frechet *out) {
  const int64_t d = few__moments_dim(a);
  double *cov_a = NULL, *cov_b = NULL;
  few_status st = FEW_OK;
  assert(few__moments_dim(b) == d);
  FEW_GOTO(FEW_NEW(ctx, &cov_a, d * d));
  FEW_GOTO(FEW_NEW(ctx, &cov_b, d * d));
  few__moments_covariance(a, cov_a);
  few__moments_covariance(b, cov_b);
  FEW_GOTO(
      few__frechet_of(ctx, w, d, few__moments_mean(a), cov_a, few__moments_mean(b), cov_b, out));
out:
  few__free(ctx, cov_a);
  few__free(ctx, cov_b);
  return st;
}
