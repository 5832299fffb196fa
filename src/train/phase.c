/* phase.c - see phase.h. */
#include "phase.h"

#include <stdio.h>

static const char *const prefixes[] = {"student:", "head:", "fake:", "fakehead:"};
enum { PARTS = FEW_COUNT(prefixes) };

bool few__has_fake(const struct few_setup *setup) { return setup->fake != NULL; }

static const struct few_params *part(const struct few_networks *w, int i) {
  static const struct few_params none = {0};
  const bool fake = few__has_fake(w->setup);
  const struct few_params *all[PARTS] = {&w->student->params, w->head,
                                         fake ? &w->setup->fake->params : &none,
                                         fake ? w->fake_head : &none};
  return all[i];
}

static int64_t base_of(const struct few_networks *w, int i) {
  int64_t base = 0;
  for (int k = 0; k < i; k++) base += part(w, k)->total;
  return base;
}

int64_t few__fake_base(const struct few_networks *w) { return base_of(w, 2); }
int64_t few__parameters(const struct few_networks *w) { return base_of(w, PARTS); }

/* ---- the networks, as the loss evaluates them ---- */

struct role_networks {
  const struct few_networks *w;
  enum few_phase_id id;
  few_node augment; /* [rows,..] labels of augmentation; FEW_NONE: none */
};

/* Does the network get dropout in this phase? The network that the phase trains does. So does an
 * averaged target, which is compared with the student under the same mask. */
static bool trains(const struct role_networks *a, enum few_role who) {
  if (a->id == FEW_PHASE_FAKE) return who == FEW_FAKE;
  return who == FEW_STUDENT ||
         (who == FEW_TARGET && a->w->setup->config.target == FEW_TARGET_AVERAGE);
}

/* The labels of augmentation of the rows at which a network is evaluated: all, or the first ones
 * (few_objective_def.augments). */
static few_node labels_of(const struct few_loss *l, few_node augment, few_node x) {
  const struct few_shape s = few_node_shape(l->g, x);
  if (augment == FEW_NONE || s.rank < 1 || s.dim[0] == l->rows) return augment;
  return few_slice(l->g, augment, 0, 0, s.dim[0]);
}

static few_node evaluate(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  static const char *const names[FEW_ROLES] = {"student:", "teacher:", "target:", "fake:"};
  const struct role_networks *a = l->user;
  const few_model *m = who == FEW_TEACHER ? a->w->setup->teacher
                       : who == FEW_FAKE  ? a->w->setup->fake
                                          : a->w->student;
  assert(m);
  const bool dropout = trains(a, who) && !in->no_dropout;
  struct few_net_input own = *in;
  if (m->spec.augment) own.augment = labels_of(l, a->augment, in->x);
  return few__model_trace_middle(m, l->g, names[who], dropout, &own, &l->middle);
}

const char *few__phase_scalar(int i, char name[16]) {
  snprintf(name, 16, "scalar%d", i);
  return name;
}

static void build_loss(struct few_loss *l, const struct few_setup *setup, enum few_phase_id id) {
  few_node scalar[FEW_MAX_OBJECTIVES * FEW_MAX_SCALARS];
  char name[16];
  bool first = true;
  for (int k = 0; k < setup->config.n_objectives; k++) {
    const struct few_objective_def *def = setup->config.objective[k].def;
    void (*build)(struct few_loss *, const void *) =
        id == FEW_PHASE_STUDENT ? def->build : def->build_fake;
    if (!build) continue;
    for (int i = 0; i < def->n_scalars; i++)
      scalar[i] =
          few_input(l->g, few__phase_scalar(k * FEW_MAX_SCALARS + i, name), FEW_REAL, FEW_SCALAR);
    l->scalar = scalar;
    l->objective = k;
    const few_node t = l->t;
    build(l, setup->config.objective[k].opts);
    if (!first)
      l->t = t; /* times of the first objective: the run log splits the first metric by them */
    first = false;
  }
}

