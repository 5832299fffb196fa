/* trainer.c - a run, step by step: a step's gradient, the guard's check, the update, the averages,
 * the log.
 *
 * All that a step does is a function of the state and the step's number, so a resumed run ends in
 * the bits of a run that was never stopped.
 */
#include "trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "few/backend.h"
#include "guard.h"
#include "preview.h"
#include "provenance.h"
#include "start.h"
#include "update.h"

/* ---- opening and closing ---- */

static struct few_networks networks(few_trainer *t) {
  return (struct few_networks){&t->setup, t->model, &t->head, &t->fake_head};
}

static few_status make_workers(few_trainer *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const int workers = k->workers ? (int)k->workers : few_ctx_workers(t->ctx);
  FEW_TRY(few__workers_create(t->ctx, &t->workers, workers));
  FEW_TRY(few__arrays_open(t->ctx, &t->arrays, t->workers, few__backend_of(t->ctx)));
  if (t->arrays.device && !t->setup.config.optim->moments)
    return few__fail(t->ctx, FEW_E_UNSUPPORTED, "backend %s has no optimizer %s: choose adam",
                     k->backend, t->setup.config.optim->name);
  return FEW_OK;
}

static few_status make_run(few_trainer *t, bool is_new) {
  if (is_new) FEW_TRY(few__setup_check_net(t->ctx, &t->setup));
  FEW_TRY(few__start_model(t->ctx, &t->model, &t->setup));
  FEW_TRY(few__preview_check(t->ctx, t->model, &t->setup));
  t->rows = (struct few_row_source){&t->setup, t->model, NULL};
  const struct few_networks w = networks(t);
  const struct few_shards_opts so = {
      .networks = w, .fill = few__rows_fill, .user = &t->rows, .arrays = &t->arrays};
  FEW_TRY(few__shards_create(t->ctx, &t->shards, &so));
  return few__start_state(&t->state, &w, &t->arrays);
}

/* The pairs come after the first checkpoint, which records whose they are. */
static few_status make_pairs(few_trainer *t) {
  const double began = few__now();
  if (!t->setup.config.needs_pairs) return FEW_OK;
  FEW_TRY(few__pairs_open(t->ctx, &t->pairs, &t->setup, t->files.dir));
  t->rows.pairs = t->pairs;
  t->pairs_seconds = few__now() - began;
  return FEW_OK;
}

static few_status open_views(few_trainer *t) {
  const double flops = few__shards_step_flops(t->shards);
  if (t->state.step >= t->setup.config.keys.steps) return FEW_OK;
  FEW_TRY(few__preview_announce(t->ctx, t->model, &t->setup, flops));
  FEW_TRY(few__evaluation_announce(t->views.evaluation, flops));
  return few__gauge_open(t->ctx, &t->views.gauge, &t->setup, t->model, t->runner);
}

static few_status open_run(few_trainer *t, const char *dir) {
  struct few_previous_run before;
  FEW_TRY(few__run_files_open(t->ctx, &t->files, dir, &t->setup, &before));
  FEW_TRY(make_workers(t));
  FEW_TRY(make_run(t, !before.steps));
  const struct few_networks w = networks(t);
  t->files.id = few__start_identity(&w);
  FEW_TRY(few_runner_create(&t->runner, t->ctx, t->model));
  FEW_TRY(few__evaluation_open(t->ctx, &t->views.evaluation, &t->setup, t->model, t->runner));
  FEW_TRY(few__run_files_begin(t->ctx, &t->files, &t->setup, &before, &t->state, t->model));
  FEW_TRY(make_pairs(t));
  if (dir) FEW_TRY(few__run_log_open(t->ctx, &t->files.log, dir, t->state.step));
  return open_views(t);
}

static void close_run(few_trainer *t) {
  few__run_files_close(t->ctx, &t->files);
  few__evaluation_free(t->views.evaluation);
  few__gauge_free(t->views.gauge);
  few__shards_free(t->shards);
  few__pairs_close(t->pairs);
  few__state_free(&t->state);
  few__params_free(t->ctx, &t->head);
  few__params_free(t->ctx, &t->fake_head);
  few_runner_free(t->runner);
  few_model_free(t->model);
  few__arrays_close(&t->arrays);
  few__workers_free(t->workers);
  few__setup_close(t->ctx, &t->setup);
}

/* ---- what a step reports ---- */

