/* eval.c - F of many rows, on all workers, the same bits whoever computes them.
 *
 * A plan has R rows, fixed for the model. Rows kR .. kR + R - 1 of a call are chunk k: one task,
 * computed whole by one worker in an arena of its own from a padded copy of its rows. So a row's
 * result depends on its place in its chunk at most, and on neither workers nor the size of a call.
 *
 * Classifier-free guidance (Ho and Salimans, arXiv 2207.12598), F_u + s (F_c - F_u), is one graph
 * with the network in it twice: what does not see the label is one node in both.
 */
#include <math.h>

#include "engine/plan/executor.h"
#include "model/model.h"

enum { PLAIN, CLASSIFIER_FREE, PLANS };
enum { POINT_ROWS = 256, IMAGE_ROWS = 8 };
enum { DEVICE_POINT_ROWS = 1024, DEVICE_IMAGE_ROWS = 128 }; /* many processors, one replay */

struct worker_state { /* what each worker has of its own */
  few_executor *executor;
  few_status status;
  float *x, *t, *guidance, *span, *out;
  int32_t *label, *no_label;
  const void **slot[PLANS];
};

struct few_model_runner {
  const struct few_backend *backend;
  few_plan *plan[PLANS];
  few_workers *workers;
  int asked; /* workers, of which the system may have given fewer */
  struct worker_state *worker;
  int n_workers;
};

int64_t few_model_rows(const few_model *m) {
  if (few__backend_of(m->ctx)->device)
    return m->spec.points ? DEVICE_POINT_ROWS : DEVICE_IMAGE_ROWS;
  return m->spec.points ? POINT_ROWS : IMAGE_ROWS;
}

int64_t few__model_portion(const few_model *m) {
  const bool device = few__backend_of(m->ctx)->device;
  return few_model_rows(m) * (device ? 1 : few_ctx_workers(m->ctx));
}

static int64_t dims(const few_model *m) { return m->spec.h * m->spec.w * m->spec.c; }

static int64_t out_dims(const few_model *m) {
  return few__model_classifies(m) ? m->spec.classes : dims(m);
}

/* ---- plans ---- */

static few_node classifier_free(const few_model *m, few_graph *g, struct few_net_input in,
                                few_node with_label) {
  struct few_shape s = few_node_shape(g, in.x), each = {.rank = s.rank, .dim = {1, 1, 1, 1, 1, 1}};
  each.dim[0] = s.dim[0];
  in.label = few_input(g, "no_label", FEW_INDEX, FEW_SHAPE(s.dim[0]));
  few_node without = few__model_trace(m, g, "", false, &in);
  few_node strength = few_input(g, "guidance", FEW_REAL, FEW_SHAPE(s.dim[0]));
  few_node more = few_mul(g, few_reshape(g, strength, each), few_sub(g, with_label, without));
  return few_add(g, without, more);
}

static few_status make_plan(few_model *m, int which) {
  const struct few_planning_opts opts = {.backend = m->run->backend, .real = FEW_F32};
  few_graph *g;
  FEW_TRY(few_graph_create(m->ctx, &g));
  struct few_net_input in = few__model_inputs(m, g, few_model_rows(m));
  few_node y = few__model_trace(m, g, "", false, &in);
  if (which == CLASSIFIER_FREE) y = classifier_free(m, g, in, y);
  few_status st = few__plan_create(m->ctx, &m->run->plan[which], g, &opts, 1, &y);
  few_graph_free(g);
  return st;
}

/* ---- workers ---- */

static void free_workers(few_model *m) {
  struct few_model_runner *r = m->run;
  for (int i = 0; i < r->n_workers; i++) {
    struct worker_state *state = &r->worker[i];
    void *const all[] = {state->x,
                         state->t,
                         state->guidance,
                         state->span,
                         state->out,
                         state->label,
                         state->no_label,
                         (void *)state->slot[PLAIN],
                         (void *)state->slot[CLASSIFIER_FREE]};
    for (int k = 0; k < FEW_COUNT(all); k++) few__free(m->ctx, all[k]);
    few__executor_free(state->executor);
  }
  few__free(m->ctx, r->worker);
  r->worker = NULL;
  r->n_workers = 0;
  few__workers_free(r->workers);
  r->workers = NULL;
  r->asked = 0;
}

static void bind_slot(const few_plan *plan, const void **slots, const char *name,
                      const void *data) {
  int i = few__plan_find_slot(plan, name);
  if (i >= 0) slots[i] = data;
}

static few_status bind_worker(const few_model *m, const few_plan *plan, struct worker_state *state,
                              const void ***slots) {
  FEW_TRY(FEW_NEW(m->ctx, slots, few__plan_slots(plan)));
  few__model_bind(m, plan, "", NULL, *slots);
  bind_slot(plan, *slots, "x", state->x);
  bind_slot(plan, *slots, "t", state->t);
  bind_slot(plan, *slots, "label", state->label);
  bind_slot(plan, *slots, "no_label", state->no_label);
  bind_slot(plan, *slots, "guidance", state->guidance);
  bind_slot(plan, *slots, "span", state->span);
  return FEW_OK;
}

