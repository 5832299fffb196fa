/* trainer.c - a run, step by step. After each step (stepper.h) come the log, previews, evaluations
 * and checkpoints, when the recipe schedules them. If the guard finds trouble, the run goes back to
 * a milestone.
 */
#include "trainer.h"

#include <inttypes.h>

#include "few/backend.h"
#include "preview.h"
#include "start.h"
#include "update.h"

/* ---- opening and closing ---- */

static few_status open_machine(few_ctx *ctx, struct few_machine *m, const struct few_config *c) {
  const int workers = c->keys.workers ? (int)c->keys.workers : few_ctx_workers(ctx);
  FEW_TRY(few__workers_create(ctx, &m->workers, workers));
  FEW_TRY(few__arrays_open(ctx, &m->arrays, m->workers, m->backend));
  if (m->arrays.device && !c->optim->moments)
    return few__fail(ctx, FEW_E_UNSUPPORTED, "backend %s has no optimizer %s: choose adam",
                     c->keys.backend, c->optim->name);
  return FEW_OK;
}

static few_status announce(few_trainer *t) {
  const double flops = few__shards_step_flops(t->stepper.shards);
  if (t->state.step >= t->setup.config.keys.steps) return FEW_OK;
  FEW_TRY(few__preview_announce(t->ctx, t->student.model, &t->setup, flops));
  FEW_TRY(few__evaluation_announce(t->views.evaluation, flops));
  return few__gauge_open(t->ctx, &t->views.gauge, &t->setup, t->student.model, t->student.runner);
}

/* Opens a run. Pairs are made from the teacher and the data, so they are made after the first
 * checkpoint, which records both. */
static few_status open_run(few_trainer *t, const char *dir) {
  few_ctx *ctx = t->ctx;
  const struct few_setup *setup = &t->setup;
  struct few_previous_run before;
  FEW_TRY(few__run_files_open(ctx, &t->files, dir, setup, &before));
  FEW_TRY(open_machine(ctx, &t->machine, &setup->config));
  FEW_TRY(few__student_open(ctx, &t->student, setup, !before.steps));
  few_model *model = t->student.model;
  FEW_TRY(few__stepper_open(ctx, &t->stepper, setup, model, &t->machine.arrays));
  FEW_TRY(few__start_state(&t->state, &t->stepper.networks, &t->machine.arrays));
  t->files.id = few__start_identity(&t->stepper.networks);
  FEW_TRY(few__evaluation_open(ctx, &t->views.evaluation, setup, model, t->student.runner));
  FEW_TRY(few__run_files_begin(ctx, &t->files, setup, &before, &t->state, model));
  FEW_TRY(few__stepper_pairs(ctx, &t->stepper, dir));
  if (dir)
    FEW_TRY(
        few__run_log_open(ctx, &t->files.log, dir, t->state.step, setup->config.keys.tensorboard));
  return announce(t);
}

static void close_run(few_trainer *t) {
  few__run_files_close(t->ctx, &t->files);
  few__evaluation_free(t->views.evaluation);
  few__gauge_free(t->views.gauge);
  few__stepper_close(t->ctx, &t->stepper);
  few__state_free(&t->state);
  few__student_close(&t->student);
  few__arrays_close(&t->machine.arrays);
  few__workers_free(t->machine.workers);
  few__setup_close(t->ctx, &t->setup);
}

/* ---- files ---- */

static few_status save(struct few_run_files *f, enum few_save what) {
  FEW_TRY(few__save(f->saving, what));
  f->saved = few__now();
  return FEW_OK;
}

/* Milestones are the multiples of checkpoint_every: the guard goes back to them, and must not
 * depend on the clock. The last step is a milestone only if it is such a multiple, because the run
 * may be made longer later. A step in a series of spikes is not a milestone, because after a
 * roll-back to it the same spikes would follow. */
static enum few_save kind_of_save(const struct few_run_state *s, const struct few_train_keys *k) {
  const bool milestone = s->step % k->checkpoint_every == 0 && !s->spikes;
  return milestone ? FEW_SAVE_SCHEDULED : FEW_SAVE_INTERIM;
}

static bool minutes_over(const struct few_run_files *f, double minutes) {
  return minutes > 0 && few__now() - f->saved >= 60 * minutes;
}

