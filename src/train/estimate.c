/* estimate.c - memory, time, operations and disk space of a run, before it starts.
 *
 * A probe runs the recipe, with the real data, teacher, plans and shapes, in a temporary directory
 * beside the run's. It times some steps, a few pairs, a line of the log, a preview, and a
 * checkpoint with the model, and measures the files. The recipe gives the counts:
 *
 *   seconds = open + pairs + steps s + lines s_log + previews s_preview + evaluations s_eval
 *             + saves s_save
 *
 * An evaluation would take too long to time. Its operations are known, and the preview gives the
 * speed of sampling. The time to read the reference set, once in a run, is not counted.
 */
#define _DEFAULT_SOURCE /* getrusage's members, mkdtemp */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/file.h"
#include "model/run/sample.h"
#include "preview.h"
#include "trainer.h"

enum {
  ROWS = 8,       /* images that a replay samples */
  POINTS = 256,   /* points that a replay samples; also images on a device */
  LEAST = 3,      /* at least so many steps are timed */
  MOST = 50,      /* at most so many */
  WHOLE = 30,     /* a preview that computes as much as up to 30 steps is made as a whole */
  CHECKPOINTS = 3 /* kept at a time: two milestones and an interim one */
};
static const double step_budget = 4; /* after LEAST steps, stop timing when 4 seconds are over */

struct probe {
  few_ctx *ctx;
  few_trainer *trainer;
  char *dir;       /* owned */
  int64_t pairs;   /* made by the probe */
  double sampling; /* operations per second; 0: not measured */
};

/* ---- the directory ---- */

/* The probe's directory is beside the run's, so that it is on the same disk. */
static few_status make_directory(struct probe *p, const char *run) {
  static const char name[] = "few-plan-XXXXXX";
  const char *end = run ? few__path_name(run) : "";
  char *parent;
  FEW_TRY(FEW_NEW(p->ctx, &parent, run ? end - run + 1 : 1));
  memcpy(parent, run ? run : "", run ? (size_t)(end - run) : 0);
  few_status st = few__path_join(p->ctx, &p->dir, parent, name);
  few__free(p->ctx, parent);
  FEW_TRY(st);
  if (mkdtemp(p->dir)) return FEW_OK;
  st = few__fail(p->ctx, FEW_E_IO,
                 "cannot make the directory %s for a trial of a few steps: run this in a directory "
                 "where files can be written",
                 p->dir);
  few__free(p->ctx, p->dir);
  p->dir = NULL;
  return st;
}

static void remove_directory(struct probe *p) {
  struct few_names names;
  if (!p->dir) return;
  if (!few__list_dir(p->ctx, &names, p->dir)) {
    for (int i = 0; i < names.n; i++) {
      char *path;
      if (few__path_join(p->ctx, &path, p->dir, names.at[i])) continue;
      unlink(path);
      few__free(p->ctx, path);
    }
    few__names_free(p->ctx, &names);
  }
  rmdir(p->dir);
  few__free(p->ctx, p->dir);
}

/* Size in bytes of a file whose name begins with `start`; 0 if there is none. */
static few_status size_of(const struct probe *p, const char *start, int64_t *out) {
  struct few_names names;
  *out = 0;
  FEW_TRY(few__list_dir(p->ctx, &names, p->dir));
  few_status st = FEW_OK;
  for (int i = 0; i < names.n && !st; i++) {
    char *path;
    if (strncmp(names.at[i], start, strlen(start)) != 0) continue;
    st = few__path_join(p->ctx, &path, p->dir, names.at[i]);
    if (!st) st = few__file_size(p->ctx, out, path);
    if (!st) few__free(p->ctx, path);
  }
  few__names_free(p->ctx, &names);
  return st;
}

/* ---- the probe ---- */

static int64_t sampled_rows(const few_trainer *t) {
  const int64_t rows = t->machine.arrays.device ? POINTS : t->setup.spec.points ? POINTS : ROWS;
  return rows * few__workers_count(t->machine.workers);
}

static few_status open_trainer(struct probe *p, const struct few_train_opts *opts) {
  struct few_train_opts o = *opts;
  char pairs[40];
  const char **all;
  snprintf(pairs, sizeof pairs, "pairs=%lld", (long long)p->pairs);
  FEW_TRY(FEW_NEW(p->ctx, &all, opts->n_overrides + 1));
  for (int i = 0; i < opts->n_overrides; i++) all[i] = opts->overrides[i];
  all[opts->n_overrides] = pairs;
  o.n_overrides += p->pairs > 0;
  o.overrides = all;
  o.run = p->dir;
  few_status st = few_trainer_open(&p->trainer, p->ctx, &o);
  few__free(p->ctx, all);
  return st;
}