static void add_metric(struct few_trainer_report *r, double value, const char *before,
                       const char *name) {
  const int i = r->public.n_metrics++;
  assert(i < FEW_REPORT_METRICS);
  snprintf(r->name[i], sizeof r->name[i], "%s%s", before, name);
  r->metric[i] = (struct few_train_metric){r->name[i], value};
}

/* Named as in log.jsonl. */
static void add_metrics(struct few_trainer_report *r, enum few_phase_id phase,
                        const struct few_step_report *s) {
  const bool fake = phase == FEW_PHASE_FAKE;
  if (fake) add_metric(r, s->loss, "fake_", "loss");
  for (int i = 0; i < s->n_terms && s->n_terms > 1; i++)
    add_metric(r, s->term[i], fake ? "fake_loss_" : "loss_", s->term_name[i]);
  for (int i = 0; i < s->n_logs; i++) add_metric(r, s->mean[i], fake ? "fake_" : "", s->name[i]);
}

static void begin_report(few_trainer *t) {
  struct few_trainer_report *r = &t->report;
  r->public = (struct few_train_report){.step = t->state.step,
                                        .steps = t->setup.config.keys.steps,
                                        .loss = NAN,
                                        .grad_norm = NAN,
                                        .lr = NAN,
                                        .seconds = few__now() - t->began,
                                        .metrics = r->metric};
}

static few_status report_event(few_trainer *t, const char *event, const char *why) {
  const int64_t step = t->state.step;
  char line[256];
  few__print(line, sizeof line,
             "{\"step\":%" PRId64 ",\"event\":\"%s\",\"why\":\"%s\",\"lr_factor\":%.9g}", step,
             event, why, t->state.lr_factor);
  few__log(t->ctx, FEW_LOG_WARN, "step %" PRId64 ": %s: %s", step, event, why);
  snprintf(t->report.why, sizeof t->report.why, "%s", why);
  t->report.public.event = event;
  t->report.public.why = t->report.why;
  return few__run_log_line(t->ctx, &t->files.log, line);
}

/* ---- files ---- */

static few_status save(few_trainer *t, enum few_save what) {
  FEW_TRY(few__save(t->files.saving, what));
  t->saved = few__now();
  return FEW_OK;
}

/* The student as it would be saved now. */
static few_status update_model(few_trainer *t) {
  FEW_TRY(few__state_student(&t->state, few__model_write(t->model)));
  return few__setup_use(&t->setup, t->state.step, t->model);
}

static few_status preview(few_trainer *t, const struct few_train_keys *keys) {
  FEW_TRY(update_model(t));
  return few__preview(t->ctx, t->model, t->runner, keys, t->state.step, t->files.dir);
}

/* Back to the last good milestone, with a lower learning rate. */
static few_status roll_back(few_trainer *t, const char *why) {
  FEW_TRY(few__run_files_roll_back(t->ctx, &t->files, &t->setup.config.keys, &t->state, why));
  t->saved = few__now();
  few__meter_clear(&t->views.meter);
  return report_event(t, "rolled back", why);
}

static bool due(int64_t step, int64_t every, int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

/* Milestones depend on the step only, because the guard goes back to them. The end of a run is
 * none: the run may be made longer later. A step among skipped gradients is none: the run would
 * come back to just those. */
static enum few_save kind_of_save(const few_trainer *t) {
  const struct few_run_state *s = &t->state;
  const bool milestone = s->step % t->setup.config.keys.checkpoint_every == 0 && !s->spikes;
  return milestone ? FEW_SAVE_SCHEDULED : FEW_SAVE_INTERIM;
}

static bool minutes_over(const few_trainer *t) {
  const double minutes = t->setup.config.keys.checkpoint_minutes;
  return minutes > 0 && few__now() - t->saved >= 60 * minutes;
}

/* Weights are checked before they are saved or sampled: the loss of the next step, which would not
 * be finite either, comes too late. */
static few_status check_finite(few_trainer *t, bool *finite) {
  FEW_TRY(few__saving_finish(t->files.saving));
  FEW_TRY(few__state_get(&t->state));
  *finite = few__state_finite(&t->state);
  return FEW_OK;
}

/* ---- a step ---- */

struct step {
  double lr;
  const char *trouble; /* NULL: none */
};

static struct few_values values(const few_trainer *t) {
  return (struct few_values){t->state.there.param, t->state.there.target};
}

static few_status update_fake(few_trainer *t, const struct few_clock *at, struct step *step) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const struct few_values v = values(t);
  struct few_step_report report = {0};
  struct few_gradient grad;
  double squares, lr = step->lr * (k->fake_lr > 0 ? k->fake_lr / k->lr : 1);
  for (int64_t i = 0; i < k->fake_updates; i++) {
    FEW_TRY(few__shards_step(t->shards, FEW_PHASE_FAKE, at, at->step * k->fake_updates + i, &v,
                             &grad, &report));
    FEW_TRY(few__arrays_sumsq(&t->arrays, grad.n, grad.at, &squares));
    if (!isfinite(report.loss)) step->trouble = "the fake network's loss is not finite";
    if (!isfinite(squares)) step->trouble = "the fake network's gradient is not finite";
    if (step->trouble) return FEW_OK;
    few__update(&t->state, &t->setup.config, &grad, sqrt(squares), lr);
    few__meter_add(&t->views.meter, FEW_PHASE_FAKE, &report, sqrt(squares));
  }
  add_metrics(&t->report, FEW_PHASE_FAKE, &report);
  return FEW_OK;
}

