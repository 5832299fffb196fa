/* resolve.c - makes an evaluator from its options: validates them, opens the sets and the features,
 * and chooses the metrics. */
#include <math.h>

#include "internal.h"
#include "model/run/sample.h"

static few_status check_range(const few_evaluator *e, const char *what, int64_t x, int64_t min,
                              int64_t max) {
  if (x >= min && x <= max) return FEW_OK;
  return few__fail(e->ctx, FEW_E_INVALID, "eval: %s is %lld: give %lld to %lld", what, (long long)x,
                   (long long)min, (long long)max);
}

static few_status validate_opts(few_evaluator *e, bool metrics) {
  const struct few_eval_opts *o = e->o;
  const char *lacks = metrics && !o->source       ? "no source"
                      : !metrics && !o->reference ? "no reference to save"
                                                  : NULL;
  if (lacks) return few__fail(e->ctx, FEW_E_INVALID, "eval: %s: name images or a model", lacks);
  FEW_TRY(check_range(e, "n", o->n, 0, (int64_t)1 << 32));
  FEW_TRY(check_range(e, "n of the reference", o->n_reference, 0, (int64_t)1 << 32));
  FEW_TRY(check_range(e, "the number of seeds", o->seeds, 1, 1000));
  FEW_TRY(check_range(e, "keep", o->keep, 2, 1 << 24));
  FEW_TRY(check_range(e, "knn", o->knn, 0, FEW_KNN_MAX_K));
  FEW_TRY(check_range(e, "ball", o->ball, FEW_EVAL_BALL_OWN, FEW_EVAL_BALL_OPEN));
  FEW_TRY(check_range(e, "the number of subsets", o->subsets, 1, 1 << 20));
  FEW_TRY(check_range(e, "the size of a subset", o->subset_size, 2, 1 << 20));
  FEW_TRY(check_range(e, "the number of splits", o->splits, 1, 1000));
  FEW_TRY(check_range(e, "the number of bootstrap replicates", o->bootstrap, 0, 1 << 20));
  if (o->bootstrap == 1 || (o->bootstrap && o->seeds > 1))
    return few__fail(e->ctx, FEW_E_INVALID, "%d bootstrap replicates of %d sets of samples: %s",
                     o->bootstrap, o->seeds, "give 2 replicates or more of one set, or more sets");
  e->metric_opts = (struct few_metric_opts){.k = o->knn,
                                            .ball = (enum few_metric_ball)o->ball,
                                            .subsets = o->subsets,
                                            .subset_size = o->subset_size,
                                            .splits = o->splits,
                                            .seed = FEW_EVAL_CHOICE};
  return FEW_OK;
}

/* Whether all sampling options have their defaults. */
static bool is_default(const struct few_sample_opts *s) {
  for (const struct few_option *o = few_sample_options(); o->key; o++)
    if (few__sample_differs(s, o)) return false;
  return !s->n_times && !s->n_settings && !s->autoguide;
}

static few_status open_source(few_evaluator *e) {
  const struct few_eval_opts *o = e->o;
  struct few_source_opts opts = {
      .name = o->source, .n = o->n, .o = o, .runner = e->given.runner, .data = e->given.source};
  FEW_TRY(few__source_open(e->ctx, &e->source, &opts));
  if (e->source->model) return FEW_OK;
  if (!is_default(&o->sampling) || o->label == FEW_LABEL_EACH || o->label == FEW_LABEL_NONE)
    return few__fail(e->ctx, FEW_E_INVALID,
                     "%s is an image set, not a model: leave out steps, sampler, times, guidance "
                     "and labels, or name a model",
                     e->source->spec);
  if (o->seeds == 1) return FEW_OK;
  return few__fail(e->ctx, FEW_E_INVALID, "%d seeds for an image set: %s", o->seeds,
                   "only models have seeds");
}

/* Distances between points depend most on the coordinate with the largest spread. */
static void warn_of_scales(const few_evaluator *e) {
  const few_data *d = e->reference->data;
  double least = 0, most = 0;
  if (!d || few_data_get_kind(d) != FEW_DATA_POINTS) return;
  for (int k = 0; k < few_data_c(d); k++) {
    const double std = few_data_moments_of(d, k).std;
    if (std > most) most = std;
    if (std > 0 && (least == 0 || std < least)) least = std;
  }
  if (most > FEW_DATA_UNEVEN * least)
    few__log(
        e->ctx, FEW_LOG_WARN,
        "%s: the standard deviations of its coordinates are from %.3g to %.3g, and the smallest "
        "hardly count in distances: scale all coordinates to one deviation to measure them",
        e->reference->spec, least, most);
}

