/* evaluate.c - measures during training how close samples of the averaged weights are to a
 * reference.
 *
 * An evaluation adds a line to the run log, {"step":N,"eval":{...}}. It changes nothing that a step
 * depends on, so training has the same bits with and without it. The line is written before the
 * checkpoint of its step, or when the run resumes at that step, so the log of a run that was killed
 * and resumed has each line once. Feature networks and reference statistics stay in memory between
 * evaluations.
 */
#include "evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "eval/evaluator.h"
#include "io/json.h"

struct few_evaluation {
  few_ctx *ctx;
  const struct few_setup *setup;
  few_model *model;
  few_runner *runner;         /* of the model */
  few_data *held_out, *named; /* the reference; both NULL: the training data, or a spec */
  char reference[1100], features[FEW_FEATURES_SPEC];
  few_evaluator *evaluator;
};

/* ---- the reference ---- */

/* Opens a reference set. Split FEW_DATA_TEST is the held-out part of the run's own data. */
static few_status open_set(const struct few_evaluation *e, few_data **out, const char *spec,
                           int split) {
  const struct few_train_keys *k = &e->setup->config.keys;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.split = split;
  o.on_error = k->data_on_error;
  o.size = k->size;
  o.channels = k->channels_in;
  o.fit = k->fit;
  o.background = k->background;
  if (split == FEW_DATA_TEST) {
    o.classes = k->data_classes;
    o.holdout = k->data_holdout;
    if (o.holdout > 0) o.limit = k->data_limit; /* hold out of the same items as the run */
  }
  return few_data_open(out, e->ctx, spec, &o);
}

/* The reference is the set that eval_ref names, or else the held-out part of the data, or, if there
 * is no such part, the training data. */
static few_status choose_reference(struct few_evaluation *e, const few_data **reference) {
  const struct few_train_keys *k = &e->setup->config.keys;
  if (k->eval_ref[0]) {
    snprintf(e->reference, sizeof e->reference, "%s", k->eval_ref);
    if (!k->size && !k->channels_in) return FEW_OK; /* the evaluator opens it by its name */
    FEW_TRY(open_set(e, &e->named, k->eval_ref, FEW_DATA_TRAIN));
    *reference = e->named;
    return FEW_OK;
  }
  few_status st = FEW_E_UNSUPPORTED; /* data that the program passed have no held-out part */
  if (e->setup->opened) st = open_set(e, &e->held_out, k->data, FEW_DATA_TEST);
  if (st && st != FEW_E_UNSUPPORTED) return st;
  const char *data = few_data_spec(e->setup->data);
  const bool named = strchr(data, ':') || k->data_holdout > 0;
  const char *what = st ? "" : named ? ", held-out part" : ":test";
  snprintf(e->reference, sizeof e->reference, "%s%s", data, what);
  *reference = st ? e->setup->data : e->held_out;
  if (st)
    few__log(e->ctx, FEW_LOG_INFO,
             "%s has no held-out part, so evaluations compare with the training data "
             "(data_holdout = 0.1 keeps a part for this; eval_ref names another set)",
             k->data);
  return FEW_OK;
}

static few_status open_evaluator(struct few_evaluation *e) {
  const struct few_train_keys *k = &e->setup->config.keys;
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  struct few_eval_given given = {.runner = e->runner};
  if (e->setup->config.objective[0].def->classifies)
    return few__fail(e->ctx, FEW_E_INVALID,
                     "%s: eval_every = %" PRId64 ": a classifier samples no images: leave it out",
                     e->setup->config.recipe.place, k->eval_every);
  FEW_TRY(choose_reference(e, &given.reference));
  o.source = "this run";
  o.reference = e->reference;
  few__setup_features(e->setup, k->eval_features, e->features);
  o.features = few__setup_features_chosen(k->eval_features, e->features);
  o.metrics = k->eval_metrics[0] ? k->eval_metrics : e->setup->spec.points ? "fd,energy" : "fd";
  o.n = k->eval_n;
  o.sampling.steps = (int)k->eval_steps;
  o.sampling.guidance = k->eval_guidance;
  o.label = k->eval_labels == FEW_CLASSES_EVEN ? FEW_LABEL_EACH : FEW_LABEL_SHARES;
  few_status st = few__evaluator_open(e->ctx, &e->evaluator, &o, &given);
  return st ? few__fail_in(e->ctx, st, "%s: eval_every = %" PRId64, e->setup->config.recipe.place,
                           k->eval_every)
            : FEW_OK;
}

few_status few__evaluation_open(few_ctx *ctx, few_evaluation **out, const struct few_setup *setup,
                                few_model *model, few_runner *runner) {
  struct few_evaluation *e = NULL;
  *out = NULL;
  if (!setup->config.keys.eval_every) return FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &e, 1));
  *e = (struct few_evaluation){.ctx = ctx, .setup = setup, .model = model, .runner = runner};
  few_status st = open_evaluator(e);
  if (st) {
    few__evaluation_free(e);
    return st;
  }
  *out = e;
  return FEW_OK;
}

void few__evaluation_free(few_evaluation *e) {
  if (!e) return;
  few__evaluator_free(e->evaluator);
  few_data_free(e->held_out);
  few_data_free(e->named);
  few__free(e->ctx, e);
}

/* ---- the cost ---- */

