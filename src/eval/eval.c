/* eval.c - pictures to features to sums to numbers.
 *
 * Pictures stream: a chunk is sampled, becomes bytes, then features, then part of running sums, and
 * is gone. What grows with n is a data set (read whole) and the rows that kid, pr and dc look at,
 * up to opts.keep. All that can be refused is refused before the first sample.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "eval/evaluator.h"
#include "eval/report.h"
#include "eval/source.h"
#include "feature/feature.h"
#include "metric/metric.h"

enum { CHOICE_SEED = 0, SIDE_NEEDS = FEW_NEED_MOMENTS | FEW_NEED_SPATIAL | FEW_NEED_ROWS };

struct few_evaluator {
  few_ctx *ctx;
  struct few_eval_opts opts;
  const struct few_eval_opts *o; /* these */
  struct few_eval_given given;
  struct few_metric_opts metric_opts;
  few_workers *workers;
  few_features *features;
  const struct few_features_info *info; /* its */
  struct few_source *source, *reference;
  unsigned wanted; /* bit i: metric i */
  unsigned needs;
  struct few_set *set, *reference_set;
  uint8_t *pixels; /* a chunk */
  int32_t *labels;
  float *rows, *logits, *spatial;
};

/* ---- what is asked for ---- */

static few_status check_range(const few_evaluator *j, const char *what, int64_t x, int64_t min,
                              int64_t max) {
  if (x >= min && x <= max) return FEW_OK;
  return few__fail(j->ctx, FEW_E_INVALID, "eval: %s is %lld: give %lld to %lld", what, (long long)x,
                   (long long)min, (long long)max);
}

static few_status check_opts(few_evaluator *j) {
  const struct few_eval_opts *o = j->o;
  if (o->version != FEW_EVAL_OPTS_VERSION)
    return few__fail(j->ctx, FEW_E_INVALID, "eval options have version %d: start from %s",
                     o->version, "FEW_EVAL_OPTS_INIT");
  if (!o->source || !o->features)
    return few__fail(j->ctx, FEW_E_INVALID, "eval: %s: name pictures or a model, and features",
                     o->source ? "no features" : "no source");
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
                                            .seed = CHOICE_SEED};
  return FEW_OK;
}

static few_status open_all(few_evaluator *j) {
  const struct few_eval_opts *o = j->o;
  struct few_source *s, *r;
  FEW_TRY(few__features_open(j->ctx, &j->features, o->features));
  FEW_TRY(few__source_open(j->ctx, &j->source, o->source, o->n, o, j->given.model, NULL));
  s = j->source;
  if (!s->model && o->seeds > 1)
    return few__fail(j->ctx, FEW_E_INVALID, "%d seeds of pictures that are there: %s", o->seeds,
                     "seeds are for a model, which can draw more");
  if (o->reference) {
    FEW_TRY(few__source_open(j->ctx, &j->reference, o->reference, o->n_reference, NULL, NULL,
                             j->given.reference));
    r = j->reference;
    if (s->h != r->h || s->w != r->w || s->c != r->c)
      return few__fail(j->ctx, FEW_E_INVALID,
                       "pictures of %s are %lldx%lldx%lld, those of %s %lldx%lldx%lld: bring them "
                       "to one size first",
                       s->spec, (long long)s->w, (long long)s->h, (long long)s->c, r->spec,
                       (long long)r->w, (long long)r->h, (long long)r->c);
  }
  FEW_TRY(few__features_fit(j->features, s->h, s->w, s->c));
  j->info = few__features_info(j->features);
  return few__workers_create(j->ctx, &j->workers, few_ctx_workers(j->ctx));
}

/* Why this metric cannot be had; NULL: it can. */
static const char *obstacle(const few_evaluator *j, const struct few_metric *m) {
  if (m->needs & FEW_NEED_REFERENCE && !j->reference) return "there is no reference (--ref)";
  if (m->needs & FEW_NEED_SPATIAL && !j->info->spatial)
    return "these features have no places; Inception's do";
  if (m->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS) && !j->info->classes)
    return "these features are no classifier's";
  if (m->needs & FEW_NEED_LABELS && !j->source->classes) return "the pictures have no labels";
  if (m->needs & FEW_NEED_LABELS && j->source->classes != j->info->classes)
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
      return few__fail(
          j->ctx, FEW_E_INVALID,
          "error bars need halves of the pictures kept, and %s %lld pictures at least: "
          "a half of %s has %lld",
          m->name, (long long)least, s->spec, (long long)n);
  }
  if (n >= least) return FEW_OK;
  return few__fail(j->ctx, FEW_E_INVALID, "%s needs %lld pictures at least, and %s has %lld%s",
                   m->name, (long long)least, s->spec, (long long)n,
                   n < s->n ? " (--keep): keep more" : ": give more, or leave it out (--metrics)");
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