static few_status open_reference(few_evaluator *e) {
  const struct few_eval_opts *o = e->o;
  struct few_source_opts opts = {
      .name = o->reference, .n = o->n_reference, .data = e->given.reference};
  FEW_TRY(few__source_open(e->ctx, &e->reference, &opts));
  warn_of_scales(e);
  const struct few_source *s = e->source, *r = e->reference;
  if (!s || (s->h == r->h && s->w == r->w && s->c == r->c && s->points == r->points)) return FEW_OK;
  return few__fail(
      e->ctx, FEW_E_INVALID,
      "%s of %s are %lldx%lldx%lld, %s of %s %lldx%lldx%lld: bring them to one size "
      "first%s",
      s->points ? "points" : "images", s->spec, (long long)s->w, (long long)s->h, (long long)s->c,
      r->points ? "points" : "those", r->spec, (long long)r->w, (long long)r->h, (long long)r->c,
      s->points || r->points ? "" : "; of a folder few data --size SIDE --out FILE.npy does");
}

static void warn_of_pixels(few_ctx *ctx) {
  few__log(ctx, FEW_LOG_WARN,
           "images are compared by their pixels, because no features were chosen, and blurred or "
           "noisy images may then seem good: give classifier=FILE, inception=FILE or fashion "
           "(docs/guide.md, Measuring your own images), or pixels to avoid this warning");
}

/* ---- which labels ---- */

/* The class of the options, as a number of the source, or of the reference if the source has no
 * classes. */
static few_status find_label(const few_evaluator *e, int *label) {
  const struct few_source *s = e->source && e->source->classes ? e->source : e->reference;
  int32_t found;
  *label = e->o->label;
  if (!e->o->label_word) return FEW_OK;
  const struct few_classes c = few__source_classes(s ? s : e->source);
  FEW_TRY(few__class_find(e->ctx, &c, e->o->label_word, &found));
  *label = (int)found;
  return FEW_OK;
}

/* The same class of the reference. */
static few_status find_same(const few_evaluator *e, int *label) {
  const struct few_source *s = e->source, *r = e->reference;
  int32_t same;
  if (*label < 0) *label = FEW_LABEL_SHARES;
  if (*label < 0 || !s || !s->classes || !r->classes) return FEW_OK;
  const struct few_classes from = few__source_classes(s), to = few__source_classes(r);
  FEW_TRY(few__class_same(e->ctx, &from, *label, &to, "name one that both have", &same));
  *label = (int)same;
  return FEW_OK;
}

static few_status select_source(few_evaluator *e, int label) {
  struct few_source *s = e->source, *r = e->reference;
  int32_t *map = NULL;
  few_status st = FEW_OK;
  if (s->model && s->classes && r && r->classes && label == FEW_LABEL_SHARES) {
    const struct few_classes from = few__source_classes(r), to = few__source_classes(s);
    FEW_GOTO(FEW_NEW(e->ctx, &map, from.n));
    FEW_GOTO(few__classes_map(e->ctx, &from, &to,
                              "name a reference with the model's classes, or sample all classes "
                              "equally often (--labels even)",
                              map));
  }
  FEW_GOTO(few__source_select(s, label, r, map));
out:
  few__free(e->ctx, map);
  return st;
}

/* Returns half of sum |p - q|. *chance is roughly what it would be by chance if both sets had the
 * same shares: a sum of standard deviations of binomial shares. */
static double apart(int64_t n, const int64_t *a, const int64_t *b, double *chance) {
  double total[2] = {0, 0}, sum = 0;
  for (int64_t i = 0; i < n; i++) total[0] += (double)a[i], total[1] += (double)b[i];
  *chance = 0;
  for (int64_t i = 0; i < n; i++) {
    const double p = (double)a[i] / total[0], q = (double)b[i] / total[1], m = (p + q) / 2;
    sum += fabs(p - q) / 2;
    *chance += sqrt(m * (1 - m) * (1 / total[0] + 1 / total[1])) / 2;
  }
  return sum;
}

