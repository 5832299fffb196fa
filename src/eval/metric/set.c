/* set.c - turns a stream of features into sums and a random choice of rows.
 *
 * A pseudo-random permutation of 0..n-1 decides which rows are kept and to which split an image
 * belongs, so parts of a set that is sorted by class have all classes. Each row has its own slot,
 * so the order and grouping of calls do not matter.
 */
#include "set.h"

#include <math.h>

#include "base/rng.h"
#include "gram.h"

static few_status new_splits(few_eval_set *s) {
  FEW_TRY(FEW_NEW(s->ctx, &s->split, s->o.splits));
  for (int i = 0; i < s->o.splits; i++) FEW_TRY(FEW_NEW(s->ctx, &s->split[i].p, s->o.classes));
  return FEW_NEW(s->ctx, &s->p, s->o.classes);
}

static few_status new_held(few_eval_set *s) {
  const struct few_eval_set_opts *o = &s->o;
  s->held = o->n < o->keep ? o->n : o->keep;
  FEW_TRY(FEW_NEW(s->ctx, &s->held_rows, few__mul_size((size_t)s->held, (size_t)o->dim)));
  FEW_TRY(FEW_NEW(s->ctx, &s->held_labels, s->held));
  if (o->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS))
    FEW_TRY(FEW_NEW(s->ctx, &s->held_logits, few__mul_size((size_t)s->held, (size_t)o->classes)));
  if (o->needs & FEW_NEED_SPATIAL)
    FEW_TRY(FEW_NEW(s->ctx, &s->held_spatial, few__mul_size((size_t)s->held, (size_t)o->spatial)));
  return FEW_OK;
}

few_status few__eval_set_create(few_ctx *ctx, few_eval_set **out, few_workers *w,
                                const struct few_eval_set_opts *o) {
  few_eval_set *s = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  assert(w && o->name && o->keep >= 0);
  assert(!(o->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS)) || o->classes > 0);
  assert(!(o->needs & FEW_NEED_LOGITS) || o->splits > 0);
  assert(o->n > 0 && o->dim > 0 && (!(o->needs & FEW_NEED_SPATIAL) || o->spatial > 0));
  FEW_GOTO(FEW_NEW(ctx, &s, 1));
  *s = (few_eval_set){.ctx = ctx, .w = w, .o = *o};
  if (o->needs & FEW_NEED_MOMENTS)
    FEW_GOTO(few__moments_create(ctx, &s->moments, w, o->dim, o->name));
  if (o->needs & FEW_NEED_SPATIAL)
    FEW_GOTO(few__moments_create(ctx, &s->spatial, w, o->spatial, o->name));
  if (o->needs & FEW_NEED_ROWS) {
    s->kept = o->n < o->keep ? o->n : o->keep;
    FEW_GOTO(FEW_NEW(ctx, &s->panels, few__panels_size(s->kept, o->dim)));
  }
  if (o->needs & FEW_NEED_LOGITS) FEW_GOTO(new_splits(s));
  if (o->hold) FEW_GOTO(new_held(s));
  *out = s;
out:
  if (st) few__eval_set_free(s);
  return st;
}

void few__eval_set_free(few_eval_set *s) {
  if (!s) return;
  few__moments_free(s->moments);
  few__moments_free(s->spatial);
  few__free(s->ctx, s->panels);
  for (int i = 0; s->split && i < s->o.splits; i++) few__free(s->ctx, s->split[i].p);
  few__free(s->ctx, s->split);
  few__free(s->ctx, s->p);
  few__free(s->ctx, s->held_rows);
  few__free(s->ctx, s->held_logits);
  few__free(s->ctx, s->held_spatial);
  few__free(s->ctx, s->held_labels);
  few__free(s->ctx, s);
}

static few_status check_finite(const few_eval_set *s, int64_t n, int64_t d, const float *x,
                               const char *what) {
  for (int64_t i = 0; x && i < n * d; i++)
    if (!isfinite(x[i]))
      return few__fail(s->ctx, FEW_E_FORMAT,
                       "%s: %s %lld of image %lld is not finite: the feature network's weights are "
                       "damaged, or for other images",
                       s->o.name, what, (long long)(i % d), (long long)(s->seen + i / d));
  return FEW_OK;
}

static double *kept_at(const few_eval_set *s, int64_t slot) {
  return s->panels + slot / FEW_PANEL * FEW_PANEL * s->o.dim + slot % FEW_PANEL;
}

void few__eval_set_keep(few_eval_set *s, int64_t slot, const float *row) {
  assert(s->panels && slot >= 0 && slot < s->kept);
  double *to = kept_at(s, slot);
  for (int64_t k = 0; k < s->o.dim; k++) to[k * FEW_PANEL] = (double)row[k];
}

void few__eval_set_kept(const few_eval_set *s, int64_t slot, float *row) {
  assert(s->panels && slot >= 0 && slot < s->kept);
  const double *from = kept_at(s, slot);
  for (int64_t k = 0; k < s->o.dim; k++) row[k] = (float)from[k * FEW_PANEL];
}

