/* sCM's loss in the graph is compared with its equations (process/tangent.h), computed in plain C.
 * There g comes from finite differences of F. The loss is e^w/D |g|^2 - w, and its gradient is
 * -2 e^w / (D rows) J_F^T g. */
#include "testing.h"

#include "diffusion/objective/scm.h"
#include "diffusion/process/tangent.h"
#include "engine/plan/plan.h"

enum { ROWS = 3, DIM = 2, MAX_P = 64 };
static const double sigma = 0.5, warm = 0.3;

struct nets {
  struct few_params student, teacher;
  const struct few_net_spec *spec;
  char opts[1024];
};

static few_node apply(struct few_loss *l, bool of_student, few_node x, few_node t) {
  struct nets *n = l->user;
  struct few_nn nn = {.g = l->g,
                      .params = of_student ? &n->student : &n->teacher,
                      .prefix = of_student ? "student:" : "teacher:"};
  const struct few_net_input in = few_net_input_of(x, t, FEW_NONE);
  return few__net_find(NULL, "mlp")->build(&nn, n->spec, n->opts, &in);
}

static few_node net(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  return apply(l, who == FEW_STUDENT, in->x, in->t);
}

struct setting {
  few_ctx *ctx;
  few_graph *g;
  struct nets nets;
  struct few_params head;
  struct few_loss loss;
  double *cot; /* [ROWS][DIM] for the input "cot" */
  double far;  /* factor of the data */
};

static const struct few_net_spec spec = {
    .h = 1, .w = 1, .c = DIM, .points = true, .sigma_data = 0.5};

static void replay(struct setting *s, int n, const few_node *out, double **values) {
  struct few_planning_opts o = {.backend = few__backend_find("ref"), .real = FEW_F64};
  few_plan *plan;
  assert_ok(s->ctx, few__plan_create(s->ctx, &plan, s->g, &o, n, out));
  const void *slots[3 * MAX_P];
  int m = few__plan_slots(plan);
  assert_true(m <= 3 * MAX_P);
  for (int i = 0; i < m; i++) {
    const struct few_slot *slot = few__plan_slot(plan, i);
    int64_t count = few_shape_count(slot->shape);
    double *v = calloc((size_t)count, sizeof *v);
    unsigned seed = 17;
    for (const char *c = slot->name; *c; c++) seed = seed * 31 + (unsigned char)*c;
    for (int64_t k = 0; k < count; k++)
      v[k] = sin((double)(seed % 1000) + 2.7 * (double)k) * 0.6; /* any fixed numbers */
    for (int64_t k = 0; k < count && !strcmp(slot->name, "x"); k++) v[k] *= s->far;
    if (!strcmp(slot->name, "warm")) v[0] = warm;
    if (!strcmp(slot->name, "cot")) memcpy(v, s->cot, sizeof(double) * ROWS * DIM);
    slots[i] = v;
  }
  void *arena = NULL;
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(plan) + 64), 0);
  few__plan_replay(
      plan, arena,
      &(struct few_binding){.slots = slots, .outs = (void *const *)values, .key = {.seed = 4}});
  for (int i = 0; i < m; i++) free((void *)(uintptr_t)slots[i]);
  free(arena);
  few__plan_free(plan);
}

static double **rooms(struct setting *s, int n, const few_node *out) {
  double **v = calloc((size_t)n, sizeof *v);
  for (int i = 0; i < n; i++)
    v[i] = calloc((size_t)few_shape_count(few_node_shape(s->g, out[i])), sizeof **v);
  return v;
}

static void free_rooms(int n, double **v) {
  for (int i = 0; i < n; i++) free(v[i]);
  free(v);
}

static void set_up(struct setting *s) {
  const struct few_net_def *mlp = few__net_find(NULL, "mlp");
  *s = (struct setting){.ctx = test_ctx(), .nets.spec = &spec};
  assert_true(mlp->options_size <= sizeof s->nets.opts);
  assert_ok(s->ctx, few_options_default(s->nets.opts, s->ctx, mlp->options));
  assert_ok(s->ctx, few_option_set(s->nets.opts, s->ctx, mlp->options, "width", "6"));
  assert_ok(s->ctx, few_option_set(s->nets.opts, s->ctx, mlp->options, "layers", "1"));
  assert_ok(s->ctx, few_graph_create(&s->g, s->ctx));
}