/* Warns if the images have other class shares than the reference. */
static few_status warn_of_shares(const few_evaluator *e) {
  const struct few_source *s = e->source, *r = e->reference;
  const int64_t *count = r->saved ? r->saved->class_counts : r->counts;
  const struct few_classes from = few__source_classes(r), to = few__source_classes(s);
  int64_t *here = NULL;
  double chance = 0;
  int32_t same;
  if (s->model || !s->classes || !r->classes) return FEW_OK;
  FEW_TRY(FEW_NEW(e->ctx, &here, s->classes));
  int64_t i = 0;
  for (; i < from.n && !few__class_same(e->ctx, &from, i, &to, "", &same); i++)
    here[same] += count[i];
  const double off = i == from.n ? apart(s->classes, s->counts, here, &chance) : 0;
  if (off > 0.05 && off > 3 * chance)
    few__log(e->ctx, FEW_LOG_WARN,
             "%s has other class shares than %s (%.0f %% of its images would have to be of other "
             "classes), and the numbers measure this difference too",
             s->spec, r->spec, 100 * off);
  few__free(e->ctx, here);
  return FEW_OK;
}

static few_status resolve_labels(few_evaluator *e) {
  int label, same;
  FEW_TRY(find_label(e, &label));
  same = label;
  if (e->reference) FEW_TRY(find_same(e, &same));
  if (e->reference) FEW_TRY(few__source_select(e->reference, same, NULL, NULL));
  if (e->source && e->reference && label < 0) FEW_TRY(warn_of_shares(e));
  return e->source ? select_source(e, label) : FEW_OK;
}

/* Sets the size of the features. The features of points are the points themselves. */
static few_status fit_features(few_evaluator *e, const struct few_source *s) {
  e->info = few__features_info(e->features);
  e->dim = s->c;
  if (s->points && strcmp(e->info->name, "pixels") != 0)
    return few__fail(e->ctx, FEW_E_INVALID,
                     "%s are points, and features %s need images: use pixels, which compares "
                     "points as they are",
                     s->spec, e->info->name);
  if (s->points) return FEW_OK;
  FEW_TRY(few__features_fit(e->features, s->h, s->w, s->c));
  e->dim = e->info->dim;
  return FEW_OK;
}

static few_status open_all(few_evaluator *e, bool metrics) {
  FEW_TRY(few__features_open(e->ctx, &e->features, e->o->features ? e->o->features : "pixels"));
  if (metrics) FEW_TRY(open_source(e));
  if (e->o->reference) FEW_TRY(open_reference(e));
  FEW_TRY(resolve_labels(e));
  FEW_TRY(fit_features(e, e->source ? e->source : e->reference));
  if (e->reference && e->reference->saved)
    FEW_TRY(few__statistics_check(e->reference->saved, e->info, e->o->keep));
  return few__workers_create(e->ctx, &e->workers, few_ctx_workers(e->ctx));
}

/* The reason why this metric cannot be measured; NULL: it can. */
static const char *obstacle(const few_evaluator *e, const struct few_metric_def *m) {
  if (m->needs & FEW_NEED_REFERENCE && !e->reference) return "there is no reference (--ref)";
  if (m->needs & FEW_NEED_SPATIAL && !e->info->spatial)
    return "these features are not spatial; use Inception's";
  if (m->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS) && !e->info->classes)
    return "these features are not those of a classifier";
  if (m->needs & FEW_NEED_LABELS && !e->source->classes) return "the images have no labels";
  if (m->needs & FEW_NEED_LABELS && !e->class_map)
    return "the classifier has other classes than the labels";
  return NULL;
}

static few_status unknown_metric(const few_evaluator *e, const char *word, size_t length) {
  struct few_text t = {0};
  for (int i = 0; i < few__metric_count(e->ctx); i++)
    few__text_add(e->ctx, &t, "%s%s", i ? ", " : "", few__metric_at(e->ctx, i)->name);
  few_status st = few__fail(e->ctx, FEW_E_INVALID, "there is no metric \"%.*s\": use some of %s",
                            length > 40 ? 40 : (int)length, word, t.at && !t.failed ? t.at : "");
  few__text_free(e->ctx, &t);
  return st;
}

