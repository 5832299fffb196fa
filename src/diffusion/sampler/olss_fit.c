/* olss_fit.c - optimal linear subspace search (Duan et al., arXiv 2305.14677): times and weights.
 *
 * A long run of N steps has states x_0 .. x_N and outputs F_0 .. F_{N-1}. For a path
 * 0 = i_0 < i_1 < ... < i_{n-1} < N, i_n = N, step k is the least-squares fit
 *
 *   x_{i_{k+1}} = w_x x_0 + sum_{j <= k} w_j F_{i_j}
 *
 * over all values of all rows, where each w is a scalar. DDIM on the path is one choice of w, and
 * the fit is computed as the smallest correction to it. If columns are linearly dependent up to
 * rounding, the correction has no component along changes of w that hardly change x, so no fit is
 * worse than DDIM's. (The paper fits w directly, which is the same if the columns are independent.)
 *
 * Path search: a bound E on the error gives a path, in which i_{k+1} is the farthest index whose
 * fit from i_k has an error of at most E. It is found by bisection, and so is the smallest E whose
 * path has at most n steps. If that path has fewer than n steps, its widest steps are halved.
 *
 * The fits use one QR decomposition of the matrix A of all columns [x_0 F_0 .. F_{N-1} x_1 .. x_N]:
 * a fit among columns of A is the same as among those of the small matrix R. Householder's QR does
 * not square the condition number as normal equations would. It is computed block by block, as the
 * QR of R above the next rows.
 */
#include <math.h>

#include "base/lapack.h"
#include "diffusion/process/predict.h"
#include "olss.h"

static const double rank_tolerance = 1e-6; /* floats carry 6e-8 */
enum { ROUNDS = 60 }; /* of the bisection on E, whose range is a factor of 1e18 */

struct fit {
  double started;
  few_ctx *ctx;
  const struct few_olss_run *run;
  int N, columns;    /* columns = 2 N + 1 */
  double *R;         /* [columns][columns], column by column, divided by sqrt(run->n) */
  double *a, *b, *w; /* a fit's matrix, its right side, and the weights */
  double *work;
  int *pivot, work_size;
  int *path; /* [N + 1] */
};

static int F_column(int i) { return 1 + i; }
static int x_column(const struct fit *f, int i) { return i ? f->N + i : 0; }

static const float *column(const struct fit *f, int k) {
  const struct few_olss_run *r = f->run;
  if (k == 0) return r->x;
  return k <= f->N ? r->F + (k - 1) * r->n : r->x + (k - f->N) * r->n;
}

static few_status failed(const struct fit *f, int info) {
  return few__fail(
      f->ctx, FEW_E_UNSUPPORTED,
      "a fit of %d columns failed (LAPACK: %d): the run may have values that are huge or "
      "not finite",
      f->columns, info);
}

/* ---- the QR decomposition ---- */

static few_status report(const struct fit *f, const char *what, int64_t done, int64_t total) {
  return few__progress(f->ctx,
                       &(struct few_progress){what, done, total, few__now() - f->started, NULL});
}

/* Copies R without the values that Householder's method leaves below the diagonal. */
static void keep_triangle(const struct fit *f, const double *stack, int64_t height) {
  for (int k = 0; k < f->columns; k++)
    for (int i = 0; i < f->columns; i++)
      f->R[k * f->columns + i] = i <= k ? stack[k * height + i] : 0;
}

static few_status reduce(struct fit *f) {
  const int64_t c = f->columns, block = 2 * c, height = c + block;
  double *stack = NULL, *tau = NULL, *work = NULL;
  few_status st = FEW_OK;
  FEW_GOTO(FEW_NEW(f->ctx, &stack, height * c));
  FEW_GOTO(FEW_NEW(f->ctx, &tau, c));
  FEW_GOTO(FEW_NEW(f->ctx, &work, 64 * c));
  for (int64_t at = 0; at < f->run->n; at += block) {
    const int64_t rows = f->run->n - at < block ? f->run->n - at : block;
    for (int k = 0; k < c; k++) {
      memcpy(stack + k * height, f->R + k * c, (size_t)c * sizeof *stack);
      for (int64_t i = 0; i < block; i++)
        stack[k * height + c + i] = i < rows ? (double)column(f, k)[at + i] : 0;
    }
    const int info =
        few__lapack_qr((int)height, (int)c, stack, (int)height, tau, work, (int)(64 * c));
    if (info) FEW_GOTO(failed(f, info));
    keep_triangle(f, stack, height);
    FEW_GOTO(report(f, "reducing the run", at + rows, f->run->n));
  }
  for (int64_t i = 0; i < c * c; i++) f->R[i] /= sqrt((double)f->run->n);
out:
  few__free(f->ctx, stack);
  few__free(f->ctx, tau);
  few__free(f->ctx, work);
  return st;
}

/* ---- one fit ---- */

/* Sets f->w to DDIM's weights for path[0..k] and a step from path[k] to `to`. */
static void ddim_weights(struct fit *f, int k, int to) {
  const double *t = f->run->t;
  for (int j = 0; j <= k + 1; j++) f->w[j] = j == 0;
  for (int j = 0; j <= k; j++) {
    struct few_line line =
        few_step_ddim(f->run->sigma_d, t[f->path[j]], t[j < k ? f->path[j + 1] : to]);
    for (int i = 0; i <= j; i++) f->w[i] *= line.x;
    f->w[j + 1] = line.y;
  }
}

/* Sets b = x_to minus w times the columns of path[0..k], and returns its length. */
static double residual(struct fit *f, int k, int to) {
  const int c = f->columns;
  double square = 0;
  for (int i = 0; i < c; i++) {
    double sum = f->R[x_column(f, to) * c + i];
    for (int j = 0; j <= k + 1; j++)
      sum -= f->w[j] * f->R[(j ? F_column(f->path[j - 1]) : 0) * c + i];
    f->b[i] = sum;
    square += sum * sum;
  }
  return sqrt(square);
}

