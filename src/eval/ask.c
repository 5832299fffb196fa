/* ask.c - what an evaluation wants: options checked, sets and features opened, metrics chosen. */
#include <math.h>

#include "job.h"

static few_status check_range(const few_evaluator *j, const char *what, int64_t x, int64_t min,
                              int64_t max) {
  if (x >= min && x <= max) return FEW_OK;
  return few__fail(j->ctx, FEW_E_INVALID, "eval: %s is %lld: give %lld to %lld", what, (long long)x,
                   (long long)min, (long long)max);
}

static few_status check_opts(few_evaluator *j, bool metrics) {
  const struct few_eval_opts *o = j->o;
  const char *lacks = metrics && !o->source       ? "no source"
                      : !metrics && !o->reference ? "no reference to save"
                                                  : NULL;
  if (lacks) return few__fail(j->ctx, FEW_E_INVALID, "eval: %s: name images or a model", lacks);
  FEW_TRY(check_range(j, "n", o->n, 0, (int64_t)1 << 32));
  FEW_TRY(check_range(j, "n of the reference", o->n_reference, 0, (int64_t)1 << 32));
  FEW_TRY(check_range(j, "the number of seeds", o->seeds, 1, 1000));
  FEW_TRY(check_range(j, "keep", o->keep, 2, 1 << 24));
  FEW_TRY(check_range(j, "knn", o->knn, 0, FEW_NEAR_MAX_K));
  FEW_TRY(check_range(j, "ball", o->ball, FEW_EVAL_BALL_OWN, FEW_EVAL_BALL_OPEN));
  FEW_TRY(check_range(j, "the number of subsets", o->subsets, 1, 1 << 20));
  FEW_TRY(check_range(j, "the size of a subset", o->subset_size, 2, 1 << 20));
  FEW_TRY(check_range(j, "the number of splits", o->splits, 1, 1000));
  FEW_TRY(check_range(j, "the number of bootstrap replicates", o->bootstrap, 0, 1 << 20));
  if (o->bootstrap == 1 || (o->bootstrap && o->seeds > 1))
    return few__fail(j->ctx, FEW_E_INVALID, "%d bootstrap replicates of %d sets of samples: %s",
                     o->bootstrap, o->seeds, "give 2 replicates or more of one set, or more sets");
  j->metric_opts = (struct few_metric_opts){.k = o->knn,
                                            .ball = o->ball,
                                            .subsets = o->subsets,
                                            .subset_size = o->subset_size,
                                            .splits = o->splits,
                                            .seed = FEW_EVAL_CHOICE};
  return FEW_OK;
}

/* Nothing is said of how a model is sampled. */
static bool says_nothing(const struct few_sample_opts *s) {
  return !s->steps && !s->sampler && !s->schedule && !s->n_times && !s->n_settings &&
         !s->autoguide && s->guidance == 1;
}

static few_status open_source(few_evaluator *j) {
  const struct few_eval_opts *o = j->o;
  struct few_source_ask ask = {.name = o->source, .n = o->n, .o = o, .model = j->given.model};
  FEW_TRY(few__source_open(j->ctx, &j->source, &ask));
  if (j->source->model) return FEW_OK;
  if (!says_nothing(&o->sampling) || o->label == FEW_LABEL_EACH || o->label == FEW_LABEL_NONE)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "%s are images that are there, and nothing is sampled: leave out steps, "
                     "sampler, times, guidance and how labels are drawn, or name a model",
                     j->source->spec);
  if (o->seeds == 1) return FEW_OK;
  return few__fail(j->ctx, FEW_E_INVALID, "%d seeds of images that are there: %s", o->seeds,
                   "seeds are for a model, which can draw more");
}