static void make_inputs(struct few_loss *l, struct role_networks *roles) {
  const struct few_setup *setup = roles->w->setup;
  struct few_shape shape = setup->spec.points
                               ? FEW_SHAPE(l->rows, setup->spec.c)
                               : FEW_SHAPE(l->rows, setup->spec.h, setup->spec.w, setup->spec.c);
  l->x0 = few_input(l->g, "x", FEW_REAL, shape);
  l->label =
      setup->spec.classes ? few_input(l->g, "label", FEW_INDEX, FEW_SHAPE(l->rows)) : FEW_NONE;
  l->pair = setup->config.needs_pairs ? few_input(l->g, "pair", FEW_REAL, shape) : FEW_NONE;
  l->pair_guidance = few__pairs_drawn(setup)
                         ? few_input(l->g, "pair_guidance", FEW_REAL, FEW_SHAPE(l->rows))
                         : FEW_NONE;
  roles->augment = few__model_augment(roles->w->student, l->g, l->rows);
}

/* ---- gradients ---- */

/* Adds the parameters of parts `first` and first + 1 to the graph: x[], and the offsets of their
 * gradients. */
static few_status add_params(struct few_phase *p, const struct few_networks *w, few_graph *g,
                             int first, few_node *x) {
  char name[160];
  int n = 0;
  int64_t base = 0;
  for (int k = first; k < first + 2; k++) {
    const struct few_params *t = part(w, k);
    for (int i = 0; i < t->n; i++, n++) {
      snprintf(name, sizeof name, "%s%s", prefixes[k], t->at[i].name);
      x[n] = few_param(g, name, t->at[i].shape);
      p->offset[n] = base + t->at[i].offset;
    }
    base += t->total;
  }
  for (int k = 1; k < p->n_grads; k++)
    for (int i = 0; i < n; i++) p->offset[k * n + i] = k * p->n + p->offset[i];
  return few_graph_status(g);
}

static few_node weighted_sum(few_graph *g, const struct few_loss *l) {
  few_node sum = FEW_NONE;
  for (int i = 0; i < l->n_terms; i++) {
    few_node v = l->term[i].value;
    if (l->term[i].weight != 1) v = few_scale(g, v, l->term[i].weight);
    sum = sum == FEW_NONE ? v : few_add(g, sum, v);
  }
  return sum;
}

/* The gradient of a parameter that a loss does not depend on is 0. */
static few_status differentiate(struct few_phase *p, few_graph *g, const struct few_loss *l, int n,
                                const few_node *x, few_node *out) {
  for (int k = 0; k < p->n_grads; k++) {
    few_node loss = p->n_grads == 1 ? weighted_sum(g, l) : l->term[k].value;
    FEW_TRY(few_grad(out + k * n, g, loss, n, x));
    for (int i = 0; i < n; i++)
      if (out[k * n + i] == FEW_NONE) out[k * n + i] = few_fill(g, 0, few_node_shape(g, x[i]));
  }
  return FEW_OK;
}

/* Names in a line of the run log are unique. If two losses log under the same name, the second name
 * gets its objective's as a prefix. */
static void name_of(char out[FEW_LOG_NAME], const struct few_setup *setup, const char *name, int k,
                    bool taken) {
  snprintf(out, FEW_LOG_NAME, "%s%s%s", taken ? setup->config.objective[k].def->name : "",
           taken ? "_" : "", name);
}

static void describe(struct few_phase *p, const struct few_setup *setup, const struct few_loss *l,
                     few_node *out) {
  for (int i = 0; i < l->n_terms; i++) {
    bool taken = false;
    for (int k = 0; k < i; k++) taken |= !strcmp(l->term[k].name, l->term[i].name);
    name_of(p->term_name[i], setup, l->term[i].name, l->term[i].objective, taken);
    p->weight[i] = l->term[i].weight;
    out[i] = l->term[i].value;
  }
  p->timed = l->t != FEW_NONE;
  out[l->n_terms] = p->timed ? l->t : few_fill(l->g, 0, FEW_SHAPE(l->rows));
  for (int i = 0; i < l->n_logs; i++) {
    bool taken = false;
    for (int k = 0; k < i; k++) taken |= !strcmp(l->log[k].name, l->log[i].name);
    name_of(p->log_name[i], setup, l->log[i].name, l->log[i].objective, taken);
    out[l->n_terms + 1 + i] = l->log[i].rows;
  }
}