static void check_objective(const char *name, const char *const settings[][2]) {
  struct setting s;
  set_up(&s);
  few_graph *g = s.g;
  const struct few_objective_def *def = few__objective_find(NULL, name);
  char opts[512];
  assert_ok(s.ctx, few_options_default(opts, s.ctx, def->options));
  for (int i = 0; settings[i][0]; i++)
    assert_ok(s.ctx, few_option_set(opts, s.ctx, def->options, settings[i][0], settings[i][1]));
  const struct few_option *at = few_option_find(def->options, "p_mean");
  const void *scm = opts + at->offset - offsetof(struct few_scm_opts, p_mean);
  const struct few_scm_opts *o = scm;
  s.far = o->tangent == 1 ? 8 : 1; /* makes df/dt large enough to be clipped */
  struct few_nn head = {.g = g, .params = &s.head, .prefix = "head:"};
  struct few_loss *l = &s.loss;
  *l = (struct few_loss){.g = g,
                         .rows = ROWS,
                         .spec = &spec,
                         .teacher_spec = &spec,
                         .guidance_min = 1,
                         .guidance_max = 1,
                         .net = net,
                         .head = &head,
                         .user = &s.nets,
                         .label = FEW_NONE,
                         .pair_guidance = FEW_NONE};
  l->x0 = few_input(g, "x", FEW_REAL, FEW_SHAPE(ROWS, DIM));
  const few_node scalar = few_input(g, "warm", FEW_REAL, FEW_SCALAR);
  l->scalar = &scalar;
  def->build(l, opts);
  assert_ok(s.ctx, few_graph_status(g));

  /* The same draw and the same F are the same nodes. */
  struct few_trig_state d = few_trig_sample(l, o->p_mean, o->p_std);
  few_node xin = few_scale(g, d.x, 1 / sigma), F = apply(l, true, xin, d.t);
  few_node v = strcmp(name, "scd") ? d.v : few_scale(g, apply(l, false, xin, d.t), sigma);
  const double h = 1e-5;
  few_node cs = few_mul(g, d.cos, d.sin), Fs[2];
  for (int k = 0; k < 2; k++) {
    double step = k ? -h : h;
    few_node x = few_add(g, xin, few_scale(g, few_mul(g, cs, v), step / sigma));
    few_node t = few_add(g, d.t, few_scale(g, few_reshape(g, cs, FEW_SHAPE(ROWS)), step));
    Fs[k] = apply(l, true, x, t);
  }
  few_node cot = few_input(g, "cot", FEW_REAL, FEW_SHAPE(ROWS, DIM));
  few_node p[MAX_P], out[8 + 2 * MAX_P];
  int n = s.nets.student.n, first = 8;
  for (int i = 0; i < n; i++) {
    char full[160];
    snprintf(full, sizeof full, "student:%s", s.nets.student.at[i].name);
    p[i] = few_param(g, full, s.nets.student.at[i].shape);
  }
  const few_node front[] = {l->term[0].value, d.t, d.x, v, F, Fs[0], Fs[1], l->log[0].rows};
  memcpy(out, front, sizeof front);
  assert_ok(s.ctx, few_grad(out + first, g, l->term[0].value, n, p));
  assert_ok(s.ctx, few_vjp(out + first + n, g, 1, &F, &cot, n, p));
  double zero[ROWS * DIM] = {0};
  s.cot = zero;
  double **a = rooms(&s, first + 2 * n, out);
  replay(&s, first + 2 * n, out, a);

  /* g row by row from the equations. */
  double loss = 0, g_all[ROWS * DIM];
  int clipped = 0;
  for (int r = 0; r < ROWS; r++) {
    double jvp[DIM], *gr = g_all + r * DIM, norm = 0;
    for (int k = 0; k < DIM; k++)
      jvp[k] = sigma * (a[5][r * DIM + k] - a[6][r * DIM + k]) / (2 * h);
    few__scm_g(sigma, a[1][r], warm, DIM, a[2] + r * DIM, a[4] + r * DIM, a[3] + r * DIM, jvp, gr);
    /* Without the prior weight 1/(sigma_d tan t). */
    for (int k = 0; k < DIM && !o->prior_weight; k++) gr[k] *= sigma * tan(a[1][r]);
    for (int k = 0; k < DIM; k++) norm += gr[k] * gr[k];
    assert_close(a[7][r], sqrt(norm), 1e-8 * (1 + sqrt(norm))); /* h^2 and eps/h */
    for (int k = 0; k < DIM; k++) {
      if (o->tangent == 0) gr[k] /= sqrt(norm) + o->tangent_c;
      if (o->tangent == 1) { /* clips df/dt; g is df/dt times this factor */
        const double factor = o->prior_weight ? cos(a[1][r]) : sigma * sin(a[1][r]);
        clipped += fabs(gr[k]) < 1 && fabs(gr[k] / factor) > 1;
        gr[k] = factor * fmax(-1, fmin(1, gr[k] / factor));
      }
      loss += gr[k] * gr[k] / (DIM * ROWS);
      gr[k] *= -2.0 / (DIM * ROWS);
    }
  }
  assert_close(a[0][0], loss, 1e-8);
  if (o->tangent == 1) assert_true(clipped > 0); /* counts df/dt above 1 whose g is below 1 */
  s.cot = g_all;
  double **b = rooms(&s, first + 2 * n, out);
  replay(&s, first + 2 * n, out, b);
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < few_shape_count(few_node_shape(g, out[first + i])); k++)
      assert_close(a[first + i][k], b[first + n + i][k], 1e-7);
  free_rooms(first + 2 * n, a);
  free_rooms(first + 2 * n, b);
  few__params_free(s.ctx, &s.nets.student);
  few__params_free(s.ctx, &s.nets.teacher);
  few__params_free(s.ctx, &s.head);
  few_graph_free(g);
  few_ctx_free(s.ctx);
}

static void test_sct(void **state) {
  (void)state;
  check_objective("sct", (const char *const[][2]){{"adaptive", "no"}, {NULL, NULL}});
  check_objective("sct",
                  (const char *const[][2]){
                      {"adaptive", "no"}, {"tangent", "clip"}, {"p_mean", "0.5"}, {NULL, NULL}});
  check_objective("sct", (const char *const[][2]){{"adaptive", "no"},
                                                  {"tangent", "clip"},
                                                  {"prior_weight", "no"},
                                                  {"p_mean", "0.5"},
                                                  {NULL, NULL}});
  check_objective("sct",
                  (const char *const[][2]){{"adaptive", "no"}, {"tangent", "raw"}, {NULL, NULL}});
  check_objective(
      "sct", (const char *const[][2]){{"adaptive", "no"}, {"prior_weight", "no"}, {NULL, NULL}});
  check_objective("sct",
                  (const char *const[][2]){{"adaptive", "no"}, {"rearrange", "no"}, {NULL, NULL}});
}

static void test_scd(void **state) {
  (void)state;
  check_objective("scd", (const char *const[][2]){{"adaptive", "no"}, {NULL, NULL}});
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_sct), cmocka_unit_test(test_scd)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
