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
#include "evaluate.h"
#include "few/backend.h"
#include "gauge.h"
#include "guard.h"
#include "io/file.h"
#include "meter.h"
#include "pairs.h"
#include "preview.h"
#include "run_dir.h"
#include "run_log.h"
#include "saving.h"
#include "units.h"
#include "update.h"

struct training {
  few_ctx *ctx;
  const char *dir;
  int lock; /* on dir, or -1 */
  struct few_setup setup;
  few_workers *workers;
  struct few_arrays arrays;
  few_model *model; /* the student; its values are what is saved */
  struct few_params head, fake_head;
  struct few_pairs *pairs; /* NULL: it trains on the data */
  few_shards *shards;
  struct few_run_state state;
  struct few_run_log log;
  few_evaluation *evaluation; /* NULL: none on the schedule */
  struct few_run_identity id;
  few_saving *saving;
  struct few_meter meter;
  few_gauge *gauge;    /* NULL: none */
  char progress[32];   /* what it read last, for people */
  double began, saved; /* few__now() */
  char note[64];
  struct few_progress reported; /* last */
};

/* ---- data ---- */

/* Each phase draws its own rows: the data are read in another order, the labels dropped elsewhere.
 */
static uint64_t seed_of(const struct few_train_keys *k, enum few_phase_id phase) {
  return (uint64_t)k->seed ^ (phase == FEW_PHASE_FAKE ? 0x66616b65u : 0);
}

static void drop_labels(const struct few_train_keys *k, const struct few_rows *rows) {
  struct few_rng r = {.seed = seed_of(k, rows->phase),
                      .step = (uint64_t)rows->update,
                      .purpose = FEW_RNG_LABEL_DROP};
  for (int64_t i = 0; i < rows->rows && k->label_dropout > 0; i++) {
    double u;
    r.row = (uint64_t)(rows->first + i);
    few__rng_uniform_f64(&r, 1, &u);
    if (u < k->label_dropout) rows->label[i] = -1;
  }
}

static void fill(void *user, const struct few_rows *rows) {
  const struct training *t = user;
  const struct few_train_keys *k = &t->setup.config.keys;
  const int64_t position = rows->update * k->batch + rows->first;
  few_status st = FEW_OK;
  if (t->pairs) {
    few__pairs_fill(t->pairs, seed_of(k, rows->phase), position, rows);
  } else {
    struct few_data_stream stream = FEW_DATA_STREAM_INIT;
    stream.seed = seed_of(k, rows->phase);
    stream.flip = k->flip;
    stream.scale = (struct few_data_scale){t->model->data_mean, t->model->data_scale};
    stream.scales = t->model->scales;
    st = few_data_fill(t->setup.data, &stream, position, rows->rows, rows->x, rows->label);
    const int32_t *map = t->setup.label_map;
    for (int64_t i = 0; map && i < rows->rows; i++) rows->label[i] = map[rows->label[i]];
  }
  assert(!st); /* the run's rows were counted when it began */
  FEW_UNUSED(st);
  drop_labels(k, rows);
}

/* ---- setting up ---- */

/* Numbers and names are the teacher's, if it has names. */
static few_status describe_classes(struct training *t) {
  const struct few_setup *setup = &t->setup;
  few_model *m = t->model;
  const int64_t n = setup->spec.classes;
  if (!n) return FEW_OK;
  FEW_TRY(FEW_NEW(t->ctx, &m->class_names, n));
  FEW_TRY(FEW_NEW(t->ctx, &m->class_counts, n));
  memcpy(m->class_counts, setup->class_counts, (size_t)n * sizeof *m->class_counts);
  for (int64_t i = 0; i < n; i++) {
    const char *name = setup->numbered_as ? few_model_class_name(setup->numbered_as, i) : NULL;
    if (!name && !setup->label_map) name = few_data_class_name(setup->data, (int)i);
    m->class_names[i] = name ? few__strdup(m->ctx, name) : NULL;
    if (name && !m->class_names[i])
      return few__fail(m->ctx, FEW_E_MEMORY, "out of memory for the names of classes");
  }
  return FEW_OK;
}

/* What no file can say is refused before the first step, not at the first checkpoint. */
static few_status check_description(const few_model *m) {
  struct few_text text = {0};
  const few_status st = few__model_describe(m, &text);
  few__text_free(m->ctx, &text);
  return st;
}

