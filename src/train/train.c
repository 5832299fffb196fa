/* train.c - the loop: a step's gradient, the guard's look, the update, the averages, the log.
 *
 * Everything a step does is a function of the state and the step's number, so resuming from a
 * checkpoint gives the bits of a run that was never killed.
 */
#include "few/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "directory.h"
#include "evaluate.h"
#include "guard.h"
#include "io/file.h"
#include "journal.h"
#include "optim/clip.h"
#include "provenance.h"
#include "shard.h"
#include "update.h"

struct training {
  few_ctx *ctx;
  const char *dir;
  int lock; /* on dir, or -1 */
  struct few_run_recipe recipe;
  few_workers *workers;
  few_model *model; /* the student; its values are what is saved */
  struct few_params head;
  few_shards *shards;
  struct few_run_state state;
  struct few_journal journal;
  few_evaluation *evaluation; /* NULL: none on the schedule */
  struct few_run_identity id;
  double began;

  /* Since the last line of the log. */
  int64_t n_reports;
  struct few_step_report sum;
  double norm_sum, logged_at;
};

/* ---- data ---- */

static void drop_labels(const struct few_train_keys *k, int64_t step, int64_t first, int64_t rows,
                        int32_t *label) {
  struct few_rng r = {
      .seed = (uint64_t)k->seed, .step = (uint64_t)step, .purpose = FEW_RNG_LABEL_DROP};
  for (int64_t i = 0; i < rows && k->label_dropout > 0; i++) {
    double u;
    r.row = (uint64_t)(first + i);
    few__rng_uniform_f64(&r, 1, &u);
    if (u < k->label_dropout) label[i] = -1;
  }
}

static void fill(void *user, int64_t step, int64_t first, int64_t rows, float *x, int32_t *label) {
  const struct training *t = user;
  const struct few_train_keys *k = &t->recipe.keys;
  struct few_data_stream stream = FEW_DATA_STREAM_INIT;
  stream.seed = (uint64_t)k->seed;
  stream.flip = k->flip;
  stream.scale = (struct few_data_scale){t->model->data_mean, t->model->data_scale};
  few_status st = few_data_fill(t->recipe.data, &stream, step * k->batch + first, rows, x, label);
  assert(!st); /* steps * batch was checked when the run began */
  FEW_UNUSED(st);
  drop_labels(k, step, first, rows, label);
}

/* ---- setting up ---- */

static few_status make_model(struct training *t) {
  struct few_run_recipe *r = &t->recipe;
  FEW_TRY(
      few__model_create(t->ctx, &t->model, r->net, r->net_opts, &r->spec, (uint64_t)r->keys.seed));
  few_model *m = t->model;
  if (r->teacher) {
    m->data_mean = r->teacher->data_mean;
    m->data_scale = r->teacher->data_scale;
  } else {
    struct few_data_scale s = few_data_scale_to(r->data, r->spec.sigma_data);
    m->data_mean = s.mean;
    m->data_scale = s.scale;
  }
  snprintf(m->objective, sizeof m->objective, "%s", r->objective->name);
  snprintf(m->sampler, sizeof m->sampler, "%s", r->objective->sampler);
  m->guidance_min = r->guidance_min;
  m->guidance_max = r->guidance_max;
  if (r->spec.classes) FEW_TRY(FEW_NEW(t->ctx, &m->class_names, r->spec.classes));
  for (int64_t i = 0; i < r->spec.classes; i++) {
    const char *name = few_data_class_name(r->data, (int)i);
    if (name) snprintf(m->class_names[i], sizeof m->class_names[i], "%s", name);
  }
  return FEW_OK;
}

/* The student begins as its teacher wherever names and shapes agree. */
static void start_as_teacher(struct training *t) {
  const few_model *from = t->recipe.teacher;
  if (!from || !t->recipe.objective->starts_as_teacher) return;
  for (int i = 0; i < from->params.n; i++) {
    const struct few_param_row *a = &from->params.at[i];
    int k = few__params_find(&t->model->params, a->name);
    if (k < 0 || !few_shape_equal(a->shape, t->model->params.at[k].shape)) continue;
    memcpy(t->state.param + t->model->params.at[k].offset, from->values + a->offset,
           (size_t)few_shape_count(a->shape) * sizeof(float));
  }
}

static uint64_t layout_of(const struct few_params *p, uint64_t h) {
  for (int i = 0; i < p->n; i++) {
    h = few__hash(p->at[i].name, strlen(p->at[i].name), h);
    h = few__hash(p->at[i].shape.dim, sizeof(int64_t) * (size_t)p->at[i].shape.rank, h);
  }
  return h;
}

