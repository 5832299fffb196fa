/* runner.c - evaluates F for many rows, on all workers. The bits do not depend on the workers.
 *
 * A plan has R rows, fixed for the model. Rows kR .. kR + R - 1 of a call are chunk k. It is one
 * task: one worker computes it, in its own arena, from a padded copy of its rows. So the bits of a
 * row may depend on its place in the chunk, but neither on the workers nor on the size of the call.
 *
 * Classifier-free guidance (Ho and Salimans, arXiv 2207.12598), F_u + s (F_c - F_u), is one graph
 * that contains the network twice; nodes that do not depend on the label are shared.
 */
#include "runner.h"

#include <math.h>

#include "engine/plan/executor.h"

enum { POINT_ROWS = 256, IMAGE_ROWS = 8 };
enum { DEVICE_POINT_ROWS = 1024, DEVICE_IMAGE_ROWS = 128 }; /* many processors, one replay */

struct few_forward_worker { /* the state of one worker */
  few_executor *executor;
  few_status status;
  float *x, *t, *guidance, *step_size, *out;
  int32_t *label, *no_label;
  const void **slot[FEW_FORWARD_PLANS];
};

int64_t few__forward_rows(few_ctx *ctx, const few_model *m) {
  if (few__backend_of(ctx)->device) return m->spec.points ? DEVICE_POINT_ROWS : DEVICE_IMAGE_ROWS;
  return m->spec.points ? POINT_ROWS : IMAGE_ROWS;
}

int64_t few_runner_rows(const few_runner *r) { return few__forward_rows(r->ctx, r->m); }

int64_t few__runner_portion(const few_runner *r) {
  const bool device = few__backend_of(r->ctx)->device;
  assert(few_ctx_workers(r->ctx) >= 1);
  return few_runner_rows(r) * (device ? 1 : few_ctx_workers(r->ctx));
}

const few_model *few_runner_model(const few_runner *r) { return r->m; }

static int64_t dims(const few_model *m) { return m->spec.h * m->spec.w * m->spec.c; }

static int64_t out_dims(const few_model *m) {
  return few__model_classifies(m) ? m->spec.classes : dims(m);
}

/* ---- Plans ---- */

static few_node classifier_free(const few_model *m, few_graph *g, struct few_net_input in,
                                few_node with_label) {
  struct few_shape s = few_node_shape(g, in.x), each = {.rank = s.rank, .dim = {1, 1, 1, 1, 1, 1}};
  each.dim[0] = s.dim[0];
  in.label = few_input(g, "no_label", FEW_INDEX, FEW_SHAPE(s.dim[0]));
  few_node without = few__model_trace(m, g, "", false, &in);
  few_node scale = few_input(g, "guidance", FEW_REAL, FEW_SHAPE(s.dim[0]));
  few_node more = few_mul(g, few_reshape(g, scale, each), few_sub(g, with_label, without));
  return few_add(g, without, more);
}

static few_status make_plan(few_runner *r, enum few_forward_plan which) {
  assert(r->backend && !r->plan[which]);
  const struct few_planning_opts opts = {
      .backend = r->backend, .real = FEW_F32, .precision = r->precision};
  few_graph *g;
  FEW_TRY(few_graph_create(&g, r->ctx));
  struct few_net_input in = few__model_inputs(r->m, g, few_runner_rows(r));
  few_node y = few__model_trace(r->m, g, "", false, &in);
  if (which == FEW_FORWARD_CLASSIFIER_FREE) y = classifier_free(r->m, g, in, y);
  few_status st = few__plan_create(r->ctx, &r->plan[which], g, &opts, 1, &y);
  few_graph_free(g);
  return st;
}

/* ---- Workers ---- */