static few_status make_room(few_evaluator *j) {
  const int64_t n = FEW_SOURCE_CHUNK;
  FEW_TRY(FEW_NEW(j->ctx, &j->pixels, n * j->source->h * j->source->w * j->source->c));
  FEW_TRY(FEW_NEW(j->ctx, &j->labels, n));
  FEW_TRY(FEW_NEW(j->ctx, &j->rows, n * j->info->dim));
  if (j->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS))
    FEW_TRY(FEW_NEW(j->ctx, &j->logits, n * j->info->classes));
  if (j->needs & FEW_NEED_SPATIAL) FEW_TRY(FEW_NEW(j->ctx, &j->spatial, n * j->info->spatial));
  return FEW_OK;
}

/* ---- running ---- */

static few_status gather(few_evaluator *j, struct few_source *s, uint64_t seed, struct few_set *set,
                         struct few_progress_frame frame) {
  const int64_t from = frame.first;
  for (int64_t first = 0; first < s->n; first += FEW_SOURCE_CHUNK) {
    const int64_t n = s->n - first < FEW_SOURCE_CHUNK ? s->n - first : FEW_SOURCE_CHUNK;
    frame.first = from + first;
    few__progress_frame(j->ctx, &frame);
    few_status st = few__source_read(s, seed, first, n, j->pixels, j->labels);
    few__progress_frame(j->ctx, NULL);
    if (st) return st;
    FEW_TRY(few__features_run(j->features, n, s->h, s->w, s->c, j->pixels, j->rows, j->logits,
                              j->spatial));
    FEW_TRY(few__set_add(set, n, j->rows, j->logits, j->spatial, j->labels));
    FEW_TRY(few__progress(j->ctx, &(struct few_progress){frame.what, from + first + n, frame.total,
                                                         few__now() - frame.started, NULL}));
  }
  few__set_end(set);
  return FEW_OK;
}

static few_status new_set(const few_evaluator *j, const struct few_source *s, unsigned needs,
                          struct few_set **out) {
  struct few_set_opts o = {.name = s->spec,
                           .needs = needs,
                           .n = s->n,
                           .dim = j->info->dim,
                           .spatial = j->info->spatial,
                           .classes = j->info->classes,
                           .keep = j->o->keep,
                           .splits = j->o->splits,
                           .seed = CHOICE_SEED,
                           .hold = s == j->source && j->o->bootstrap};
  return few__set_create(j->ctx, out, j->workers, &o);
}

static few_status gather_reference(few_evaluator *j) {
  if (!(j->needs & FEW_NEED_REFERENCE) || j->reference_set) return FEW_OK;
  FEW_TRY(new_set(j, j->reference, j->needs & SIDE_NEEDS, &j->reference_set));
  struct few_progress_frame f = {"reference", 0, j->reference->n, few__now()};
  few_status st = gather(j, j->reference, 0, j->reference_set, f);
  if (!st) return FEW_OK;
  few__set_free(j->reference_set); /* a part of it would be taken for the whole */
  j->reference_set = NULL;
  return st;
}

static few_status measure(few_evaluator *j, int seed, struct few_report_inside *r) {
  struct few_metric_case c = {
      .w = j->workers, .set = j->set, .reference = j->reference_set, .o = &j->metric_opts};
  struct few_metric_value value[FEW_EVAL_NUMBERS][FEW_METRIC_VALUES];
  assert(few__metric_count() <= FEW_EVAL_NUMBERS);
  for (int i = 0; i < few__metric_count(); i++)
    if (j->wanted & 1u << i) FEW_TRY(few__metric_at(i)->run(j->ctx, &c, value[i]));
  if (j->o->bootstrap) FEW_TRY(few__bootstrap(j->ctx, &c, j->wanted, j->o->bootstrap, value));
  for (int i = 0; i < few__metric_count(); i++)
    for (int v = 0; j->wanted & 1u << i && v < few__metric_at(i)->n_values; v++)
      few__report_add(r, seed, &value[i][v]);
  return FEW_OK;
}

