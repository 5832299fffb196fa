/* eval.c - images to features to sums to numbers.
 *
 * Images stream: a chunk is sampled, becomes bytes, then features, then part of running sums, and
 * is gone. What grows with n is a data set (read whole) and the rows that kid, pr and dc look at,
 * up to opts.keep. All that can be refused is refused before the first sample.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/pace.h"
#include "job.h"
#include "model/model.h"
#include "report.h"
#include "statistics.h"

static few_status make_room(few_evaluator *j) {
  const int64_t n = FEW_SOURCE_CHUNK;
  const struct few_source *s = j->source ? j->source : j->reference;
  FEW_TRY(FEW_NEW(j->ctx, &j->pixels, n * s->h * s->w * s->c));
  FEW_TRY(FEW_NEW(j->ctx, &j->labels, n));
  FEW_TRY(FEW_NEW(j->ctx, &j->rows, n * j->dim));
  if (j->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS))
    FEW_TRY(FEW_NEW(j->ctx, &j->logits, n * j->info->classes));
  if (j->needs & FEW_NEED_SPATIAL) FEW_TRY(FEW_NEW(j->ctx, &j->spatial, n * j->info->spatial));
  return FEW_OK;
}

/* ---- running ---- */

/* A network of features may need a second an image, so the chunks follow the clock: neither the
 * images nor the sums depend on them. */
static struct few_pace chunks(const few_evaluator *j, const struct few_source *s) {
  const int64_t model = s->model ? few__model_portion(s->model) : 1;
  const int64_t features = s->points ? 1 : few__features_portion(j->features);
  return (struct few_pace){
      .unit = model > features ? model : features, .most = FEW_SOURCE_CHUNK, .seconds = 0.5};
}

static few_status gather(few_evaluator *j, struct few_source *s, uint64_t seed, struct few_set *set,
                         struct few_progress_frame frame) {
  const int64_t from = frame.first;
  struct few_pace pace = chunks(j, s);
  for (int64_t first = 0, n; first < s->n; first += n) {
    n = few__pace_next(&pace, s->n - first);
    frame.first = from + first;
    few__progress_frame(j->ctx, &frame);
    few_status st = few__source_read(s, seed, first, n, j->pixels, j->rows, j->labels);
    few__progress_frame(j->ctx, NULL);
    if (st) return st;
    if (!s->points)
      FEW_TRY(few__features_run(j->features, n, s->h, s->w, s->c, j->pixels, j->rows, j->logits,
                                j->spatial));
    for (int64_t i = 0; s == j->source && j->class_map && i < n; i++)
      if (j->labels[i] >= 0) j->labels[i] = j->class_map[j->labels[i]];
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
                           .dim = j->dim,
                           .spatial = j->info->spatial,
                           .classes = j->info->classes,
                           .keep = j->o->keep,
                           .splits = j->o->splits,
                           .seed = FEW_EVAL_CHOICE,
                           .hold = s == j->source && j->o->bootstrap};
  return few__set_create(j->ctx, out, j->workers, &o);
}

static few_status gather_reference(few_evaluator *j) {
  if (!(j->needs & FEW_NEED_REFERENCE) || j->reference_set) return FEW_OK;
  FEW_TRY(new_set(j, j->reference, j->needs & FEW_EVAL_SIDE, &j->reference_set));
  struct few_progress_frame f = {"reference", 0, j->reference->n, few__now()};
  few_status st = j->reference->saved ? few__statistics_fill(j->reference->saved, j->reference_set)
                                      : gather(j, j->reference, 0, j->reference_set, f);
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
  few_status st = FEW_OK;
  /* Those of sums take no time: they come before those that compare all images with all. */
  for (int pairs = 0; pairs < 2; pairs++)
    for (int i = 0; !st && i < few__metric_count(); i++) {
      const struct few_metric *m = few__metric_at(i);
      if (!(j->wanted & 1u << i) || !(m->needs & FEW_NEED_ROWS) != !pairs) continue;
      st = m->run(j->ctx, &c, value[i]);
      if (!st) j->measured |= 1u << i;
    }
  if (!st && j->o->bootstrap) st = few__bootstrap(j->ctx, &c, j->wanted, j->o->bootstrap, value);
  /* Of the first set an interrupted evaluation keeps what it has; of a later one nothing, for each
   * number is a mean over the same sets. */
  if (st && (st != FEW_E_CANCELLED || seed)) return st;
  for (int i = 0; i < few__metric_count(); i++)
    for (int v = 0; j->measured & 1u << i && v < few__metric_at(i)->n_values; v++)
      few__report_add(r, seed, &value[i][v]);
  return st;
}

static few_status run_seeds(few_evaluator *j, struct few_report_inside *r) {
  struct few_progress_frame f = {j->source->model ? "samples" : "images", 0,
                                 j->source->n * j->o->seeds, few__now()};
  for (int k = 0; k < j->o->seeds; k++) {
    few__set_free(j->set);
    FEW_TRY(new_set(j, j->source, j->needs, &j->set));
    f.first = k * j->source->n;
    FEW_TRY(gather(j, j->source, j->o->seed + (uint64_t)k, j->set, f));
    FEW_TRY(measure(j, k, r));
    j->sets++;
  }
  return FEW_OK;
}

