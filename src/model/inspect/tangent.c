/* tangent.c - measures the size of df/dt at different times, with each of the two forms of the
 * tangent that training can use. */
#include <math.h>

#include "base/rng.h"
#include "diffusion/process/process.h"
#include "diffusion/process/tangent.h"
#include "few/data.h"
#include "few/inspect.h"
#include "model/run/runner.h"

enum { OUT_F, OUT_RAW, OUT_REARRANGED, OUTS, ROWS_OF = 7 };
enum { IN_X, IN_T, IN_V, IN_ONE, IN_CS, IN_CS_V, IN_GUIDANCE, INS };
static const char *const names[INS] = {"x", "t", "v", "one", "cs", "cs_v", "guidance"};

struct study {
  few_ctx *ctx;
  const few_model *m;
  const struct few_tangent_opts *o;
  few_plan *plan;
  void *arena;
  const void **slots;
  int64_t R, d;                   /* rows of a replay, values of a row */
  float *in[INS];                 /* [R][d] x, v, cs_v, of unit variance; [R] the others */
  float *out[OUTS];               /* [R][d] */
  int32_t *label, *teacher_label; /* [R] */
  int32_t *map,
      *teacher_map; /* [classes of the data] the classes of model and teacher; NULL: no classes */
  struct few_data_scale *scales; /* [c] to unit variance */
  double *row;                   /* ROWS_OF arrays of one row, [d] each */
  double weighted;               /* sum of squares of cos(t) df/dt in the running bin */
  double started;
};

/* ---- The plan: F, dF/dt along (v/sigma_d, 1), and cos t sin t dF/dt as one tangent ---- */

static few_status trace(struct study *s, few_graph *g, few_node out[OUTS]) {
  struct few_net_input in = few__model_inputs(s->m, g, s->R);
  const struct few_shape shape = few_node_shape(g, in.x);
  const few_node x[2] = {in.x, in.t};
  const few_node raw[2] = {few_input(g, names[IN_V], FEW_REAL, shape),
                           few_input(g, names[IN_ONE], FEW_REAL, FEW_SHAPE(s->R))};
  const few_node rearranged[2] = {few_input(g, names[IN_CS_V], FEW_REAL, shape),
                                  few_input(g, names[IN_CS], FEW_REAL, FEW_SHAPE(s->R))};
  out[OUT_F] = few__model_trace(s->m, g, "", false, &in);
  FEW_TRY(few_jvp(&out[OUT_RAW], g, 1, &out[OUT_F], 2, x, raw));
  FEW_TRY(few_jvp(&out[OUT_REARRANGED], g, 1, &out[OUT_F], 2, x, rearranged));
  return few_graph_status(g);
}

static few_status make_plan(struct study *s) {
  const struct few_planning_opts opts = {.backend = few__backend_host(s->ctx),
                                         .real = FEW_F32,
                                         .precision = (few_precision)few__ctx_precision(s->ctx)};
  few_graph *g;
  few_node out[OUTS];
  FEW_TRY(few__backend_check_precision(s->ctx, opts.backend, opts.precision));
  FEW_TRY(few_graph_create(&g, s->ctx));
  few_status st = trace(s, g, out);
  const few_node order[OUTS] = {out[OUT_RAW], out[OUT_REARRANGED], out[OUT_F]};
  if (!st) st = few__plan_create(s->ctx, &s->plan, g, &opts, OUTS, order);
  few_graph_free(g);
  return st;
}

/* The model's class for each class of the data. */
static few_status match(const struct study *s, const few_model *m, int32_t **map) {
  if (!m->spec.classes) return FEW_OK;
  FEW_TRY(FEW_NEW(s->ctx, map, few_data_n_classes(s->o->data)));
  return few__model_match(s->ctx, *map, m, s->o->data);
}

static few_status make_room(struct study *s) {
  few_ctx *ctx = s->ctx;
  s->arena = few__alloc(ctx, few__plan_arena(s->plan) + 64);
  if (!s->arena) return few__fail(ctx, FEW_E_MEMORY, "out of memory: a network's tangent");
  for (int i = 0; i < INS; i++) FEW_TRY(FEW_NEW(ctx, &s->in[i], s->R * s->d));
  for (int i = 0; i < OUTS; i++) FEW_TRY(FEW_NEW(ctx, &s->out[i], s->R * s->d));
  FEW_TRY(FEW_NEW(ctx, &s->label, s->R));
  FEW_TRY(FEW_NEW(ctx, &s->teacher_label, s->R));
  FEW_TRY(match(s, s->m, &s->map));
  if (s->o->teacher) FEW_TRY(match(s, s->o->teacher->m, &s->teacher_map));
  FEW_TRY(FEW_NEW(ctx, &s->row, ROWS_OF * s->d));
  FEW_TRY(FEW_NEW(ctx, &s->slots, few__plan_slots(s->plan) + 1));
  few__model_bind(s->m, s->plan, "", NULL, s->slots);
  for (int i = 0; i <= INS; i++) {
    const int slot = few__plan_find_slot(s->plan, i < INS ? names[i] : "label");
    if (slot >= 0) s->slots[slot] = i < INS ? (const void *)s->in[i] : s->label;
  }
  return FEW_OK;
}