/* The number of pairs that the run makes. The probe makes only a few. */
static few_status count_pairs(struct probe *p, const struct few_train_opts *opts, int64_t *all) {
  struct few_config config;
  struct few_setup setup;
  *all = 0;
  FEW_TRY(few__config_read(p->ctx, &config, opts));
  const bool needs_pairs = config.needs_pairs;
  few__config_free(p->ctx, &config);
  if (!needs_pairs) return FEW_OK;
  FEW_TRY(few__setup_open(p->ctx, &setup, opts));
  const int64_t rows = (setup.spec.points ? POINTS : ROWS) * few_ctx_workers(p->ctx);
  *all = setup.config.keys.pairs ? setup.config.keys.pairs : few_data_n(setup.data);
  p->pairs = *all < rows ? *all : rows;
  few__setup_close(p->ctx, &setup);
  return FEW_OK;
}

/* ---- timing ---- */

/* The first two steps are not timed: the first touches the memory, and the second captures a
 * device's graph. */
static few_status time_steps(const struct probe *p, double *seconds) {
  few_trainer *t = p->trainer;
  const int64_t left = t->setup.config.keys.steps;
  t->progress.last =
      (struct few_progress){"calibrating", 0, MOST, 0, NULL}; /* during a long step */
  int n = 0;
  double began = few__now();
  for (int i = 0; i < 2 && few_trainer_report(t)->step < left; i++) {
    began = few__now();
    FEW_TRY(few__trainer_update(t));
  }
  *seconds = few__now() - began;
  for (began = few__now(); n < MOST && few_trainer_report(t)->step < left; n++) {
    if (n >= LEAST && few__now() - began > step_budget) break;
    FEW_TRY(few__trainer_update(t));
    const struct few_progress at = {"calibrating", n + 1, MOST, few__now() - began, NULL};
    FEW_TRY(few__progress(p->ctx, &at));
  }
  if (n) *seconds = (few__now() - began) / n;
  return FEW_OK;
}

/* Times a preview, or a part of it if the whole would take long. If there are evaluations and no
 * previews, samples some images as evaluations do. */
static few_status time_preview(struct probe *p, struct few_train_estimate *e, double step_flops) {
  few_trainer *t = p->trainer;
  struct few_train_keys k = t->setup.config.keys;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_model_info info;
  const int64_t n = k.preview_n;
  int nfe;
  if (!k.preview_every && !k.eval_every) return FEW_OK;
  if (!k.preview_every) {
    k.preview_steps = k.eval_steps;
    k.preview_guidance = k.eval_guidance;
  }
  o.steps = (int)k.preview_steps;
  o.guidance = k.preview_guidance;
  FEW_TRY(few__sample_evals(t->ctx, t->student.model, &o, &nfe));
  few_model_info(&info, sizeof info, t->student.model);
  const double flops = info.flops * nfe;
  const int64_t some = sampled_rows(t);
  if (flops * (double)n > WHOLE * step_flops && some < n) k.preview_n = some;
  const double began = few__now();
  FEW_TRY(few__trainer_preview(t, &k));
  const double seconds = few__now() - began;
  p->sampling = flops * (double)k.preview_n / seconds;
  if (!k.preview_every) return FEW_OK;
  const int64_t every = t->setup.config.keys.preview_every;
  const double times = ceil((double)e->steps / (double)every);
  const double part = (double)n / (double)k.preview_n;
  FEW_TRY(size_of(p, "preview-", &e->preview_bytes));
  e->preview_bytes = (int64_t)((double)e->preview_bytes * part * times);
  e->preview_seconds = seconds * part * times;
  return FEW_OK;
}

static few_status time_evaluations(const struct probe *p, struct few_train_estimate *e) {
  const few_trainer *t = p->trainer;
  const int64_t every = t->setup.config.keys.eval_every;
  double flops;
  if (!every || !(p->sampling > 0)) return FEW_OK;
  FEW_TRY(few__evaluation_flops(t->views.evaluation, &flops));
  e->eval_seconds = flops / p->sampling * ceil((double)e->steps / (double)every);
  return FEW_OK;
}