/* What an interrupted evaluation lacks of what was asked for: "pr, dc". */
static few_status describe_missing(const few_evaluator *j, struct few_report_inside *r) {
  struct few_text t = {0};
  few__text_add(j->ctx, &t, "%s", "");
  for (int i = 0; i < few__metric_count(); i++)
    if (j->wanted & ~j->measured & 1u << i)
      few__text_add(j->ctx, &t, "%s%s", t.len ? ", " : "", few__metric_at(i)->name);
  if (j->wanted == j->measured && j->o->bootstrap) few__text_add(j->ctx, &t, "error bars");
  if (j->wanted == j->measured && j->o->seeds > 1)
    few__text_add(j->ctx, &t, "%d of %d sets of samples", j->o->seeds - j->sets, j->o->seeds);
  few_status st = t.failed ? few__fail(j->ctx, FEW_E_MEMORY, "out of memory for the report")
                           : few__report_text(r, &r->public.missing, t.at);
  few__text_free(j->ctx, &t);
  return st;
}

static few_status describe_labels(const struct few_source *s, struct few_report_inside *r) {
  const struct few_classes c = few__source_classes(s);
  struct few_eval_report *p = &r->public;
  p->label = s->model && s->sample.label >= 0 ? s->sample.label : s->label;
  p->labels = s->labels;
  if (p->label >= 0 && p->label < c.n && c.name(c.of, p->label))
    FEW_TRY(few__report_text(r, &p->label_name, c.name(c.of, p->label)));
  if (!s->model || !s->classes) return FEW_OK;
  FEW_TRY(FEW_NEW(r->ctx, &r->label_counts, s->classes));
  memcpy(r->label_counts, s->counts, (size_t)s->classes * sizeof *s->counts);
  p->classes = s->classes;
  p->label_counts = r->label_counts;
  return FEW_OK;
}

static few_status describe(const few_evaluator *j, struct few_report_inside *r) {
  const struct few_source *s = j->source;
  struct few_eval_report *p = &r->public;
  FEW_TRY(few__report_text(r, &p->source, s->spec));
  FEW_TRY(few__report_text(r, &p->source_hash, s->hash));
  if (j->reference_set) {
    FEW_TRY(few__report_text(r, &p->reference, few__source_name(j->reference)));
    FEW_TRY(few__report_text(r, &p->reference_hash, j->reference->hash));
    p->n_reference = j->reference->n;
  }
  p->model = s->model != NULL;
  p->complete = j->sets == j->o->seeds;
  p->seeds = j->sets > 0 ? j->sets : 1;
  if (p->complete)
    FEW_TRY(few__report_text(r, &p->missing, ""));
  else
    FEW_TRY(describe_missing(j, r));
  p->bootstrap = j->o->bootstrap;
  FEW_TRY(describe_labels(s, r));
  p->points = s->points;
  p->n = s->n;
  p->h = s->h;
  p->w = s->w;
  p->c = s->c;
  p->rounding = s->points ? "none" : "bytes as stored";
  if (p->model) {
    struct few_model_info info;
    few_model_info(s->model, &info);
    FEW_TRY(few__report_text(r, &p->sampler, s->sampler));
    FEW_TRY(few__report_text(r, &p->settings, s->settings));
    p->steps = s->steps;
    p->nfe = s->nfe;
    p->flops = info.flops * s->nfe;
    p->guidance = s->sample.guidance;
    p->seed = j->o->seed;
    if (!s->points) p->rounding = "the byte nearest to (x + 1) 127.5, clipped";
  }
  FEW_TRY(few__report_text(r, &p->features, j->info->name));
  FEW_TRY(few__report_text(r, &p->features_hash, j->info->hash));
  FEW_TRY(few__report_text(r, &p->resize, j->info->resize));
  FEW_TRY(few__report_text(r, &p->trained_on, j->info->trained_on));
  p->dim = j->dim;
  return FEW_OK;
}

/* ---- the evaluator ---- */

void few__evaluator_free(few_evaluator *e) {
  if (!e) return;
  few__set_free(e->set);
  few__set_free(e->reference_set);
  few__source_free(e->source);
  few__source_free(e->reference);
  few__features_free(e->features);
  few__workers_free(e->workers);
  few__free(e->ctx, e->pixels);
  few__free(e->ctx, e->labels);
  few__free(e->ctx, e->class_map);
  few__free(e->ctx, e->rows);
  few__free(e->ctx, e->logits);
  few__free(e->ctx, e->spatial);
  few__free(e->ctx, e);
}

static double least_of(int64_t a, int64_t b) { return (double)(a < b ? a : b); }

/* Operations of the metrics of one set, to a half or so: what they do to matrices of dim x dim, and
 * to all pairs of rows. */