static void free_study(struct study *s) {
  few_ctx *ctx = s->ctx;
  few__plan_free(s->plan);
  few__free(ctx, s->arena);
  few__free(ctx, (void *)s->slots);
  for (int i = 0; i < INS; i++) few__free(ctx, s->in[i]);
  for (int i = 0; i < OUTS; i++) few__free(ctx, s->out[i]);
  few__free(ctx, s->label);
  few__free(ctx, s->teacher_label);
  few__free(ctx, s->map);
  few__free(ctx, s->teacher_map);
  few__free(ctx, s->scales);
  few__free(ctx, s->row);
}

/* ---- Rows ---- */

static double time_of(const struct few_tangent_bin *b, int64_t k) {
  return b->from + (b->to - b->from) * ((double)k + 0.5) / (double)b->rows;
}

/* Fills in x, t and the directions of the tangents for rows first .. first + R - 1 of a bin. Rows
 * after the bin's last row repeat its time and are ignored. */
static few_status fill(struct study *s, const struct few_tangent_bin *b, int bin, int64_t first) {
  struct few_data_stream stream = FEW_DATA_STREAM_INIT;
  stream.seed = s->o->seed;
  stream.scales = s->scales;
  FEW_TRY(few_data_fill(s->in[IN_X], s->label, s->o->data, &stream, bin * b->rows + first, s->R));
  for (int64_t i = 0; i < s->R && s->label[i] >= 0; i++) {
    if (s->teacher_map) s->teacher_label[i] = s->teacher_map[s->label[i]];
    if (s->map) s->label[i] = s->map[s->label[i]];
  }
  for (int64_t i = 0; i < s->R; i++) {
    const int64_t k = first + i < b->rows ? first + i : b->rows - 1;
    const double t = time_of(b, k), c = cos(t), sn = sin(t);
    float *x = s->in[IN_X] + i * s->d, *v = s->in[IN_V] + i * s->d;
    few__rng_normal_f32(&(struct few_rng){s->o->seed, (uint64_t)bin, (uint64_t)k, FEW_RNG_CHECK},
                        s->d, v);
    for (int64_t j = 0; j < s->d; j++) {
      const double x0 = (double)x[j], z = (double)v[j];
      x[j] = (float)(c * x0 + sn * z);
      v[j] = (float)(c * z - sn * x0);
    }
    s->in[IN_T][i] = (float)t;
    s->in[IN_ONE][i] = s->in[IN_GUIDANCE][i] = 1;
    s->in[IN_CS][i] = (float)(c * sn);
  }
  if (s->o->teacher) {
    struct few_inputs in = FEW_INPUTS_INIT;
    in.n = s->R;
    in.x = s->in[IN_X];
    in.t = s->in[IN_T];
    in.label = s->teacher_map ? s->teacher_label : NULL;
    FEW_TRY(few_runner_eval(s->in[IN_V], s->o->teacher, &in));
  }
  for (int64_t i = 0; i < s->R * s->d; i++)
    s->in[IN_CS_V][i] = s->in[IN_CS][i / s->d] * s->in[IN_V][i];
  return FEW_OK;
}

/* Adds one row to the sums of its bin, in units of sigma_d. */
static void add_row(struct study *s, struct few_tangent_bin *b, int64_t i) {
  const int64_t d = s->d;
  const double t = (double)s->in[IN_T][i];
  double *x = s->row, *F = x + d, *v = F + d, *raw = v + d, *rearranged = raw + d;
  double *df = rearranged + d, *g = df + d;
  for (int64_t j = 0; j < d; j++) {
    x[j] = (double)s->in[IN_X][i * d + j];
    v[j] = (double)s->in[IN_V][i * d + j];
    F[j] = (double)s->out[OUT_F][i * d + j];
    raw[j] = (double)s->out[OUT_RAW][i * d + j];
    rearranged[j] = (double)s->out[OUT_REARRANGED][i * d + j];
  }
  few__scm_dfdt(1, t, d, x, F, v, raw, df);
  few__scm_g(1, t, 1, d, x, F, v, rearranged, g);
  for (int64_t j = 0; j < d; j++) {
    const double first = -cos(t) * (F[j] - v[j]), off = g[j] - cos(t) * df[j];
    b->size += df[j] * df[j];
    b->velocity += first * first;
    b->slope += (df[j] - first) * (df[j] - first);
    b->largest_raw = fmax(b->largest_raw, fabs(raw[j]));
    b->largest_rearranged = fmax(b->largest_rearranged, fabs(rearranged[j]));
    b->difference += off * off;
    s->weighted += g[j] * g[j];
  }
}

