/* check.c - the derivative checker: central differences and the adjoint test, f64, on ref.
 *
 * few_jvp appends J d to the graph and few_vjp J^T w. One replay of their plan gives y, J d and J^T
 * w, and two more, at x + h d and x - h d, give the difference.
 */
#include "few/check.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "engine/op/op.h"
#include "engine/plan/plan.h"

enum { MAX_X = 4096 };

struct checking {
  few_ctx *ctx;
  few_graph *g;
  const struct few_check_opts *opts;
  few_node y;
  int n_x;
  few_node *x, *d, *grad, *outs;
  few_node w, jd;
  few_plan *plan;
  void *arena;
  double **slot; /* values by slot of the plan */
  double **out;
};

static few_status all_sources(struct checking *c) {
  for (few_node v = 0; v < few_graph_size(c->g); v++) {
    const struct few_node_data *n = few__node(c->g, v);
    bool source = (n->op == FEW_OP_INPUT && n->type == FEW_REAL) || n->op == FEW_OP_PARAM;
    if (source && c->n_x < MAX_X) c->x[c->n_x++] = v;
  }
  return FEW_OK;
}

/* Inputs for the directions, named after the arrays that they perturb. */
static void add_directions(struct checking *c) {
  char name[200];
  for (int i = 0; i < c->n_x; i++) {
    const char *of = few__node(c->g, c->x[i])->name;
    snprintf(name, sizeof name, "d(%s#%d)", of ? of : "node", (int)c->x[i]);
    c->d[i] = few_input(c->g, name, FEW_REAL, few_node_shape(c->g, c->x[i]));
  }
  c->w = few_input(c->g, "w(check)", FEW_REAL, few_node_shape(c->g, c->y));
}

static few_status differentiate(struct checking *c) {
  FEW_TRY(few_jvp(&c->jd, c->g, 1, &c->y, c->n_x, c->x, c->d));
  FEW_TRY(few_vjp(c->grad, c->g, 1, &c->y, &c->w, c->n_x, c->x));
  if (c->jd == FEW_NONE) c->jd = few_fill(c->g, 0, few_node_shape(c->g, c->y));
  c->outs[0] = c->y;
  c->outs[1] = c->jd;
  for (int i = 0; i < c->n_x; i++) {
    if (c->grad[i] == FEW_NONE) c->grad[i] = few_fill(c->g, 0, few_node_shape(c->g, c->x[i]));
    c->outs[2 + i] = c->grad[i];
  }
  return few_graph_status(c->g);
}

static few_status fill_slot(struct checking *c, int i) {
  const struct few_slot *s = few__plan_slot(c->plan, i);
  int64_t n = few_shape_count(s->shape);
  FEW_TRY(FEW_NEW(c->ctx, &c->slot[i], n));
  if (s->type == FEW_INDEX) {
    for (int64_t k = 0; k < n; k++) ((int32_t *)(void *)c->slot[i])[k] = (int32_t)k;
    return FEW_OK;
  }
  if (c->opts->value && c->opts->value(c->opts->user, s->name, n, c->slot[i])) return FEW_OK;
  /* The name selects the stream, so that the numbers do not depend on the order of slots. */
  struct few_rng r = {.seed = c->opts->seed,
                      .row = (uint32_t)few__hash(s->name, strlen(s->name), 0),
                      .purpose = FEW_RNG_CHECK};
  few__rng_normal_f64(&r, n, c->slot[i]);
  for (int64_t k = 0; k < n; k++) c->slot[i][k] *= c->opts->scale;
  return FEW_OK;
}

static few_status prepare(struct checking *c) {
  struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F64};
  FEW_TRY(few__plan_create(c->ctx, &c->plan, c->g, &po, c->n_x + 2, c->outs));
  FEW_TRY(FEW_NEW(c->ctx, &c->slot, few__plan_slots(c->plan)));
  FEW_TRY(FEW_NEW(c->ctx, &c->out, c->n_x + 2));
  for (int i = 0; i < few__plan_slots(c->plan); i++) FEW_TRY(fill_slot(c, i));
  for (int i = 0; i < c->n_x + 2; i++)
    FEW_TRY(FEW_NEW(c->ctx, &c->out[i], few_shape_count(few_node_shape(c->g, c->outs[i]))));
  c->arena = few__alloc(c->ctx, few__plan_arena(c->plan) + 1);
  return c->arena ? FEW_OK : few__fail(c->ctx, FEW_E_MEMORY, "out of memory: derivative check");
}

static void replay(struct checking *c) {
  few__plan_replay(c->plan, c->arena,
                   &(struct few_binding){.slots = (const void *const *)c->slot,
                                         .outs = (void *const *)c->out,
                                         .key.seed = c->opts->seed});
}

static double dot(int64_t n, const double *a, const double *b) {
  double s = 0;
  for (int64_t i = 0; i < n; i++) s += a[i] * b[i];
  return s;
}

