/* eval.c - from images to features, sums and numbers.
 *
 * Images are processed in chunks: a chunk is sampled, turned into bytes and features, added to
 * running sums, and dropped. Only two things grow with n: a data set, which is read whole, and the
 * rows that kid, pr, dc and energy use, up to opts.keep. With opts.bootstrap, the features, labels
 * and logits of up to opts.keep images are held too. Invalid options are refused before the first
 * sample.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/pace.h"
#include "internal.h"
#include "model/run/sample.h"
#include "report.h"
#include "statistics.h"

static few_status make_room(few_evaluator *e) {
  const int64_t n = FEW_SOURCE_CHUNK;
  const struct few_source *s = e->source ? e->source : e->reference;
  FEW_TRY(FEW_NEW(e->ctx, &e->pixels, n * s->h * s->w * s->c));
  FEW_TRY(FEW_NEW(e->ctx, &e->labels, n));
  FEW_TRY(FEW_NEW(e->ctx, &e->rows, n * e->dim));
  if (e->needs & (FEW_NEED_LOGITS | FEW_NEED_LABELS))
    FEW_TRY(FEW_NEW(e->ctx, &e->logits, n * e->info->classes));
  if (e->needs & FEW_NEED_SPATIAL) FEW_TRY(FEW_NEW(e->ctx, &e->spatial, n * e->info->spatial));
  return FEW_OK;
}

/* ---- running ---- */

/* A feature network may take a second per image, so the chunks are sized by time. Images and sums
 * do not depend on them. */
static struct few_pace chunks(const few_evaluator *e, const struct few_source *s) {
  const int64_t model = s->runner ? few__runner_portion(s->runner) : 1;
  const int64_t features = s->points ? 1 : few__features_portion(e->features);
  return (struct few_pace){
      .unit = model > features ? model : features, .most = FEW_SOURCE_CHUNK, .seconds = 0.5};
}

static few_status gather(few_evaluator *e, struct few_source *s, uint64_t seed, few_eval_set *set,
                         struct few_progress_frame frame) {
  const int64_t from = frame.first;
  struct few_pace pace = chunks(e, s);
  for (int64_t first = 0, n; first < s->n; first += n) {
    n = few__pace_next(&pace, s->n - first);
    frame.first = from + first;
    few__progress_frame(e->ctx, &frame);
    few_status st = few__source_read(s, seed, first, n, e->pixels, e->rows, e->labels);
    few__progress_frame(e->ctx, NULL);
    if (st) return st;
    if (!s->points)
      FEW_TRY(few__features_run(e->features, n, s->h, s->w, s->c, e->pixels, e->rows, e->logits,
                                e->spatial));
    for (int64_t i = 0; s == e->source && e->class_map && i < n; i++)
      if (e->labels[i] >= 0) e->labels[i] = e->class_map[e->labels[i]];
    FEW_TRY(few__eval_set_add(set, n, e->rows, e->logits, e->spatial, e->labels));
    FEW_TRY(few__progress(e->ctx, &(struct few_progress){frame.what, from + first + n, frame.total,
                                                         few__now() - frame.started, NULL}));
  }
  few__eval_set_end(set);
  return FEW_OK;
}

static few_status new_set(const few_evaluator *e, const struct few_source *s, unsigned needs,
                          few_eval_set **out) {
  struct few_eval_set_opts o = {.name = s->spec,
                                .needs = needs,
                                .n = s->n,
                                .dim = e->dim,
                                .spatial = e->info->spatial,
                                .classes = e->info->classes,
                                .keep = e->o->keep,
                                .splits = e->o->splits,
                                .seed = FEW_EVAL_CHOICE,
                                .hold = s == e->source && e->o->bootstrap};
  return few__eval_set_create(e->ctx, out, e->workers, &o);
}

static few_status gather_reference(few_evaluator *e) {
  if (!(e->needs & FEW_NEED_REFERENCE) || e->reference_set) return FEW_OK;
  FEW_TRY(new_set(e, e->reference, e->needs & FEW_EVAL_SIDE, &e->reference_set));
  struct few_progress_frame f = {"reference", 0, e->reference->n, few__now()};
  few_status st = e->reference->saved ? few__statistics_fill(e->reference->saved, e->reference_set)
                                      : gather(e, e->reference, 0, e->reference_set, f);
  if (!st) return FEW_OK;
  few__eval_set_free(e->reference_set); /* an incomplete set must not be used as if complete */
  e->reference_set = NULL;
  return st;
}