static few_status balance(few_trainer *t, struct few_gradient *grad) {
  double factor[FEW_BALANCE_MAX];
  if (grad->n_grads == 1) return FEW_OK;
  FEW_TRY(few__arrays_balance(&t->arrays, t->setup.config.balance, grad->n_grads, grad->n,
                              t->state.n_model, grad->weight, grad->at, factor));
  few__meter_balance(&t->views.meter, grad->n_grads, factor);
  return FEW_OK;
}

static few_status update_student(few_trainer *t, const struct few_clock *at, struct step *step) {
  struct few_run_state *s = &t->state;
  const struct few_values v = values(t);
  struct few_step_report report = {0};
  struct few_gradient grad;
  double squares;
  FEW_TRY(few__shards_step(t->shards, FEW_PHASE_STUDENT, at, s->step, &v, &grad, &report));
  FEW_TRY(balance(t, &grad));
  FEW_TRY(few__arrays_sumsq(&t->arrays, grad.n, grad.at, &squares));
  const double norm = sqrt(squares);
  t->report.public.loss = report.loss;
  t->report.public.grad_norm = norm;
  add_metrics(&t->report, FEW_PHASE_STUDENT, &report);
  enum few_verdict verdict = few__guard_look(s, &t->setup.config.keys, report.loss, norm);
  if (verdict == FEW_GUARD_TROUBLE) {
    step->trouble = !isfinite(report.loss) ? "loss is not finite"
                    : !isfinite(norm)      ? "gradient is not finite"
                                           : "gradient spikes";
    return FEW_OK;
  }
  s->step++;
  if (verdict == FEW_GUARD_SPIKE) return report_event(t, "skipped", "gradient spike");
  few__update(s, &t->setup.config, &grad, norm, step->lr);
  few__follow(s, &t->setup.config);
  few__meter_add(&t->views.meter, FEW_PHASE_STUDENT, &report, norm);
  return FEW_OK;
}

static few_status one_step(few_trainer *t, struct step *step) {
  struct few_run_state *s = &t->state;
  const struct few_clock at = few__config_clock(&t->setup.config, s->step, s->stretch);
  *step = (struct step){.lr = few__lr(&t->setup.config.lr, at.in_stage) * s->lr_factor};
  t->report.public.lr = step->lr;
  const bool stage = at.stage > 0 && at.in_stage == 0;
  if (stage) few__begin_stage(s);
  /* The first update may be stopped in the middle: nothing has changed by then. */
  if (!stage) few__shards_watch(t->shards, &t->reported, t->began);
  if (few__has_fake(&t->setup)) FEW_TRY(update_fake(t, &at, step));
  if (!step->trouble) FEW_TRY(update_student(t, &at, step));
  return step->trouble ? roll_back(t, step->trouble) : FEW_OK;
}

/* ---- after a step ---- */

static few_status write_line(few_trainer *t) {
  struct few_meter *meter = &t->views.meter;
  if (t->views.gauge) {
    double x;
    FEW_TRY(few__gauge_read(t->views.gauge, &t->state, &x));
    meter->gauged = true;
    meter->to_teacher = x;
    few__print(t->distance, sizeof t->distance, "  to teacher %.3g", x);
  }
  return few__meter_write(t->ctx, meter, &t->files.log, t->state.step, t->setup.config.keys.batch,
                          t->report.public.lr, few__now() - t->began);
}

