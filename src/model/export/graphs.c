/* graphs.c - the network in the units of images: a denoiser, and a whole run of a sampler.
 *
 * A run is recorded. A sampler computes each state as a sum of earlier ones, of noise and of
 * outputs of the network, with weights that do not depend on them (few_sampling_sum). So its own
 * code is run once, with arrays of two floats that name a node of a graph instead of having the
 * values of a batch, and each sum, draw and evaluation adds nodes. An array whose floats are no
 * such name was computed in another way; that sampler is refused.
 */
#include <math.h>
#include <stdio.h>

#include "export.h"

/* ---- Units ---- */

/* x * a[c] + b[c] */
static few_node by_channel(few_graph *g, few_node x, int64_t n, const double *a, const double *b) {
  struct few_shape s = few_node_shape(g, x);
  for (int k = 0; k < s.rank - 1; k++) s.dim[k] = 1;
  assert(s.rank && s.dim[s.rank - 1] == n);
  FEW_UNUSED(n);
  return few_add(g, few_mul(g, x, few_const(g, s, a)), few_const(g, s, b));
}

/* To the network's units; to those of images; a difference of images to the network's. */
enum units { INSIDE, OUTSIDE, DIFFERENCE };

static few_node rescale(few_graph *g, const few_model *m, few_node x, enum units to) {
  double *a;
  const int64_t c = m->spec.c;
  if (x == FEW_NONE) return FEW_NONE;
  few_status st = FEW_NEW(few__graph_ctx(g), &a, 2 * c);
  if (st) return few__graph_fail(g, st, "out of memory: %lld scales", (long long)c);
  for (int64_t k = 0; k < c; k++) {
    const struct few_data_scale s = few__model_scale(m, k);
    a[k] = to == OUTSIDE ? 1 / s.scale : s.scale;
    a[c + k] = to == INSIDE ? -s.mean * s.scale : to == OUTSIDE ? s.mean : 0;
  }
  x = m->scales ? by_channel(g, x, c, a, a + c) : few_affine(g, x, a[0], a[c]);
  few__free(few__graph_ctx(g), a);
  return x;
}

/* ---- The network ---- */

/* F_u + s (F_c - F_u) */
static few_node extrapolate(few_graph *g, few_node from, few_node to, double s) {
  return few_add(g, from, few_scale(g, few_sub(g, to, from), s));
}

few_node few__export_F(few_graph *g, const few_model *m, const char *prefix,
                       const struct few_net_input *in, double guidance) {
  few_node F = few__model_trace(m, g, prefix, false, in);
  if (guidance == 1 || m->spec.guidance) return F;
  struct few_net_input none = *in;
  none.label = FEW_NONE;
  return extrapolate(g, few__model_trace(m, g, prefix, false, &none), F, guidance);
}

/* With s = sigma times the scale of the data, t = arctan(s/sigma_d) and x_t = cos(t) x, where x has
 * the network's units: D = cos(t) x_t - sin(t) sigma_d F(x_t/sigma_d, t). */
few_node few__export_denoiser(few_graph *g, const few_model *m, double guidance, int64_t rows) {
  const double sd = m->spec.sigma_data;
  struct few_net_input in = few__model_inputs(m, g, rows);
  struct few_shape each = few_node_shape(g, in.x);
  for (int k = 1; k < each.rank; k++) each.dim[k] = 1;
  few_node sigma = few_input(g, "sigma", FEW_REAL, FEW_SHAPE(rows));
  in.t = few_atan(g, few_scale(g, sigma, few__model_scale(m, 0).scale / sd));
  few_node cos = few_reshape(g, few_cos(g, in.t), each);
  few_node sin = few_reshape(g, few_sin(g, in.t), each);
  few_node x_t = few_mul(g, cos, rescale(g, m, in.x, INSIDE));
  in.x = few_scale(g, x_t, 1 / sd);
  few_node F = few__export_F(g, m, "", &in, guidance);
  few_node D = few_sub(g, few_mul(g, cos, x_t), few_mul(g, few_scale(g, sin, sd), F));
  return rescale(g, m, D, OUTSIDE);
}

/* ---- Recording a sampler ---- */

struct recording {
  few_ctx *ctx;
  few_graph *g;
  const few_model *m;
  const struct few_sample_opts *o;
  int64_t rows;
  struct few_export_draws *draws;
  struct {
    few_node *at;
    int n, cap;
  } nodes;
  few_node label;
  int evals;
  few_status status; /* of a callback that cannot return it */
};

/* The two floats that name node i of the list. */
enum { FIRST_NAME = 1000 };
static float second(int i) { return 0.5F + (float)((int64_t)i * 7919 % 16381); }

static void name_node(struct recording *r, float *x, few_node v) {
  few_status st = FEW_GROW(r->ctx, &r->nodes, r->nodes.n + 1);
  if (st) r->status = st;
  if (st) return;
  x[0] = (float)(FIRST_NAME + r->nodes.n);
  x[1] = second(r->nodes.n);
  r->nodes.at[r->nodes.n++] = v;
}

static few_node named(struct recording *r, const float *x) {
  const double i = (double)x[0] - FIRST_NAME;
  if (i >= 0 && i < r->nodes.n && i == floor(i) && x[1] == second((int)i))
    return r->nodes.at[(int)i];
  if (!r->status)
    r->status = few__fail(r->ctx, FEW_E_UNSUPPORTED,
                          "this sampler does more than add noise and outputs of the network with "
                          "constant weights, so its run is not a graph: choose another sampler or "
                          "other settings of it, or export the network (--what network)");
  return FEW_NONE;
}