static few_status measure(few_evaluator *e, int seed, struct few_report_inside *r) {
  struct few_metric_shared shared = {.w = e->workers};
  struct few_metric_input in = {e->set, e->reference_set, &e->metric_opts, false, &shared};
  struct few_metric_value value[FEW_METRICS_MAX][FEW_METRIC_VALUES];
  few_status st = FEW_OK;
  /* Metrics of sums are fast, so they are measured before those that compare all pairs of
   * images. */
  for (int pairs = 0; pairs < 2; pairs++)
    for (int i = 0; !st && i < few__metric_count(e->ctx); i++) {
      const struct few_metric_def *m = few__metric_at(e->ctx, i);
      if (!(e->wanted & 1u << i) || !(m->needs & FEW_NEED_ROWS) != !pairs) continue;
      st = m->run(value[i], e->ctx, &in);
      if (!st) e->measured |= 1u << i;
    }
  if (!st && e->o->bootstrap) st = few__bootstrap(e->ctx, &in, e->wanted, e->o->bootstrap, value);
  /* If an evaluation is interrupted while the first set is measured, the numbers so far are kept.
   * Those of a later set are dropped, because all numbers must be means over the same sets. */
  if (st && (st != FEW_E_CANCELLED || seed)) return st;
  for (int i = 0; i < few__metric_count(e->ctx); i++)
    for (int v = 0; e->measured & 1u << i && v < few__metric_at(e->ctx, i)->n_values; v++)
      few__report_add(r, seed, &value[i][v]);
  return st;
}

static few_status run_seeds(few_evaluator *e, struct few_report_inside *r) {
  struct few_progress_frame f = {e->source->model ? "samples" : "images", 0,
                                 e->source->n * e->o->seeds, few__now()};
  for (int k = 0; k < e->o->seeds; k++) {
    few__eval_set_free(e->set);
    FEW_TRY(new_set(e, e->source, e->needs, &e->set));
    f.first = k * e->source->n;
    FEW_TRY(gather(e, e->source, e->o->seed + (uint64_t)k, e->set, f));
    FEW_TRY(measure(e, k, r));
    e->sets++;
  }
  return FEW_OK;
}