static few_status run_bin(struct study *s, struct few_tangent_bin *b, int bin) {
  s->weighted = 0;
  for (int64_t first = 0; first < b->rows; first += s->R) {
    FEW_TRY(fill(s, b, bin, first));
    few__plan_replay(
        s->plan, s->arena,
        &(struct few_binding){
            .slots = s->slots,
            .outs = (void *[]){s->out[OUT_RAW], s->out[OUT_REARRANGED], s->out[OUT_F]}});
    for (int64_t i = 0; i < s->R && first + i < b->rows; i++) add_row(s, b, i);
  }
  const double count = (double)(b->rows * s->d);
  b->size = sqrt(b->size / count);
  b->velocity = sqrt(b->velocity / count);
  b->slope = sqrt(b->slope / count);
  b->difference = s->weighted > 0 ? sqrt(b->difference / s->weighted) : 0;
  return FEW_OK;
}

/* ---- Checks ---- */

static bool same_shape(const struct few_net_spec *a, int64_t h, int64_t w, int64_t c, bool points) {
  return a->h == h && a->w == w && a->c == c && a->points == points;
}

static few_status check(few_ctx *ctx, const few_model *m, const struct few_tangent_opts *o) {
  FEW_TRY(few__opts_check(ctx, "few_tangent_opts", o, FEW_TANGENT_OPTS_VERSION));
  const struct few_net_spec *s = &m->spec, *t = o->teacher ? &o->teacher->m->spec : s;
  const few_data *data = o->data;
  if (few__model_classifies(m) || few__model_classifies(o->teacher ? o->teacher->m : m))
    return few__fail(ctx, FEW_E_INVALID, "a classifier has no flow, so no tangent along it");
  if (s->step_size || t->step_size)
    return few__fail(
        ctx, FEW_E_INVALID,
        "a network that takes a step size was not trained with df/dt: give one without");
  if (!data)
    return few__fail(ctx, FEW_E_INVALID, "tangent: no data: give a set of the model's shape");
  if (!same_shape(s, few_data_h(data), few_data_w(data), few_data_c(data),
                  few_data_get_kind(data) == FEW_DATA_POINTS))
    return few__fail(ctx, FEW_E_INVALID, "data %s do not have the model's shape, %lldx%lldx%lld",
                     few_data_spec(data), (long long)s->h, (long long)s->w, (long long)s->c);
  if (!same_shape(s, t->h, t->w, t->c, t->points) || t->sigma_data != s->sigma_data)
    return few__fail(ctx, FEW_E_INVALID, "the teacher makes data of another shape or scale");
  const int64_t classes = few_data_n_classes(data);
  if ((s->classes && s->classes != classes) || (t->classes && t->classes != classes))
    return few__fail(ctx, FEW_E_INVALID, "data %s have %lld classes, the network %lld",
                     few_data_spec(data), (long long)classes,
                     (long long)(s->classes ? s->classes : t->classes));
  if (o->rows < 1 || o->rows > 1 << 20)
    return few__fail(ctx, FEW_E_INVALID, "tangent: %lld rows per bin: give 1 to 2^20",
                     (long long)o->rows);
  return FEW_OK;
}

few_status few_model_tangent(struct few_tangent_bin out[FEW_TANGENT_BINS], few_runner *r,
                             const struct few_tangent_opts *opts) {
  few_ctx *ctx = r->ctx;
  const few_model *m = r->m;
  struct study s = {.ctx = ctx,
                    .m = m,
                    .o = opts,
                    .R = few_runner_rows(r),
                    .d = m->spec.h * m->spec.w * m->spec.c,
                    .started = few__now()};
  const double width = few__t_max(m->spec.sigma_data) / FEW_TANGENT_BINS;
  few_status st;
  memset(out, 0, FEW_TANGENT_BINS * sizeof *out);
  FEW_TRY(check(ctx, m, opts));
  FEW_GOTO(make_plan(&s));
  FEW_GOTO(make_room(&s));
  FEW_GOTO(few__model_scales(ctx, m, &s.scales));
  for (int64_t k = 0; k < m->spec.c; k++) s.scales[k].scale /= m->spec.sigma_data;
  for (int i = 0; i < FEW_TANGENT_BINS; i++) {
    out[i] = (struct few_tangent_bin){.from = i * width, .to = (i + 1) * width, .rows = opts->rows};
    FEW_GOTO(run_bin(&s, &out[i], i));
    const struct few_progress p = {.what = "tangents",
                                   .done = i + 1,
                                   .total = FEW_TANGENT_BINS,
                                   .seconds = few__now() - s.started};
    FEW_GOTO(few__progress(ctx, &p));
  }
out:
  free_study(&s);
  return st;
}