/* Distances between points are those of the coordinate that spreads most. */
static void warn_of_scales(const few_evaluator *j) {
  const few_data *d = j->reference->data;
  double least = 0, most = 0;
  if (!d || few_data_get_kind(d) != FEW_DATA_POINTS) return;
  for (int k = 0; k < few_data_c(d); k++) {
    const double std = few_data_moments_of(d, k).std;
    if (std > most) most = std;
    if (std > 0 && (least == 0 || std < least)) least = std;
  }
  if (most > FEW_DATA_UNEVEN * least)
    few__log(j->ctx, FEW_LOG_WARN,
             "%s: its coordinates spread from %.3g to %.3g, and those that spread least hardly "
             "count in distances: bring all to one spread to measure them",
             j->reference->spec, least, most);
}

static few_status open_reference(few_evaluator *j) {
  const struct few_eval_opts *o = j->o;
  struct few_source_ask ask = {
      .name = o->reference, .n = o->n_reference, .data = j->given.reference};
  FEW_TRY(few__source_open(j->ctx, &j->reference, &ask));
  warn_of_scales(j);
  const struct few_source *s = j->source, *r = j->reference;
  if (!s || (s->h == r->h && s->w == r->w && s->c == r->c && s->points == r->points)) return FEW_OK;
  return few__fail(
      j->ctx, FEW_E_INVALID,
      "%s of %s are %lldx%lldx%lld, %s of %s %lldx%lldx%lld: bring them to one size "
      "first%s",
      s->points ? "points" : "images", s->spec, (long long)s->w, (long long)s->h, (long long)s->c,
      r->points ? "points" : "those", r->spec, (long long)r->w, (long long)r->h, (long long)r->c,
      s->points || r->points ? "" : "; of a folder few data --size SIDE --out FILE.npy does");
}

static void warn_of_pixels(few_ctx *ctx) {
  few__log(ctx, FEW_LOG_WARN,
           "images are compared by their pixels, as no features were chosen, and blurred or "
           "noisy ones may then pass for good: give classifier=FILE, inception=FILE or fashion "
           "(docs/guide.md, Measuring your own images), or pixels if they are meant");
}

/* ---- which labels ---- */

/* The class that was asked for, by the numbers of the source; of the reference where the source has
 * no classes. */
static few_status find_label(const few_evaluator *j, int *label) {
  const struct few_source *s = j->source && j->source->classes ? j->source : j->reference;
  int32_t found;
  *label = j->o->label;
  if (!j->o->label_word) return FEW_OK;
  const struct few_classes c = few__source_classes(s ? s : j->source);
  FEW_TRY(few__class_find(j->ctx, &c, j->o->label_word, &found));
  *label = (int)found;
  return FEW_OK;
}

/* The same class of the reference. */
static few_status find_same(const few_evaluator *j, int *label) {
  const struct few_source *s = j->source, *r = j->reference;
  int32_t same;
  if (*label < 0) *label = FEW_LABEL_SHARES;
  if (*label < 0 || !s || !s->classes || !r->classes) return FEW_OK;
  const struct few_classes from = few__source_classes(s), to = few__source_classes(r);
  FEW_TRY(few__class_same(j->ctx, &from, *label, &to, "name one that both have", &same));
  *label = (int)same;
  return FEW_OK;
}

static few_status pick_source(few_evaluator *j, int label) {
  struct few_source *s = j->source, *r = j->reference;
  int32_t *map = NULL;
  few_status st = FEW_OK;
  if (s->model && s->classes && r && r->classes && label == FEW_LABEL_SHARES) {
    const struct few_classes from = few__source_classes(r), to = few__source_classes(s);
    FEW_GOTO(FEW_NEW(j->ctx, &map, from.n));
    FEW_GOTO(few__classes_map(j->ctx, &from, &to,
                              "name a reference of the model's classes, or draw all of the model's "
                              "equally often (--labels even)",
                              map));
  }
  FEW_GOTO(few__source_pick(s, label, r, map));
out:
  few__free(j->ctx, map);
  return st;
}

/* Half of sum |p - q|, and about what it is by chance where the two are one: a sum of deviations
 * of binomial shares. */
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