/* x += step * d for every x that the plan reads. */
static void move(struct checking *c, double step) {
  for (int i = 0; i < c->n_x; i++) {
    const char *name = few__node(c->g, c->x[i])->name;
    int x = name ? few__plan_find_slot(c->plan, name) : -1;
    int d = few__plan_find_slot(c->plan, few__node(c->g, c->d[i])->name);
    int64_t n = few_shape_count(few_node_shape(c->g, c->x[i]));
    if (x < 0 || d < 0) continue;
    assert(few_shape_equal(few__plan_slot(c->plan, x)->shape, few__plan_slot(c->plan, d)->shape));
    for (int64_t k = 0; k < n; k++) c->slot[x][k] += step * c->slot[d][k];
  }
}

static few_status compare(struct checking *c, struct few_check_result *r) {
  int64_t n = few_shape_count(few_node_shape(c->g, c->y));
  double *up, *jd, h = c->opts->step;
  FEW_TRY(FEW_NEW(c->ctx, &up, 2 * n));
  jd = up + n;
  replay(c);
  memcpy(jd, c->out[1], (size_t)n * sizeof *jd);
  const int w_slot = few__plan_find_slot(c->plan, "w(check)");
  assert(w_slot < 0 || few__plan_slot(c->plan, w_slot)->type == FEW_REAL);
  double left = w_slot < 0 ? 0 : dot(n, c->slot[w_slot], jd), right = 0;
  double jd_norm = sqrt(dot(n, jd, jd)), size = 0;
  double w_norm = w_slot < 0 ? 0 : sqrt(dot(n, c->slot[w_slot], c->slot[w_slot]));
  for (int i = 0; i < c->n_x; i++) {
    int d = few__plan_find_slot(c->plan, few__node(c->g, c->d[i])->name);
    int64_t m = few_shape_count(few_node_shape(c->g, c->x[i]));
    if (d < 0) continue;
    right += dot(m, c->out[2 + i], c->slot[d]);
    size += sqrt(dot(m, c->out[2 + i], c->out[2 + i]) * dot(m, c->slot[d], c->slot[d]));
  }
  move(c, h);
  replay(c);
  memcpy(up, c->out[0], (size_t)n * sizeof *up);
  double y_norm = sqrt(dot(n, up, up));
  move(c, -2 * h);
  replay(c);
  double error = 0;
  for (int64_t k = 0; k < n; k++) {
    double e = (up[k] - c->out[0][k]) / (2 * h) - jd[k];
    error += e * e;
  }
  const double tiny = 1e-300;
  *r = (struct few_check_result){sqrt(error) / (jd_norm + y_norm * 2e-16 / h + tiny),
                                 fabs(left - right) / (w_norm * jd_norm + size + tiny), jd_norm};
  few__free(c->ctx, up);
  return FEW_OK;
}

few_status few_check_function(struct few_check_result *result, few_graph *g, few_node y, int n_x,
                              const few_node *x, const struct few_check_opts *opts) {
  few_ctx *ctx = few__graph_ctx(g);
  struct checking c = {.ctx = ctx, .g = g, .opts = opts, .y = y};
  few_status st;
  *result = (struct few_check_result){0};
  FEW_TRY(few_graph_status(g));
  FEW_TRY(few__opts_check(ctx, "few_check_opts", opts, FEW_CHECK_OPTS_VERSION));
  FEW_TRY(few__opts_range(ctx, "check: scale", opts->scale, 0, 1e150));
  FEW_TRY(few__opts_range(ctx, "check: step", opts->step, 1e-150, 1e150));
  FEW_TRY(few__opts_range(ctx, "check: inputs", n_x, 0, MAX_X));
  bool known = few__node_is(g, y) && (!n_x || x);
  for (int i = 0; known && i < n_x; i++) known = few__node_is(g, x[i]);
  if (!known)
    return few__fail(
        ctx, FEW_E_INVALID,
        "check: the function or an input is not a node of this graph: give what builders "
        "returned");
  FEW_GOTO(FEW_NEW(ctx, &c.x, MAX_X));
  FEW_GOTO(FEW_NEW(ctx, &c.d, MAX_X));
  FEW_GOTO(FEW_NEW(ctx, &c.grad, MAX_X));
  FEW_GOTO(FEW_NEW(ctx, &c.outs, MAX_X + 2));
  for (int i = 0; i < n_x; i++) c.x[c.n_x++] = x[i];
  if (n_x == 0) FEW_GOTO(all_sources(&c));
  add_directions(&c);
  FEW_GOTO(differentiate(&c));
  FEW_GOTO(prepare(&c));
  FEW_GOTO(compare(&c, result));
out:
  for (int i = 0; c.slot && i < few__plan_slots(c.plan); i++) few__free(ctx, c.slot[i]);
  for (int i = 0; c.out && i < c.n_x + 2; i++) few__free(ctx, c.out[i]);
  few__free(ctx, c.slot);
  few__free(ctx, c.out);
  few__free(ctx, c.arena);
  few__plan_free(c.plan);
  few__free(ctx, c.x);
  few__free(ctx, c.d);
  few__free(ctx, c.grad);
  few__free(ctx, c.outs);
  return st;
}
