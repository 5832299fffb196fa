/* saving.c - see saving.h.
 *
 * A context is for one thread, so the writing thread has its own. It uses copies: of the numbers of
 * the state, and of the model. The model's copy borrows only what no step changes.
 */
#include "saving.h"

#include <pthread.h>

#include "io/file.h"
#include "posthoc.h"
#include "provenance.h"

struct few_saving {
  few_ctx *ctx;
  struct few_saving_opts o;
  few_ctx *own; /* the thread's; NULL: the files are written by the caller */
  char *path;   /* of the model */
  pthread_t thread;
  bool begun, beside; /* a save is not finished; the thread writes it */
  enum few_save what;
  struct few_run_state state;
  few_model student;
  few_status status;
};

few_status few__saving_open(few_ctx *ctx, few_saving **out, const struct few_saving_opts *o) {
  few_saving *s;
  *out = NULL;
  assert(o->dir && o->state->arrays);
  FEW_TRY(FEW_NEW(ctx, &s, 1));
  *s = (few_saving){.ctx = ctx, .o = *o};
  few_status st = few__path_join(ctx, &s->path, o->dir, "model.safetensors");
  if (!st && o->state->arrays->device && few_ctx_create(&s->own, NULL))
    st = few__fail(ctx, FEW_E_MEMORY, "out of memory for a thread that writes files");
  if (st)
    few__saving_close(s);
  else
    *out = s;
  return st;
}

/* ---- the content of the files ---- */

static void free_student(few_saving *s) {
  few__free(s->ctx, s->student.times);
  few__free(s->ctx, s->student.provenance);
  s->student = (few_model){0};
}

static few_status copy_student(few_saving *s) {
  const struct few_state_arrays *a = &s->o.state->here;
  const few_model *m = s->o.model;
  few_model *copy = &s->student;
  FEW_TRY(few__setup_use(s->o.setup, s->o.state->step, s->o.model));
  *copy = *m;
  copy->ctx = s->own ? s->own : s->ctx;
  copy->values = a->ema ? a->ema : a->param;
  copy->step = s->o.state->step;
  copy->weights = s->o.setup->config.keys.weights;
  copy->provenance = NULL;
  copy->times = NULL;
  FEW_TRY(FEW_NEW(s->ctx, &copy->times, m->n_times));
  if (m->n_times) memcpy(copy->times, m->times, (size_t)m->n_times * sizeof *m->times);
  return few__provenance(s->ctx, s->o.setup, copy->step, &copy->provenance);
}

/* ---- writing ---- */

static void *write_files(void *saving) {
  few_saving *s = saving;
  few_ctx *ctx = s->own ? s->own : s->ctx;
  const enum few_checkpoint_kind kind =
      s->what == FEW_SAVE_INTERIM ? FEW_CHECKPOINT_INTERIM : FEW_CHECKPOINT_MILESTONE;
  s->status = few__checkpoint_write(ctx, &s->state, kind, s->o.dir, s->o.id);
  if (!s->status && s->what != FEW_SAVE_START) s->status = few_model_save(&s->student, s->path);
  return NULL;
}

static void wait(few_saving *s) {
  if (s->beside) pthread_join(s->thread, NULL);
  s->begun = s->beside = false;
  free_student(s);
}

few_status few__saving_finish(few_saving *s) {
  if (!s || !s->begun) return FEW_OK;
  wait(s);
  if (s->status && s->own) few__fail(s->ctx, s->status, "%s", few_error(s->own));
  return s->status ? s->status : few__checkpoint_trim(s->ctx, s->o.dir, s->state.step);
}

few_status few__save(few_saving *s, enum few_save what) {
  if (!s) return FEW_OK;
  FEW_TRY(few__saving_finish(s));
  FEW_TRY(few__state_get(s->o.state));
  s->state = *s->o.state;
  s->what = what;
  const few_status st = what == FEW_SAVE_START ? FEW_OK : copy_student(s);
  if (st) {
    free_student(s);
    return st;
  }
  s->begun = true;
  s->beside = s->own && !pthread_create(&s->thread, NULL, write_files, s);
  if (s->beside) return FEW_OK;
  write_files(s);
  return few__saving_finish(s);
}

few_status few__save_snapshot(few_saving *s) {
  if (!s) return FEW_OK;
  FEW_TRY(few__saving_finish(s));
  few_status st = copy_student(s);
  s->student.ctx = s->ctx;
  s->student.weights = FEW_WEIGHTS_F32;
  for (int i = 0; i < FEW_HISTORIES && !st; i++) {
    char *path = NULL;
    s->student.values = s->o.state->here.history[i];
    st = few__snapshot_path(s->ctx, &path, s->o.dir, s->o.state->step, i);
    if (!st) st = few_model_save(&s->student, path);
    few__free(s->ctx, path);
  }
  free_student(s);
  return st;
}

void few__saving_close(few_saving *s) {
  if (!s) return;
  if (s->begun) wait(s);
  few_ctx_free(s->own);
  few__free(s->ctx, s->path);
  few__free(s->ctx, s);
}
