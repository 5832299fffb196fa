/* public.c - few/plan.h: plans with named outputs, and executors that keep their bindings. */
#include <stdio.h>

#include "base/workers.h"
#include "plan_internal.h"

/* ---- plans ---- */

static few_status check_outputs(few_ctx *ctx, const few_graph *g, int n,
                                const struct few_plan_output *outputs) {
  FEW_TRY(few_graph_status(g));
  if (n < 1 || !outputs)
    return few__fail(ctx, FEW_E_INVALID, "plan: no outputs: name at least one node to compute");
  for (int i = 0; i < n; i++) {
    const char *name = outputs[i].name;
    if (!name || !*name)
      return few__fail(ctx, FEW_E_INVALID, "plan: output %d has no name: give it one", i);
    if (!few__node_is(g, outputs[i].node))
      return few__fail(
          ctx, FEW_E_INVALID,
          "plan: output `%s` is not a node of this graph: give what a builder returned", name);
    for (int k = 0; k < i; k++)
      if (!strcmp(outputs[k].name, name))
        return few__fail(ctx, FEW_E_INVALID,
                         "plan: two outputs are called `%s`: give one of them another name", name);
  }
  return FEW_OK;
}

static few_status keep_names(few_plan *p, const few_graph *g, int n,
                             const struct few_plan_output *outputs) {
  FEW_TRY(FEW_NEW(p->ctx, &p->outputs, n));
  for (int i = 0; i < n; i++) {
    char *name = few__strdup(p->ctx, outputs[i].name);
    if (!name) return few__fail(p->ctx, FEW_E_MEMORY, "out of memory while planning");
    p->outputs[i] = (struct few_plan_array){name, FEW_PLAN_OUTPUT, FEW_REAL,
                                            few_node_shape(g, outputs[i].node)};
  }
  return FEW_OK;
}

few_status few_plan_create(few_plan **out, const few_graph *g, int n,
                           const struct few_plan_output *outputs,
                           const struct few_plan_opts *opts) {
  const struct few_plan_opts defaults = FEW_PLAN_OPTS_INIT;
  const struct few_plan_opts *o = opts ? opts : &defaults;
  few_ctx *ctx = few__graph_ctx(g);
  struct few_planning_opts po = {.real = o->f64 ? FEW_F64 : FEW_F32};
  few_plan *plan = NULL;
  few_node *node = NULL;
  few_status st;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_plan_opts", o, FEW_PLAN_OPTS_VERSION));
  FEW_TRY(check_outputs(ctx, g, n, outputs));
  if (o->backend)
    FEW_TRY(few__backend_choose(ctx, &po.backend, o->backend));
  else
    po.backend = few__backend_of(ctx);
  FEW_TRY(FEW_NEW(ctx, &node, n));
  for (int i = 0; i < n; i++) node[i] = outputs[i].node;
  FEW_GOTO(few__plan_create(ctx, &plan, g, &po, n, node));
  FEW_GOTO(keep_names(plan, g, n, outputs));
  *out = plan;
out:
  if (st) few__plan_free(plan);
  few__free(ctx, node);
  return st;
}

void few_plan_free(few_plan *plan) { few__plan_free(plan); }

int few_plan_array_count(const few_plan *p) { return p->slots.n + p->n_out; }

static struct few_plan_array array_at(const few_plan *p, int i) {
  assert(0 <= i && i < few_plan_array_count(p) && p->outputs);
  if (i >= p->slots.n) return p->outputs[i - p->slots.n];
  const struct few_slot *s = &p->slots.at[i];
  return (struct few_plan_array){s->name, s->param ? FEW_PLAN_PARAM : FEW_PLAN_INPUT, s->type,
                                 s->shape};
}

bool few_plan_array_at(struct few_plan_array *out, size_t size, const few_plan *p, int i) {
  if (i < 0 || i >= few_plan_array_count(p)) return false;
  const struct few_plan_array a = array_at(p, i);
  few__give(out, size, &a, sizeof a);
  return true;
}

void few_plan_get_cost(struct few_plan_cost *out, size_t size, const few_plan *p) {
  few__give(out, size, &p->cost, sizeof p->cost);
}

/* ---- executors ---- */

few_status few_executor_create(few_executor **out, few_ctx *ctx, const few_plan *plan) {
  few_executor *e;
  few_status st;
  *out = NULL;
  assert(plan && plan->outputs);
  FEW_TRY(few__executor_create(ctx, &e, 1, &plan, NULL));
  FEW_GOTO(FEW_NEW(ctx, &e->slots, plan->slots.n + 1));
  FEW_GOTO(FEW_NEW(ctx, &e->outs, plan->n_out));
  *out = e;
out:
  if (st) few__executor_free(e);
  return st;
}

void few_executor_free(few_executor *e) { few__executor_free(e); }

/* "x, label", for a message; a long list is cut. */
static const char *names(const few_plan *p, bool outputs, char *at, size_t size) {
  const int first = outputs ? p->slots.n : 0;
  const int end = outputs ? few_plan_array_count(p) : p->slots.n;
  size_t n = 0;
  snprintf(at, size, "none");
  for (int i = first; i < end && n < size; i++)
    n += (size_t)snprintf(at + n, size - n, "%s%s", i > first ? ", " : "", array_at(p, i).name);
  return at;
}

