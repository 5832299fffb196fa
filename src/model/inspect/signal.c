/* signal.c - measures the size of activations and gradients, block by block, before training.
 *
 * With x_{l+1} = x_l + F_l(norm(x_l)) all layers have equal shares in the sum, and the signal grows
 * with the square root of depth. With norms after the sum, x_{l+1} = norm(x_l + F_l(x_l)), the
 * first layer's share halves at each step, and so does its gradient (Su Jianlin, kexue.fm 8747).
 * Smaller weights (BERT's 0.02 instead of 1/sqrt(768) = 0.036) bring a network closer to the
 * identity, and layers that start at zero make it the identity; in the first step no layer before
 * them has a gradient.
 *
 * The weights are initialised at random, the input is x ~ N(0, 1) at t ~ U(0.1, 1.5), and <w, F>
 * with w ~ N(0, 1) is differentiated with respect to the last value of each block. A block is a
 * top-level scope of the network, as few show lists them. The gradient with respect to F has size
 * 1.
 */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "few/inspect.h"
#include "model/model.h"

enum { MAX_BLOCKS = 256 };

struct block {
  char name[64];
  few_node last;
};

struct signal {
  const few_model *m;
  const struct few_signal_opts *o;
  few_graph *g;
  few_node y;
  int n;
  struct block block[MAX_BLOCKS];
  few_node out[2 * MAX_BLOCKS]; /* values, then gradients; FEW_NONE: no gradient */
  float *values;                /* parameters at initialisation */
  int32_t *label;
};

/* ---- The weights ---- */

static double fan_in(const struct few_param_row *r) {
  double n = 1;
  for (int k = 0; k + 1 < r->shape.rank; k++) n *= (double)r->shape.dim[k];
  return n;
}

static void adjust(const struct few_signal_opts *o, struct few_param_row *r) {
  const bool weights = r->shape.rank >= 2;
  if (o->fill && weights && r->init.kind == FEW_INIT_ZERO)
    r->init = (struct few_init){FEW_INIT_NORMAL, 1 / sqrt(fan_in(r))};
  if (o->std > 0 && weights && r->init.kind == FEW_INIT_NORMAL) r->init.scale = o->std;
}

static few_status draw(struct signal *s) {
  struct few_params p = s->m->params;
  few_status st;
  p.at = NULL;
  FEW_GOTO(FEW_NEW(s->m->ctx, &p.at, p.n));
  FEW_GOTO(FEW_NEW(s->m->ctx, &s->values, p.total));
  memcpy(p.at, s->m->params.at, (size_t)p.n * sizeof *p.at);
  for (int i = 0; i < p.n; i++) adjust(s->o, &p.at[i]);
  few__params_init(&p, s->o->seed, s->values);
out:
  few__free(s->m->ctx, p.at);
  return st;
}

/* ---- The graph ---- */

static few_node between(few_graph *g, double low, double high, int64_t rows) {
  few_node u = few_randu(g, FEW_RNG_GUIDANCE, FEW_SHAPE(rows));
  return few_affine(g, u, high - low, low);
}

static struct few_net_input inputs(const struct signal *s) {
  const struct few_net_spec *p = &s->m->spec;
  const int64_t rows = s->o->rows;
  few_graph *g = s->g;
  const struct few_shape x = p->points ? FEW_SHAPE(rows, p->c) : FEW_SHAPE(rows, p->h, p->w, p->c);
  few_node t = few_affine(g, few_randu(g, FEW_RNG_TIME, FEW_SHAPE(rows)), 1.4, 0.1);
  struct few_net_input in = few_net_input_of(few_randn(g, FEW_RNG_NOISE, x), t, FEW_NONE);
  if (p->classes) in.label = few_input(g, "label", FEW_INDEX, FEW_SHAPE(rows));
  if (p->guidance) in.guidance = between(g, s->m->guidance_min, s->m->guidance_max, rows);
  if (p->step_size) in.step_size = t;
  return in;
}

/* "/down.0.1/conv0" -> "down.0.1"; false outside blocks. */
static bool block_name(const char *scope, char name[64]) {
  while (*scope == '/') scope++;
  snprintf(name, 64, "%.*s", (int)strcspn(scope, "/"), scope);
  return *name != 0;
}

static struct block *block_of(struct signal *s, const char *name) {
  for (int i = 0; i < s->n; i++)
    if (!strcmp(s->block[i].name, name)) return &s->block[i];
  if (s->n == MAX_BLOCKS) return NULL;
  struct block *b = &s->block[s->n++];
  memcpy(b->name, name, sizeof b->name);
  return b;
}

static few_status find_blocks(struct signal *s) {
  bool *live;
  FEW_TRY(FEW_NEW(s->m->ctx, &live, few_graph_size(s->g)));
  few__model_reach(s->g, s->y, live);
  for (few_node v = 0; v <= s->y; v++) {
    const struct few_node_data *n = few__node(s->g, v);
    char name[64];
    const bool value = n->shape.rank > 0 && n->shape.dim[0] == s->o->rows;
    if (!live[v] || n->op == FEW_OP_PARAM || !value || !block_name(n->scope, name)) continue;
    struct block *b = block_of(s, name);
    if (b) b->last = v;
  }
  few__free(s->m->ctx, live);
  return FEW_OK;
}

