/* kid.c - the kernel distance, KID (Binkowski et al. 2018, arXiv:1801.01401): the unbiased estimate
 * of the squared maximum mean discrepancy with k(x, y) = (<x, y> / d + 1)^3, from m rows of each
 * set,
 *
 *   sum_(i != j) k(x_i, x_j) / (m (m - 1)) + the same of y - 2 sum_ij k(x_i, y_j) / m^2
 *
 * averaged over random subsets of the rows that are kept. It may be negative, and is about 0 for
 * two sets of the same distribution, for any m, so it is the best metric for a small number of
 * images. The error is the standard deviation over subsets.
 */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "base/watch.h"
#include "gram.h"
#include "metric.h"

struct subset {
  int64_t m, d, count; /* rows, values; subsets */
  double *x, *y;       /* panels of m rows */
  double (*sum)[3];    /* [panels] sums of k over pairs of rows of x, of y, and of x and y */
  double *strips;      /* [workers][8][m rounded up] */
  struct few_watch watch;
};

static double kernel(double product, int64_t d) {
  double k = product / (double)d + 1;
  return k * k * k;
}

/* Sum of k over panel p of `a` with all rows of `b`; if a is b, each row with the rows before
 * it. */
static double panel_sum(const struct subset *s, int64_t p, const double *a, const double *b,
                        double *strip) {
  const bool self = a == b;
  const int64_t panels = self ? p + 1 : few__panels(s->m), wide = panels * FEW_PANEL;
  double sum = 0;
  few__gram_strip(a + p * FEW_PANEL * s->d, b, panels, s->d, strip);
  for (int64_t i = 0; i < FEW_PANEL && p * FEW_PANEL + i < s->m; i++) {
    const int64_t end = self ? p * FEW_PANEL + i : s->m;
    for (int64_t j = 0; j < end; j++) sum += kernel(strip[i * wide + j], s->d);
  }
  return sum;
}

static void sum_panel(void *user, int64_t p, int worker) {
  struct subset *s = user;
  double *strip = s->strips + worker * FEW_PANEL * FEW_PANEL * few__panels(s->m);
  if (few__watch_stop(&s->watch, worker)) return;
  s->sum[p][0] = panel_sum(s, p, s->x, s->x, strip);
  s->sum[p][1] = panel_sum(s, p, s->y, s->y, strip);
  s->sum[p][2] = panel_sum(s, p, s->x, s->y, strip);
}

static void draw(const few_eval_set *set, int64_t m, uint64_t seed, uint64_t which, double *to) {
  const int64_t d = set->o.dim;
  assert(m <= set->kept);
  for (int64_t i = 0; i < m; i++) {
    int64_t row = few__rng_permute(seed, which, i, set->kept);
    const double *from = set->panels + row / FEW_PANEL * FEW_PANEL * d + row % FEW_PANEL;
    double *at = to + i / FEW_PANEL * FEW_PANEL * d + i % FEW_PANEL;
    for (int64_t k = 0; k < d; k++) at[k * FEW_PANEL] = from[k * FEW_PANEL];
  }
}

static double discrepancy(few_workers *w, struct subset *s) {
  const double m = (double)s->m;
  double sum[3] = {0};
  few__workers_run(w, few__panels(s->m), sum_panel, s);
  for (int64_t p = 0; p < few__panels(s->m); p++)
    for (int i = 0; i < 3; i++) sum[i] += s->sum[p][i];
  return 2 * (sum[0] + sum[1]) / (m * (m - 1)) - 2 * sum[2] / (m * m);
}

static few_status subsets(struct few_metric_input *in, struct subset *s, double *each) {
  for (int64_t i = 0; i < s->count; i++) {
    draw(in->set, s->m, in->opts->seed, 2 * (uint64_t)i + 1, s->x);
    draw(in->reference, s->m, in->opts->seed, 2 * (uint64_t)i + 2, s->y);
    each[i] = discrepancy(in->shared->w, s);
    FEW_TRY(few__watch_report(&s->watch, i + 1));
  }
  return FEW_OK;
}

static int64_t least(const struct few_metric_opts *o) {
  FEW_UNUSED(o);
  return 2;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  struct subset s = {.m = in->opts->subset_size, .d = in->set->o.dim, .count = in->opts->subsets};
  double *each = NULL;
  few_status st = FEW_OK;
  assert(in->reference->o.dim == s.d && in->opts->subsets > 0 && in->opts->subset_size >= 2);
  if (s.m > in->set->kept) s.m = in->set->kept;
  if (s.m > in->reference->kept) s.m = in->reference->kept;
  if (s.m == in->set->kept && s.m == in->reference->kept)
    s.count = 1; /* all subsets would be equal */
  FEW_GOTO(FEW_NEW(ctx, &s.x, few__panels_size(s.m, s.d)));
  FEW_GOTO(FEW_NEW(ctx, &s.y, few__panels_size(s.m, s.d)));
  FEW_GOTO(FEW_NEW(ctx, &s.sum, few__panels(s.m)));
  FEW_GOTO(FEW_NEW(ctx, &s.strips,
                   few__panels(s.m) * FEW_PANEL * FEW_PANEL * few__workers_count(in->shared->w)));
  FEW_GOTO(FEW_NEW(ctx, &each, s.count));
  s.watch = (struct few_watch){
      .ctx = ctx, .at = {.what = "kernel distance", .total = s.count}, .began = few__now()};
  FEW_GOTO(subsets(in, &s, each));
  *out = (struct few_metric_value){.name = "kid",
                                   .error_of = s.count > 1 ? "subsets" : "",
                                   .n = in->set->kept,
                                   .n_ref = in->reference->kept};
  few__metric_spread(s.count, each, &out->value, &out->error);
  snprintf(out->how, sizeof out->how, "kernel (xy/d + 1)^3, unbiased, %lld subset%s of %lld",
           (long long)s.count, s.count == 1 ? "" : "s", (long long)s.m);
out:
  few__free(ctx, s.x);
  few__free(ctx, s.y);
  few__free(ctx, s.sum);
  few__free(ctx, s.strips);
  few__free(ctx, each);
  return st;
}

const struct few_metric_def few__metric_kid = {.version = FEW_METRIC_DEF_VERSION,
                                               .name = "kid",
                                               .source = "arXiv:1801.01401",
                                               .help = "kernel distance, unbiased",
                                               .needs = FEW_NEED_ROWS | FEW_NEED_REFERENCE,
                                               .n_values = 1,
                                               .least = least,
                                               .run = run};