static few_status time_log(const struct probe *p, struct few_train_estimate *e) {
  const double began = few__now();
  int64_t line;
  FEW_TRY(few__trainer_log(p->trainer));
  const double lines = ceil((double)e->steps / (double)p->trainer->setup.config.keys.log_every) + 1;
  e->train_seconds += (few__now() - began) * lines;
  FEW_TRY(size_of(p, "log.jsonl", &line));
  e->log_bytes = (int64_t)((double)line * lines);
  return FEW_OK;
}

/* Saves are made at steps that the recipe gives, by the clock if those are rare, and at the end. */
static few_status time_saves(const struct probe *p, struct few_train_estimate *e) {
  const struct few_train_keys *k = &p->trainer->setup.config.keys;
  const double began = few__now();
  FEW_TRY(few_trainer_save(p->trainer));
  const double seconds = few__now() - began;
  const double by_step = floor((double)e->steps / (double)k->checkpoint_every);
  const double apart = (double)k->checkpoint_every * e->step_seconds,
               limit = 60 * k->checkpoint_minutes;
  const double by_clock =
      limit > 0 && apart > limit ? floor(e->train_seconds / limit) - by_step : 0;
  e->save_seconds = seconds * (by_step + (by_clock > 0 ? by_clock : 0) + 1);
  FEW_TRY(size_of(p, "checkpoint-", &e->checkpoint_bytes));
  e->checkpoint_bytes *= by_step < CHECKPOINTS - 1 ? (int64_t)by_step + 2 : CHECKPOINTS;
  return size_of(p, "model.safetensors", &e->model_bytes);
}

/* A snapshot is two models, in single precision whatever the type of the model's file. */
static void count_snapshots(const few_trainer *t, struct few_train_estimate *e) {
  const int64_t every = t->setup.config.keys.snapshot_every;
  if (!every) return;
  const int64_t times = (e->steps + every - 1) / every;
  const int64_t weights = t->state.n_model * (int64_t)sizeof(float);
  const bool same = t->setup.config.keys.weights == FEW_WEIGHTS_F32;
  e->snapshot_bytes = times * FEW_HISTORIES * (same ? e->model_bytes : weights);
}

/* ---- the estimate ---- */

static few_status measure(struct probe *p, struct few_train_estimate *e, int64_t pairs,
                          double opened) {
  const few_trainer *t = p->trainer;
  struct rusage usage;
  int64_t some = 0;
  e->steps = t->setup.config.keys.steps;
  e->batch = t->setup.config.keys.batch;
  e->parameters = t->state.n;
  e->step_flops = few__shards_step_flops(t->stepper.shards);
  e->open_seconds = opened - t->stepper.pairs_seconds;
  if (p->pairs) {
    e->pairs_seconds = t->stepper.pairs_seconds * (double)pairs / (double)p->pairs;
    FEW_TRY(size_of(p, "pairs-", &some));
    e->pairs_bytes = (int64_t)((double)some * (double)pairs / (double)p->pairs);
  }
  FEW_TRY(time_steps(p, &e->step_seconds));
  e->train_seconds = e->step_seconds * (double)e->steps;
  FEW_TRY(time_log(p, e));
  FEW_TRY(time_saves(p, e));
  count_snapshots(t, e);
  FEW_TRY(time_preview(p, e, e->step_flops));
  FEW_TRY(time_evaluations(p, e));
  e->seconds = e->open_seconds + e->pairs_seconds + e->train_seconds + e->preview_seconds +
               e->eval_seconds + e->save_seconds;
  e->disk_bytes = e->checkpoint_bytes + e->model_bytes + e->preview_bytes + e->pairs_bytes +
                  e->log_bytes + e->snapshot_bytes;
  getrusage(RUSAGE_SELF, &usage);
  e->memory_bytes = (int64_t)usage.ru_maxrss * 1024;
  const int64_t missing = (pairs - p->pairs) * t->setup.spec.h * t->setup.spec.w * t->setup.spec.c;
  e->memory_bytes += missing * (int64_t)sizeof(float); /* pairs stay in memory */
  return FEW_OK;
}

few_status few_train_estimate(struct few_train_estimate *out, few_ctx *ctx,
                              const struct few_train_opts *opts) {
  struct probe p = {.ctx = ctx};
  int64_t pairs = 0;
  few_status st;
  *out = (struct few_train_estimate){0};
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  FEW_GOTO(count_pairs(&p, opts, &pairs));
  FEW_GOTO(make_directory(&p, opts->run));
  const double began = few__now();
  FEW_GOTO(open_trainer(&p, opts));
  FEW_GOTO(measure(&p, out, pairs, few__now() - began));
out:
  few_trainer_close(p.trainer);
  remove_directory(&p);
  return st;
}