static few_status run_seeds(few_evaluator *j, struct few_report_inside *r) {
  struct few_progress_frame f = {j->source->model ? "samples" : "pictures", 0,
                                 j->source->n * j->o->seeds, few__now()};
  for (int k = 0; k < j->o->seeds; k++) {
    few__set_free(j->set);
    FEW_TRY(new_set(j, j->source, j->needs, &j->set));
    f.first = k * j->source->n;
    FEW_TRY(gather(j, j->source, j->o->seed + (uint64_t)k, j->set, f));
    FEW_TRY(measure(j, k, r));
  }
  return FEW_OK;
}

static few_status describe(const few_evaluator *j, struct few_report_inside *r) {
  const struct few_source *s = j->source;
  struct few_eval_report *p = &r->public;
  FEW_TRY(few__report_text(r, &p->source, s->spec));
  FEW_TRY(few__report_text(r, &p->source_hash, s->hash));
  if (j->reference_set) {
    FEW_TRY(few__report_text(r, &p->reference, j->reference->spec));
    FEW_TRY(few__report_text(r, &p->reference_hash, j->reference->hash));
    p->n_reference = j->reference->n;
  }
  p->model = s->model != NULL;
  p->seeds = j->o->seeds;
  p->bootstrap = j->o->bootstrap;
  p->n = s->n;
  p->h = s->h;
  p->w = s->w;
  p->c = s->c;
  p->rounding = "bytes as stored";
  if (p->model) {
    struct few_model_info info;
    few_model_info(s->model, &info);
    FEW_TRY(few__report_text(r, &p->sampler, j->o->sampler ? j->o->sampler : info.sampler));
    p->steps = j->o->steps;
    p->nfe = s->nfe;
    p->flops = info.flops * s->nfe;
    p->guidance = j->o->guidance;
    p->seed = j->o->seed;
    p->rounding = "the byte nearest to (x + 1) 127.5, clipped";
  }
  FEW_TRY(few__report_text(r, &p->features, j->info->name));
  FEW_TRY(few__report_text(r, &p->features_hash, j->info->hash));
  FEW_TRY(few__report_text(r, &p->resize, j->info->resize));
  FEW_TRY(few__report_text(r, &p->trained_on, j->info->trained_on));
  p->dim = j->info->dim;
  return FEW_OK;
}

/* ---- the evaluator ---- */

void few__evaluator_free(few_evaluator *j) {
  if (!j) return;
  few__set_free(j->set);
  few__set_free(j->reference_set);
  few__source_free(j->source);
  few__source_free(j->reference);
  few__features_free(j->features);
  few__workers_free(j->workers);
  few__free(j->ctx, j->pixels);
  few__free(j->ctx, j->labels);
  few__free(j->ctx, j->rows);
  few__free(j->ctx, j->logits);
  few__free(j->ctx, j->spatial);
  few__free(j->ctx, j);
}

few_status few__evaluator_open(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                               const struct few_eval_given *given) {
  few_evaluator *j = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  FEW_GOTO(FEW_NEW(ctx, &j, 1));
  *j = (few_evaluator){.ctx = ctx, .opts = *o, .given = *given};
  j->o = &j->opts;
  FEW_GOTO(check_opts(j));
  FEW_GOTO(open_all(j));
  FEW_GOTO(choose_metrics(j));
  FEW_GOTO(make_room(j));
  *out = j;
out:
  if (st) few__evaluator_free(j);
  return st;
}

few_status few__evaluator_run(few_evaluator *j, struct few_eval_report **out) {
  const double started = few__now();
  struct few_report_inside *r = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  FEW_GOTO(few__report_create(j->ctx, &r, j->o->seeds));
  FEW_GOTO(gather_reference(j));
  FEW_GOTO(run_seeds(j, r));
  FEW_GOTO(describe(j, r));
  few__report_end(r);
  r->public.seconds = few__now() - started;
  *out = &r->public;
out:
  if (st && r) few_eval_report_free(&r->public);
  return st;
}

few_status few_eval(few_ctx *ctx, const struct few_eval_opts *opts, struct few_eval_report **out) {
  few_evaluator *e = NULL;
  *out = NULL;
  FEW_TRY(few__evaluator_open(ctx, &e, opts, &(struct few_eval_given){NULL, NULL}));
  few_status st = few__evaluator_run(e, out);
  few__evaluator_free(e);
  return st;
}

int few_metric_list_count(void) { return few__metric_count(); }

struct few_metric_info few_metric_list(int i) {
  const struct few_metric *m = few__metric_at(i);
  return (struct few_metric_info){m->name, m->source, m->help};
}

int few_feature_list_count(void) { return few__features_count(); }

struct few_feature_info few_feature_list(int i) {
  return (struct few_feature_info){few__features_name(i), few__features_help(i)};
}