static few_status make_model(struct training *t) {
  struct few_setup *setup = &t->setup;
  FEW_TRY(few__model_create(t->ctx, &t->model, setup->net, setup->net_opts, &setup->spec,
                            (uint64_t)setup->config.keys.seed));
  few_model *m = t->model;
  const few_model *units = setup->teacher ? setup->teacher : setup->start;
  FEW_TRY(units ? few__model_take_scale(m, units) : few__units_of_data(m, setup));
  if (units) few__units_check(m, setup);
  snprintf(m->objective, sizeof m->objective, "%s", setup->config.objective[0].def->name);
  FEW_TRY(few__setup_use(setup, 0, m));
  m->guidance_min = setup->guidance_min;
  m->guidance_max = setup->guidance_max;
  FEW_TRY(describe_classes(t));
  return check_description(m);
}

/* Values of a network that begins as another wherever names and shapes agree, and how many tensors
 * those are; one that predicts another thing begins with a new last layer. */
static int start_as(const few_model *from, const few_model *to, float *values) {
  const bool last_too = from->spec.predicts == to->spec.predicts;
  int n = 0;
  for (int i = 0; i < from->params.n; i++) {
    const struct few_param_row *a = &from->params.at[i];
    int k = few__params_find(&to->params, a->name);
    if (!last_too && !strncmp(a->name, "out.", 4)) continue;
    if (k < 0 || !few_shape_equal(a->shape, to->params.at[k].shape)) continue;
    memcpy(values + to->params.at[k].offset, from->values + a->offset,
           (size_t)few_shape_count(a->shape) * sizeof(float));
    n++;
  }
  return n;
}

/* A network of another shape shares nothing with the teacher, and begins like any other: that is
 * worth a word. A model that was named as the start is all of it, or a mistake. */
static few_status start_student(struct training *t, float *values) {
  const struct few_setup *setup = &t->setup;
  const few_model *m = t->model, *from = setup->start ? setup->start : setup->teacher;
  const bool begins = setup->start || setup->config.objective[0].def->starts_as_teacher;
  if (!strcmp(setup->config.keys.init, "fresh") || !from || !begins) return FEW_OK;
  const int n = start_as(from, m, values);
  if (setup->start && n < m->params.n)
    return few__fail(t->ctx, FEW_E_INVALID,
                     "init = %s: of the student's %d tensors it has %d: give a model of the same "
                     "net, with the same options",
                     setup->config.keys.init, m->params.n, n);
  if (!n)
    few__log(t->ctx, FEW_LOG_WARN,
             "%s: the student shares no weights with teacher %s and begins with random ones "
             "(init = fresh says so)",
             setup->config.recipe.place, setup->config.keys.teacher);
  return FEW_OK;
}

static uint64_t layout_of(const struct few_params *p, uint64_t h) {
  for (int i = 0; i < p->n; i++) {
    h = few__hash(p->at[i].name, strlen(p->at[i].name), h);
    h = few__hash(p->at[i].shape.dim, sizeof(int64_t) * (size_t)p->at[i].shape.rank, h);
  }
  return h;
}

static bool averaging(const struct training *t) {
  return t->setup.config.keys.ema > 0 || t->setup.config.keys.ema_power > 0;
}

static struct few_networks networks(struct training *t) {
  return (struct few_networks){&t->setup, t->model, &t->head, &t->fake_head};
}

static void start_fake(struct training *t) {
  const struct few_networks w = networks(t);
  const struct few_setup *setup = &t->setup;
  if (!setup->fake) return;
  float *values = t->state.here.param + few__fake_base(&w);
  few__params_init(&setup->fake->params, (uint64_t)setup->config.keys.seed, values);
  start_as(setup->teacher, setup->fake, values);
  few__params_init(&t->fake_head, (uint64_t)setup->config.keys.seed,
                   values + setup->fake->params.total);
}

