/* model.c - a network with its weights: made from a table row, options and a spec.
 *
 * The network is traced once on a graph that is thrown away, one row wide: that fills the table of
 * parameters, which then says how large `values` is, what a file must hold and where each array
 * lies. Later traces find the same rows, so the table never changes after few__model_declare.
 */
#include "model.h"

#include <math.h>
#include <stdio.h>

enum { MAX_SIDE = 1 << 20, MAX_CLASSES = 1 << 20 };
static const int64_t max_values = (int64_t)1 << 26; /* of one image */

static few_status check_spec(few_ctx *ctx, const struct few_net_spec *s) {
  if (s->h < 1 || s->w < 1 || s->c < 1 || s->h > MAX_SIDE || s->w > MAX_SIDE || s->c > MAX_SIDE ||
      s->h * s->w > max_values || s->h * s->w * s->c > max_values)
    return few__fail(ctx, FEW_E_INVALID,
                     "images of %lld x %lld with %lld channels: give sides from 1, and at most "
                     "%lld values in all",
                     (long long)s->h, (long long)s->w, (long long)s->c, (long long)max_values);
  if (s->points && (s->h != 1 || s->w != 1))
    return few__fail(ctx, FEW_E_INVALID, "points of %lld x %lld: give points h = w = 1",
                     (long long)s->h, (long long)s->w);
  if (s->classes < 0 || s->classes > MAX_CLASSES)
    return few__fail(ctx, FEW_E_INVALID, "%lld classes: give 0 to %d", (long long)s->classes,
                     MAX_CLASSES);
  if (!(s->sigma_data > 0) || !isfinite(s->sigma_data))
    return few__fail(ctx, FEW_E_INVALID, "sigma_data is %g: give a finite number above 0",
                     s->sigma_data);
  return FEW_OK;
}

void few__model_reach(const few_graph *g, few_node y, bool *live) {
  live[y] = true;
  for (few_node v = y; v >= 0; v--) { /* operands come before what is made of them */
    const struct few_node_data *n = few__node(g, v);
    for (int k = 0; live[v] && k < n->n_in; k++) live[n->in[k]] = true;
  }
}

static few_status count_flops(few_model *m, const few_graph *g, few_node y) {
  bool *live;
  FEW_TRY(FEW_NEW(m->ctx, &live, few_graph_size(g)));
  few__model_reach(g, y, live);
  for (few_node v = 0; v <= y; v++) {
    const struct few_node_data *n = few__node(g, v);
    const struct few_op_def *def = few__op_def(n->op);
    if (live[v] && def->flops) m->flops += def->flops(g, n);
  }
  few__free(m->ctx, live);
  return FEW_OK;
}

/* Fills the table of parameters, which is what makes this trace unlike later ones. */
static few_status declare(few_model *m) {
  few_graph *g;
  few_status st;
  FEW_TRY(few_graph_create(m->ctx, &g));
  struct few_nn nn = {.g = g, .params = &m->params, .prefix = ""};
  struct few_net_input in = few__model_inputs(m, g, 1);
  few_node y = m->net->build(&nn, &m->spec, m->net_opts, &in);
  FEW_GOTO(few_graph_status(g));
  struct few_shape made =
      few__model_classifies(m) ? FEW_SHAPE(1, m->spec.classes) : few_node_shape(g, in.x);
  if (!few__model_classifies(m)) made.dim[made.rank - 1] *= few_net_heads(&m->spec);
  assert(y != FEW_NONE && few_shape_equal(few_node_shape(g, y), made));
  FEW_UNUSED(made);
  FEW_GOTO(count_flops(m, g, y));
out:
  few_graph_free(g);
  return st ? few__fail_in(m->ctx, st, "net %s", m->net->name) : FEW_OK;
}

few_status few__model_declare(few_ctx *ctx, few_model **out, const struct few_net_def *net,
                              const void *opts, const struct few_net_spec *spec) {
  few_model *m;
  char *net_opts;
  few_status st;
  *out = NULL;
  FEW_TRY(check_spec(ctx, spec));
  FEW_TRY(FEW_NEW(ctx, &m, 1));
  *m = (few_model){.ctx = ctx,
                   .net = net,
                   .spec = *spec,
                   .data_scale = 1,
                   .objective = "diffusion",
                   .sampler = "heun",
                   .guidance_min = 1,
                   .guidance_max = 1};
  FEW_GOTO(FEW_NEW(ctx, &net_opts, net->options_size));
  m->net_opts = memcpy(net_opts, opts, net->options_size);
  FEW_GOTO(FEW_NEW(ctx, &m->lent, 1));
  FEW_GOTO(declare(m));
out:
  if (st)
    few_model_free(m);
  else
    *out = m;
  return st;
}