static bool averaging(const struct training *t) {
  return t->recipe.keys.ema > 0 || t->recipe.keys.ema_power > 0;
}

static few_status make_state(struct training *t) {
  const struct few_params *p = &t->model->params;
  FEW_TRY(few__state_create(t->ctx, &t->state, p->total, t->head.total, t->recipe.optim->states,
                            averaging(t)));
  const char *teacher = t->recipe.teacher_hash;
  t->id =
      (struct few_run_identity){layout_of(&t->head, layout_of(p, 0)), few_data_hash(t->recipe.data),
                                *teacher ? few__hash(teacher, strlen(teacher), 0) : 0};
  memcpy(t->state.param, t->model->values, (size_t)p->total * sizeof(float));
  few__params_init(&t->head, (uint64_t)t->recipe.keys.seed, t->state.param + p->total);
  start_as_teacher(t);
  if (t->state.ema) memcpy(t->state.ema, t->state.param, (size_t)p->total * sizeof(float));
  return FEW_OK;
}

static few_status open_directory(struct training *t) {
  const char *teacher = t->recipe.keys.teacher;
  char *recipe = NULL, *model = NULL;
  few_status st;
  FEW_GOTO(few__run_dir_open(t->ctx, t->dir, &t->lock));
  FEW_GOTO(few__path_join(t->ctx, &recipe, t->dir, "recipe.ini"));
  FEW_GOTO(few__path_join(t->ctx, &model, t->dir, "model.safetensors"));
  if (few__path_exists(recipe)) FEW_GOTO(few__run_recipe_same(t->ctx, &t->recipe, recipe));
  if (*teacher && few__path_same(teacher, model))
    st = few__fail(t->ctx, FEW_E_INVALID,
                   "teacher = %s is the file that this run writes: take another run directory",
                   teacher);
out:
  few__free(t->ctx, recipe);
  few__free(t->ctx, model);
  return st;
}

/* Not before all else is known to be right, or a slip would stay as what the run was. */
static few_status write_recipe(struct training *t) {
  struct few_text text = {0};
  char *path = NULL;
  few_status st;
  FEW_GOTO(few__path_join(t->ctx, &path, t->dir, "recipe.ini"));
  FEW_GOTO(few__run_recipe_text(t->ctx, &t->recipe, &text));
  FEW_GOTO(few__file_write(t->ctx, path, text.at, text.len));
out:
  few__free(t->ctx, path);
  few__text_free(t->ctx, &text);
  return st;
}

static few_status set_up(struct training *t) {
  const struct few_train_keys *k = &t->recipe.keys;
  int workers = k->workers ? (int)k->workers : few_ctx_workers(t->ctx);
  FEW_TRY(open_directory(t));
  FEW_TRY(few__workers_create(t->ctx, &t->workers, workers));
  FEW_TRY(make_model(t));
  const struct few_backend *backend = few__backend_find(k->backend);
  if (!backend)
    return few__fail(t->ctx, FEW_E_INVALID, "backend = %s: there is none of that name: cpu or ref",
                     k->backend);
  struct few_shards_opts so = {.recipe = &t->recipe,
                               .student = t->model,
                               .head = &t->head,
                               .fill = fill,
                               .user = t,
                               .workers = t->workers,
                               .backend = backend};
  FEW_TRY(few__shards_create(t->ctx, &t->shards, &so));
  FEW_TRY(make_state(t));
  FEW_TRY(few__evaluation_open(t->ctx, &t->evaluation, &t->recipe, t->model));
  bool found;
  FEW_TRY(few__checkpoint_read(t->ctx, &t->state, t->dir, &t->id, &found));
  FEW_TRY(write_recipe(t));
  if (!found) FEW_TRY(few__checkpoint_write(t->ctx, &t->state, t->dir, &t->id));
  if (found && t->state.step)
    few__log(t->ctx, FEW_LOG_INFO, "resuming %s at step %" PRId64, t->dir, t->state.step);
  return few__journal_open(t->ctx, &t->journal, t->dir, t->state.step);
}

static void tear_down(struct training *t) {
  few__journal_close(t->ctx, &t->journal);
  few__evaluation_free(t->evaluation);
  few__shards_free(t->shards);
  few__state_free(t->ctx, &t->state);
  few__params_free(t->ctx, &t->head);
  few_model_free(t->model);
  few__workers_free(t->workers);
  few__run_recipe_close(t->ctx, &t->recipe);
  few__run_dir_close(t->lock);
}

/* ---- results ---- */