static few_status make_state(struct training *t) {
  const struct few_params *p = &t->model->params;
  const struct few_networks w = networks(t);
  const struct few_state_shape shape = {.n_model = p->total,
                                        .n = few__parameters(&w),
                                        .n_moments = t->setup.config.optim->states,
                                        .ema = averaging(t),
                                        .target = t->setup.config.target != FEW_TARGET_NONE};
  FEW_TRY(few__state_create(&t->state, &shape, &t->arrays));
  const struct few_state_arrays *a = &t->state.here;
  const char *teacher = t->setup.teacher_hash;
  t->id.layout = layout_of(&t->fake_head, layout_of(&t->head, layout_of(p, 0)));
  t->id.data = few_data_hash(t->setup.data);
  t->id.teacher = *teacher ? few__hash(teacher, strlen(teacher), 0) : 0;
  memcpy(a->param, t->model->values, (size_t)p->total * sizeof(float));
  few__params_init(&t->head, (uint64_t)t->setup.config.keys.seed, a->param + p->total);
  FEW_TRY(start_student(t, a->param));
  start_fake(t);
  if (a->ema) memcpy(a->ema, a->param, (size_t)p->total * sizeof(float));
  if (a->target) memcpy(a->target, a->param, (size_t)p->total * sizeof(float));
  few__state_put(&t->state);
  return FEW_OK;
}

static few_status open_directory(struct training *t, struct few_previous_run *before) {
  const struct few_train_keys *k = &t->setup.config.keys;
  char *recipe = NULL, *model = NULL;
  few_status st;
  FEW_GOTO(few__run_dir_open(t->ctx, t->dir, &t->lock));
  FEW_GOTO(few__path_join(t->ctx, &recipe, t->dir, "recipe.ini"));
  FEW_GOTO(few__path_join(t->ctx, &model, t->dir, "model.safetensors"));
  if (few__path_exists(recipe)) FEW_GOTO(few__setup_same_run(t->ctx, &t->setup, recipe, before));
  t->id.moved = before->moved;
  const bool teacher = few__path_same(k->teacher, model);
  if (teacher || few__path_same(k->init, model))
    st = few__fail(t->ctx, FEW_E_INVALID,
                   "%s = %s is the file that this run writes: take another run directory",
                   teacher ? "teacher" : "init", teacher ? k->teacher : k->init);
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
  FEW_GOTO(few__setup_text(t->ctx, &t->setup, &text));
  FEW_GOTO(few__file_write(t->ctx, path, text.at, text.len));
out:
  few__free(t->ctx, path);
  few__text_free(t->ctx, &text);
  return st;
}

/* The first checkpoint comes before the pairs: it holds whose pairs they are. */
static few_status begin_or_resume(struct training *t, const struct few_previous_run *before) {
  bool found;
  FEW_TRY(few__checkpoint_read(t->ctx, &t->state, t->dir, &t->id, FEW_CHECKPOINT_NEWEST, &found));
  if (!found && t->id.moved)
    return few__fail(t->ctx, FEW_E_INVALID,
                     "%s/recipe.ini names its data or its teacher otherwise, and no checkpoint is "
                     "there to compare them with: take another run directory",
                     t->dir);
  if (before->steps)
    FEW_TRY(
        few__config_length_check(t->ctx, &t->setup.config, t->dir, before->steps, t->state.step));
  FEW_TRY(write_recipe(t));
  if (!found) return few__save(t->saving, FEW_SAVE_START);
  if (t->state.step)
    few__log(t->ctx, FEW_LOG_INFO, "resuming %s at step %" PRId64, t->dir, t->state.step);
  return FEW_OK;
}

static few_status set_up(struct training *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  int workers = k->workers ? (int)k->workers : few_ctx_workers(t->ctx);
  struct few_previous_run before = {0};
  FEW_TRY(open_directory(t, &before));
  FEW_TRY(few__workers_create(t->ctx, &t->workers, workers));
  FEW_TRY(few__arrays_open(t->ctx, &t->arrays, t->workers, few__backend_of(t->ctx)));
  if (t->arrays.device && !t->setup.config.optim->moments)
    return few__fail(t->ctx, FEW_E_UNSUPPORTED, "backend %s has no optimizer %s: choose adam",
                     k->backend, t->setup.config.optim->name);
  if (!before.steps) FEW_TRY(few__setup_check_net(t->ctx, &t->setup)); /* a new run */
  FEW_TRY(make_model(t));
  FEW_TRY(few__preview_check(t->ctx, t->model, &t->setup));
  struct few_shards_opts so = {
      .networks = networks(t), .fill = fill, .user = t, .arrays = &t->arrays};
  FEW_TRY(few__shards_create(t->ctx, &t->shards, &so));
  FEW_TRY(make_state(t));
  FEW_TRY(few__evaluation_open(t->ctx, &t->evaluation, &t->setup, t->model));
  const struct few_saving_opts saving = {t->dir, &t->setup, &t->id, &t->state, t->model};
  FEW_TRY(few__saving_open(t->ctx, &t->saving, &saving));
  FEW_TRY(begin_or_resume(t, &before));
  if (t->setup.config.needs_pairs) FEW_TRY(few__pairs_open(t->ctx, &t->pairs, &t->setup, t->dir));
  return few__run_log_open(t->ctx, &t->log, t->dir, t->state.step);
}

