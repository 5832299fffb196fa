/* energy.c - the energy distance (Szekely and Rizzo 2013, J. Statistical Planning and Inference
 * 143, 1249)
 *
 *   2 E |x - y| - E |x - x'| - E |y - y'|
 *
 * of rows x, x' of the samples and y, y' of the reference. Each expectation is the mean over all
 * pairs of two different rows. That makes the estimate unbiased, so it may be negative. The
 * distance is 0 only for equal distributions, has no parameters, and is in the units of the rows.
 * It detects missing modes, which fd may not, since that depends only on means and covariances. So
 * it is the metric for points.
 */
#include <math.h>
#include <stdio.h>

#include "base/watch.h"
#include "gram.h"
#include "metric.h"

enum { STRIP = 32 };  /* panels at once, few enough for the cache */
enum { GROUP = 128 }; /* panels between two progress reports */

struct energy {
  int64_t d;
  const few_eval_set *a, *b; /* sets whose pairs are summed; if a is b, each pair counts once */
  const double *norm_a, *norm_b;
  double *sum;            /* [panels of a] of distances */
  double *strips;         /* [workers][8][8 STRIP] */
  int64_t first;          /* first panel of the group */
  struct few_watch watch; /* counts panels of all sums */
};

static const double *panel(const few_eval_set *s, int64_t p) {
  return s->panels + p * FEW_PANEL * s->o.dim;
}

static void sum_panel(void *user, int64_t k, int worker) {
  struct energy *e = user;
  const int64_t p = e->first + k;
  const bool self = e->a == e->b;
  const int64_t all = self ? p + 1 : few__panels(e->b->kept);
  double *strip = e->strips + worker * FEW_PANEL * FEW_PANEL * STRIP, sum = 0;
  for (int64_t q = 0; q < all && !few__watch_stop(&e->watch, worker); q += STRIP) {
    const int64_t panels = all - q < STRIP ? all - q : STRIP, wide = panels * FEW_PANEL;
    few__gram_strip(panel(e->a, p), panel(e->b, q), panels, e->d, strip);
    for (int64_t i = p * FEW_PANEL; i < (p + 1) * FEW_PANEL && i < e->a->kept; i++) {
      const int64_t end = self ? i : e->b->kept;
      const double *product = strip + (i - p * FEW_PANEL) * wide;
      for (int64_t j = q * FEW_PANEL; j < end && j < q * FEW_PANEL + wide; j++)
        sum += sqrt(fmax(0, e->norm_a[i] + e->norm_b[j] - 2 * product[j - q * FEW_PANEL]));
    }
  }
  e->sum[p] = sum;
}

static few_status norms(few_ctx *ctx, const few_eval_set *s, double **out) {
  double product[FEW_PANEL * FEW_PANEL];
  FEW_TRY(FEW_NEW(ctx, out, few__panels(s->kept) * FEW_PANEL));
  for (int64_t p = 0; p < few__panels(s->kept); p++) {
    few__gram_strip(panel(s, p), panel(s, p), 1, s->o.dim, product);
    for (int i = 0; i < FEW_PANEL; i++) (*out)[p * FEW_PANEL + i] = product[i * FEW_PANEL + i];
  }
  return FEW_OK;
}

/* The sum over all pairs, in groups of panels, with a progress report after each group. */
static few_status total(few_workers *w, struct energy *e, const few_eval_set *a,
                        const few_eval_set *b, const double *norm_a, const double *norm_b,
                        double *sum) {
  const int64_t panels = few__panels(a->kept);
  *sum = 0;
  e->a = a;
  e->b = b;
  e->norm_a = norm_a;
  e->norm_b = norm_b;
  for (e->first = 0; e->first < panels; e->first += GROUP) {
    const int64_t n = panels - e->first < GROUP ? panels - e->first : GROUP;
    few__workers_run(w, n, sum_panel, e);
    FEW_TRY(few__watch_report(&e->watch, e->watch.at.done + n));
  }
  for (int64_t p = 0; p < panels; p++) *sum += e->sum[p];
  return FEW_OK;
}

static int64_t least(const struct few_metric_opts *o) {
  FEW_UNUSED(o);
  return 2;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  const few_eval_set *x = in->set, *y = in->reference;
  const double n = (double)x->kept, m = (double)y->kept;
  struct energy e = {.d = x->o.dim,
                     .watch = {.ctx = ctx, .at = {.what = "energy distance"}, .began = few__now()}};
  double *norm_x = NULL, *norm_y = NULL, xy, xx, yy;
  few_status st = FEW_OK;
  assert(y->o.dim == x->o.dim && x->kept >= 2 && y->kept >= 2);
  e.watch.at.total = 2 * few__panels(x->kept) + few__panels(y->kept);
  FEW_GOTO(norms(ctx, x, &norm_x));
  FEW_GOTO(norms(ctx, y, &norm_y));
  FEW_GOTO(FEW_NEW(ctx, &e.sum, few__panels(x->kept > y->kept ? x->kept : y->kept)));
  FEW_GOTO(
      FEW_NEW(ctx, &e.strips, FEW_PANEL * FEW_PANEL * STRIP * few__workers_count(in->shared->w)));
  FEW_GOTO(total(in->shared->w, &e, x, y, norm_x, norm_y, &xy));
  FEW_GOTO(total(in->shared->w, &e, x, x, norm_x, norm_x, &xx));
  FEW_GOTO(total(in->shared->w, &e, y, y, norm_y, norm_y, &yy));
  xy /= n * m;
  xx /= n * (n - 1) / 2;
  yy /= m * (m - 1) / 2;
  *out =
      (struct few_metric_value){"energy", 2 * xy - xx - yy, (double)NAN, "", x->kept, y->kept, ""};
  few__print(out->how, sizeof out->how, "unbiased; between %.6g, within %.6g and %.6g", xy, xx, yy);
out:
  few__free(ctx, norm_x);
  few__free(ctx, norm_y);
  few__free(ctx, e.sum);
  few__free(ctx, e.strips);
  return st;
}

const struct few_metric_def few__metric_energy = {
    .version = FEW_METRIC_DEF_VERSION,
    .name = "energy",
    .source = "doi:10.1016/j.jspi.2013.03.018",
    .help = "energy distance, unbiased: detects missing modes",
    .needs = FEW_NEED_ROWS | FEW_NEED_REFERENCE,
    .n_values = 1,
    .least = least,
    .run = run};