/* Checks whether the weights are finite, before they are saved or sampled. The loss of the next
 * step would also show that they are not, but only after the files are written. */
static few_status check_finite(struct few_run_files *f, const struct few_run_state *s,
                               bool *finite) {
  FEW_TRY(few__saving_finish(f->saving));
  FEW_TRY(few__state_get(s));
  *finite = few__state_finite(s);
  return FEW_OK;
}

static few_status preview(few_trainer *t, const struct few_train_keys *keys) {
  const struct few_student *s = &t->student;
  FEW_TRY(few__student_update(s, &t->setup, &t->state));
  return few__preview(t->ctx, s->model, s->runner, keys, t->state.step, t->files.dir,
                      &t->files.log);
}

static few_status report_event(few_trainer *t, const char *event, const char *why) {
  const int64_t step = t->state.step;
  char line[256];
  few__print(line, sizeof line,
             "{\"step\":%" PRId64 ",\"event\":\"%s\",\"why\":\"%s\",\"lr_factor\":%.9g}", step,
             event, why, t->state.lr_factor);
  few__log(t->ctx, FEW_LOG_WARN, "step %" PRId64 ": %s: %s", step, event, why);
  few__report_event(&t->report, event, why);
  return few__run_log_line(t->ctx, &t->files.log, line);
}

/* Goes back to the last good milestone and lowers the learning rate. */
static few_status roll_back(few_trainer *t, const char *why) {
  FEW_TRY(few__run_files_roll_back(t->ctx, &t->files, &t->setup.config.keys, &t->state, why));
  t->files.saved = few__now();
  few__meter_clear(&t->views.meter);
  return report_event(t, "rolled back", why);
}

/* ---- a step ---- */

static double seconds_of(const few_trainer *t) { return few__now() - t->progress.began; }

static void begin_report(few_trainer *t) {
  few__report_begin(&t->report, t->state.step, t->setup.config.keys.steps, seconds_of(t));
}

static few_status one_step(few_trainer *t, struct few_step *step) {
  struct few_run_state *s = &t->state;
  const struct few_clock at = few__config_clock(&t->setup.config, s->step, s->stretch);
  const bool stage = at.stage > 0 && at.in_stage == 0;
  if (stage) few__begin_stage(s);
  /* A step may be cancelled during its first update, because the state has not changed yet. The
   * first step of a stage may not: few__begin_stage has changed the state. */
  if (!stage) few__shards_watch(t->stepper.shards, &t->progress.last, t->progress.began);
  const few_status st = few__stepper_step(&t->stepper, s, &at, &t->views.meter, step);
  few__report_step(&t->report, step);
  if (st) return st;
  if (step->trouble) return roll_back(t, step->trouble);
  return step->skipped ? report_event(t, "skipped", "gradient spike") : FEW_OK;
}

/* ---- after a step ---- */

static bool due(int64_t step, int64_t every, int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

static few_status write_line(few_trainer *t) {
  struct few_trainer_views *v = &t->views;
  if (v->gauge) {
    double x;
    FEW_TRY(few__gauge_read(v->gauge, &t->state, &x));
    v->meter.gauged = true;
    v->meter.to_teacher = x;
    few__print(v->distance, sizeof v->distance, "  to teacher %.3g", x);
  }
  return few__meter_write(t->ctx, &v->meter, &t->files.log, t->state.step,
                          t->setup.config.keys.batch, t->report.public.lr, seconds_of(t));
}

/* A line is written after the first step, so that the log shows something soon. The next line
 * includes that step too. */
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
  const enum few_save kind = kind_of_save(&t->state, k);
  const bool kept = kind == FEW_SAVE_SCHEDULED || step == k->steps ||
                    minutes_over(&t->files, k->checkpoint_minutes);
  FEW_TRY(log_step(t));
  const bool snapshot = due(step, k->snapshot_every, k->steps);
  if (kept || snapshot || due(step, k->preview_every, k->steps) ||
      due(step, k->eval_every, k->steps)) {
    bool finite;
    FEW_TRY(check_finite(&t->files, &t->state, &finite));
    if (!finite) return roll_back(t, "parameters are not finite");
  }
  if (due(step, k->preview_every, k->steps)) FEW_TRY(preview(t, k));
  if (snapshot) FEW_TRY(few__save_snapshot(t->files.saving));
  /* Evaluate before the checkpoint is written, so that a run resumed from it has this evaluation in
   * its log. The same holds for the snapshot. */
  FEW_TRY(few__evaluation_run(t->views.evaluation, &t->state, &t->files.log));
  return kept ? save(&t->files, kind) : FEW_OK;
}

