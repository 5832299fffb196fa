/* losses.h - builds the loss of an objective with small networks as a graph and replays it in f64.
 * It records the arguments and the result of every call of a network. */
#ifndef FEW_TEST_LOSSES_H
#define FEW_TEST_LOSSES_H

#include "diffusion/objective/objective.h"
#include "engine/plan/plan.h"
#include "testing.h"

enum { LOSS_DIM = 2, LOSS_P = 64, LOSS_CALLS = 12, LOSS_OUT = 2 * LOSS_P + 64 };

struct loss_call {
  enum few_role who;
  struct few_net_input in;
  few_node F;
};

struct losses {
  few_ctx *ctx;
  few_graph *g;
  struct few_net_spec spec;
  struct few_params params[FEW_ROLES], head;
  _Alignas(8) char net_opts[1024];
  _Alignas(8) char opts[1024];
  const char *dropout; /* dropout of the networks that are trained, or NULL */
  const struct few_objective_def *def;
  struct few_nn head_nn;
  struct few_loss l;
  int n_calls;
  struct loss_call call[LOSS_CALLS];
  /* NULL, or a network written by the test. */
  few_node (*exact)(struct losses *s, enum few_role who, const struct few_net_input *in);
  few_node scalar[FEW_MAX_SCALARS];
  int n_given; /* values of inputs that a test chooses; others are arbitrary */
  const char *given_name[8];
  const double *given[8];

  int n;
  few_node out[LOSS_OUT];
  double *value[LOSS_OUT];
};

static inline few_node loss_apply(struct losses *s, enum few_role who,
                                  const struct few_net_input *in) {
  static const char *const names[FEW_ROLES] = {"student:", "teacher:", "target:", "fake:"};
  struct few_net_spec spec = s->spec;
  if (s->exact) return s->exact(s, who, in);
  if (who == FEW_TEACHER) spec.step_size = FEW_STEP_SIZE_NONE;
  struct few_nn nn = {.g = s->g,
                      .params = &s->params[who],
                      .prefix = names[who],
                      .training = who != FEW_TEACHER && !in->no_dropout};
  return few__net_find(NULL, "mlp")->build(&nn, &spec, s->net_opts, in);
}

static inline few_node loss_net(struct few_loss *l, enum few_role who,
                                const struct few_net_input *in) {
  struct losses *s = l->user;
  few_node F = loss_apply(s, who, in);
  assert_true(s->n_calls < LOSS_CALLS);
  s->call[s->n_calls++] = (struct loss_call){who, *in, F};
  return F;
}

/* Builds the loss of `rows` rows; settings end with NULL. */
static inline void loss_build(struct losses *s, const char *objective, int64_t rows,
                              int64_t classes, const char *const settings[][2]) {
  const struct few_net_def *mlp = few__net_find(NULL, "mlp");
  s->ctx = test_ctx();
  s->def = few__objective_find(NULL, objective);
  assert_non_null(s->def);
  s->spec = (struct few_net_spec){.h = 1,
                                  .w = 1,
                                  .c = LOSS_DIM,
                                  .points = true,
                                  .classes = classes,
                                  .step_size = s->def->step_size,
                                  .sigma_data = 0.5};
  assert_true(mlp->options_size <= sizeof s->net_opts && s->def->options_size <= sizeof s->opts);
  assert_ok(s->ctx, few_options_default(s->net_opts, s->ctx, mlp->options));
  assert_ok(s->ctx, few_option_set(s->net_opts, s->ctx, mlp->options, "width", "6"));
  assert_ok(s->ctx, few_option_set(s->net_opts, s->ctx, mlp->options, "layers", "1"));
  if (s->dropout)
    assert_ok(s->ctx, few_option_set(s->net_opts, s->ctx, mlp->options, "dropout", s->dropout));
  assert_ok(s->ctx, few_options_default(s->opts, s->ctx, s->def->options));
  for (int i = 0; settings[i][0]; i++)
    assert_ok(s->ctx,
              few_option_set(s->opts, s->ctx, s->def->options, settings[i][0], settings[i][1]));
  assert_ok(s->ctx, few_graph_create(&s->g, s->ctx));
  s->head_nn = (struct few_nn){.g = s->g, .params = &s->head, .prefix = "head:"};
  for (int i = 0; i < s->def->n_scalars; i++) {
    char name[24];
    snprintf(name, sizeof name, "scalar%d", i);
    s->scalar[i] = few_input(s->g, name, FEW_REAL, FEW_SCALAR);
  }
  s->l = (struct few_loss){
      .g = s->g,
      .rows = rows,
      .spec = &s->spec,
      .teacher_spec = &s->spec,
      .guidance_min = 1,
      .guidance_max = 1,
      .x0 = few_input(s->g, "x", FEW_REAL, FEW_SHAPE(rows, LOSS_DIM)),
      .label = classes ? few_input(s->g, "label", FEW_INDEX, FEW_SHAPE(rows)) : FEW_NONE,
      .pair = FEW_NONE,
      .pair_guidance = FEW_NONE,
      .scalar = s->scalar,
      .net = loss_net,
      .middle = FEW_NONE,
      .head = &s->head_nn,
      .user = s};
  s->def->build(&s->l, s->opts);
  assert_ok(s->ctx, few_graph_status(s->g));
}

