/* model.c - a network with its weights: creating, sharing, tracing and reading it.
 *
 * The network is traced once, with one row, on a graph that is then freed. This fills the table of
 * parameters, which has the size of `values`, the tensors that a file must have, and the offset of
 * each array. Later traces find the same rows, so the table never changes after few__model_declare.
 *
 * A model made by few_model_with_times shares the arrays of its root. The root counts the models
 * that share them; when the last is freed, so are the arrays.
 */
#include "model.h"

#include <math.h>
#include <stdio.h>

enum { MAX_SIDE = 1 << 20, MAX_CLASSES = 1 << 20, MAX_AUGMENT = 1 << 12 };
static const int64_t max_values = (int64_t)1 << 26; /* of one image */

static few_status check_spec(few_ctx *ctx, const struct few_net_spec *s) {
  if (s->h < 1 || s->w < 1 || s->c < 1 || s->h > MAX_SIDE || s->w > MAX_SIDE || s->c > MAX_SIDE ||
      s->h * s->w > max_values || s->h * s->w * s->c > max_values)
    return few__fail(ctx, FEW_E_INVALID,
                     "images of %lld x %lld with %lld channels: give sides from 1, and at most "
                     "%lld values in all",
                     (long long)s->h, (long long)s->w, (long long)s->c, (long long)max_values);
  if (s->points && (s->h != 1 || s->w != 1))
    return few__fail(ctx, FEW_E_INVALID, "points of %lld x %lld: points must have h = w = 1",
                     (long long)s->h, (long long)s->w);
  if (s->classes < 0 || s->classes > MAX_CLASSES)
    return few__fail(ctx, FEW_E_INVALID, "%lld classes: give 0 to %d", (long long)s->classes,
                     MAX_CLASSES);
  if (s->augment < 0 || s->augment > MAX_AUGMENT)
    return few__fail(ctx, FEW_E_INVALID, "%lld labels of augmentation: give 0 to %d",
                     (long long)s->augment, MAX_AUGMENT);
  if (!(s->sigma_data > 0) || !isfinite(s->sigma_data))
    return few__fail(ctx, FEW_E_INVALID, "sigma_data is %g: give a finite number above 0",
                     s->sigma_data);
  return FEW_OK;
}

void few__model_reach(const few_graph *g, few_node y, bool *live) {
  assert(y >= 0 && y < few_graph_size(g));
  live[y] = true;
  for (few_node v = y; v >= 0; v--) { /* operands come before the nodes that use them */
    const struct few_node_data *n = few__node(g, v);
    for (int k = 0; live[v] && k < n->n_in; k++) live[n->in[k]] = true;
  }
}

/* Counts the operations. Fails if the network does not depend on labels of augmentation that it
 * should take: it would learn to make augmented images. */
static few_status look(few_model *m, const few_graph *g, few_node y, few_node augment) {
  assert(!(m->flops > 0));
  bool *live;
  FEW_TRY(FEW_NEW(m->ctx, &live, few_graph_size(g)));
  few__model_reach(g, y, live);
  for (few_node v = 0; v <= y; v++) {
    const struct few_node_data *n = few__node(g, v);
    const struct few_op_def *def = few__op_def(n->op);
    if (live[v] && def->flops) m->flops += def->flops(g, n);
  }
  const bool takes = augment == FEW_NONE || live[augment];
  few__free(m->ctx, live);
  if (takes) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "it has no input for the labels of augmentation: train it without augment");
}

/* A classifier takes clean images, without a time. */
static few_node build(const few_model *m, struct few_nn *nn, const struct few_net_input *in) {
  struct few_net_input own = *in;
  if (!few__model_classifies(m)) own = few__net_input(nn->g, &m->spec, in);
  return m->net->build(nn, &m->spec, m->net_opts, &own);
}

