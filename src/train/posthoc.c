/* posthoc.c - averages of a run's weights, of any width, after the run (Karras et al., EDM2, arXiv
 * 2312.02696, section 3.2).
 *
 * A run with snapshot_every keeps two power-function averages and writes them now and then, as
 * models. Another average is the combination of them whose profile, the weight that each moment of
 * the training has in it, is nearest to the one wanted (optim/ema.c). How near is known without
 * training: with the Gram matrix A of the profiles, b their products with the target and the
 * coefficients x,
 *
 *   error^2 = |target - sum x_i p_i|^2 / |target|^2 = 1 - (2 b.x - x.A x) / |target|^2.
 */
#include "posthoc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "few/train.h"
#include "io/file.h"
#include "model/model.h"
#include "train/optim/ema.h"

const double few__history_width[FEW_HISTORIES] = {0.05, 0.1};
static const double max_error = 0.1; /* of a profile */

few_status few__snapshot_path(few_ctx *ctx, char **out, const char *dir, int64_t step, int i) {
  char name[64];
  snprintf(name, sizeof name, "snapshot-%09" PRId64 "-%03d.safetensors", step,
           (int)lround(1000 * few__history_width[i]));
  return few__path_join(ctx, out, dir, name);
}

/* ---- the snapshots of a directory ---- */

struct snapshots {
  int n;
  struct few_ema_profile *profile; /* `seen` in steps */
  char **path;
};

static void free_snapshots(few_ctx *ctx, struct snapshots *s) {
  for (int i = 0; i < s->n; i++) few__free(ctx, s->path[i]);
  few__free(ctx, s->path);
  few__free(ctx, s->profile);
}

/* Whether `name` is that of a snapshot; sets its step and which of the averages it has. */
static bool is_snapshot(const char *name, int64_t *step, int *width) {
  int permille = 0, end = 0;
  if (sscanf(name, "snapshot-%9" SCNd64 "-%3d.safetensors%n", step, &permille, &end) != 2 || !end ||
      name[end] || *step < 1)
    return false;
  for (*width = 0; *width < FEW_HISTORIES; ++*width)
    if (permille == (int)lround(1000 * few__history_width[*width])) return true;
  return false;
}

static few_status find(few_ctx *ctx, struct snapshots *out, const char *dir, int64_t last) {
  struct few_names names;
  FEW_TRY(few__list_dir(ctx, &names, dir));
  few_status st = FEW_NEW(ctx, &out->profile, names.n + 1);
  if (!st) st = FEW_NEW(ctx, &out->path, names.n + 1);
  for (int i = 0; i < names.n && !st; i++) {
    int64_t step;
    int width;
    if (!is_snapshot(names.at[i], &step, &width) || step > last) continue;
    st = few__path_join(ctx, &out->path[out->n], dir, names.at[i]);
    out->profile[out->n++] =
        (struct few_ema_profile){few__ema_gamma(few__history_width[width]), (double)step};
  }
  few__names_free(ctx, &names);
  return st;
}

/* ---- the combination ---- */

static double profile_error(const struct snapshots *s, struct few_ema_profile target,
                            const double *x) {
  const double whole = few__ema_dot(target, target);
  double fit = 0;
  for (int i = 0; i < s->n; i++) {
    fit += 2 * x[i] * few__ema_dot(s->profile[i], target);
    for (int j = 0; j < s->n; j++) fit -= x[i] * x[j] * few__ema_dot(s->profile[i], s->profile[j]);
  }
  const double left = 1 - fit / whole;
  return left > 0 ? sqrt(left) : 0;
}

/* Adds share times the weights of the snapshot to sum [n], which the first one allocates. The model
 * stays in *out if it is the newest so far. */
static few_status add(few_ctx *ctx, few_model **newest, double **sum, const char *path,
                      double share) {
  few_model *m = NULL;
  FEW_TRY(few_model_load(&m, ctx, path));
  const int64_t n = m->params.total;
  few_status st = FEW_OK;
  if (!*sum) st = FEW_NEW(ctx, sum, n);
  if (!st && *newest && (*newest)->params.total != n)
    st = few__fail(ctx, FEW_E_INVALID,
                   "%s is of another network than the other snapshots in its directory: remove it",
                   path);
  if (!st) {
    for (int64_t i = 0; i < n; i++) (*sum)[i] += share * (double)m->values[i];
    if (!*newest || m->step >= (*newest)->step) {
      few_model *before = *newest;
      *newest = m;
      m = before;
    }
  }
  few_model_free(m);
  return st;
}

static few_status combine(few_ctx *ctx, few_model **out, const struct snapshots *s,
                          const double *x) {
  double *sum = NULL;
  few_status st = FEW_OK;
  for (int i = 0; i < s->n && !st; i++) st = add(ctx, out, &sum, s->path[i], x[i]);
  if (!st) {
    float *values = few__model_write(*out);
    assert(sum); /* there is at least one snapshot */
    for (int64_t i = 0; i < (*out)->params.total; i++) values[i] = (float)sum[i];
  }
  few__free(ctx, sum);
  return st;
}

static few_status fit(few_ctx *ctx, const char *run, const struct snapshots *s, double sigma_rel,
                      double *x, struct few_posthoc_report *report) {
  double last = 0;
  for (int i = 0; i < s->n; i++) last = fmax(last, s->profile[i].seen);
  const struct few_ema_profile target = {few__ema_gamma(sigma_rel), last};
  FEW_TRY(few__ema_posthoc(ctx, s->n, s->profile, target, x));
  report->snapshots = s->n;
  report->step = (int64_t)last;
  report->error = profile_error(s, target, x);
  if (report->error <= max_error) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "%s: an average of sigma_rel %g cannot be made from its %d snapshots (the weight "
      "of each moment would be wrong by %.0f %%): train with a smaller snapshot_every, "
      "or take a sigma_rel nearer to %g or %g",
      run, sigma_rel, s->n, 100 * report->error, few__history_width[0], few__history_width[1]);
}

few_status few_posthoc_average(few_model **out, struct few_posthoc_report *report, few_ctx *ctx,
                               const char *run, double sigma_rel, int64_t last) {
  struct few_posthoc_report unused;
  struct snapshots s = {0};
  double *x = NULL;
  few_status st;
  *out = NULL;
  if (!report) report = &unused;
  *report = (struct few_posthoc_report){0};
  if (!(sigma_rel > 0 && sigma_rel <= few__ema_sigma_rel(0)))
    return few__fail(ctx, FEW_E_INVALID, "sigma_rel = %g is not in 0 .. %.3g", sigma_rel,
                     few__ema_sigma_rel(0));
  FEW_GOTO(find(ctx, &s, run, last > 0 ? last : INT64_MAX));
  if (!s.n) {
    st = few__fail(ctx, FEW_E_INVALID,
                   "%s has no snapshots%s: train with snapshot_every = K, which writes them every "
                   "K steps",
                   run, last > 0 ? " up to this step" : "");
    goto out;
  }
  FEW_GOTO(FEW_NEW(ctx, &x, s.n));
  FEW_GOTO(fit(ctx, run, &s, sigma_rel, x, report));
  FEW_GOTO(combine(ctx, out, &s, x));
out:
  if (st) {
    few_model_free(*out);
    *out = NULL;
  }
  few__free(ctx, x);
  free_snapshots(ctx, &s);
  return st;
}