static void free_workers(few_runner *r) {
  for (int i = 0; i < r->n_workers; i++) {
    struct few_forward_worker *w = &r->worker[i];
    void *const all[] = {w->x,
                         w->t,
                         w->guidance,
                         w->step_size,
                         w->out,
                         w->label,
                         w->no_label,
                         (void *)w->slot[FEW_FORWARD_PLAIN],
                         (void *)w->slot[FEW_FORWARD_CLASSIFIER_FREE]};
    for (int k = 0; k < FEW_COUNT(all); k++) few__free(r->ctx, all[k]);
    few__executor_free(w->executor);
  }
  few__free(r->ctx, r->worker);
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

static few_status bind_worker(const few_runner *r, const few_plan *plan,
                              struct few_forward_worker *w, const void ***slots) {
  FEW_TRY(FEW_NEW(r->ctx, slots, few__plan_slots(plan)));
  few__model_bind(r->m, plan, "", NULL, *slots);
  bind_slot(plan, *slots, "x", w->x);
  bind_slot(plan, *slots, "t", w->t);
  bind_slot(plan, *slots, "label", w->label);
  bind_slot(plan, *slots, "no_label", w->no_label);
  bind_slot(plan, *slots, "guidance", w->guidance);
  bind_slot(plan, *slots, "step_size", w->step_size);
  for (int i = 0; i < few__plan_slots(plan); i++) assert((*slots)[i]); /* nothing is unbound */
  return FEW_OK;
}

static few_status make_worker(const few_runner *r, struct few_forward_worker *w) {
  const int64_t R = few_runner_rows(r);
  FEW_TRY(few__executor_create(r->ctx, &w->executor, FEW_FORWARD_PLANS,
                               (const few_plan *const *)r->plan, NULL));
  FEW_TRY(FEW_NEW(r->ctx, &w->x, R * dims(r->m)));
  FEW_TRY(FEW_NEW(r->ctx, &w->out, R * out_dims(r->m)));
  FEW_TRY(FEW_NEW(r->ctx, &w->t, R));
  FEW_TRY(FEW_NEW(r->ctx, &w->guidance, R));
  FEW_TRY(FEW_NEW(r->ctx, &w->step_size, R));
  FEW_TRY(FEW_NEW(r->ctx, &w->label, R));
  FEW_TRY(FEW_NEW(r->ctx, &w->no_label, R));
  for (int64_t i = 0; i < R; i++) w->no_label[i] = -1;
  for (int k = 0; k < FEW_FORWARD_PLANS; k++)
    if (r->plan[k]) FEW_TRY(bind_worker(r, r->plan[k], w, &w->slot[k]));
  return FEW_OK;
}

static few_status make_workers(few_runner *r, int n) {
  assert(n >= 1 && !r->workers && !r->worker);
  FEW_TRY(few__workers_create(r->ctx, &r->workers, n));
  FEW_TRY(FEW_NEW(r->ctx, &r->worker, few__workers_count(r->workers)));
  r->n_workers = few__workers_count(r->workers);
  for (int i = 0; i < r->n_workers; i++) FEW_TRY(make_worker(r, &r->worker[i]));
  r->asked = n;
  return FEW_OK;
}

/* ---- The runner ---- */

few_status few_runner_create(few_runner **out, few_ctx *ctx, const few_model *m) {
  few_runner *r;
  *out = NULL;
  if (!ctx || !m) return few__fail(ctx, FEW_E_INVALID, "runner: give a context and a model");
  assert(m->values); /* not one that is only declared */
  FEW_TRY(FEW_NEW(ctx, &r, 1));
  *r = (few_runner){.ctx = ctx, .m = m};
  m->users->runners++;
  *out = r;
  return FEW_OK;
}

static void free_plans(few_runner *r) {
  free_workers(r);
  for (int k = 0; k < FEW_FORWARD_PLANS; k++) {
    few__plan_free(r->plan[k]);
    r->plan[k] = NULL;
  }
}

void few_runner_free(few_runner *r) {
  if (!r) return;
  free_plans(r);
  assert(r->m->users->runners > 0); /* the model is still there */
  r->m->users->runners--;
  few__free(r->ctx, r);
}

/* Makes the plan, and workers for this many chunks, unless they exist. */
static few_status prepare(few_runner *r, enum few_forward_plan which, int64_t chunks) {
  const struct few_backend *backend = few__backend_of(r->ctx);
  const few_precision precision = (few_precision)few__ctx_precision(r->ctx);
  if (r->backend != backend || r->precision != precision) {
    FEW_TRY(few__backend_check_precision(r->ctx, backend, precision));
    free_plans(r);
  }
  r->backend = backend;
  r->precision = precision;
  const int most = backend->device ? 1 : few_ctx_workers(r->ctx);
  const int want = chunks < most ? (int)chunks : most;
  if (!r->plan[which]) {
    free_workers(r);
    FEW_TRY(make_plan(r, which));
  }
  if (r->asked >= want && r->asked <= most) return FEW_OK;
  free_workers(r);
  few_status st = make_workers(r, want);
  if (st) free_workers(r);
  return st;
}

/* ---- Forward ---- */

struct job {
  const few_runner *r;
  const struct few_forward *f;
  enum few_forward_plan which;
};

/* Copies rows start .. start + rows - 1 to the worker, and pads them to R rows. The results of
 * padding are dropped; its time only has to be one at which the network is finite. */
static void fill(const struct job *j, struct few_forward_worker *w, int64_t start, int64_t rows) {
  const struct few_forward *f = j->f;
  const int64_t R = few_runner_rows(j->r), d = dims(j->r->m);
  assert(rows > 0 && rows <= R);
  for (int64_t i = 0; i < rows * d; i++) w->x[i] = f->x[start * d + i] * f->x_scale;
  memset(w->x + rows * d, 0, (size_t)((R - rows) * d) * sizeof *w->x);
  for (int64_t i = 0; i < R; i++) {
    bool real = i < rows;
    w->t[i] = !real ? 1 : f->t ? f->t[start + i] : f->time;
    w->label[i] = real && f->label ? f->label[start + i] : -1;
    w->guidance[i] = real && f->guidance ? f->guidance[start + i] : f->guidance_of_all;
    w->step_size[i] = real && f->step_size ? f->step_size[start + i] : f->step_size_of_all;
  }
}

static void run_chunk(void *user, int64_t k, int worker) {
  const struct job *j = user;
  const int64_t R = few_runner_rows(j->r), d = out_dims(j->r->m), start = k * R;
  const int64_t rows = j->f->n - start < R ? j->f->n - start : R;
  assert(worker >= 0 && worker < j->r->n_workers && start < j->f->n);
  struct few_forward_worker *w = &j->r->worker[worker];
  void *out = w->out;
  fill(j, w, start, rows);
  const struct few_binding b = {.slots = w->slot[j->which],
                                .outs = &out,
                                .values = j->r->m->written + 1,
                                .watch = j->f->watch,
                                .worker = worker};
  const few_status st = few__executor_run(w->executor, j->which, &b);
  if (!w->status) w->status = st;
  memcpy(j->f->out + start * d, w->out, (size_t)(rows * d) * sizeof *w->out);
}

few_status few__forward_time_check(few_ctx *ctx, const few_model *m, double t) {
  const enum few_prediction p = m->spec.predicts;
  if (few__model_classifies(m) || (p != FEW_PREDICT_X && p != FEW_PREDICT_EPS)) return FEW_OK;
  if (p == FEW_PREDICT_X ? t > 0 : cos(t) > 1e-6) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "a network that predicts %s does not determine F at t = %g: use times %s",
                   few__predict_name(p), t, p == FEW_PREDICT_X ? "above 0" : "below pi/2");
}