static double metric_flops(const few_evaluator *e) {
  const double d = (double)e->dim, keep_s = least_of(e->source->n, e->o->keep);
  const double keep_r = e->reference ? least_of(e->reference->n, e->o->keep) : 0;
  double flops = 0;
  for (int i = 0; i < few__metric_count(); i++) {
    if (!(e->wanted & 1u << i)) continue;
    const unsigned needs = few__metric_at(i)->needs;
    if (needs & FEW_NEED_MOMENTS) flops += 25 * d * d * d; /* two eigensolutions, singular values */
    if (needs & FEW_NEED_ROWS) flops += 2 * d * (keep_s + keep_r) * (keep_s + keep_r);
  }
  return flops;
}

few_status few__evaluator_cost(const few_evaluator *e, struct few_eval_cost *out) {
  const struct few_source *s = e->source;
  double each = s->points ? 0 : e->info->flops;
  *out = (struct few_eval_cost){.n = s->n * e->o->seeds, .dim = e->dim};
  if (s->model) {
    struct few_model_info info;
    few_model_info(s->model, &info);
    FEW_TRY(few__sample_evals(s->model, &s->sample, &out->nfe));
    each += info.flops * out->nfe;
  }
  out->flops = each * (double)out->n + metric_flops(e) * e->o->seeds;
  return FEW_OK;
}

static few_status open_job(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                           const struct few_eval_given *given, bool metrics) {
  few_evaluator *j = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_eval_opts", o, FEW_EVAL_OPTS_VERSION));
  FEW_GOTO(FEW_NEW(ctx, &j, 1));
  *j = (few_evaluator){.ctx = ctx, .opts = *o, .given = *given};
  j->o = &j->opts;
  FEW_GOTO(few__eval_ask(j, metrics));
  FEW_GOTO(make_room(j));
  *out = j;
out:
  if (st) few__evaluator_free(j);
  return st;
}

few_status few__evaluator_open(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                               const struct few_eval_given *given) {
  return open_job(ctx, out, o, given, true);
}

/* `keep`: of a run that was cancelled there is a report of what it has. */
static few_status run(few_evaluator *e, bool keep, struct few_eval_report **out) {
  const double started = few__now();
  struct few_report_inside *r = NULL;
  few_status st = FEW_OK, described;
  *out = NULL;
  e->sets = 0;
  e->measured = 0;
  FEW_GOTO(few__report_create(e->ctx, &r, e->o->seeds));
  st = gather_reference(e);
  if (!st) st = run_seeds(e, r);
  if (st && (st != FEW_E_CANCELLED || !keep)) goto out;
  described = describe(e, r);
  if (described) {
    st = described;
    goto out;
  }
  few__report_end(r);
  r->public.seconds = few__now() - started;
  *out = &r->public;
out:
  if (!*out && r) few_eval_report_free(&r->public);
  return st;
}

few_status few__evaluator_run(few_evaluator *e, struct few_eval_report **out) {
  return run(e, false, out);
}

few_status few_eval(few_ctx *ctx, const struct few_eval_opts *opts, struct few_eval_report **out) {
  few_evaluator *e = NULL;
  *out = NULL;
  FEW_TRY(few__evaluator_open(ctx, &e, opts, &(struct few_eval_given){NULL, NULL}));
  few_status st = run(e, true, out);
  few__evaluator_free(e);
  return st;
}

few_status few_eval_save_reference(few_ctx *ctx, const struct few_eval_opts *opts,
                                   const char *path) {
  few_evaluator *j = NULL;
  FEW_TRY(open_job(ctx, &j, opts, &(struct few_eval_given){NULL, NULL}, false));
  few_status st = gather_reference(j);
  if (!st) {
    const struct few_source *r = j->reference;
    const struct few_statistics head = {.ctx = ctx,
                                        .reference = r->spec,
                                        .hash = r->hash,
                                        .label = r->label,
                                        .classes = few__source_classes(r),
                                        .class_counts = r->counts,
                                        .h = r->h,
                                        .w = r->w,
                                        .c = r->c,
                                        .points = r->points,
                                        .features = j->info->name,
                                        .features_hash = j->info->hash,
                                        .resize = j->info->resize};
    st = few__statistics_write(&head, j->reference_set, path);
  }
  few__evaluator_free(j);
  return st;
}

int few_metric_list_count(void) { return few__metric_count(); }

struct few_metric_info few_metric_list(int i) {
  if (i < 0 || i >= few__metric_count()) return (struct few_metric_info){.name = NULL};
  const struct few_metric *m = few__metric_at(i);
  return (struct few_metric_info){m->name, m->source, m->help};
}

int few_feature_list_count(void) { return few__features_count(); }

struct few_feature_info few_feature_list(int i) {
  if (i < 0 || i >= few__features_count()) return (struct few_feature_info){.name = NULL};
  return (struct few_feature_info){few__features_name(i), few__features_help(i)};
}