static few_status write_model(struct training *t) {
  char *path;
  const float *from = t->state.ema ? t->state.ema : t->state.param;
  memcpy(t->model->values, from, (size_t)t->model->params.total * sizeof(float));
  t->model->step = t->state.step;
  t->model->half = t->recipe.keys.weights == 1;
  FEW_TRY(few__provenance(t->ctx, &t->recipe, t->state.step, &t->model->provenance));
  FEW_TRY(few__path_join(t->ctx, &path, t->dir, "model.safetensors"));
  few_status st = few_model_save(t->model, path);
  few__free(t->ctx, path);
  return st;
}

static few_status preview(struct training *t) {
  const struct few_train_keys *k = &t->recipe.keys;
  int64_t item = t->recipe.spec.h * t->recipe.spec.w * t->recipe.spec.c;
  char name[64], *path = NULL;
  float *samples = NULL;
  int32_t *labels = NULL;
  few_status st;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = k->preview_n;
  o.steps = (int)k->preview_steps;
  o.guidance = k->preview_guidance;
  const float *from = t->state.ema ? t->state.ema : t->state.param;
  memcpy(t->model->values, from, (size_t)t->model->params.total * sizeof(float));
  snprintf(name, sizeof name, "preview-%09" PRId64 ".png", t->state.step);
  FEW_GOTO(few__path_join(t->ctx, &path, t->dir, name));
  FEW_GOTO(FEW_NEW(t->ctx, &samples, o.n * item));
  FEW_GOTO(FEW_NEW(t->ctx, &labels, o.n));
  FEW_GOTO(few_sample(t->model, &o, samples, labels, NULL));
  FEW_GOTO(few_sample_write(t->model, path, &o, samples, labels, 0));
out:
  few__free(t->ctx, path);
  few__free(t->ctx, samples);
  few__free(t->ctx, labels);
  return st;
}

/* ---- the log ---- */

static void collect(struct training *t, const struct few_step_report *r, double norm) {
  t->n_reports++;
  t->norm_sum += norm;
  t->sum.loss += r->loss;
  t->sum.n_logs = r->n_logs;
  for (int i = 0; i < r->n_logs; i++) {
    t->sum.name[i] = r->name[i];
    t->sum.mean[i] += r->mean[i];
  }
  for (int b = 0; b < FEW_TIME_BUCKETS; b++) {
    t->sum.by_time[b] += r->by_time[b];
    t->sum.in_bucket[b] += r->in_bucket[b];
  }
}

static few_status write_log(struct training *t, double lr) {
  few_ctx *ctx = t->ctx;
  struct few_text line = {0};
  double n = (double)t->n_reports, now = few__now();
  double rows = n * (double)t->recipe.keys.batch;
  if (!t->n_reports) return FEW_OK;
  few__text_add(ctx, &line, "{\"step\":%" PRId64 ",\"loss\":%.9g,\"grad_norm\":%.9g,\"lr\":%.9g",
                t->state.step, t->sum.loss / n, t->norm_sum / n, lr);
  for (int i = 0; i < t->sum.n_logs; i++)
    few__text_add(ctx, &line, ",\"%s\":%.9g", t->sum.name[i], t->sum.mean[i] / n);
  if (t->sum.n_logs) {
    few__text_add(ctx, &line, ",\"%s_by_time\":[", t->sum.name[0]);
    for (int b = 0; b < FEW_TIME_BUCKETS; b++) {
      int64_t in = t->sum.in_bucket[b];
      few__text_add(ctx, &line, b ? ",%.6g" : "%.6g", in ? t->sum.by_time[b] / (double)in : 0);
    }
    few__text_add(ctx, &line, "]");
  }
  few__text_add(ctx, &line, ",\"rows_per_second\":%.4g,\"seconds\":%.3f}",
                rows / (now - t->logged_at), now - t->began);
  few_status st = line.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: log")
                              : few__journal_line(ctx, &t->journal, line.at);
  few__text_free(ctx, &line);
  t->n_reports = 0;
  t->norm_sum = 0;
  t->sum = (struct few_step_report){0};
  t->logged_at = now;
  return st;
}

static few_status write_event(struct training *t, int64_t step, const char *event,
                              const char *why) {
  char line[256];
  snprintf(line, sizeof line,
           "{\"step\":%" PRId64 ",\"event\":\"%s\",\"why\":\"%s\",\"lr_factor\":%.9g}", step, event,
           why, t->state.lr_factor);
  few__log(t->ctx, FEW_LOG_WARN, "step %" PRId64 ": %s: %s", step, event, why);
  return few__journal_line(t->ctx, &t->journal, line);
}

/* ---- the step ---- */