/* The cost is known before the first step, from the operations of an evaluation and of a step. */
few_status few__evaluation_announce(const few_evaluation *e, double step_flops) {
  struct few_eval_cost cost;
  if (!e || !(step_flops > 0)) return FEW_OK;
  const struct few_train_keys *k = &e->setup->config.keys;
  FEW_TRY(few__evaluator_cost(e->evaluator, &cost));
  const int64_t times = k->steps / k->eval_every + (k->steps % k->eval_every != 0);
  const double steps = cost.flops / step_flops; /* steps that compute as much as an evaluation */
  const double share = steps * (double)times / (double)k->steps;
  const char *what = e->setup->spec.points ? "points" : "images";
  struct few_text t = {0};
  few__text_add(e->ctx, &t,
                "eval_every = %" PRId64 ": an evaluation samples %" PRId64
                " %s with %d network evaluations each and compares %" PRId64
                " features of each, which computes as much as %.3g steps of training: ",
                k->eval_every, cost.n, what, cost.nfe, cost.dim, steps);
  if (share > 0.5)
    few__text_add(e->ctx, &t,
                  "the %" PRId64
                  " evaluations of this run compute %.2g times as much as its training. A smaller "
                  "eval_n or eval_steps, a larger eval_every, or a smaller feature network "
                  "(eval_features) makes them cheaper",
                  times, share);
  else
    few__text_add(e->ctx, &t, "%.2g %% in addition to the training", 100 * share);
  if (!t.failed) few__log(e->ctx, share > 0.5 ? FEW_LOG_WARN : FEW_LOG_INFO, "%s", t.at);
  few__text_free(e->ctx, &t);
  return FEW_OK;
}

few_status few__evaluation_flops(const few_evaluation *e, double *out) {
  struct few_eval_cost cost;
  FEW_TRY(few__evaluator_cost(e->evaluator, &cost));
  *out = cost.flops;
  return FEW_OK;
}

/* ---- the line ---- */

/* A number that is NaN is written as null, since JSON has no NaN. */
static void put_report(struct few_json *j, const struct few_eval_report *r) {
  few__json_open(j, "eval", '{');
  few__json_put_string(j, "reference", r->reference);
  few__json_put_string(j, "reference_hash", r->reference_hash);
  few__json_put_int(j, "n_reference", r->n_reference);
  few__json_put_string(j, "features", r->features);
  few__json_put_string(j, "features_hash", r->features_hash);
  few__json_put_int(j, "n", r->n);
  few__json_put_string(j, "sampler", r->sampler);
  few__json_put_int(j, "steps", r->steps);
  few__json_put_int(j, "nfe", r->nfe);
  few__json_put_real_or_null(j, "guidance", r->guidance);
  few__json_put_string(j, "labels", r->labels);
  for (int i = 0; i < r->n_numbers; i++)
    few__json_put_real_or_null(j, r->number[i].name, r->number[i].value);
  few__json_put_real(j, "seconds", r->seconds);
  few__json_close(j);
}

static few_status log_report(const struct few_evaluation *e, int64_t step,
                             const struct few_eval_report *r, struct few_run_log *log) {
  struct few_text line = {0};
  struct few_json j = few__json_begin(e->ctx, &line);
  few__json_open(&j, NULL, '{');
  few__json_put_int(&j, "step", step);
  put_report(&j, r);
  few__json_close(&j);
  few_status st = few__json_end(&j, "log.jsonl");
  if (!st) st = few__run_log_line(e->ctx, log, line.at);
  few__text_free(e->ctx, &line);
  return st;
}

static void log_summary(const struct few_evaluation *e, int64_t step,
                        const struct few_eval_report *r) {
  struct few_text t = {0};
  few__text_add(e->ctx, &t, "step %" PRId64 ":", step);
  for (int i = 0; i < r->n_numbers; i++)
    few__text_add(e->ctx, &t, " %s %.4g,", r->number[i].name, r->number[i].value);
  const char *labels = few_eval_labels_text(r->labels);
  if (!t.failed)
    few__log(e->ctx, FEW_LOG_INFO,
             "%s of %" PRId64 " %s, %d network evaluation%s each; %s features, against %s%s%s",
             t.at, r->n, r->points ? "points" : "images", r->nfe, r->nfe == 1 ? "" : "s",
             r->features, r->reference, *labels ? "; each class " : "", labels);
  few__text_free(e->ctx, &t);
}

few_status few__evaluation_run(few_evaluation *e, const struct few_run_state *s,
                               struct few_run_log *log) {
  const int64_t step = s->step;
  struct few_eval_report *r = NULL;
  char start[64];
  bool logged;
  if (!e || !step) return FEW_OK;
  const struct few_train_keys *k = &e->setup->config.keys;
  if (step % k->eval_every && step != k->steps) return FEW_OK;
  snprintf(start, sizeof start, "{\"step\":%" PRId64 ",\"eval\":", step);
  FEW_TRY(few__run_log_has(e->ctx, log, start, &logged));
  if (logged) return FEW_OK;
  FEW_TRY(few__state_student(s, few__model_write(e->model)));
  FEW_TRY(few__setup_use(e->setup, step, e->model));
  few_status st = few__evaluator_run(e->evaluator, &r);
  if (st == FEW_E_CANCELLED)
    return few__fail_in(e->ctx, st,
                        "evaluation at step %" PRId64
                        " (a resumed run makes it up first; eval_every=0 leaves it out)",
                        step);
  if (st == FEW_E_DIVERGED) { /* the guard decides whether the run diverged */
    few__log(e->ctx, FEW_LOG_WARN, "step %" PRId64 ": no evaluation: %s", step, few_error(e->ctx));
    return FEW_OK;
  }
  FEW_TRY(st);
  log_summary(e, step, r);
  st = log_report(e, step, r, log);
  few_eval_report_free(r);
  return st;
}