static few_status no_name(const few_executor *e, const char *name, bool output) {
  char known[200];
  return few__fail(e->ctx, FEW_E_INVALID, "the plan has no %s `%s`: it has %s",
                   output ? "output" : "input or parameter", name ? name : "(NULL)",
                   names(e->plan[0], output, known, sizeof known));
}

few_status few_executor_bind_input(few_executor *e, const char *name, const void *data) {
  const int i = name ? few__plan_find_slot(e->plan[0], name) : -1;
  assert(e->slots);
  if (i < 0) return no_name(e, name, false);
  if (!data) return few__fail(e->ctx, FEW_E_INVALID, "input `%s`: give it an array", name);
  e->slots[i] = data;
  return FEW_OK;
}

few_status few_executor_bind_output(few_executor *e, const char *name, void *data) {
  const few_plan *p = e->plan[0];
  assert(e->outs);
  for (int i = 0; name && i < p->n_out; i++) {
    if (strcmp(p->outputs[i].name, name) != 0) continue;
    if (!data) return few__fail(e->ctx, FEW_E_INVALID, "output `%s`: give it an array", name);
    e->outs[i] = data;
    return FEW_OK;
  }
  return no_name(e, name, true);
}

few_status few_executor_bind(few_executor *e, int n, const struct few_plan_binding *arrays) {
  for (int i = 0; i < n; i++) {
    const struct few_plan_binding *a = &arrays[i];
    if (!a->in == !a->out)
      return few__fail(e->ctx, FEW_E_INVALID,
                       "binding `%s`: give either `in`, of an input or parameter, or `out`, of an "
                       "output",
                       a->name ? a->name : "(NULL)");
    FEW_TRY(a->in ? few_executor_bind_input(e, a->name, a->in)
                  : few_executor_bind_output(e, a->name, a->out));
  }
  return FEW_OK;
}

static few_status check_bound(const few_executor *e) {
  const few_plan *p = e->plan[0];
  for (int i = 0; i < few_plan_array_count(p); i++) {
    const bool output = i >= p->slots.n;
    if (output ? e->outs[i - p->slots.n] != NULL : e->slots[i] != NULL) continue;
    return few__fail(e->ctx, FEW_E_INVALID, "%s `%s` is not bound: call few_executor_bind_%s first",
                     output ? "output" : "input", array_at(p, i).name, output ? "output" : "input");
  }
  return FEW_OK;
}

static few_status run(few_executor *e, const struct few_run_opts *o, uint64_t row0) {
  return few__executor_run(
      e, 0,
      &(struct few_binding){.slots = e->slots, .outs = e->outs, .key = {o->seed, o->step, row0}});
}

few_status few_executor_run(few_executor *e, const struct few_run_opts *opts) {
  const struct few_run_opts defaults = FEW_RUN_OPTS_INIT, *o = opts ? opts : &defaults;
  FEW_TRY(few__opts_check(e->ctx, "few_run_opts", o, FEW_RUN_OPTS_VERSION));
  FEW_TRY(check_bound(e));
  return run(e, o, o->row0);
}

few_status few_plan_run(few_ctx *ctx, const few_plan *plan, int n,
                        const struct few_plan_binding *arrays, const struct few_run_opts *opts) {
  few_executor *e;
  FEW_TRY(few_executor_create(&e, ctx, plan));
  few_status st = few_executor_bind(e, n, arrays);
  if (!st) st = few_executor_run(e, opts);
  few_executor_free(e);
  return st;
}

struct side_by_side {
  few_executor *const *executors;
  const struct few_run_opts *opts;
};

static void run_task(void *user, int64_t i, int worker) {
  const struct side_by_side *all = user;
  FEW_UNUSED(worker);
  few_executor *e = all->executors[i];
  e->status = run(e, all->opts, all->opts->row0 + (uint64_t)i * all->opts->row_step);
}

/* The threads stay with the first executor for the next run. */
static few_status make_workers(few_executor *e, int n) {
  if (e->workers && few__workers_count(e->workers) == n) return FEW_OK;
  few__workers_free(e->workers);
  e->workers = NULL;
  return few__workers_create(e->ctx, &e->workers, n);
}

few_status few_executor_run_all(few_ctx *ctx, int n, few_executor *const *executors,
                                const struct few_run_opts *opts) {
  const struct few_run_opts defaults = FEW_RUN_OPTS_INIT, *o = opts ? opts : &defaults;
  FEW_TRY(few__opts_check(ctx, "few_run_opts", o, FEW_RUN_OPTS_VERSION));
  FEW_TRY(few__opts_range(ctx, "run: executors", n, 1, INT32_MAX));
  bool device = false;
  for (int i = 0; i < n; i++) {
    assert(executors[i]->ctx == ctx);
    FEW_TRY(check_bound(executors[i]));
    device = device || executors[i]->device;
  }
  const int most = few_ctx_workers(ctx);
  FEW_TRY(make_workers(executors[0], device ? 1 : n < most ? n : most));
  few__workers_run(executors[0]->workers, n, run_task, &(struct side_by_side){executors, o});
  for (int i = 0; i < n; i++) FEW_TRY(executors[i]->status);
  return FEW_OK;
}
