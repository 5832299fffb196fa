/* derivatives.c - checks the derivatives of a network with its own weights.
 *
 * Three functions go through the checker (few/check.h): F with respect to its inputs, F with
 * respect to its parameters, and F's tangent along (dx, dt) with respect to the parameters, which
 * consistency training differentiates.
 *
 * Bounds: a direction has the size of the array that it perturbs (its rms), so a step h is
 * relative. At h = 1e-5 a difference has a rounding error of eps/h = 2e-11, and a truncation error
 * of h^2 times a ratio of third to first derivatives, which composed layers and fast sinusoids of
 * time make large. The bound, 1e-6, is above both and far below the error of a wrong rule, about 1.
 * If a rule is right, one of the two steps that are tried passes. The adjoint test has no step. It
 * sums the same products in two orders, whose results differ by eps sqrt(n), 2e-12 for n = 1e8
 * products; its bound is 1e-11.
 */
#include <math.h>

#include "base/rng.h"
#include "few/check.h"
#include "few/inspect.h"
#include "model/model.h"

static const double difference_bound = 1e-6, adjoint_bound = 1e-11;

struct subject {
  const few_model *m;
  few_graph *g;
  few_node y, tangent;
  few_node inputs[4];
  int n_inputs;
  few_node *params;
  double started;
};

static void take_row(const few_model *m, int row, double *out) {
  const float *from = m->values + m->params.at[row].offset;
  int64_t n = few_shape_count(m->params.at[row].shape);
  for (int64_t i = 0; i < n; i++) out[i] = (double)from[i];
}

/* Normal numbers with the rms of the array's values, or rms 0.01 if those are all zero. */
static void direction(const few_model *m, int row, const char *name, int64_t n, double *out) {
  const float *of = m->values + m->params.at[row].offset;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)of[i] * (double)of[i];
  double size = sum > 0 ? sqrt(sum / (double)n) : 0.01;
  few__rng_normal_f64(
      &(struct few_rng){
          .seed = 1, .row = (uint32_t)few__hash(name, strlen(name), 0), .purpose = FEW_RNG_CHECK},
      n, out);
  for (int64_t i = 0; i < n; i++) out[i] *= size;
}

/* Sets values that the checker does not draw itself. Names of directions are "d(name#node)". */
static bool value(void *user, const char *name, int64_t n, double *out) {
  const few_model *m = user;
  char of[sizeof m->params.at->name];
  int row = few__params_find(&m->params, name);
  const char *hash = strrchr(name, '#');
  if (row >= 0) {
    take_row(m, row, out);
    return true;
  }
  if (!strcmp(name, "augment")) {
    for (int64_t i = 0; i < n; i++) out[i] = (double)(i % 3 - 1) / 2;
    return true;
  }
  if (!strcmp(name, "t") || !strcmp(name, "guidance")) {
    double low = *name == 't' ? 0.3 : m->guidance_min, high = *name == 't' ? 1.3 : m->guidance_max;
    for (int64_t i = 0; i < n; i++) out[i] = low + (high - low) * (double)(i + 1) / (double)(n + 1);
    return true;
  }
  if (strncmp(name, "d(", 2) != 0 || !hash || (size_t)(hash - name - 2) >= sizeof of) return false;
  memcpy(of, name + 2, (size_t)(hash - name - 2));
  of[hash - name - 2] = 0;
  row = few__params_find(&m->params, of);
  if (row >= 0) direction(m, row, name, n, out);
  return row >= 0;
}

static few_status build(struct subject *s) {
  const few_model *m = s->m;
  struct few_net_input in = few__model_inputs(m, s->g, m->spec.points ? 2 : 1);
  in.augment = few__model_augment(m, s->g, m->spec.points ? 2 : 1);
  s->y = few__model_trace(m, s->g, "", false, &in);
  FEW_TRY(few_graph_status(s->g));
  s->inputs[s->n_inputs++] = in.x;
  s->inputs[s->n_inputs++] = in.t;
  if (in.guidance != FEW_NONE) s->inputs[s->n_inputs++] = in.guidance;
  if (in.step_size != FEW_NONE) s->inputs[s->n_inputs++] = in.step_size;
  if (in.augment != FEW_NONE) s->inputs[s->n_inputs++] = in.augment;
  few_node x[2] = {in.x, in.t};
  few_node d[2] = {few_input(s->g, "dx", FEW_REAL, few_node_shape(s->g, in.x)),
                   few_input(s->g, "dt", FEW_REAL, few_node_shape(s->g, in.t))};
  FEW_TRY(few_jvp(&s->tangent, s->g, 1, &s->y, 2, x, d));
  FEW_TRY(FEW_NEW(m->ctx, &s->params, m->params.n));
  for (int i = 0; i < m->params.n; i++)
    s->params[i] = few_param(s->g, m->params.at[i].name, m->params.at[i].shape);
  return few_graph_status(s->g);
}

static few_status report(const struct subject *s, int done, const char *note) {
  struct few_progress p = {.what = "checking",
                           .done = done,
                           .total = FEW_MODEL_CHECKS,
                           .seconds = few__now() - s->started,
                           .note = note};
  return few__progress(s->m->ctx, &p);
}

static few_status judge(const struct subject *s, few_node y, int n, const few_node *x,
                        struct few_model_check *out, int done) {
  static const double steps[] = {1e-5, 1e-6};
  FEW_TRY(report(s, done, out->what));
  out->difference_bound = difference_bound;
  out->adjoint_bound = adjoint_bound;
  for (int i = 0; i < FEW_COUNT(steps) && !out->ok; i++) {
    struct few_check_opts o = FEW_CHECK_OPTS_INIT;
    struct few_check_result r;
    o.step = steps[i];
    o.user = (void *)(uintptr_t)s->m; /* read only */
    o.value = value;
    FEW_TRY(few_check_function(&r, s->g, y, n, x, &o));
    if (i == 0 || r.difference < out->difference) out->difference = r.difference;
    out->adjoint = r.adjoint;
    out->ok = out->difference <= difference_bound && r.adjoint <= adjoint_bound;
  }
  return FEW_OK;
}

few_status few_model_check(struct few_model_check out[FEW_MODEL_CHECKS], size_t size,
                           const few_model *m) {
  struct subject s = {.m = m, .started = few__now()};
  struct few_model_check check[FEW_MODEL_CHECKS] = {{.what = "network w.r.t. its inputs"},
                                                    {.what = "network w.r.t. its parameters"},
                                                    {.what = "tangent w.r.t. its parameters"}};
  few_status st;
  FEW_TRY(few_graph_create(&s.g, m->ctx));
  FEW_GOTO(build(&s));
  FEW_GOTO(judge(&s, s.y, s.n_inputs, s.inputs, &check[0], 0));
  FEW_GOTO(judge(&s, s.y, m->params.n, s.params, &check[1], 1));
  FEW_GOTO(judge(&s, s.tangent, m->params.n, s.params, &check[2], 2));
  FEW_GOTO(report(&s, FEW_MODEL_CHECKS, NULL));
out:
  for (int i = 0; i < FEW_MODEL_CHECKS; i++)
    few__give((char *)out + (size_t)i * size, size, &check[i], sizeof check[i]);
  few__free(m->ctx, s.params);
  few_graph_free(s.g);
  return st;
}