few_status few__model_create(few_ctx *ctx, few_model **out, const struct few_net_def *net,
                             const void *opts, const struct few_net_spec *spec, uint64_t seed) {
  FEW_TRY(few__model_declare(ctx, out, net, opts, spec));
  few_model *m = *out;
  few_status st = FEW_NEW(ctx, &m->values, m->params.total);
  if (!st) few__params_init(&m->params, seed, m->values);
  if (st) few_model_free(m);
  if (st) *out = NULL;
  return st;
}

static void free_lent(few_ctx *ctx, struct few_lent *l) {
  for (int i = 0; l && i < l->n; i++) few__free(ctx, l->at[i]);
  if (l) few__free(ctx, l->at);
  few__free(ctx, l);
}

/* Takes over `block`, also where it fails. */
static few_status lend(const few_model *m, void *block) {
  struct few_lent *l = m->lent;
  few_status st = FEW_GROW(m->ctx, l, l->n + 1);
  if (st)
    few__free(m->ctx, block);
  else
    l->at[l->n++] = block;
  return st;
}

void few_model_free(few_model *m) {
  if (!m) return;
  few_ctx *ctx = m->ctx;
  few__model_runner_free(m);
  free_lent(ctx, m->lent);
  few__params_free(ctx, &m->params);
  few__free(ctx, m->net_opts);
  few__free(ctx, m->values);
  for (int64_t i = 0; m->class_names && i < m->spec.classes; i++) few__free(ctx, m->class_names[i]);
  few__free(ctx, m->class_names);
  few__free(ctx, m->class_counts);
  few__free(ctx, m->scales);
  few__free(ctx, m->provenance);
  few__free(ctx, m);
}

/* ---- the network as a graph ---- */

struct few_net_input few__model_inputs(const few_model *m, few_graph *g, int64_t rows) {
  const struct few_net_spec *s = &m->spec;
  const struct few_shape x = s->points ? FEW_SHAPE(rows, s->c) : FEW_SHAPE(rows, s->h, s->w, s->c);
  return (struct few_net_input){
      .x = few_input(g, "x", FEW_REAL, x),
      .t = few_input(g, "t", FEW_REAL, FEW_SHAPE(rows)),
      .label = s->classes ? few_input(g, "label", FEW_INDEX, FEW_SHAPE(rows)) : FEW_NONE,
      .guidance = s->guidance ? few_input(g, "guidance", FEW_REAL, FEW_SHAPE(rows)) : FEW_NONE,
      .span = s->span ? few_input(g, "span", FEW_REAL, FEW_SHAPE(rows)) : FEW_NONE,
  };
}

few_node few__model_trace_middle(const few_model *m, few_graph *g, const char *prefix,
                                 bool training, const struct few_net_input *in, few_node *middle) {
  struct few_params params = m->params; /* rows are found, none is added */
  struct few_nn nn = {
      .g = g, .params = &params, .prefix = prefix, .training = training, .middle = FEW_NONE};
  few_node y = m->net->build(&nn, &m->spec, m->net_opts, in);
  assert(params.n == m->params.n);
  *middle = nn.middle;
  return few__model_classifies(m) ? y : few__net_F(g, &m->spec, in, y);
}

few_node few__model_trace(const few_model *m, few_graph *g, const char *prefix, bool training,
                          const struct few_net_input *in) {
  few_node middle;
  return few__model_trace_middle(m, g, prefix, training, in, &middle);
}

few_node few__model_features(const few_model *m, few_graph *g, const char *prefix,
                             const struct few_net_input *in) {
  struct few_params params = m->params;
  struct few_nn nn = {.g = g, .params = &params, .prefix = prefix};
  assert(few__model_classifies(m));
  return m->net->features(&nn, &m->spec, m->net_opts, in);
}

void few__model_bind(const few_model *m, const few_plan *plan, const char *prefix,
                     const float *values, const void **slots) {
  size_t n = strlen(prefix);
  for (int i = 0; i < few__plan_slots(plan); i++) {
    const struct few_slot *s = few__plan_slot(plan, i);
    if (!s->param || strncmp(s->name, prefix, n) != 0) continue;
    int row = few__params_find(&m->params, s->name + n);
    if (row >= 0) slots[i] = (values ? values : m->values) + m->params.at[row].offset;
  }
}

few_status few_model_graph(const few_model *m, few_graph *g, int64_t rows, few_node *out) {
  *out = FEW_NONE;
  if (rows < 1)
    return few__fail(m->ctx, FEW_E_INVALID, "a network on %lld rows: give at least 1",
                     (long long)rows);
  struct few_net_input in = few__model_inputs(m, g, rows);
  *out = few__model_trace(m, g, "", false, &in);
  return few_graph_status(g);
}

/* ---- looking at it ---- */

const char *few__direction_name(enum few_direction d) {
  static const char *const names[FEW_DIRECTIONS] = {"both", "decode", "encode"};
  return names[d];
}

