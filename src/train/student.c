/* student.c - see student.h. */
#include "student.h"

#include <inttypes.h>
#include <math.h>

#include "preview.h"
#include "provenance.h"
#include "start.h"

few_status few__student_open(few_ctx *ctx, struct few_student *out, const struct few_setup *setup,
                             bool is_new) {
  assert(!out->model && !out->runner);
  if (is_new) FEW_TRY(few__setup_check_net(ctx, setup));
  FEW_TRY(few__start_model(ctx, &out->model, setup));
  FEW_TRY(few__preview_check(ctx, out->model, setup));
  return few_runner_create(&out->runner, ctx, out->model);
}

void few__student_close(struct few_student *s) {
  few_runner_free(s->runner);
  few_model_free(s->model);
  *s = (struct few_student){NULL, NULL};
}

few_status few__student_update(const struct few_student *s, const struct few_setup *setup,
                               const struct few_run_state *state) {
  assert(state->n_model == s->model->params.total);
  FEW_TRY(few__state_student(state, few__model_write(s->model)));
  return few__setup_use(setup, state->step, s->model);
}

/* The copy is made from the model's description. The members that a description does not have are
 * set here. */
few_status few__student_copy(few_ctx *ctx, few_model **out, const struct few_student *s,
                             const struct few_setup *setup, const struct few_run_state *state) {
  struct few_text text = {0};
  few_model *m = s->model;
  const int64_t n = m->params.total;
  FEW_TRY(few__student_update(s, setup, state));
  m->step = state->step;
  FEW_TRY(few__provenance(ctx, setup, state->step, &m->provenance));
  few_status st = few__model_describe(m, &text);
  if (!st) st = few__model_from_description(ctx, out, "the student", text.at, text.len);
  few__text_free(ctx, &text);
  FEW_TRY(st);
  assert((*out)->params.total == n);
  FEW_TRY(FEW_NEW(ctx, &(*out)->values, n));
  memcpy((*out)->values, m->values, (size_t)n * sizeof(float));
  (*out)->weights = setup->config.keys.weights;
  for (int64_t i = 0; i < n; i++)
    if (!isfinite((*out)->values[i]))
      return few__fail(ctx, FEW_E_DIVERGED, "step %" PRId64 ": weights are not finite",
                       state->step);
  return FEW_OK;
}