static void tear_down(struct training *t) {
  few__saving_close(t->saving);
  few__run_log_close(t->ctx, &t->log);
  few__evaluation_free(t->evaluation);
  few__gauge_free(t->gauge);
  few__shards_free(t->shards);
  few__pairs_close(t->pairs);
  few__state_free(&t->state);
  few__params_free(t->ctx, &t->head);
  few__params_free(t->ctx, &t->fake_head);
  few_model_free(t->model);
  few__arrays_close(&t->arrays);
  few__workers_free(t->workers);
  few__setup_close(t->ctx, &t->setup);
  few__run_dir_close(t->lock);
}

/* ---- results ---- */

static few_status preview(struct training *t) {
  FEW_TRY(few__state_student(&t->state, few_model_values_mut(t->model)));
  FEW_TRY(few__setup_use(&t->setup, t->state.step, t->model));
  return few__preview(t->ctx, t->model, &t->setup.config.keys, t->state.step, t->dir);
}

static few_status save(struct training *t, enum few_save what) {
  FEW_TRY(few__save(t->saving, what));
  t->saved = few__now();
  return FEW_OK;
}

/* ---- the step ---- */

static few_status write_event(struct training *t, int64_t step, const char *event,
                              const char *why) {
  char line[256];
  few__print(line, sizeof line,
             "{\"step\":%" PRId64 ",\"event\":\"%s\",\"why\":\"%s\",\"lr_factor\":%.9g}", step,
             event, why, t->state.lr_factor);
  few__log(t->ctx, FEW_LOG_WARN, "step %" PRId64 ": %s: %s", step, event, why);
  return few__run_log_line(t->ctx, &t->log, line);
}

/* The last milestone that the run can go on from. The one whose very first step failed is none, and
 * neither is one from which the run, rolled back to it before, failed again with its first update.
 * Where there is no other it has to do: the next rate is lower again. */
static few_status read_good(struct training *t, bool *found) {
  const struct few_run_state *s = &t->state;
  const int64_t failed = s->step, updates = s->updates, rolled_to = s->rolled_to;
  struct few_checkpoint_pick pick = {failed, true};
  FEW_TRY(few__checkpoint_read(t->ctx, &t->state, t->dir, &t->id, pick, found));
  const int64_t since = updates - s->updates;
  if (*found && (since == 0 || (since == 1 && s->step == rolled_to))) {
    pick.below = s->step;
    FEW_TRY(few__checkpoint_read(t->ctx, &t->state, t->dir, &t->id, pick, found));
  }
  if (*found) return FEW_OK;
  pick.below = failed + 1;
  return few__checkpoint_read(t->ctx, &t->state, t->dir, &t->id, pick, found);
}

/* Back to the last good checkpoint, more careful than before. */
static few_status roll_back(struct training *t, const char *why) {
  int64_t failed = t->state.step, retries = t->state.retries + 1;
  bool found;
  FEW_TRY(few__saving_finish(t->saving));
  FEW_TRY(read_good(t, &found));
  if (!found)
    return few__fail(t->ctx, FEW_E_DIVERGED,
                     "training diverged at step %" PRId64
                     " (%s) and %s holds no checkpoint to go back to",
                     failed, why, t->dir);
  FEW_TRY(few__guard_retry(t->ctx, &t->state, &t->setup.config.keys, retries, failed, why));
  t->state.rolled_to = t->state.step;
  few__run_log_close(t->ctx, &t->log);
  FEW_TRY(few__run_log_open(t->ctx, &t->log, t->dir, t->state.step));
  few__meter_clear(&t->meter);
  FEW_TRY(save(t, FEW_SAVE_START));
  FEW_TRY(few__checkpoint_drop_after(t->ctx, t->dir, t->state.step));
  return write_event(t, t->state.step, "rolled back", why);
}

struct step {
  double lr, loss;
  const char *trouble; /* NULL: all is well */
};

static struct few_values values(const struct training *t) {
  return (struct few_values){t->state.there.param, t->state.there.target};
}