static few_status plan(few_ctx *ctx, struct few_phase *p, few_graph *g, const struct few_loss *l,
                       const struct few_networks *w, const struct few_backend *backend,
                       enum few_phase_id id) {
  const int first = id == FEW_PHASE_STUDENT ? 0 : 2;
  const int n = part(w, first)->n + part(w, first + 1)->n;
  few_node *out = NULL, *x = NULL;
  few_status st;
  p->base = base_of(w, first);
  p->n = base_of(w, first + 2) - p->base;
  p->n_terms = l->n_terms;
  p->n_logs = l->n_logs;
  p->n_grads =
      id == FEW_PHASE_STUDENT && w->setup->config.balance->weigh && l->n_terms > 1 ? l->n_terms : 1;
  p->first_grad = l->n_terms + 1 + l->n_logs;
  p->n_outs = p->first_grad + p->n_grads * n;
  FEW_GOTO(FEW_NEW(ctx, &out, p->n_outs));
  FEW_GOTO(FEW_NEW(ctx, &x, n));
  FEW_GOTO(FEW_NEW(ctx, &p->offset, p->n_grads * n));
  FEW_GOTO(add_params(p, w, g, first, x));
  describe(p, w->setup, l, out);
  FEW_GOTO(differentiate(p, g, l, n, x, out + p->first_grad));
  const struct few_train_keys *keys = &w->setup->config.keys;
  struct few_planning_opts po = {.backend = backend,
                                 .real = FEW_F32,
                                 .direct = keys->convolution == FEW_CONVOLUTION_DIRECT,
                                 .precision = keys->precision};
  FEW_GOTO(few__plan_create(ctx, &p->plan, g, &po, p->n_outs, out));
out:
  few__free(ctx, out);
  few__free(ctx, x);
  return st;
}

few_status few__phase_create(few_ctx *ctx, struct few_phase *p, enum few_phase_id id,
                             const struct few_networks *w, int64_t rows,
                             const struct few_backend *backend) {
  const struct few_setup *setup = w->setup;
  few_graph *g;
  assert(rows > 0 && (id == FEW_PHASE_STUDENT || few__has_fake(setup)));
  FEW_TRY(few_graph_create(&g, ctx));
  struct role_networks roles = {w, id, FEW_NONE};
  struct few_nn head = {.g = g, .params = w->head, .prefix = "head:"};
  struct few_nn fake_head = {.g = g, .params = w->fake_head, .prefix = "fakehead:"};
  struct few_loss l = {.g = g,
                       .rows = rows,
                       .spec = &setup->spec,
                       .teacher_spec = setup->teacher ? &setup->teacher->spec : NULL,
                       .fake_spec = setup->fake ? &setup->fake->spec : NULL,
                       .guidance_min = setup->guidance_min,
                       .guidance_max = setup->guidance_max,
                       .net = evaluate,
                       .middle = FEW_NONE,
                       .head = id == FEW_PHASE_STUDENT ? &head : &fake_head,
                       .fake_head = &fake_head,
                       .t = FEW_NONE,
                       .user = &roles};
  make_inputs(&l, &roles);
  build_loss(&l, setup, id);
  few_status st = few_graph_status(g);
  if (!st) st = plan(ctx, p, g, &l, w, backend, id);
  few_graph_free(g);
  return st;
}

void few__phase_free(few_ctx *ctx, struct few_phase *p) {
  few__plan_free(p->plan);
  few__free(ctx, p->offset);
  *p = (struct few_phase){0};
}

static void bind_head(const struct few_phase *p, const struct few_params *t, const char *prefix,
                      const float *values, const void **slots) {
  for (int i = 0; i < t->n; i++) {
    char name[160];
    snprintf(name, sizeof name, "%s%s", prefix, t->at[i].name);
    int slot = few__plan_find_slot(p->plan, name);
    if (slot >= 0) slots[slot] = values + t->at[i].offset;
  }
}

void few__phase_bind(const struct few_phase *p, const struct few_networks *w,
                     const struct few_values *v, const void **slots) {
  const few_model *teacher = w->setup->teacher;
  few__model_bind(w->student, p->plan, "student:", v->param, slots);
  if (v->target) few__model_bind(w->student, p->plan, "target:", v->target, slots);
  if (teacher) few__model_bind(teacher, p->plan, "teacher:", teacher->values, slots);
  bind_head(p, w->head, "head:", v->param + base_of(w, 1), slots);
  if (!few__has_fake(w->setup)) return;
  few__model_bind(w->setup->fake, p->plan, "fake:", v->param + few__fake_base(w), slots);
  bind_head(p, w->fake_head, "fakehead:", v->param + base_of(w, 3), slots);
}