static few_status check_times(const few_runner *r, const struct few_forward *f) {
  for (int64_t i = 0; i < (f->t ? f->n : 1); i++)
    FEW_TRY(few__forward_time_check(r->ctx, r->m, (double)(f->t ? f->t[i] : f->time)));
  return FEW_OK;
}

few_status few__runner_forward(few_runner *r, const struct few_forward *f) {
  const int64_t R = few_runner_rows(r), chunks = (f->n + R - 1) / R;
  struct job j = {r, f, f->classifier_free ? FEW_FORWARD_CLASSIFIER_FREE : FEW_FORWARD_PLAIN};
  if (f->n <= 0) return FEW_OK;
  assert(f->x && f->out && !(f->classifier_free && r->m->spec.guidance));
  FEW_TRY(check_times(r, f));
  FEW_TRY(prepare(r, j.which, chunks));
  for (int i = 0; i < r->n_workers; i++) r->worker[i].status = FEW_OK;
  few__workers_run(r->workers, chunks, run_chunk, &j);
  for (int i = 0; i < r->n_workers; i++) FEW_TRY(r->worker[i].status);
  return f->watch ? f->watch->status : FEW_OK;
}

/* ---- few_runner_eval ---- */

/* Guidance is an input of the network, or classifier-free guidance, or impossible. */
static few_status resolve_guidance(const few_runner *r, struct few_forward *f) {
  const few_model *m = r->m;
  if (m->spec.guidance || !f->guidance) return FEW_OK;
  f->classifier_free = m->spec.classes > 0 && !few__model_classifies(m);
  for (int64_t i = 0; f->classifier_free && i < f->n; i++)
    if (f->guidance[i] != 1)
      FEW_TRY(few_net_check_unconditional(r->ctx, &m->spec, "this model", "guidance"));
  for (int64_t i = 0; !f->classifier_free && i < f->n; i++)
    if (f->guidance[i] != 1)
      return few__fail(r->ctx, FEW_E_INVALID,
                       "guidance %g of a model without labels: it can only be 1",
                       (double)f->guidance[i]);
  return FEW_OK;
}