/* Images that are there, as samples drawn equally often, may have other shares of the classes. */
static few_status warn_of_shares(const few_evaluator *j) {
  const struct few_source *s = j->source, *r = j->reference;
  const int64_t *count = r->saved ? r->saved->class_counts : r->counts;
  const struct few_classes from = few__source_classes(r), to = few__source_classes(s);
  int64_t *here = NULL;
  double chance = 0;
  int32_t same;
  if (s->model || !s->classes || !r->classes) return FEW_OK;
  FEW_TRY(FEW_NEW(j->ctx, &here, s->classes));
  int64_t i = 0;
  for (; i < from.n && !few__class_same(j->ctx, &from, i, &to, "", &same); i++)
    here[same] += count[i];
  const double off = i == from.n ? apart(s->classes, s->counts, here, &chance) : 0;
  if (off > 0.05 && off > 3 * chance)
    few__log(j->ctx, FEW_LOG_WARN,
             "%s has other shares of its classes than %s (%.0f %% of it would have to be of "
             "others): what is measured is this as well",
             s->spec, r->spec, 100 * off);
  few__free(j->ctx, here);
  return FEW_OK;
}

static few_status pick_labels(few_evaluator *j) {
  int label, same;
  FEW_TRY(find_label(j, &label));
  same = label;
  if (j->reference) FEW_TRY(find_same(j, &same));
  if (j->reference) FEW_TRY(few__source_pick(j->reference, same, NULL, NULL));
  if (j->source && j->reference && label < 0) FEW_TRY(warn_of_shares(j));
  return j->source ? pick_source(j, label) : FEW_OK;
}

/* Points are their own features. */
static few_status fit_features(few_evaluator *j, const struct few_source *s) {
  j->info = few__features_info(j->features);
  j->dim = s->c;
  if (s->points && strcmp(j->info->name, "pixels") != 0)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "%s are points, and features %s want images: use pixels, which compares "
                     "points as they are",
                     s->spec, j->info->name);
  if (s->points) return FEW_OK;
  FEW_TRY(few__features_fit(j->features, s->h, s->w, s->c));
  j->dim = j->info->dim;
  return FEW_OK;
}

static few_status open_all(few_evaluator *j, bool metrics) {
  FEW_TRY(few__features_open(j->ctx, &j->features, j->o->features ? j->o->features : "pixels"));
  if (metrics) FEW_TRY(open_source(j));
  if (j->o->reference) FEW_TRY(open_reference(j));
  FEW_TRY(pick_labels(j));
  FEW_TRY(fit_features(j, j->source ? j->source : j->reference));
  if (j->reference && j->reference->saved)
    FEW_TRY(few__statistics_check(j->reference->saved, j->info, j->o->keep));
  return few__workers_create(j->ctx, &j->workers, few_ctx_workers(j->ctx));
}

/* Why this metric cannot be had; NULL: it can. */
static const char *obstacle(const few_evaluator *j, const struct few_metric *m) {
  if (m->needs & FEW_NEED_REFERENCE && !j->reference) return "there is no reference (--ref)";
  if (m->needs & FEW_NEED_SPATIAL && !j->info->spatial)
    return "these features have no places; Inception's do";
  if (m->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS) && !j->info->classes)
    return "these features are no classifier's";
  if (m->needs & FEW_NEED_LABELS && !j->source->classes) return "the images have no labels";
  if (m->needs & FEW_NEED_LABELS && !j->class_map)
    return "the classifier has other classes than the labels";
  return NULL;
}

static few_status unknown_metric(const few_evaluator *j, const char *word, size_t length) {
  struct few_text t = {0};
  for (int i = 0; i < few__metric_count(); i++)
    few__text_add(j->ctx, &t, "%s%s", i ? ", " : "", few__metric_at(i)->name);
  few_status st = few__fail(j->ctx, FEW_E_INVALID, "there is no metric \"%.*s\": use some of %s",
                            length > 40 ? 40 : (int)length, word, t.at && !t.failed ? t.at : "");
  few__text_free(j->ctx, &t);
  return st;
}