static few_status make_worker(const few_model *m, struct worker_state *state) {
  const struct few_model_runner *r = m->run;
  const int64_t R = few_model_rows(m), size = R * dims(m);
  FEW_TRY(few__executor_create(m->ctx, &state->executor, PLANS, (const few_plan *const *)r->plan,
                               NULL));
  FEW_TRY(FEW_NEW(m->ctx, &state->x, size));
  FEW_TRY(FEW_NEW(m->ctx, &state->out, R * out_dims(m)));
  FEW_TRY(FEW_NEW(m->ctx, &state->t, R));
  FEW_TRY(FEW_NEW(m->ctx, &state->guidance, R));
  FEW_TRY(FEW_NEW(m->ctx, &state->span, R));
  FEW_TRY(FEW_NEW(m->ctx, &state->label, R));
  FEW_TRY(FEW_NEW(m->ctx, &state->no_label, R));
  for (int64_t i = 0; i < R; i++) state->no_label[i] = -1;
  for (int k = 0; k < PLANS; k++)
    if (r->plan[k]) FEW_TRY(bind_worker(m, r->plan[k], state, &state->slot[k]));
  return FEW_OK;
}

static few_status make_workers(few_model *m, int n) {
  struct few_model_runner *r = m->run;
  FEW_TRY(few__workers_create(m->ctx, &r->workers, n));
  FEW_TRY(FEW_NEW(m->ctx, &r->worker, few__workers_count(r->workers)));
  r->n_workers = few__workers_count(r->workers);
  for (int i = 0; i < r->n_workers; i++) FEW_TRY(make_worker(m, &r->worker[i]));
  r->asked = n;
  return FEW_OK;
}

/* Plan and workers for so many chunks; what is there already stays. */
static few_status prepare(few_model *m, int which, int64_t chunks) {
  const struct few_backend *backend = few__backend_of(m->ctx);
  if (m->run && m->run->backend != backend) few__model_runner_free(m);
  if (!m->run) FEW_TRY(FEW_NEW(m->ctx, &m->run, 1));
  struct few_model_runner *r = m->run;
  r->backend = backend;
  const int most = backend->device ? 1 : few_ctx_workers(m->ctx);
  const int want = chunks < most ? (int)chunks : most;
  if (!r->plan[which]) {
    free_workers(m);
    FEW_TRY(make_plan(m, which));
  }
  if (r->asked >= want && r->asked <= most) return FEW_OK;
  free_workers(m);
  few_status st = make_workers(m, want);
  if (st) free_workers(m);
  return st;
}

void few__model_runner_free(few_model *m) {
  if (!m->run) return;
  free_workers(m);
  for (int k = 0; k < PLANS; k++) few__plan_free(m->run->plan[k]);
  few__free(m->ctx, m->run);
  m->run = NULL;
}

/* ---- running ---- */

struct job {
  const few_model *m;
  const struct few_eval *e;
  int which;
};

/* Rows start .. start + rows - 1 into the state of a worker. What follows them is there to have R rows and is
 * never seen: any time does at which a network is finite. */
static void fill(const struct job *j, struct worker_state *state, int64_t start, int64_t rows) {
  const struct few_eval *e = j->e;
  const int64_t R = few_model_rows(j->m), d = dims(j->m);
  for (int64_t i = 0; i < rows * d; i++) state->x[i] = e->x[start * d + i] * e->x_scale;
  memset(state->x + rows * d, 0, (size_t)((R - rows) * d) * sizeof *state->x);
  for (int64_t i = 0; i < R; i++) {
    bool real = i < rows;
    state->t[i] = !real ? 1 : e->t ? e->t[start + i] : e->time;
    state->label[i] = real && e->label ? e->label[start + i] : -1;
    state->guidance[i] = real && e->guidance ? e->guidance[start + i] : e->strength;
    state->span[i] = real && e->span ? e->span[start + i] : e->span_of_all;
  }
}

static void run_chunk(void *user, int64_t k, int worker) {
  const struct job *j = user;
  const struct few_model_runner *r = j->m->run;
  const int64_t R = few_model_rows(j->m), d = out_dims(j->m), start = k * R;
  const int64_t rows = j->e->n - start < R ? j->e->n - start : R;
  struct worker_state *state = &r->worker[worker];
  void *out = state->out;
  fill(j, state, start, rows);
  const struct few_binding b = {.slots = state->slot[j->which],
                                .outs = &out,
                                .values = j->m->written + 1,
                                .watch = j->e->watch,
                                .worker = worker};
  const few_status st = few__executor_run(state->executor, j->which, &b);
  if (!state->status) state->status = st;
  memcpy(j->e->out + start * d, state->out, (size_t)(rows * d) * sizeof *state->out);
}