/* Was call number i without dropout? If so, the same call without dropout gives the same node. */
static inline bool loss_is_plain(struct losses *s, int i) {
  struct few_net_input in = s->call[i].in;
  in.no_dropout = true;
  return loss_apply(s, s->call[i].who, &in) == s->call[i].F;
}

static inline void loss_give(struct losses *s, const char *input, const double *values) {
  assert_true(s->n_given < 8);
  s->given_name[s->n_given] = input;
  s->given[s->n_given++] = values;
}

/* Requests a node's value. Returns its index in s->value. */
static inline int loss_want(struct losses *s, few_node v) {
  assert_true(s->n < LOSS_OUT && v != FEW_NONE);
  s->out[s->n] = v;
  s->value[s->n] = calloc((size_t)few_shape_count(few_node_shape(s->g, v)), sizeof(double));
  return s->n++;
}

static inline void *loss_slot(const struct losses *s, const struct few_slot *slot) {
  int64_t count = few_shape_count(slot->shape);
  double *v = calloc((size_t)count, sizeof *v);
  unsigned seed = 17;
  for (const char *c = slot->name; *c; c++) seed = seed * 31 + (unsigned char)*c;
  for (int64_t k = 0; k < count; k++)
    if (slot->type == FEW_INDEX)
      ((int32_t *)(void *)v)[k] = (int32_t)(k % (s->spec.classes + 1)) - 1;
    else
      v[k] = sin((double)(seed % 1000) + 2.7 * (double)k) * 0.6; /* any fixed numbers */
  if (!strncmp(slot->name, "scalar", 6)) v[0] = 0.3;
  for (int i = 0; i < s->n_given; i++)
    if (!strcmp(slot->name, s->given_name[i]))
      memcpy(v, s->given[i], sizeof(double) * (size_t)count);
  return v;
}

static inline void loss_replay(struct losses *s) {
  struct few_planning_opts o = {.backend = few__backend_find("ref"), .real = FEW_F64};
  few_plan *plan;
  const void *slots[FEW_ROLES * LOSS_P];
  void *arena = NULL;
  assert_ok(s->ctx, few__plan_create(s->ctx, &plan, s->g, &o, s->n, s->out));
  int m = few__plan_slots(plan);
  assert_true(m <= FEW_COUNT(slots));
  for (int i = 0; i < m; i++) slots[i] = loss_slot(s, few__plan_slot(plan, i));
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(plan) + 64), 0);
  few__plan_replay(
      plan, arena,
      &(struct few_binding){.slots = slots, .outs = (void *const *)s->value, .key = {.seed = 4}});
  for (int i = 0; i < m; i++) free((void *)(uintptr_t)slots[i]);
  free(arena);
  few__plan_free(plan);
}

/* Checks that the gradient of `loss` with respect to the student's parameters is that of <F, cot>,
 * where F is the result of the student's call number `call` and cot [rows][LOSS_DIM] is dL/dF by
 * the formula. Call loss_replay first: cot is computed from its values. */
static inline void loss_check_gradient(struct losses *s, few_node loss, int call, const double *cot,
                                       double bound) {
  few_graph *g = s->g;
  few_node p[LOSS_P], a[LOSS_P], b[LOSS_P];
  const int n = s->params[FEW_STUDENT].n;
  few_node c = few_input(g, "cot", FEW_REAL, few_node_shape(g, s->call[call].F));
  for (int i = 0; i < n; i++) {
    char full[160];
    snprintf(full, sizeof full, "student:%s", s->params[FEW_STUDENT].at[i].name);
    p[i] = few_param(g, full, s->params[FEW_STUDENT].at[i].shape);
  }
  assert_ok(s->ctx, few_grad(a, g, loss, n, p));
  assert_ok(s->ctx, few_vjp(b, g, 1, &s->call[call].F, &c, n, p));
  for (int i = 0; i < s->n; i++) free(s->value[i]);
  s->n = 0;
  loss_give(s, "cot", cot);
  double largest = 0;
  for (int i = 0; i < n; i++) {
    assert_true((a[i] == FEW_NONE) == (b[i] == FEW_NONE));
    if (a[i] == FEW_NONE) continue;
    loss_want(s, a[i]);
    loss_want(s, b[i]);
  }
  loss_replay(s);
  for (int i = 0; i < s->n; i += 2)
    for (int64_t k = 0; k < few_shape_count(few_node_shape(g, s->out[i])); k++) {
      assert_close(s->value[i][k], s->value[i + 1][k], bound);
      largest = fmax(largest, fabs(s->value[i][k]));
    }
  assert_true(largest > 1e3 * bound); /* there is a gradient to compare */
}

static inline void loss_free(struct losses *s) {
  for (int i = 0; i < s->n; i++) free(s->value[i]);
  for (int i = 0; i < FEW_ROLES; i++) few__params_free(s->ctx, &s->params[i]);
  few__params_free(s->ctx, &s->head);
  few_graph_free(s->g);
  few_ctx_free(s->ctx);
}

/* ---- flow matching's coordinates, sigma_d = 1/2, in plain C ---- */

static inline double loss_n(double t) { return cos(t) + 0.5 * sin(t); }
static inline double loss_u(double t) { return 0.5 * sin(t) / loss_n(t); }
static inline double loss_velocity(double x, double t, double F) {
  return loss_n(t) * F + (2 * sin(t) - cos(t)) * x;
}

#endif