void few_model_info(const few_model *m, struct few_model_info *out) {
  const struct few_net_spec *s = &m->spec;
  *out = (struct few_model_info){.net = m->net->name,
                                 .objective = m->objective,
                                 .sampler = m->sampler,
                                 .h = s->h,
                                 .w = s->w,
                                 .c = s->c,
                                 .points = s->points,
                                 .classes = s->classes,
                                 .class_counts = m->class_counts,
                                 .unlabelled = (int)s->unlabelled - 1,
                                 .guided = s->guidance,
                                 .guidance_min = m->guidance_min,
                                 .guidance_max = m->guidance_max,
                                 .parameters = few__params_count(&m->params),
                                 .sigma_data = s->sigma_data,
                                 .step = m->step,
                                 .flops = m->flops,
                                 .span = s->span != FEW_SPAN_NONE,
                                 .n_times = m->n_times,
                                 .times = m->times,
                                 .direction = few__direction_name(m->direction),
                                 .predicts = few__predict_name(s->predicts)};
}

few_status few_model_set_times(few_model *m, int n, const double *times) {
  double *copy = NULL;
  if (n < 0 || n > FEW_MODEL_MAX_TIMES || (n && !times))
    return few__fail(m->ctx, FEW_E_INVALID, "%d sampling times: give 0 to %d", n,
                     FEW_MODEL_MAX_TIMES);
  for (int i = 0; i < n; i++)
    if (!(times[i] > 0 && times[i] <= (i ? times[i - 1] : FEW_PI_2)) ||
        (i && times[i] == times[i - 1]))
      return few__fail(m->ctx, FEW_E_INVALID,
                       "sampling time %d is %g: times fall strictly from at most pi/2 and stay "
                       "above 0",
                       i, times[i]);
  if (n > 0 && n == m->n_times && !memcmp(times, m->times, (size_t)n * sizeof *times))
    return FEW_OK;
  if (n > 0) {
    FEW_TRY(FEW_NEW(m->ctx, &copy, n));
    memcpy(copy, times, (size_t)n * sizeof *copy);
    FEW_TRY(lend(m, copy));
  }
  m->times = copy;
  m->n_times = n;
  return FEW_OK;
}

const char *few_model_class_name(const few_model *m, int64_t label) {
  if (!m->class_names || label < 0 || label >= m->spec.classes) return NULL;
  return m->class_names[label];
}

static const char *name_of(const void *m, int64_t label) { return few_model_class_name(m, label); }

struct few_classes few__model_classes(const few_model *m, const char *whose) {
  return (struct few_classes){m->spec.classes, name_of, m, whose};
}

struct few_shares few__model_shares(const few_model *m) {
  return (struct few_shares){m->spec.classes, m->class_counts};
}

few_status few_model_find_class(const few_model *m, const char *word, int *label) {
  const struct few_classes c = few__model_classes(m, "this model");
  int32_t found;
  const few_status st = few__class_find(m->ctx, &c, word, &found);
  *label = (int)found;
  return st;
}

few_status few_model_match_data(const few_model *m, const few_data *data, int32_t *map) {
  char whose[200];
  snprintf(whose, sizeof whose, "data %.180s", few_data_spec(data));
  const struct few_classes from = few__data_classes(data, whose);
  const struct few_classes to = few__model_classes(m, "the model");
  return few__classes_map(m->ctx, &from, &to,
                          "take data of the model's classes, or leave their labels out", map);
}

few_status few_model_match_model(const few_model *m, const few_model *other, int32_t *map) {
  const struct few_classes from = few__model_classes(other, "the other model");
  const struct few_classes to = few__model_classes(m, "the model");
  return few__classes_map(m->ctx, &from, &to, "name the class in each, or take models of the same",
                          map);
}

const char *few_model_metadata(const few_model *m) {
  struct few_text t = {0};
  if (few__model_describe(m, &t)) {
    few__text_free(m->ctx, &t);
    return "";
  }
  if (m->lent->metadata && !strcmp(m->lent->metadata, t.at))
    few__text_free(m->ctx, &t);
  else
    m->lent->metadata = lend(m, t.at) ? "" : t.at;
  return m->lent->metadata;
}

int few_model_parameter_rows(const few_model *m) { return m->params.n; }

void few_model_parameter(const few_model *m, int i, struct few_model_parameter *out) {
  *out = (struct few_model_parameter){.name = NULL};
  if (i < 0 || i >= m->params.n) return;
  const struct few_param_row *row = &m->params.at[i];
  *out = (struct few_model_parameter){row->name, row->shape, row->offset};
}

const float *few_model_values(const few_model *m) { return m->values; }
float *few_model_values_mut(few_model *m) {
  m->written++;
  return m->values;
}