static void copy(float *to, int64_t slot, const float *from, int64_t d) {
  if (to) memcpy(to + slot * d, from, (size_t)d * sizeof *from);
}

static void hold(few_eval_set *s, int64_t slot, const float *row, const float *logits,
                 const float *spatial, const int32_t *label) {
  copy(s->held_rows, slot, row, s->o.dim);
  copy(s->held_logits, slot, logits, s->o.classes);
  copy(s->held_spatial, slot, spatial, s->o.spatial);
  s->held_labels[slot] = label ? *label : -1;
}

/* Adds the softmax of a row to its split. */
static void add_marginal(few_eval_set *s, int64_t place, const float *logit) {
  struct few_eval_set_split *t = &s->split[place * s->o.splits / s->o.n];
  const int64_t classes = s->o.classes;
  double most = (double)logit[0], sum = 0;
  for (int64_t c = 1; c < classes; c++) most = fmax(most, (double)logit[c]);
  for (int64_t c = 0; c < classes; c++) sum += s->p[c] = exp((double)logit[c] - most);
  /* one of the terms was exp(0) */
  /* cppcheck-suppress invalidFunctionArg */
  const double log_sum = log(sum);
  for (int64_t c = 0; c < classes; c++) {
    double p = s->p[c] / sum;
    t->p[c] += p;
    t->information += p * ((double)logit[c] - most - log_sum);
  }
  t->n++;
}

static void add_label(few_eval_set *s, int32_t label, const float *logit) {
  int64_t best = 0;
  if (label < 0) return;
  for (int64_t c = 1; c < s->o.classes; c++)
    if (logit[c] > logit[best]) best = c;
  s->labelled++;
  s->agree += best == label;
}

few_status few__eval_set_add(few_eval_set *s, int64_t n, const float *rows, const float *logits,
                             const float *spatial, const int32_t *labels) {
  const struct few_eval_set_opts *o = &s->o;
  assert(n >= 0 && s->seen + n <= o->n);
  assert(rows && (spatial || !s->spatial) && (logits || !(s->split || o->needs & FEW_NEED_LABELS)));
  FEW_TRY(check_finite(s, n, o->dim, rows, "feature"));
  FEW_TRY(check_finite(s, n, o->classes, logits, "logit"));
  FEW_TRY(check_finite(s, n, o->spatial, spatial, "spatial feature"));
  if (s->moments) few__moments_add(s->moments, n, rows);
  if (s->spatial) few__moments_add(s->spatial, n, spatial);
  for (int64_t i = 0; i < n; i++) {
    int64_t place = few__rng_permute(o->seed, 0, s->seen + i, o->n);
    if (place < s->kept) few__eval_set_keep(s, place, rows + i * o->dim);
    if (place < s->held)
      hold(s, place, rows + i * o->dim, s->held_logits ? logits + i * o->classes : NULL,
           s->held_spatial ? spatial + i * o->spatial : NULL, labels ? &labels[i] : NULL);
    if (s->split) add_marginal(s, place, logits + i * o->classes);
    if (o->needs & FEW_NEED_LABELS) {
      assert(labels);
      add_label(s, labels[i], logits + i * o->classes);
    }
  }
  s->seen += n;
  return FEW_OK;
}

void few__eval_set_end(few_eval_set *s) {
  assert(s->seen == s->o.n);
  if (s->moments) few__moments_end(s->moments);
  if (s->spatial) few__moments_end(s->spatial);
}

/* ---- for metrics from outside ---- */

int64_t few_eval_set_n(const few_eval_set *s) { return s->o.n; }
int64_t few_eval_set_dim(const few_eval_set *s) { return s->o.dim; }
int64_t few_eval_set_rows(const few_eval_set *s) { return s->kept; }

void few_eval_set_row(float *row, const few_eval_set *s, int64_t i) {
  few__eval_set_kept(s, i, row);
}

const double *few_eval_set_mean(const few_eval_set *s) {
  assert(s->moments);
  return few__moments_mean(s->moments);
}

void few_eval_set_covariance(double *out, const few_eval_set *s) {
  assert(s->moments && s->o.n >= 2);
  few__moments_covariance(s->moments, out);
}

int64_t few_eval_set_classes(const few_eval_set *s) { return s->split ? s->o.classes : 0; }

void few_eval_set_marginal(double *p, const few_eval_set *s) {
  assert(s->split);
  for (int64_t c = 0; c < s->o.classes; c++) {
    p[c] = 0;
    for (int i = 0; i < s->o.splits; i++) p[c] += s->split[i].p[c] / (double)s->o.n;
  }
}

int64_t few_eval_set_labelled(const few_eval_set *s) { return s->labelled; }
int64_t few_eval_set_agreeing(const few_eval_set *s) { return s->agree; }
