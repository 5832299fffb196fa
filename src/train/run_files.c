/* run_files.c - see run_files.h. */
#include "run_files.h"

#include <inttypes.h>

#include "guard.h"
#include "io/file.h"
#include "run_dir.h"

/* ---- opening ---- */

/* `teacher` and `init` must not name the model file that this run writes. */
static few_status check_inputs(few_ctx *ctx, const char *model, const struct few_train_keys *k) {
  const bool teacher = few__path_same(k->teacher, model);
  if (!teacher && !few__path_same(k->init, model)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s = %s is the file that this run writes: take another run directory",
                   teacher ? "teacher" : "init", teacher ? k->teacher : k->init);
}

few_status few__run_files_open(few_ctx *ctx, struct few_run_files *out, const char *dir,
                               const struct few_setup *setup, struct few_previous_run *before) {
  char *recipe = NULL, *model = NULL;
  few_status st = FEW_OK;
  *out = (struct few_run_files){.lock = -1, .log = {.fd = -1}};
  *before = (struct few_previous_run){0};
  if (!dir) return FEW_OK;
  out->dir = few__strdup(ctx, dir);
  if (!out->dir) return few__fail(ctx, FEW_E_MEMORY, "out of memory: run directory");
  FEW_GOTO(few__run_dir_open(ctx, dir, &out->lock));
  FEW_GOTO(few__path_join(ctx, &recipe, dir, "recipe.ini"));
  FEW_GOTO(few__path_join(ctx, &model, dir, "model.safetensors"));
  if (few__path_exists(recipe)) FEW_GOTO(few__setup_same_run(ctx, setup, recipe, before));
  FEW_GOTO(check_inputs(ctx, model, &setup->config.keys));
out:
  few__free(ctx, recipe);
  few__free(ctx, model);
  return st;
}

void few__run_files_close(few_ctx *ctx, struct few_run_files *f) {
  few__saving_close(f->saving);
  few__run_log_close(ctx, &f->log);
  few__run_dir_close(f->lock);
  few__free(ctx, f->dir);
  *f = (struct few_run_files){.lock = -1, .log = {.fd = -1}};
}

/* The recipe is written after everything was checked, or a recipe with a typo would be recorded as
 * this run's. */
static few_status write_recipe(few_ctx *ctx, const struct few_run_files *f,
                               const struct few_setup *setup) {
  struct few_text text = {0};
  char *path = NULL;
  few_status st;
  FEW_GOTO(few__path_join(ctx, &path, f->dir, "recipe.ini"));
  FEW_GOTO(few__setup_text(ctx, setup, &text));
  FEW_GOTO(few__file_write(ctx, path, text.at, text.len));
out:
  few__free(ctx, path);
  few__text_free(ctx, &text);
  return st;
}

/* A new run writes a checkpoint at once, before pairs are made, since it records the teacher and
 * the data of the pairs. */
static few_status begin_or_resume(few_ctx *ctx, struct few_run_files *f,
                                  const struct few_setup *setup,
                                  const struct few_previous_run *before,
                                  struct few_run_state *state) {
  bool found;
  FEW_TRY(few__checkpoint_read(ctx, state, f->dir, &f->id, FEW_CHECKPOINT_NEWEST, &found));
  if (!found && f->id.moved)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s/recipe.ini names other data or another teacher, and there is no "
                     "checkpoint to compare them with: take another run directory",
                     f->dir);
  if (before->steps)
    FEW_TRY(few__config_length_check(ctx, &setup->config, f->dir, before->steps, state->step));
  FEW_TRY(write_recipe(ctx, f, setup));
  if (!found) return few__save(f->saving, FEW_SAVE_START);
  if (state->step) few__log(ctx, FEW_LOG_INFO, "resuming %s at step %" PRId64, f->dir, state->step);
  return FEW_OK;
}

few_status few__run_files_begin(few_ctx *ctx, struct few_run_files *f,
                                const struct few_setup *setup,
                                const struct few_previous_run *before, struct few_run_state *state,
                                few_model *model) {
  if (!f->dir) return FEW_OK;
  const struct few_saving_opts saving = {f->dir, setup, &f->id, state, model};
  assert(!f->saving && f->lock >= 0);
  f->id.moved = before->moved;
  FEW_TRY(few__saving_open(ctx, &f->saving, &saving));
  return begin_or_resume(ctx, f, setup, before, state);
}

/* ---- rolling back ---- */

/* Reads the last milestone from which the run can continue. Two kinds are excluded: a milestone
 * after which no update succeeded, and a milestone to which the run was rolled back before and
 * after which only one update succeeded. If there is no other milestone, one of these is used
 * nevertheless, because the learning rate is lower now. */
static few_status read_milestone(few_ctx *ctx, const struct few_run_files *f,
                                 struct few_run_state *s, bool *found) {
  const int64_t failed = s->step, updates = s->updates, rolled_to = s->rolled_to;
  struct few_checkpoint_pick pick = {failed, true};
  FEW_TRY(few__checkpoint_read(ctx, s, f->dir, &f->id, pick, found));
  const int64_t since = updates - s->updates;
  if (*found && (since == 0 || (since == 1 && s->step == rolled_to))) {
    pick.below = s->step;
    FEW_TRY(few__checkpoint_read(ctx, s, f->dir, &f->id, pick, found));
  }
  if (*found) return FEW_OK;
  pick.below = failed + 1;
  return few__checkpoint_read(ctx, s, f->dir, &f->id, pick, found);
}

few_status few__run_files_roll_back(few_ctx *ctx, struct few_run_files *f,
                                    const struct few_train_keys *keys, struct few_run_state *state,
                                    const char *why) {
  const int64_t failed = state->step, retries = state->retries + 1;
  bool found = false;
  if (!f->dir)
    return few__fail(ctx, FEW_E_DIVERGED,
                     "training diverged at step %" PRId64
                     " (%s), and a run in memory has no checkpoint to go back to: give it a "
                     "directory, or lower lr",
                     failed, why);
  FEW_TRY(few__saving_finish(f->saving));
  FEW_TRY(read_milestone(ctx, f, state, &found));
  if (!found)
    return few__fail(ctx, FEW_E_DIVERGED,
                     "training diverged at step %" PRId64
                     " (%s), and %s has no checkpoint to go back to: lower lr",
                     failed, why, f->dir);
  FEW_TRY(few__guard_retry(ctx, state, keys, retries, failed, why));
  state->rolled_to = state->step;
  few__run_log_close(ctx, &f->log);
  FEW_TRY(few__run_log_open(ctx, &f->log, f->dir, state->step, keys->tensorboard));
  FEW_TRY(few__save(f->saving, FEW_SAVE_START));
  return few__checkpoint_drop_after(ctx, f->dir, state->step);
}