static few_status update_fake(struct training *t, const struct few_clock *at, struct step *step) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const struct few_values v = values(t);
  struct few_step_report report;
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
    few__meter_add(&t->meter, FEW_PHASE_FAKE, &report, sqrt(squares));
  }
  return FEW_OK;
}

static few_status balance(struct training *t, struct few_gradient *grad) {
  double factor[FEW_BALANCE_MAX];
  if (grad->n_grads == 1) return FEW_OK;
  FEW_TRY(few__arrays_balance(&t->arrays, t->setup.config.balance, grad->n_grads, grad->n,
                              t->state.n_model, grad->weight, grad->at, factor));
  few__meter_balance(&t->meter, grad->n_grads, factor);
  return FEW_OK;
}

static few_status update_student(struct training *t, const struct few_clock *at,
                                 struct step *step) {
  struct few_run_state *s = &t->state;
  const struct few_values v = values(t);
  struct few_step_report report;
  struct few_gradient grad;
  double squares;
  FEW_TRY(few__shards_step(t->shards, FEW_PHASE_STUDENT, at, s->step, &v, &grad, &report));
  FEW_TRY(balance(t, &grad));
  FEW_TRY(few__arrays_sumsq(&t->arrays, grad.n, grad.at, &squares));
  const double norm = sqrt(squares);
  step->loss = report.loss;
  enum few_verdict verdict = few__guard_look(s, &t->setup.config.keys, report.loss, norm);
  if (verdict == FEW_GUARD_TROUBLE) {
    step->trouble = !isfinite(report.loss) ? "loss is not finite"
                    : !isfinite(norm)      ? "gradient is not finite"
                                           : "gradient spikes";
    return FEW_OK;
  }
  s->step++;
  if (verdict == FEW_GUARD_SPIKE) return write_event(t, s->step, "skipped", "gradient spike");
  few__update(s, &t->setup.config, &grad, norm, step->lr);
  few__follow(s, &t->setup.config);
  few__meter_add(&t->meter, FEW_PHASE_STUDENT, &report, norm);
  return FEW_OK;
}

static few_status one_step(struct training *t, struct step *step) {
  struct few_run_state *s = &t->state;
  const struct few_clock at = few__config_clock(&t->setup.config, s->step, s->stretch);
  *step = (struct step){.lr = few__lr(&t->setup.config.lr, at.in_stage) * s->lr_factor};
  const bool stage = at.stage > 0 && at.in_stage == 0;
  if (stage) few__begin_stage(s);
  /* Its first update may be stopped in the middle, since nothing has changed by then. */
  if (!stage) few__shards_watch(t->shards, &t->reported, t->began);
  if (few__has_fake(&t->setup)) FEW_TRY(update_fake(t, &at, step));
  if (!step->trouble) FEW_TRY(update_student(t, &at, step));
  return step->trouble ? roll_back(t, step->trouble) : FEW_OK;
}

static bool due(int64_t step, int64_t every, int64_t last) {
  return every > 0 && (step % every == 0 || step == last);
}

/* Milestones come by the step, for the guard: not at the end of a run that is made longer later,
 * and not amid gradients that are skipped, where it would come back to just those. */
static enum few_save kind_of_save(const struct training *t) {
  const struct few_run_state *s = &t->state;
  const bool milestone = s->step % t->setup.config.keys.checkpoint_every == 0 && !s->spikes;
  return milestone ? FEW_SAVE_SCHEDULED : FEW_SAVE_INTERIM;
}

static bool minutes_over(const struct training *t) {
  const double minutes = t->setup.config.keys.checkpoint_minutes;
  return minutes > 0 && few__now() - t->saved >= 60 * minutes;
}

/* What makes images of the weights or keeps them finds out whether they are numbers still: the
 * loss of the next step, which would tell, comes too late for it. */
static few_status check_finite(struct training *t, bool *finite) {
  FEW_TRY(few__saving_finish(t->saving));
  FEW_TRY(few__state_get(&t->state));
  *finite = few__state_finite(&t->state);
  return FEW_OK;
}

/* The first step has a line of its own, for whoever watches; the next line counts it as well. */
static few_status log_step(struct training *t, double lr) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const int64_t step = t->state.step;
  const bool line = due(step, k->log_every, k->steps);
  if (!line && step != 1) return FEW_OK;
  if (t->gauge) {
    double x;
    FEW_TRY(few__gauge_read(t->gauge, &t->state, &x));
    t->meter.gauged = true;
    t->meter.to_teacher = x;
    few__print(t->progress, sizeof t->progress, "  to teacher %.3g", x);
  }
  FEW_TRY(few__meter_write(t->ctx, &t->meter, &t->log, step, k->batch, lr, few__now() - t->began));
  if (line) few__meter_clear(&t->meter);
  return FEW_OK;
}