static few_status take_named(few_evaluator *j, const char *list) {
  for (const char *p = list;;) {
    size_t length = strcspn(p, ",");
    const struct few_metric *m = few__metric_find(p, length);
    if (!m) return unknown_metric(j, p, length);
    const char *why = obstacle(j, m);
    if (why) return few__fail(j->ctx, FEW_E_INVALID, "%s cannot be measured: %s", m->name, why);
    for (int i = 0; i < few__metric_count(); i++)
      if (few__metric_at(i) == m) j->wanted |= 1u << i;
    if (!p[length]) return FEW_OK;
    p += length + 1;
  }
}

static few_status check_enough(const few_evaluator *j, const struct few_metric *m,
                               const struct few_source *s) {
  const int64_t least = m->least(&j->metric_opts);
  int64_t n = m->needs & FEW_NEED_ROWS && j->o->keep < s->n ? j->o->keep : s->n;
  if (j->o->bootstrap && s == j->source) {
    n = (j->o->keep < s->n ? j->o->keep : s->n) / 2;
    if (n < least)
      return few__fail(j->ctx, FEW_E_INVALID,
                       "error bars need halves of the images kept, and %s %lld images at least: "
                       "a half of %s has %lld",
                       m->name, (long long)least, s->spec, (long long)n);
  }
  if (n >= least) return FEW_OK;
  return few__fail(j->ctx, FEW_E_INVALID, "%s needs %lld images at least, and %s has %lld%s",
                   m->name, (long long)least, s->spec, (long long)n,
                   n < s->n ? " (--keep): keep more" : ": give more, or leave it out (--metrics)");
}

/* The classifier's number of each class of the source, where the two have the same classes. */
static few_status match_classifier(few_evaluator *j) {
  const struct few_classes from = few__source_classes(j->source);
  const int64_t n = j->source->classes;
  if (!n || n != j->info->classes) return FEW_OK;
  FEW_TRY(FEW_NEW(j->ctx, &j->class_map, n));
  if (!j->info->names.n) {
    for (int64_t i = 0; i < n; i++) j->class_map[i] = (int32_t)i;
  } else if (few__classes_map(j->ctx, &from, &j->info->names, "", j->class_map)) {
    few__free(j->ctx, j->class_map);
    j->class_map = NULL;
  }
  return FEW_OK;
}

static few_status choose_metrics(few_evaluator *j) {
  if (j->o->metrics) {
    FEW_TRY(take_named(j, j->o->metrics));
  } else {
    for (int i = 0; i < few__metric_count(); i++)
      if (!obstacle(j, few__metric_at(i))) j->wanted |= 1u << i;
  }
  if (!j->wanted)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "nothing can be measured of %s alone: name a reference (--ref)",
                     j->source->spec);
  for (int i = 0; i < few__metric_count(); i++) {
    const struct few_metric *m = few__metric_at(i);
    if (!(j->wanted & 1u << i)) continue;
    j->needs |= m->needs;
    FEW_TRY(check_enough(j, m, j->source));
    if (m->needs & FEW_NEED_REFERENCE) FEW_TRY(check_enough(j, m, j->reference));
  }
  return FEW_OK;
}

/* A reference that is to be saved: all that any metric may want of it. */
static few_status choose_saved(few_evaluator *j) {
  if (j->reference->saved)
    return few__fail(j->ctx, FEW_E_INVALID, "%s is such a file: copy it", j->reference->spec);
  if (j->reference->n < 2)
    return few__fail(j->ctx, FEW_E_INVALID, "%s has %lld images: give 2 at least",
                     j->reference->spec, (long long)j->reference->n);
  j->needs = FEW_NEED_REFERENCE | FEW_NEED_MOMENTS | FEW_NEED_ROWS;
  if (j->info->spatial) j->needs |= FEW_NEED_SPATIAL;
  return FEW_OK;
}

few_status few__eval_ask(few_evaluator *j, bool metrics) {
  FEW_TRY(check_opts(j, metrics));
  FEW_TRY(open_all(j, metrics));
  if (metrics) FEW_TRY(match_classifier(j));
  FEW_TRY(metrics ? choose_metrics(j) : choose_saved(j));
  const struct few_source *s = j->source ? j->source : j->reference;
  if (!j->o->features && !s->points) warn_of_pixels(j->ctx);
  return FEW_OK;
}