few_status few__model_knows(const few_model *m, double t) {
  const enum few_prediction p = m->spec.predicts;
  if (few__model_classifies(m) || (p != FEW_PREDICT_X && p != FEW_PREDICT_EPS)) return FEW_OK;
  if (p == FEW_PREDICT_X ? t > 0 : cos(t) > 1e-6) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "a network that predicts %s says nothing of F at t = %g: ask it at times %s",
                   few__predict_name(p), t, p == FEW_PREDICT_X ? "above 0" : "below pi/2");
}

static few_status check_times(const few_model *m, const struct few_eval *e) {
  for (int64_t i = 0; i < (e->t ? e->n : 1); i++)
    FEW_TRY(few__model_knows(m, (double)(e->t ? e->t[i] : e->time)));
  return FEW_OK;
}

few_status few__model_run(few_model *m, const struct few_eval *e) {
  const int64_t R = few_model_rows(m), chunks = (e->n + R - 1) / R;
  struct job j = {m, e, e->classifier_free ? CLASSIFIER_FREE : PLAIN};
  if (e->n <= 0) return FEW_OK;
  FEW_TRY(check_times(m, e));
  FEW_TRY(prepare(m, j.which, chunks));
  for (int i = 0; i < m->run->n_workers; i++) m->run->worker[i].status = FEW_OK;
  few__workers_run(m->run->workers, chunks, run_chunk, &j);
  for (int i = 0; i < m->run->n_workers; i++) FEW_TRY(m->run->worker[i].status);
  return e->watch ? e->watch->status : FEW_OK;
}

/* Guidance is an input of the network, or is made from its labels, or is none. */
static few_status choose_guidance(few_model *m, struct few_eval *e) {
  if (m->spec.guidance || !e->guidance) return FEW_OK;
  e->classifier_free = m->spec.classes > 0 && !few__model_classifies(m);
  for (int64_t i = 0; e->classifier_free && i < e->n; i++)
    if (e->guidance[i] != 1)
      FEW_TRY(few__net_asks_unlabelled(m->ctx, &m->spec, "this model", "guidance"));
  for (int64_t i = 0; !e->classifier_free && i < e->n; i++)
    if (e->guidance[i] != 1)
      return few__fail(m->ctx, FEW_E_INVALID,
                       "guidance %g of a model without labels: it can only be 1",
                       (double)e->guidance[i]);
  return FEW_OK;
}

static few_status check_span(const few_model *m, const float *span) {
  if (!span && m->spec.span)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "the network is told how far a step goes: give few_model_eval_span the spans");
  if (span && !m->spec.span)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "spans for a network that has no such input: call few_model_eval");
  return FEW_OK;
}

/* Not of x: what comes in broken goes out broken, and may be what is looked for. */
static few_status check_finite(const few_model *m, const char *what, int64_t n, const float *x) {
  for (int64_t i = 0; x && i < n; i++)
    if (!isfinite(x[i]))
      return few__fail(m->ctx, FEW_E_INVALID, "eval: the %s of row %lld is %g: give a finite one",
                       what, (long long)i, (double)x[i]);
  return FEW_OK;
}

few_status few_model_eval_span(few_model *m, int64_t n, const float *x, const float *t,
                               const float *span, const int32_t *label, const float *guidance,
                               float *out) {
  struct few_eval e = {.n = n,
                       .x = x,
                       .x_scale = 1,
                       .t = t,
                       .label = label,
                       .guidance = guidance,
                       .strength = 1,
                       .out = out,
                       .span = span};
  if (n < 0) return few__fail(m->ctx, FEW_E_INVALID, "%lld rows: give 0 or more", (long long)n);
  if (n == 0) return FEW_OK;
  if (!x || !out || (!t && !few__model_classifies(m)))
    return few__fail(m->ctx, FEW_E_INVALID, "eval: give x, t and out");
  FEW_TRY(check_span(m, span));
  FEW_TRY(check_finite(m, "time", n, t));
  FEW_TRY(check_finite(m, "span", n, span));
  FEW_TRY(check_finite(m, "guidance", n, guidance));
  for (int64_t i = 0; label && i < n; i++)
    if (label[i] < -1 || label[i] >= m->spec.classes)
      return few__fail(
          m->ctx, FEW_E_INVALID, "label %d of row %lld: give -1 for none%s", (int)label[i],
          (long long)i,
          m->spec.classes ? ", or a class of the model" : ": the model has no classes");
  FEW_TRY(choose_guidance(m, &e));
  return few__model_run(m, &e);
}

few_status few_model_eval(few_model *m, int64_t n, const float *x, const float *t,
                          const int32_t *label, const float *guidance, float *out) {
  return few_model_eval_span(m, n, x, t, NULL, label, guidance, out);
}