/* The first step has a line of its own, so that something can be seen soon. The next line counts it
 * as well. */
static few_status log_step(few_trainer *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const bool line = due(t->state.step, k->log_every, k->steps);
  if (line || t->state.step == 1) FEW_TRY(write_line(t));
  if (line) few__meter_clear(&t->views.meter);
  return FEW_OK;
}

static few_status after_step(few_trainer *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const int64_t step = t->state.step;
  const bool kept = kind_of_save(t) == FEW_SAVE_SCHEDULED || step == k->steps || minutes_over(t);
  FEW_TRY(log_step(t));
  if (kept || due(step, k->preview_every, k->steps) || due(step, k->eval_every, k->steps)) {
    bool finite;
    FEW_TRY(check_finite(t, &finite));
    if (!finite) return roll_back(t, "parameters are not finite");
  }
  if (due(step, k->preview_every, k->steps)) FEW_TRY(preview(t, k));
  /* Before the checkpoint, so that a resumed run has its line. */
  FEW_TRY(few__evaluation_run(t->views.evaluation, &t->state, &t->files.log));
  return kept ? save(t, kind_of_save(t)) : FEW_OK;
}

/* The preview and the evaluation of the step at which a run resumes, if it was stopped there. */
static few_status make_up(few_trainer *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const int64_t step = t->state.step;
  bool there;
  if (step && due(step, k->preview_every, k->steps)) {
    FEW_TRY(few__preview_there(t->ctx, step, t->files.dir, &there));
    if (!there) FEW_TRY(preview(t, k));
  }
  return few__evaluation_run(t->views.evaluation, &t->state, &t->files.log);
}

/* A stopped run loses the step at hand at most. Weights that are not finite are not saved: the run
 * then resumes from the checkpoint before. */
static few_status stop(few_trainer *t, few_status why) {
  bool finite;
  FEW_TRY(check_finite(t, &finite));
  if (finite) FEW_TRY(save(t, kind_of_save(t)));
  FEW_TRY(few__saving_finish(t->files.saving));
  return why;
}

static few_status advance(few_trainer *t) {
  const int64_t steps = t->setup.config.keys.steps;
  struct step step;
  assert(!few_trainer_done(t));
  begin_report(t);
  t->reported.done = t->state.step; /* the run may have been rolled back */
  few_status st = one_step(t, &step);
  t->report.public.step = t->state.step;
  t->report.public.seconds = few__now() - t->began;
  if (st == FEW_E_CANCELLED) return stop(t, st);
  if (st || step.trouble) return st;
  st = after_step(t);
  t->report.public.step = t->state.step;
  if (st && st != FEW_E_CANCELLED) return st;
  few__print(t->note, sizeof t->note, "loss %.4f%s", t->report.public.loss, t->distance);
  t->reported =
      (struct few_progress){"training", t->state.step, steps, few__now() - t->began, t->note};
  if (!st) st = few__progress(t->ctx, &t->reported);
  if (st) return stop(t, st);
  return t->state.step == steps ? few__saving_finish(t->files.saving) : FEW_OK;
}

/* ---- the public calls ---- */

/* The run's backend is the context's during a call. Returns the backend of before. */
static const struct few_backend *enter(const few_trainer *t) {
  const struct few_backend *before = few__ctx_backend(t->ctx);
  few__ctx_set_backend(t->ctx, t->backend);
  return before;
}

static few_status begin(few_trainer *t, const char *dir) {
  FEW_TRY(few_ctx_set_backend(t->ctx, t->setup.config.keys.backend));
  t->backend = few__ctx_backend(t->ctx);
  FEW_TRY(open_run(t, dir));
  t->began = t->saved = few__now();
  few__meter_clear(&t->views.meter);
  begin_report(t);
  FEW_TRY(make_up(t));
  t->reported = (struct few_progress){"training", t->state.step, t->setup.config.keys.steps,
                                      few__now() - t->began, NULL};
  return FEW_OK;
}