/* The first trace, which fills the table of parameters. */
static few_status declare(few_model *m) {
  few_graph *g;
  few_status st;
  FEW_TRY(few_graph_create(&g, m->ctx));
  struct few_nn nn = {.g = g, .params = &m->params, .prefix = ""};
  struct few_net_input in = few__model_inputs(m, g, 1);
  in.augment = few__model_augment(m, g, 1);
  few_node y = build(m, &nn, &in);
  FEW_GOTO(few_graph_status(g));
  struct few_shape made =
      few__model_classifies(m) ? FEW_SHAPE(1, m->spec.classes) : few_node_shape(g, in.x);
  if (!few__model_classifies(m)) made.dim[made.rank - 1] *= few_net_heads(&m->spec);
  assert(y != FEW_NONE && few_shape_equal(few_node_shape(g, y), made));
  FEW_UNUSED(made);
  FEW_GOTO(look(m, g, y, in.augment));
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
  assert(net && opts && spec);
  FEW_TRY(check_spec(ctx, spec));
  FEW_TRY(FEW_NEW(ctx, &m, 1));
  *m = (few_model){.ctx = ctx,
                   .root = m,
                   .net = net,
                   .spec = *spec,
                   .data_scale = 1,
                   .objective = "diffusion",
                   .sampler = "heun",
                   .guidance_min = 1,
                   .guidance_max = 1};
  FEW_GOTO(FEW_NEW(ctx, &m->users, 1));
  m->users->sharing = 1;
  FEW_GOTO(FEW_NEW(ctx, &net_opts, net->options_size));
  m->net_opts = memcpy(net_opts, opts, net->options_size);
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

/* ---- Sharing ---- */

static void free_arrays(few_model *root) {
  few_ctx *ctx = root->ctx;
  few__params_free(ctx, &root->params);
  few__free(ctx, root->net_opts);
  few__free(ctx, root->values);
  for (int64_t i = 0; root->class_names && i < root->spec.classes; i++)
    few__free(ctx, root->class_names[i]);
  few__free(ctx, root->class_names);
  few__free(ctx, root->class_counts);
  few__free(ctx, root->scales);
  few__free(ctx, root->provenance);
  few__free(ctx, root->users);
  few__free(ctx, root);
}

void few_model_free(few_model *m) {
  if (!m) return;
  few_ctx *ctx = m->ctx;
  few_model *root = m->root;
  assert(!m->users || !m->users->runners); /* a model outlives its runners */
  few__free(ctx, m->times);
  m->times = NULL;
  if (m != root) {
    few__free(ctx, m->users);
    few__free(ctx, m);
  }
  assert(!root->users || root->users->sharing > 0);
  if (root->users && --root->users->sharing > 0) return;
  free_arrays(root);
}

few_status few_model_with_times(few_model **out, const few_model *m, int n, const double *times) {
  few_model *copy;
  few_status st;
  *out = NULL;
  FEW_TRY(FEW_NEW(m->ctx, &copy, 1));
  *copy = *m;
  copy->users = NULL;
  copy->n_times = 0;
  copy->times = NULL;
  m->root->users->sharing++;
  FEW_GOTO(FEW_NEW(m->ctx, &copy->users, 1));
  FEW_GOTO(few__model_set_times(copy, n, times));
  *out = copy;
out:
  if (st) few_model_free(copy);
  return st;
}

float *few__model_write(few_model *m) {
  assert(m->root == m && m->users->sharing == 1 && m->values);
  m->written++;
  return m->values;
}

static few_status check_times(few_ctx *ctx, int n, const double *times) {
  if (n < 0 || n > FEW_MODEL_MAX_TIMES || (n && !times))
    return few__fail(ctx, FEW_E_INVALID, "%d sampling times: give 0 to %d", n, FEW_MODEL_MAX_TIMES);
  for (int i = 0; i < n; i++)
    if (!(times[i] > 0 && times[i] <= (i ? times[i - 1] : FEW_PI_2)) ||
        (i && times[i] == times[i - 1]))
      return few__fail(ctx, FEW_E_INVALID,
                       "sampling time %d is %g: times must fall strictly, be at most pi/2, and be "
                       "above 0",
                       i, times[i]);
  return FEW_OK;
}

few_status few__model_set_times(few_model *m, int n, const double *times) {
  double *copy = NULL;
  FEW_TRY(check_times(m->ctx, n, times));
  if (n > 0) FEW_TRY(FEW_NEW(m->ctx, &copy, n));
  if (n > 0) memcpy(copy, times, (size_t)n * sizeof *copy);
  assert(!copy == !n);
  few__free(m->ctx, m->times);
  m->times = copy;
  m->n_times = n;
  return FEW_OK;
}

/* ---- The network as a graph ---- */

struct few_net_input few__model_inputs(const few_model *m, few_graph *g, int64_t rows) {
  assert(rows >= 1);
  const struct few_net_spec *s = &m->spec;
  const struct few_shape x = s->points ? FEW_SHAPE(rows, s->c) : FEW_SHAPE(rows, s->h, s->w, s->c);
  return (struct few_net_input){
      .x = few_input(g, "x", FEW_REAL, x),
      .t = few_input(g, "t", FEW_REAL, FEW_SHAPE(rows)),
      .label = s->classes ? few_input(g, "label", FEW_INDEX, FEW_SHAPE(rows)) : FEW_NONE,
      .guidance = s->guidance ? few_input(g, "guidance", FEW_REAL, FEW_SHAPE(rows)) : FEW_NONE,
      .step_size = s->step_size ? few_input(g, "step_size", FEW_REAL, FEW_SHAPE(rows)) : FEW_NONE,
      .augment = FEW_NONE,
  };
}

few_node few__model_augment(const few_model *m, few_graph *g, int64_t rows) {
  if (!m->spec.augment) return FEW_NONE;
  return few_input(g, "augment", FEW_REAL, FEW_SHAPE(rows, m->spec.augment));
}

few_node few__model_trace_middle(const few_model *m, few_graph *g, const char *prefix,
                                 bool training, const struct few_net_input *in, few_node *middle) {
  struct few_params params = m->params; /* rows are only found, none is added */
  struct few_nn nn = {
      .g = g, .params = &params, .prefix = prefix, .training = training, .middle = FEW_NONE};
  few_node y = build(m, &nn, in);
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
  assert(values || m->values);
  size_t n = strlen(prefix);
  for (int i = 0; i < few__plan_slots(plan); i++) {
    const struct few_slot *s = few__plan_slot(plan, i);
    if (!s->param || strncmp(s->name, prefix, n) != 0) continue;
    int row = few__params_find(&m->params, s->name + n);
    if (row >= 0) slots[i] = (values ? values : m->values) + m->params.at[row].offset;
  }
}

few_status few_model_graph(few_node *out, const few_model *m, few_graph *g, int64_t rows) {
  *out = FEW_NONE;
  if (rows < 1)
    return few__fail(few__graph_ctx(g), FEW_E_INVALID, "a network of %lld rows: give at least 1",
                     (long long)rows);
  struct few_net_input in = few__model_inputs(m, g, rows);
  *out = few__model_trace(m, g, "", false, &in);
  return few_graph_status(g);
}

/* ---- Reading it ---- */

const char *few__direction_name(enum few_direction d) {
  static const char *const names[FEW_DIRECTIONS] = {"both", "decode", "encode"};
  assert((int)d >= 0 && d < FEW_DIRECTIONS);
  return names[d];
}

const char *few__step_size_name(enum few_step_size s) {
  static const char *const names[FEW_STEP_SIZES] = {"none", "angle", "segment", "halvings"};
  assert((int)s >= 0 && s < FEW_STEP_SIZES);
  return names[s];
}

few_status few__step_size_find(few_ctx *ctx, enum few_step_size *out, const char *name) {
  for (int i = 0; i < FEW_STEP_SIZES; i++)
    if (!strcmp(few__step_size_name((enum few_step_size)i), name)) {
      *out = (enum few_step_size)i;
      return FEW_OK;
    }
  return few__fail(ctx, FEW_E_UNSUPPORTED,
                   "there is no span `%.40s`: give none, angle, segment or halvings", name);
}

void few_model_info(struct few_model_info *out, size_t size, const few_model *m) {
  const struct few_net_spec *s = &m->spec;
  const struct few_model_info info = {.net = m->net->name,
                                      .objective = m->objective,
                                      .sampler = m->sampler,
                                      .h = s->h,
                                      .w = s->w,
                                      .c = s->c,
                                      .points = s->points,
                                      .classes = s->classes,
                                      .class_counts = m->class_counts,
                                      .unlabelled = s->unlabelled,
                                      .guided = s->guidance,
                                      .guidance_min = m->guidance_min,
                                      .guidance_max = m->guidance_max,
                                      .parameters = few__params_count(&m->params),
                                      .sigma_data = s->sigma_data,
                                      .step = m->step,
                                      .flops = m->flops,
                                      .step_size = s->step_size != FEW_STEP_SIZE_NONE,
                                      .augment = s->augment,
                                      .n_times = m->n_times,
                                      .times = m->times,
                                      .direction = m->direction,
                                      .predicts = few__predict_name(s->predicts)};
  few__give(out, size, &info, sizeof info);
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

few_status few_model_find_class(int *label, const few_model *m, const char *word) {
  const struct few_classes c = few__model_classes(m, "this model");
  int32_t found = -1;
  const few_status st = few__class_find(m->ctx, &c, word, &found);
  *label = (int)found;
  return st;
}

few_status few__model_match(few_ctx *ctx, int32_t *map, const few_model *m, const few_data *data) {
  char whose[200];
  snprintf(whose, sizeof whose, "data %.180s", few_data_spec(data));
  const struct few_classes from = few__data_classes(data, whose);
  const struct few_classes to = few__model_classes(m, "the model");
  return few__classes_map(ctx, &from, &to,
                          "take data of the model's classes, or leave their labels out", map);
}

few_status few_model_match_data(int32_t *map, const few_model *m, const few_data *data) {
  return few__model_match(m->ctx, map, m, data);
}

few_status few_model_match_model(int32_t *map, const few_model *m, const few_model *other) {
  const struct few_classes from = few__model_classes(other, "the other model");
  const struct few_classes to = few__model_classes(m, "the model");
  return few__classes_map(m->ctx, &from, &to,
                          "name the class for each model, or use models of the same", map);
}

few_status few_model_metadata(char **out, const few_model *m) {
  struct few_text t = {0};
  *out = NULL;
  const few_status st = few__model_describe(m, &t);
  if (st)
    few__text_free(m->ctx, &t);
  else
    *out = t.at;
  return st;
}

int few_model_parameter_rows(const few_model *m) { return m->params.n; }

bool few_model_parameter(struct few_model_parameter *out, size_t size, const few_model *m, int i) {
  if (i < 0 || i >= m->params.n) return false;
  const struct few_param_row *row = &m->params.at[i];
  const struct few_model_parameter p = {row->name, row->shape, row->offset};
  few__give(out, size, &p, sizeof p);
  return true;
}

const float *few_model_values(const few_model *m) { return m->values; }