static void record_sum(void *user, float *out, int n, const double *weight, const float *const *x) {
  struct recording *r = user;
  few_node sum = FEW_NONE;
  for (int k = 0; k < n; k++) {
    if (weight[k] == 0) continue;
    sum = few__plus(r->g, sum, few_scale(r->g, named(r, x[k]), weight[k]));
  }
  if (sum == FEW_NONE && n > 0) sum = few_scale(r->g, named(r, x[0]), 0);
  name_node(r, out, sum);
}

static struct few_shape shape_of(const struct recording *r) {
  const struct few_net_spec *s = &r->m->spec;
  return s->points ? FEW_SHAPE(r->rows, s->c) : FEW_SHAPE(r->rows, s->h, s->w, s->c);
}

static void record_noise(void *user, int draw, float *z) {
  struct recording *r = user;
  struct few_export_draws *d = r->draws;
  char name[32];
  int i = 0;
  while (i < d->n && d->at[i] != draw) i++;
  if (i == d->n) {
    few_status st = FEW_GROW(r->ctx, d, d->n + 1);
    if (st) r->status = st;
    if (st) return;
    d->at[d->n++] = draw;
  }
  snprintf(name, sizeof name, "noise.%d", i);
  name_node(r, z, few_input(r->g, name, FEW_REAL, shape_of(r)));
}

static few_node of_all_rows(const struct recording *r, double x) {
  return few_fill(r->g, (double)(float)x, FEW_SHAPE(r->rows));
}

/* As model/run/clip.c: F + (D - limited D)/(sin(t) sigma_d). */
static few_node clip(struct recording *r, few_node x, few_node F, double t) {
  few_graph *g = r->g;
  const struct few_line d = few_step_denoise(r->m->spec.sigma_data, t);
  few_node D = few_add(g, few_scale(g, x, d.x), few_scale(g, F, d.y));
  D = rescale(g, r->m, D, OUTSIDE);
  few_node limited = few_min(g, D, few_fill(g, r->o->clip, FEW_SCALAR));
  limited = few_max(g, limited, few_fill(g, -r->o->clip, FEW_SCALAR));
  few_node more = rescale(g, r->m, few_sub(g, limited, D), DIFFERENCE);
  return few_add(g, F, few_scale(g, more, 1 / d.y));
}

/* As eval() of model/run/sample.c. */
static few_status record_eval(void *user, const float *x, double t, double to, float *F) {
  struct recording *r = user;
  const struct few_sample_opts *o = r->o;
  const bool guided = t >= o->guidance_from && t <= o->guidance_to;
  float step_size = 0;
  if (r->evals++ >= FEW_EXPORT_MOST_EVALS)
    return few__fail(r->ctx, FEW_E_UNSUPPORTED,
                     "a graph of more than %d evaluations of the network: give fewer --steps",
                     (int)FEW_EXPORT_MOST_EVALS);
  if (r->m->spec.step_size) FEW_TRY(few__step_size(r->ctx, r->m, t, to, &step_size));
  few_scope_push(r->g, "eval.%d", r->evals);
  struct few_net_input in = few_net_input_of(
      few_scale(r->g, named(r, x), 1 / r->m->spec.sigma_data), of_all_rows(r, t), r->label);
  if (r->m->spec.guidance) in.guidance = of_all_rows(r, guided ? o->guidance : 1);
  if (r->m->spec.step_size) in.step_size = of_all_rows(r, (double)step_size);
  few_node y = few__export_F(r->g, r->m, "", &in, guided ? o->guidance : 1);
  if (o->autoguide && guided && o->autoguidance != 1)
    y = extrapolate(r->g, few__export_F(r->g, o->autoguide->m, FEW_EXPORT_GUIDE, &in, 1), y,
                    o->autoguidance);
  if (o->clip > 0) y = clip(r, named(r, x), y, t);
  few_scope_pop(r->g);
  name_node(r, F, y);
  return r->status ? r->status : few_graph_status(r->g);
}

few_status few__export_sampler(few_ctx *ctx, few_node *y, struct few_export_draws *draws,
                               few_graph *g, const few_model *m,
                               const struct few_sample_resolved *resolved,
                               const struct few_sample_opts *o, int64_t rows) {
  struct recording r = {.ctx = ctx, .g = g, .m = m, .o = o, .rows = rows, .draws = draws};
  float x[2];
  struct few_sampling s = {.rows = 1,
                           .dims = 2,
                           .sigma_d = m->spec.sigma_data,
                           .x = x,
                           .eval = record_eval,
                           .noise = record_noise,
                           .sum = record_sum,
                           .user = &r,
                           .opts = resolved->settings,
                           .olss = resolved->olss};
  draws->n = 0;
  r.label = m->spec.classes && o->label != FEW_LABEL_NONE
                ? few_input(g, "label", FEW_INDEX, FEW_SHAPE(rows))
                : FEW_NONE;
  few_status st = few__sample(ctx, resolved->sampler, &resolved->times, &s);
  if (!st) *y = rescale(g, m, named(&r, x), OUTSIDE);
  if (!st) st = r.status ? r.status : few_graph_status(g);
  few__free(ctx, r.nodes.at);
  return st ? few__fail_in(ctx, st, "exporting sampler %s", resolved->sampler->name) : FEW_OK;
}