/* What an interrupted evaluation has not measured: "pr, dc". */
static few_status describe_missing(const few_evaluator *e, struct few_report_inside *r) {
  struct few_text t = {0};
  few__text_add(e->ctx, &t, "%s", "");
  for (int i = 0; i < few__metric_count(e->ctx); i++)
    if (e->wanted & ~e->measured & 1u << i)
      few__text_add(e->ctx, &t, "%s%s", t.len ? ", " : "", few__metric_at(e->ctx, i)->name);
  if (e->wanted == e->measured && e->o->bootstrap) few__text_add(e->ctx, &t, "error bars");
  if (e->wanted == e->measured && e->o->seeds > 1)
    few__text_add(e->ctx, &t, "%d of %d sets of samples", e->o->seeds - e->sets, e->o->seeds);
  few_status st = t.failed ? few__fail(e->ctx, FEW_E_MEMORY, "out of memory for the report")
                           : few__report_text(r, &r->public.missing, t.at);
  few__text_free(e->ctx, &t);
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

static few_status describe(const few_evaluator *e, struct few_report_inside *r) {
  const struct few_source *s = e->source;
  struct few_eval_report *p = &r->public;
  FEW_TRY(few__report_text(r, &p->source, s->spec));
  FEW_TRY(few__report_text(r, &p->source_hash, s->hash));
  if (e->reference_set) {
    FEW_TRY(few__report_text(r, &p->reference, few__source_name(e->reference)));
    FEW_TRY(few__report_text(r, &p->reference_hash, e->reference->hash));
    p->n_reference = e->reference->n;
  }
  p->model = s->model != NULL;
  p->complete = e->sets == e->o->seeds;
  p->seeds = e->sets > 0 ? e->sets : 1;
  if (p->complete)
    FEW_TRY(few__report_text(r, &p->missing, ""));
  else
    FEW_TRY(describe_missing(e, r));
  p->bootstrap = e->o->bootstrap;
  FEW_TRY(describe_labels(s, r));
  p->points = s->points;
  p->n = s->n;
  p->h = s->h;
  p->w = s->w;
  p->c = s->c;
  p->rounding = s->points ? "none" : "bytes as stored";
  if (p->model) {
    struct few_model_info info;
    few_model_info(&info, sizeof info, s->model);
    FEW_TRY(few__report_text(r, &p->net, info.net));
    FEW_TRY(few__report_text(r, &p->objective, info.objective));
    p->trained = info.step;
    FEW_TRY(few__report_text(r, &p->sampler, s->sampler));
    FEW_TRY(few__report_text(r, &p->settings, s->settings));
    p->steps = s->steps;
    p->nfe = s->nfe;
    p->flops = info.flops * s->nfe;
    p->guidance = s->sample.guidance;
    p->seed = e->o->seed;
    if (!s->points) p->rounding = "the byte nearest to (x + 1) 127.5, clipped";
  }
  FEW_TRY(few__report_text(r, &p->features, e->info->name));
  FEW_TRY(few__report_text(r, &p->features_hash, e->info->hash));
  FEW_TRY(few__report_text(r, &p->resize, e->info->resize));
  FEW_TRY(few__report_text(r, &p->trained_on, e->info->trained_on));
  p->dim = e->dim;
  return FEW_OK;
}

/* ---- the evaluator ---- */

void few__evaluator_free(few_evaluator *e) {
  if (!e) return;
  few__eval_set_free(e->set);
  few__eval_set_free(e->reference_set);
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

/* Operations of the metrics of one set, to a factor of about two. Only operations on matrices of
 * dim x dim and on all pairs of rows are counted. */
static double metric_flops(const few_evaluator *e) {
  const double d = (double)e->dim, keep_s = least_of(e->source->n, e->o->keep);
  const double keep_r = e->reference ? least_of(e->reference->n, e->o->keep) : 0;
  double flops = 0;
  for (int i = 0; i < few__metric_count(e->ctx); i++) {
    if (!(e->wanted & 1u << i)) continue;
    const unsigned needs = few__metric_at(e->ctx, i)->needs;
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
    few_model_info(&info, sizeof info, s->model);
    FEW_TRY(few__sample_evals(e->ctx, s->model, &s->sample, &out->nfe));
    each += info.flops * out->nfe;
  }
  out->flops = each * (double)out->n + metric_flops(e) * e->o->seeds;
  return FEW_OK;
}

/* Takes the runner and the data that are open already: those given to few__evaluator_open,
 * otherwise those of the options. */
static few_status take_given(few_evaluator *e) {
  struct few_eval_opts *o = &e->opts;
  struct few_eval_given *g = &e->given;
  if (!g->runner) g->runner = o->runner;
  if (!g->source) g->source = o->source_data;
  if (!g->reference) g->reference = o->reference_data;
  if (g->runner && g->source)
    return few__fail(e->ctx, FEW_E_INVALID,
                     "eval: both a runner and data are given as the source: leave out one of them");
  if (g->runner && !o->source) o->source = "model";
  if (g->source && !o->source) o->source = few_data_spec(g->source);
  if (g->reference && !o->reference) o->reference = few_data_spec(g->reference);
  if (!g->runner || g->runner->ctx == e->ctx) return FEW_OK;
  return few__fail(
      e->ctx, FEW_E_INVALID,
      "eval: the runner belongs to another context than this call: use one context for both");
}

static few_status open_evaluator(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                                 const struct few_eval_given *given, bool metrics) {
  few_evaluator *e = NULL;
  few_status st = FEW_OK;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_eval_opts", o, FEW_EVAL_OPTS_VERSION));
  FEW_GOTO(FEW_NEW(ctx, &e, 1));
  *e = (few_evaluator){.ctx = ctx, .opts = *o, .given = *given};
  e->o = &e->opts;
  FEW_GOTO(take_given(e));
  FEW_GOTO(few__eval_resolve(e, metrics));
  FEW_GOTO(make_room(e));
  *out = e;
out:
  if (st) few__evaluator_free(e);
  return st;
}

void few__evaluator_set_times(few_evaluator *e, int n, const double *times) {
  assert(e->source && e->source->model);
  e->source->sample.n_times = n;
  e->source->sample.times = times;
}

few_status few__evaluator_open(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                               const struct few_eval_given *given) {
  return open_evaluator(ctx, out, o, given, true);
}

/* If `keep`, a cancelled run returns a report of the numbers that were measured. */
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

few_status few_eval(struct few_eval_report **out, few_ctx *ctx, const struct few_eval_opts *opts) {
  few_evaluator *e = NULL;
  *out = NULL;
  FEW_TRY(few__evaluator_open(ctx, &e, opts, &(struct few_eval_given){0}));
  few_status st = run(e, true, out);
  few__evaluator_free(e);
  return st;
}

few_status few_eval_save_reference(few_ctx *ctx, const struct few_eval_opts *opts,
                                   const char *path) {
  few_evaluator *e = NULL;
  FEW_TRY(open_evaluator(ctx, &e, opts, &(struct few_eval_given){0}, false));
  few_status st = gather_reference(e);
  if (!st) {
    const struct few_source *r = e->reference;
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
                                        .features = e->info->name,
                                        .features_hash = e->info->hash,
                                        .resize = e->info->resize};
    st = few__statistics_write(&head, e->reference_set, path);
  }
  few__evaluator_free(e);
  return st;
}