static few_status after_step(struct training *t, double lr) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const int64_t step = t->state.step;
  const bool kept = kind_of_save(t) == FEW_SAVE_SCHEDULED || step == k->steps || minutes_over(t);
  FEW_TRY(log_step(t, lr));
  if (kept || due(step, k->preview_every, k->steps) || due(step, k->eval_every, k->steps)) {
    bool finite;
    FEW_TRY(check_finite(t, &finite));
    if (!finite) return roll_back(t, "parameters are not finite");
  }
  if (due(step, k->preview_every, k->steps)) FEW_TRY(preview(t));
  FEW_TRY(few__evaluation_run(t->evaluation, &t->state, &t->log)); /* before the checkpoint */
  return kept ? save(t, kind_of_save(t)) : FEW_OK;
}

/* What the step that a run resumes at lacks, if it was stopped there. */
static few_status make_up(struct training *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  const int64_t step = t->state.step;
  bool there;
  if (step && due(step, k->preview_every, k->steps)) {
    FEW_TRY(few__preview_there(t->ctx, step, t->dir, &there));
    if (!there) FEW_TRY(preview(t));
  }
  return few__evaluation_run(t->evaluation, &t->state, &t->log);
}

/* Stopped: what is lost is at most the step at hand. Weights that are no numbers any more are not
 * kept; the run then goes on from the checkpoint before, and finds them again. */
static few_status stop(struct training *t, few_status why) {
  bool finite;
  FEW_TRY(check_finite(t, &finite));
  if (finite) FEW_TRY(save(t, kind_of_save(t)));
  FEW_TRY(few__saving_finish(t->saving));
  return why;
}

static few_status loop(struct training *t) {
  const struct few_train_keys *k = &t->setup.config.keys;
  int64_t first = t->state.step;
  FEW_TRY(make_up(t));
  t->reported = (struct few_progress){"training", first, k->steps, few__now() - t->began, NULL};
  while (t->state.step < k->steps) {
    struct step step;
    t->reported.done = t->state.step; /* it may have been rolled back */
    few_status st = one_step(t, &step);
    if (st == FEW_E_CANCELLED) return stop(t, st);
    FEW_TRY(st);
    if (step.trouble) continue;
    st = after_step(t, step.lr);
    if (st && st != FEW_E_CANCELLED) return st;
    few__print(t->note, sizeof t->note, "loss %.4f%s", step.loss, t->progress);
    t->reported =
        (struct few_progress){"training", t->state.step, k->steps, few__now() - t->began, t->note};
    if (!st) st = few__progress(t->ctx, &t->reported);
    if (st) return stop(t, st);
  }
  if (first == t->state.step) {
    few__log(t->ctx, FEW_LOG_INFO, "%s: nothing left to do", t->dir);
    FEW_TRY(save(t, kind_of_save(t)));
  }
  return few__saving_finish(t->saving);
}

static few_status run(struct training *t) {
  FEW_TRY(few_ctx_set_backend(t->ctx, t->setup.config.keys.backend));
  FEW_TRY(set_up(t));
  if (t->state.step < t->setup.config.keys.steps) {
    const double flops = few__shards_step_flops(t->shards);
    FEW_TRY(few__preview_announce(t->ctx, t->model, &t->setup, flops));
    FEW_TRY(few__evaluation_announce(t->evaluation, flops));
    FEW_TRY(few__gauge_open(t->ctx, &t->gauge, &t->setup, t->model));
  }
  t->began = t->saved = few__now();
  few__meter_clear(&t->meter);
  return loop(t);
}

few_status few_train(few_ctx *ctx, const struct few_train_opts *opts) {
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  if (!opts->run) return few__fail(ctx, FEW_E_INVALID, "train: name a run directory");
  struct training t = {.ctx = ctx, .dir = opts->run, .lock = -1, .log = {.fd = -1}};
  FEW_TRY(few__setup_open(ctx, &t.setup, opts));
  const struct few_backend *before = few__ctx_backend(ctx);
  const few_status st = run(&t);
  tear_down(&t);
  few__ctx_set_backend(ctx, before);
  return st;
}