/* Called when a run resumes. If it was stopped between a step and the preview or evaluation of that
 * step, makes what is missing. */
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

/* A stopped run is saved, so it loses at most the step that was running. Weights that are not
 * finite are not saved; the run then resumes from its last checkpoint. */
static few_status stop(few_trainer *t, few_status why) {
  bool finite;
  FEW_TRY(check_finite(&t->files, &t->state, &finite));
  if (finite) FEW_TRY(save(&t->files, kind_of_save(&t->state, &t->setup.config.keys)));
  FEW_TRY(few__saving_finish(t->files.saving));
  return why;
}

static void set_progress(few_trainer *t, const char *note) {
  t->progress.last = (struct few_progress){"training", t->state.step, t->setup.config.keys.steps,
                                           seconds_of(t), note};
}

static few_status advance(few_trainer *t) {
  struct few_trainer_progress *p = &t->progress;
  struct few_step step;
  assert(!few_trainer_done(t));
  begin_report(t);
  p->last.done = t->state.step; /* the run may have been rolled back */
  few_status st = one_step(t, &step);
  t->report.public.step = t->state.step;
  t->report.public.seconds = seconds_of(t);
  if (st == FEW_E_CANCELLED) return stop(t, st);
  if (st || step.trouble) return st;
  st = after_step(t);
  t->report.public.step = t->state.step;
  if (st && st != FEW_E_CANCELLED) return st;
  few__print(p->note, sizeof p->note, "loss %.4f%s", step.loss, t->views.distance);
  set_progress(t, p->note);
  if (!st) st = few__progress(t->ctx, &p->last);
  if (st) return stop(t, st);
  return few_trainer_done(t) ? few__saving_finish(t->files.saving) : FEW_OK;
}

/* ---- the public calls ---- */

/* Sets the context's backend to the run's for one call. Returns the previous one. */
static const struct few_backend *enter(const few_trainer *t) {
  const struct few_backend *before = few__ctx_backend(t->ctx);
  few__ctx_set_backend(t->ctx, t->machine.backend);
  return before;
}

static few_status begin(few_trainer *t, const char *dir) {
  FEW_TRY(few_ctx_set_backend(t->ctx, t->setup.config.keys.backend));
  t->machine.backend = few__ctx_backend(t->ctx);
  FEW_TRY(few__backend_check_precision(t->ctx, t->machine.backend, t->setup.config.keys.precision));
  FEW_TRY(open_run(t, dir));
  t->progress.began = t->files.saved = few__now();
  few__meter_clear(&t->views.meter);
  begin_report(t);
  FEW_TRY(make_up(t));
  set_progress(t, NULL);
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
                     "the run has done all its %" PRId64 " steps: open it again with more steps",
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
  FEW_TRY(check_finite(&t->files, &t->state, &finite));
  if (!finite)
    return few__fail(t->ctx, FEW_E_DIVERGED,
                     "step %" PRId64 ": weights are not finite, so nothing is saved",
                     t->state.step);
  FEW_TRY(save(&t->files, kind_of_save(&t->state, &t->setup.config.keys)));
  return few__saving_finish(t->files.saving);
}

few_status few_trainer_save(few_trainer *t) {
  if (!t->files.dir)
    return few__fail(t->ctx, FEW_E_INVALID,
                     "a run in memory has no files: give it a directory, or save the model of "
                     "few_trainer_model with few_model_save");
  const struct few_backend *before = enter(t);
  const few_status st = save_now(t);
  few__ctx_set_backend(t->ctx, before);
  return st;
}

few_status few_trainer_model(few_model **out, few_trainer *t) {
  *out = NULL;
  const struct few_backend *before = enter(t);
  const few_status st = few__student_copy(t->ctx, out, &t->student, &t->setup, &t->state);
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
  struct few_step step;
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