static few_status take_named(few_evaluator *e, const char *list) {
  for (const char *p = list;;) {
    size_t length = strcspn(p, ",");
    const int i = few__metric_find(e->ctx, p, length);
    if (i < 0) return unknown_metric(e, p, length);
    const struct few_metric_def *m = few__metric_at(e->ctx, i);
    const char *why = obstacle(e, m);
    if (why) return few__fail(e->ctx, FEW_E_INVALID, "%s cannot be measured: %s", m->name, why);
    e->wanted |= 1u << i;
    if (!p[length]) return FEW_OK;
    p += length + 1;
  }
}

static few_status check_enough(const few_evaluator *e, const struct few_metric_def *m,
                               const struct few_source *s) {
  const int64_t least = m->least(&e->metric_opts);
  int64_t n = m->needs & FEW_NEED_ROWS && e->o->keep < s->n ? e->o->keep : s->n;
  if (e->o->bootstrap && s == e->source) {
    n = (e->o->keep < s->n ? e->o->keep : s->n) / 2;
    if (n < least)
      return few__fail(e->ctx, FEW_E_INVALID,
                       "error bars are measured on halves of the images kept, and %s needs %lld "
                       "images: a half of %s has %lld",
                       m->name, (long long)least, s->spec, (long long)n);
  }
  if (n >= least) return FEW_OK;
  return few__fail(e->ctx, FEW_E_INVALID, "%s needs at least %lld images, and %s has %lld%s",
                   m->name, (long long)least, s->spec, (long long)n,
                   n < s->n ? " (--keep): keep more" : ": give more, or leave it out (--metrics)");
}

/* Maps the source's classes to the classifier's numbers, if the two have the same classes. */
static few_status match_classifier(few_evaluator *e) {
  const struct few_classes from = few__source_classes(e->source);
  const int64_t n = e->source->classes;
  if (!n || n != e->info->classes) return FEW_OK;
  FEW_TRY(FEW_NEW(e->ctx, &e->class_map, n));
  if (!e->info->names.n) {
    for (int64_t i = 0; i < n; i++) e->class_map[i] = (int32_t)i;
  } else if (few__classes_map(e->ctx, &from, &e->info->names, "", e->class_map)) {
    few__free(e->ctx, e->class_map);
    e->class_map = NULL;
  }
  return FEW_OK;
}

static few_status resolve_metrics(few_evaluator *e) {
  if (e->o->metrics) {
    FEW_TRY(take_named(e, e->o->metrics));
  } else {
    for (int i = 0; i < few__metric_count(e->ctx); i++)
      if (!obstacle(e, few__metric_at(e->ctx, i))) e->wanted |= 1u << i;
  }
  if (!e->wanted)
    return few__fail(e->ctx, FEW_E_INVALID,
                     "nothing can be measured of %s without a reference: name one (--ref)",
                     e->source->spec);
  for (int i = 0; i < few__metric_count(e->ctx); i++) {
    const struct few_metric_def *m = few__metric_at(e->ctx, i);
    if (!(e->wanted & 1u << i)) continue;
    e->needs |= m->needs;
    FEW_TRY(check_enough(e, m, e->source));
    if (m->needs & FEW_NEED_REFERENCE) FEW_TRY(check_enough(e, m, e->reference));
  }
  return FEW_OK;
}

/* For a reference that is to be saved: keep everything that a metric may need. */
static few_status resolve_saved(few_evaluator *e) {
  if (e->reference->saved)
    return few__fail(e->ctx, FEW_E_INVALID, "%s is a saved reference already: copy it",
                     e->reference->spec);
  if (e->reference->n < 2)
    return few__fail(e->ctx, FEW_E_INVALID, "%s has %lld images: give at least 2",
                     e->reference->spec, (long long)e->reference->n);
  e->needs = FEW_NEED_REFERENCE | FEW_NEED_MOMENTS | FEW_NEED_ROWS;
  if (e->info->spatial) e->needs |= FEW_NEED_SPATIAL;
  return FEW_OK;
}

few_status few__eval_resolve(few_evaluator *e, bool metrics) {
  FEW_TRY(validate_opts(e, metrics));
  FEW_TRY(open_all(e, metrics));
  if (metrics) FEW_TRY(match_classifier(e));
  FEW_TRY(metrics ? resolve_metrics(e) : resolve_saved(e));
  const struct few_source *s = e->source ? e->source : e->reference;
  if (!e->o->features && !s->points) warn_of_pixels(e->ctx);
  return FEW_OK;
}