/* Fits the weights f->w and computes their error. */
static few_status solve(struct fit *f, int k, int to, double *rms, double *ddim_rms) {
  const int c = f->columns, unknowns = k + 2;
  int rank;
  ddim_weights(f, k, to);
  *ddim_rms = residual(f, k, to);
  for (int j = 0; j < unknowns; j++) {
    const double *from = f->R + (j ? F_column(f->path[j - 1]) : 0) * c;
    memcpy(f->a + j * c, from, (size_t)c * sizeof *f->a);
    f->pivot[j] = 0;
  }
  const int info = few__lapack_solve(c, unknowns, f->a, c, f->b, c, f->pivot, rank_tolerance, &rank,
                                     f->work, f->work_size);
  if (info) return failed(f, info);
  for (int j = 0; j < unknowns; j++) f->w[j] += f->b[j];
  *rms = residual(f, k, to);
  return FEW_OK;
}

/* ---- the path ---- */

/* The farthest index after path[k] whose step has an error of at most E; at least path[k] + 1. */
static few_status farthest(struct fit *f, int k, double E, int *out) {
  int near = f->path[k] + 1, far = f->N;
  while (near < far) {
    const int middle = near + (far - near + 1) / 2;
    double rms, ddim_rms;
    FEW_TRY(solve(f, k, middle, &rms, &ddim_rms));
    if (rms <= E)
      near = middle;
    else
      far = middle - 1;
  }
  *out = near;
  return FEW_OK;
}

/* Computes the path of the bound E in f->path, and its number of steps, or `most` + 1 if it has
 * more. */
static few_status follow(struct fit *f, double E, int most, int *steps) {
  f->path[0] = 0;
  for (*steps = 0; *steps <= most && f->path[*steps] < f->N; ++*steps)
    FEW_TRY(farthest(f, *steps, E, &f->path[*steps + 1]));
  return FEW_OK;
}

static void halve_widest(int *path, int *steps) {
  int widest = 0;
  for (int k = 1; k < *steps; k++)
    if (path[k + 1] - path[k] > path[widest + 1] - path[widest]) widest = k;
  for (int k = ++*steps; k > widest + 1; k--) path[k] = path[k - 1];
  path[widest + 1] = (path[widest] + path[widest + 2]) / 2;
}

static few_status search_path(struct fit *f, int n) {
  double high, low, ddim_rms;
  int steps;
  f->path[0] = 0;
  FEW_TRY(solve(f, 0, f->N, &high, &ddim_rms)); /* with this bound, one step is enough */
  low = high * 1e-18;
  for (int round = 0; round < ROUNDS && high > 0; round++) {
    const double E = sqrt(low) * sqrt(high);
    FEW_TRY(follow(f, E, n, &steps));
    *(steps <= n ? &high : &low) = E;
    FEW_TRY(report(f, "fitting steps", round + 1, ROUNDS));
  }
  FEW_TRY(follow(f, high, n, &steps));
  assert(steps <= n);
  while (steps < n) halve_widest(f->path, &steps);
  return FEW_OK;
}

/* ---- the fit ---- */

static few_status make_room(struct fit *f) {
  const int64_t c = f->columns, k = f->N + 2;
  f->work_size = (int)(64 * (k + 1) + 3 * k);
  FEW_TRY(FEW_NEW(f->ctx, &f->R, c * c));
  FEW_TRY(FEW_NEW(f->ctx, &f->a, c * k));
  FEW_TRY(FEW_NEW(f->ctx, &f->b, c));
  FEW_TRY(FEW_NEW(f->ctx, &f->w, k));
  FEW_TRY(FEW_NEW(f->ctx, &f->work, f->work_size));
  FEW_TRY(FEW_NEW(f->ctx, &f->pivot, k));
  return FEW_NEW(f->ctx, &f->path, f->N + 2);
}

static few_status fill(struct fit *f, struct few_olss *o) {
  f->path[o->steps] = f->N;
  for (int k = 0; k < o->steps; k++) {
    o->t[k] = f->run->t[f->path[k]];
    FEW_TRY(solve(f, k, f->path[k + 1], &o->rms[k], &o->ddim_rms[k]));
    o->x[k] = f->w[0];
    for (int j = 0; j <= k; j++) o->F[k * o->steps + j] = f->w[j + 1];
  }
  return FEW_OK;
}

few_status few__olss_fit(few_ctx *ctx, struct few_olss **out, const struct few_olss_run *run,
                         int steps, bool search) {
  struct fit f = {.ctx = ctx,
                  .run = run,
                  .N = run->steps,
                  .columns = 2 * run->steps + 1,
                  .started = few__now()};
  int threads;
  few_status st;
  assert(steps >= 1 && steps <= run->steps && run->n >= f.columns);
  *out = NULL;
  FEW_GOTO(few__lapack_begin(ctx, &threads));
  FEW_GOTO(make_room(&f));
  FEW_GOTO(reduce(&f));
  for (int k = 0; k < steps; k++) f.path[k] = (int)((int64_t)k * f.N / steps);
  if (search) FEW_GOTO(search_path(&f, steps));
  FEW_GOTO(few__olss_new(ctx, out, steps, run->sigma_d));
  FEW_GOTO(fill(&f, *out));
out:
  few__lapack_end(threads);
  if (st) {
    few__olss_free(ctx, *out);
    *out = NULL;
  }
  void *const all[] = {f.R, f.a, f.b, f.w, f.work, f.pivot, f.path};
  for (int i = 0; i < FEW_COUNT(all); i++) few__free(ctx, all[i]);
  return st;
}