/* Back to the last good checkpoint, more careful than before. */
static few_status roll_back(struct training *t, const char *why) {
  int64_t failed = t->state.step, retries = t->state.retries + 1;
  bool found;
  FEW_TRY(few__checkpoint_read(t->ctx, &t->state, t->dir, &t->id, &found));
  if (!found)
    return few__fail(t->ctx, FEW_E_DIVERGED,
                     "training diverged at step %" PRId64
                     " (%s) and %s holds no checkpoint to go back to",
                     failed, why, t->dir);
  FEW_TRY(few__guard_retry(t->ctx, &t->state, &t->recipe.keys, retries, failed, why));
  few__journal_close(t->ctx, &t->journal);
  FEW_TRY(few__journal_open(t->ctx, &t->journal, t->dir, t->state.step));
  t->n_reports = 0;
  t->norm_sum = 0;
  t->sum = (struct few_step_report){0};
  FEW_TRY(few__checkpoint_write(t->ctx, &t->state, t->dir, &t->id));
  return write_event(t, t->state.step, "rolled back", why);
}

static few_status one_step(struct training *t, double *lr, double *loss, bool *rolled_back) {
  struct few_run_state *s = &t->state;
  struct few_step_report report;
  float *grad;
  double squares;
  *rolled_back = false;
  FEW_TRY(few__shards_step(t->shards, s->step, s->stretch, s->param, &grad, &report));
  FEW_TRY(few__sumsq(t->ctx, t->workers, s->n, grad, &squares));
  double norm = sqrt(squares);
  *loss = report.loss;
  *lr = few__lr(&t->recipe.lr, s->step) * s->lr_factor;
  enum few_verdict v = few__guard_look(s, &t->recipe.keys, report.loss, norm);
  if (v == FEW_GUARD_TROUBLE) {
    *rolled_back = true;
    return roll_back(t, !isfinite(report.loss) ? "loss is not finite"
                        : !isfinite(norm)      ? "gradient is not finite"
                                               : "gradient spikes");
  }
  s->step++;
  if (v == FEW_GUARD_SPIKE) return write_event(t, s->step, "skipped", "gradient spike");
  few__update(s, &t->recipe, t->workers, grad, norm, *lr);
  collect(t, &report, norm);
  return FEW_OK;
}

static bool due(int64_t step, int64_t every, int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

static few_status after_step(struct training *t, double lr) {
  const struct few_train_keys *k = &t->recipe.keys;
  int64_t step = t->state.step;
  if (due(step, k->log_every, k->steps)) FEW_TRY(write_log(t, lr));
  FEW_TRY(few__evaluation_run(t->evaluation, &t->state, &t->journal)); /* before the checkpoint */
  if (due(step, k->checkpoint_every, k->steps)) {
    FEW_TRY(few__checkpoint_write(t->ctx, &t->state, t->dir, &t->id));
    FEW_TRY(write_model(t));
  }
  return due(step, k->preview_every, k->steps) ? preview(t) : FEW_OK;
}

static few_status loop(struct training *t) {
  const struct few_train_keys *k = &t->recipe.keys;
  int64_t first = t->state.step;
  FEW_TRY(few__evaluation_run(t->evaluation, &t->state, &t->journal)); /* if it was stopped in it */
  while (t->state.step < k->steps) {
    double lr, loss;
    bool rolled_back;
    char note[64];
    FEW_TRY(one_step(t, &lr, &loss, &rolled_back));
    if (rolled_back) continue;
    few_status st = after_step(t, lr);
    if (st && st != FEW_E_CANCELLED) return st;
    snprintf(note, sizeof note, "loss %.4f", loss);
    struct few_progress p = {"training", t->state.step, k->steps, few__now() - t->began, note};
    if (!st) st = few__progress(t->ctx, &p);
    if (st) {
      FEW_TRY(few__checkpoint_write(t->ctx, &t->state, t->dir, &t->id));
      FEW_TRY(write_model(t));
      return st;
    }
  }
  if (first == t->state.step) few__log(t->ctx, FEW_LOG_INFO, "%s: nothing left to do", t->dir);
  return write_model(t);
}

few_status few_train(few_ctx *ctx, const struct few_train_opts *opts) {
  struct training t = {.ctx = ctx, .dir = opts->run, .lock = -1, .journal = {.fd = -1}};
  if (opts->version != FEW_TRAIN_OPTS_VERSION)
    return few__fail(ctx, FEW_E_INVALID, "train: options of another version of few");
  FEW_TRY(few__run_recipe_open(ctx, &t.recipe, opts));
  few_status st = set_up(&t);
  t.began = t.logged_at = few__now();
  if (!st) st = loop(&t);
  tear_down(&t);
  return st;
}