/* Builds a separate derivative for each block, since one derivative treats all its variables as
 * independent. */
static few_status differentiate(struct signal *s) {
  few_node w = few_randn(s->g, FEW_RNG_CHECK, few_node_shape(s->g, s->y));
  for (int i = 0; i < s->n; i++) {
    s->out[i] = s->block[i].last;
    FEW_TRY(few_vjp(&s->out[s->n + i], s->g, 1, &s->y, &w, 1, &s->block[i].last));
  }
  return FEW_OK;
}

/* ---- Running it ---- */

static few_status replay(const struct signal *s, const few_plan *plan, int n, float **rooms) {
  few_ctx *ctx = s->m->ctx;
  const void **slots = NULL;
  void *arena = NULL;
  few_status st;
  FEW_GOTO(FEW_NEW(ctx, &slots, few__plan_slots(plan) + 1));
  FEW_GOTO(few__new(ctx, &arena, few__plan_arena(plan) + 64, 1));
  few__model_bind(s->m, plan, "", s->values, slots);
  const int label = few__plan_find_slot(plan, "label");
  if (label >= 0) slots[label] = s->label;
  void *outs[2 * MAX_BLOCKS];
  for (int i = 0; i < n; i++) outs[i] = rooms[i];
  few__plan_replay(
      plan, arena,
      &(struct few_binding){.slots = slots, .outs = outs, .key = {.seed = s->o->seed}});
out:
  few__free(ctx, slots);
  few__free(ctx, arena);
  return st;
}

static double rms(const few_graph *g, few_node node, const float *v) {
  const int64_t n = few_shape_count(few_node_shape(g, node));
  double sum = 0;
  assert(v);
  for (int64_t i = 0; i < n; i++) sum += (double)v[i] * (double)v[i];
  return sqrt(sum / (double)n);
}

/* A missing gradient is 0. */
static void report(const struct signal *s, float *const *rooms) {
  for (int i = 0, next = s->n; i < s->n; i++) {
    struct few_signal_layer l = {.name = s->block[i].name,
                                 .shape = few_node_shape(s->g, s->out[i]),
                                 .activation = rms(s->g, s->out[i], rooms[i])};
    if (s->out[s->n + i] != FEW_NONE) l.gradient = rms(s->g, s->out[s->n + i], rooms[next++]);
    s->o->layer(s->o->user, &l);
  }
}

static few_status run(struct signal *s) {
  few_ctx *ctx = s->m->ctx;
  const struct few_planning_opts po = {.backend = few__backend_host(s->m->ctx), .real = FEW_F32};
  few_node wanted[2 * MAX_BLOCKS];
  float *rooms[2 * MAX_BLOCKS] = {NULL};
  few_plan *plan = NULL;
  int n = 0;
  few_status st;
  for (int i = 0; i < 2 * s->n; i++)
    if (s->out[i] != FEW_NONE) wanted[n++] = s->out[i];
  FEW_GOTO(few__plan_create(ctx, &plan, s->g, &po, n, wanted));
  for (int i = 0; i < n; i++)
    FEW_GOTO(FEW_NEW(ctx, &rooms[i], few_shape_count(few_node_shape(s->g, wanted[i]))));
  FEW_GOTO(replay(s, plan, n, rooms));
  report(s, rooms);
out:
  for (int i = 0; i < n; i++) few__free(ctx, rooms[i]);
  few__plan_free(plan);
  return st;
}

few_status few_model_signal(const few_model *m, const struct few_signal_opts *o) {
  struct signal s = {.m = m, .o = o};
  few_status st;
  FEW_TRY(few__opts_check(m->ctx, "few_signal_opts", o, FEW_SIGNAL_OPTS_VERSION));
  if (!o->layer) return few__fail(m->ctx, FEW_E_INVALID, "signal: give the callback `layer`");
  if (o->rows < 1 || !(o->std >= 0) || !isfinite(o->std))
    return few__fail(
        m->ctx, FEW_E_INVALID,
        "signal: %lld rows, deviation %g: give 1 row or more, and a finite deviation from 0",
        (long long)o->rows, o->std);
  FEW_GOTO(few_graph_create(&s.g, m->ctx));
  FEW_GOTO(draw(&s));
  FEW_GOTO(FEW_NEW(m->ctx, &s.label, o->rows));
  for (int64_t i = 0; m->spec.classes && i < o->rows; i++)
    s.label[i] = (int32_t)(i % m->spec.classes);
  const struct few_net_input in = inputs(&s);
  s.y = few__model_trace(m, s.g, "", false, &in);
  FEW_GOTO(few_graph_status(s.g));
  FEW_GOTO(find_blocks(&s));
  FEW_GOTO(differentiate(&s));
  FEW_GOTO(run(&s));
out:
  few_graph_free(s.g);
  few__free(m->ctx, s.values);
  few__free(m->ctx, s.label);
  return st;
}