few_status few_trainer_open(few_trainer **out, few_ctx *ctx, const struct few_train_opts *opts) {
  few_trainer *t;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  FEW_TRY(FEW_NEW(ctx, &t, 1));
  t->ctx = ctx;
  t->files = (struct few_run_files){.lock = -1, .log = {.fd = -1}};
  const struct few_backend *before = few__ctx_backend(ctx);
  few_status st = few__setup_open(ctx, &t->setup, opts);
  if (!st) st = begin(t, opts->run);
  few__ctx_set_backend(ctx, before);
  if (st)
    few_trainer_close(t);
  else
    *out = t;
  return st;
}

void few_trainer_close(few_trainer *t) {
  if (!t) return;
  few_ctx *ctx = t->ctx;
  const struct few_backend *before = enter(t);
  close_run(t);
  few__ctx_set_backend(ctx, before);
  few__free(ctx, t);
}

bool few_trainer_done(const few_trainer *t) { return t->state.step >= t->setup.config.keys.steps; }

few_status few_trainer_step(few_trainer *t) {
  if (few_trainer_done(t))
    return few__fail(t->ctx, FEW_E_INVALID,
                     "the run has done its %" PRId64 " steps: open it again with more",
                     t->setup.config.keys.steps);
  const struct few_backend *before = enter(t);
  const few_status st = advance(t);
  few__ctx_set_backend(t->ctx, before);
  return st;
}

const struct few_train_report *few_trainer_report(const few_trainer *t) {
  return &t->report.public;
}

static few_status save_now(few_trainer *t) {
  bool finite;
  FEW_TRY(check_finite(t, &finite));
  if (!finite)
    return few__fail(t->ctx, FEW_E_DIVERGED,
                     "step %" PRId64 ": weights are not finite, and nothing is saved",
                     t->state.step);
  FEW_TRY(save(t, kind_of_save(t)));
  return few__saving_finish(t->files.saving);
}

few_status few_trainer_save(few_trainer *t) {
  if (!t->files.dir)
    return few__fail(t->ctx, FEW_E_INVALID,
                     "a run in memory has no files: give it a directory, or save "
                     "few_trainer_model by few_model_save");
  const struct few_backend *before = enter(t);
  const few_status st = save_now(t);
  few__ctx_set_backend(t->ctx, before);
  return st;
}

/* A model has a description from which it can be made: what no description says is set here. */
static few_status copy_model(few_trainer *t, few_model **out) {
  struct few_text text = {0};
  FEW_TRY(update_model(t));
  t->model->step = t->state.step;
  FEW_TRY(few__provenance(t->ctx, &t->setup, t->state.step, &t->model->provenance));
  few_status st = few__model_describe(t->model, &text);
  if (!st) st = few__model_from_description(t->ctx, out, "the student", text.at, text.len);
  few__text_free(t->ctx, &text);
  FEW_TRY(st);
  const int64_t n = t->model->params.total;
  assert((*out)->params.total == n);
  FEW_TRY(FEW_NEW(t->ctx, &(*out)->values, n));
  memcpy((*out)->values, t->model->values, (size_t)n * sizeof(float));
  (*out)->half = t->setup.config.keys.weights == 1;
  for (int64_t i = 0; i < n; i++)
    if (!isfinite((*out)->values[i]))
      return few__fail(t->ctx, FEW_E_DIVERGED, "step %" PRId64 ": weights are not finite",
                       t->state.step);
  return FEW_OK;
}

few_status few_trainer_model(few_model **out, few_trainer *t) {
  *out = NULL;
  const struct few_backend *before = enter(t);
  const few_status st = copy_model(t, out);
  few__ctx_set_backend(t->ctx, before);
  if (!st) return FEW_OK;
  few_model_free(*out);
  *out = NULL;
  return st;
}

/* ---- for estimate.c ---- */

few_status few__trainer_update(few_trainer *t) {
  assert(!few_trainer_done(t));
  const struct few_backend *before = enter(t);
  struct step step;
  begin_report(t);
  const few_status st = one_step(t, &step);
  t->report.public.step = t->state.step;
  few__ctx_set_backend(t->ctx, before);
  return st;
}

few_status few__trainer_log(few_trainer *t) {
  const struct few_backend *before = enter(t);
  const few_status st = write_line(t);
  few__ctx_set_backend(t->ctx, before);
  return st;
}

few_status few__trainer_preview(few_trainer *t, const struct few_train_keys *keys) {
  const struct few_backend *before = enter(t);
  const few_status st = preview(t, keys);
  few__ctx_set_backend(t->ctx, before);
  return st;
}