static few_status check_step_size(const few_runner *r, const float *step_size) {
  if (!step_size && r->m->spec.step_size)
    return few__fail(r->ctx, FEW_E_INVALID,
                     "this model takes a step size: fill in step_size (few_runner_step_size)");
  if (step_size && !r->m->spec.step_size)
    return few__fail(r->ctx, FEW_E_INVALID, "this model takes no step size: leave step_size NULL");
  return FEW_OK;
}

/* x is not checked. Values that are not finite give an output that is not finite. */
static few_status check_finite(const few_runner *r, const char *what, int64_t n, const float *x) {
  for (int64_t i = 0; x && i < n; i++)
    if (!isfinite(x[i]))
      return few__fail(r->ctx, FEW_E_INVALID, "eval: the %s of row %lld is %g: give a finite one",
                       what, (long long)i, (double)x[i]);
  return FEW_OK;
}

static few_status check_labels(const few_runner *r, const struct few_inputs *in) {
  const int64_t classes = r->m->spec.classes;
  for (int64_t i = 0; in->label && i < in->n; i++)
    if (in->label[i] < -1 || in->label[i] >= classes)
      return few__fail(r->ctx, FEW_E_INVALID, "label %d of row %lld: give -1 for none%s",
                       (int)in->label[i], (long long)i,
                       classes ? ", or a class of the model" : ": the model has no classes");
  return FEW_OK;
}

few_status few_runner_eval(float *out, few_runner *r, const struct few_inputs *in) {
  FEW_TRY(few__opts_check(r->ctx, "few_inputs", in, FEW_INPUTS_VERSION));
  struct few_forward f = {.n = in->n,
                          .x = in->x,
                          .x_scale = 1,
                          .t = in->t,
                          .label = in->label,
                          .guidance = in->guidance,
                          .guidance_of_all = 1,
                          .out = out,
                          .step_size = in->step_size};
  if (in->n < 0)
    return few__fail(r->ctx, FEW_E_INVALID, "%lld rows: give 0 or more", (long long)in->n);
  if (in->n == 0) return FEW_OK;
  if (!in->x || !out || (!in->t && !few__model_classifies(r->m)))
    return few__fail(r->ctx, FEW_E_INVALID, "eval: give x, t and out");
  FEW_TRY(check_step_size(r, in->step_size));
  FEW_TRY(check_finite(r, "time", in->n, in->t));
  FEW_TRY(check_finite(r, "step size", in->n, in->step_size));
  FEW_TRY(check_finite(r, "guidance", in->n, in->guidance));
  FEW_TRY(check_labels(r, in));
  FEW_TRY(resolve_guidance(r, &f));
  return few__runner_forward(r, &f);
}
