/* show.c - a model as text: its description, then its layers or every node of its graph.
 *
 * A layer is a scope of the trace. Its line has the sums of parameters and FLOPs over the scope's
 * nodes, and the shape of the last node. A scope without parameters and FLOPs is left out. This is
 * the same for all networks.
 */
#include "few/inspect.h"
#include "model/model.h"

struct layer {
  const char *scope;
  struct few_shape shape;
  int64_t parameters;
  double flops;
};

struct showing {
  few_ctx *ctx;
  const few_model *m;
  few_graph *g;
  few_node y;
  bool *live;
  struct few_text *out;
  struct {
    struct layer *at;
    int n, cap;
  } layers;
};

static double node_flops(const few_graph *g, const struct few_node_data *n) {
  const struct few_op_def *def = few__op_def(n->op);
  return def->flops ? def->flops(g, n) : 0;
}

static const char *place(const char *scope) {
  while (*scope == '/') scope++;
  return *scope ? scope : "-";
}

/* ---- The description ---- */

/* Adds the network's options, "key = value; ...", on as many lines as needed. */
static void add_options(struct showing *s) {
  enum { COLUMNS = 96, INDENT = 12 };
  size_t line = 0;
  few__text_add(s->ctx, s->out, "net         %s\n", s->m->net->name);
  for (const struct few_option *o = s->m->net->options; o->key; o++) {
    struct few_text one = {0};
    few__text_add(s->ctx, &one, "%s = ", o->key);
    few__option_format(s->ctx, o, s->m->net_opts, &one);
    s->out->failed |= one.failed;
    bool fresh = !line || line + one.len + 2 > COLUMNS;
    const char *between = !line ? "" : fresh ? ";\n" : "; ";
    if (!one.failed)
      few__text_add(s->ctx, s->out, "%s%*s%s", between, fresh ? INDENT : 0, "", one.at);
    line = fresh ? INDENT + one.len : line + 2 + one.len;
    few__text_free(s->ctx, &one);
  }
  few__text_add(s->ctx, s->out, "\n");
}

static void add_scales(struct showing *s) {
  enum { SHOWN = 4 };
  const int64_t c = s->m->spec.c;
  few__text_add(s->ctx, s->out, "; mean and scale of each");
  for (int64_t k = 0; k < c && k < SHOWN; k++)
    few__text_add(s->ctx, s->out, "%s %g %g", k ? "," : "", s->m->scales[k].mean,
                  s->m->scales[k].scale);
  if (c > SHOWN) few__text_add(s->ctx, s->out, " ... (%lld)", (long long)c);
}

static void add_spec(struct showing *s) {
  const struct few_net_spec *p = &s->m->spec;
  if (p->points)
    few__text_add(s->ctx, s->out, "data        points, %lld dimensions", (long long)p->c);
  else
    few__text_add(s->ctx, s->out, "data        images, %lld x %lld x %lld", (long long)p->h,
                  (long long)p->w, (long long)p->c);
  if (p->classes) few__text_add(s->ctx, s->out, ", %lld classes", (long long)p->classes);
  if (s->m->scales)
    add_scales(s);
  else
    few__text_add(s->ctx, s->out, "; mean %g, scale %g", s->m->data_mean, s->m->data_scale);
  few__text_add(s->ctx, s->out, ", sigma_data %g\n", p->sigma_data);
}

/* Adds the training items of each class, and whether training had rows without a label. */
static void add_labels(struct showing *s) {
  static const char *const rows[] = {"", "none without a label", "some without a label"};
  const few_model *m = s->m;
  enum { SHOWN = 12 };
  if (!m->spec.classes || (!m->class_counts && !m->spec.unlabelled)) return;
  few__text_add(s->ctx, s->out, "labels      ");
  for (int64_t i = 0; m->class_counts && i < m->spec.classes && i < SHOWN; i++)
    few__text_add(s->ctx, s->out, "%s%lld", i ? ", " : "", (long long)m->class_counts[i]);
  if (m->class_counts && m->spec.classes > SHOWN) few__text_add(s->ctx, s->out, " ...");
  few__text_add(s->ctx, s->out, "%s%s\n", m->class_counts && m->spec.unlabelled ? "; " : "",
                rows[m->spec.unlabelled]);
}

static void add_times(struct showing *s) {
  const few_model *m = s->m;
  enum { SHOWN = 8 };
  if (m->n_times == 0) return;
  few__text_add(s->ctx, s->out, "times       ");
  for (int i = 0; i < m->n_times && i < SHOWN; i++)
    few__text_add(s->ctx, s->out, "%s%.6g", i ? ", " : "", m->times[i]);
  if (m->n_times > SHOWN) few__text_add(s->ctx, s->out, " ... (%d)", m->n_times);
  few__text_add(s->ctx, s->out, "\n");
}

static void add_head(struct showing *s) {
  const few_model *m = s->m;
  add_options(s);
  add_spec(s);
  add_labels(s);
  few__text_add(s->ctx, s->out, "trained     %s, %lld steps\n", m->objective, (long long)m->step);
  if (m->spec.process) {
    const struct few_process *p = few__process_at(m->spec.process);
    few__text_add(s->ctx, s->out, "process     %s: %s\n", p->name, p->help);
  }
  if (!few__model_classifies(m))
    few__text_add(s->ctx, s->out, "predicts    %s: %s\n", few__predict_name(m->spec.predicts),
                  few__predict_help(m->spec.predicts));
  few__text_add(s->ctx, s->out, "sampler     %s", m->sampler);
  if (m->spec.guidance)
    few__text_add(s->ctx, s->out, ", guidance %g to %g", m->guidance_min, m->guidance_max);
  if (m->spec.step_size) few__text_add(s->ctx, s->out, "; takes a step size");
  if (m->direction == FEW_ENCODES) few__text_add(s->ctx, s->out, ", from images to noise");
  if (m->spec.augment)
    few__text_add(s->ctx, s->out, "\naugment     %lld labels in training, 0 in sampling",
                  (long long)m->spec.augment);
  few__text_add(s->ctx, s->out, "\n");
  add_times(s);
  few__text_add(s->ctx, s->out, "parameters  %lld\ncost        %.4g MFLOP per %s\n\n",
                (long long)few__params_count(&m->params), m->flops / 1e6,
                m->spec.points ? "point" : "image");
}

/* ---- Layers ---- */

static struct layer *layer_of(struct showing *s, const char *scope) {
  for (int i = 0; i < s->layers.n; i++)
    if (!strcmp(s->layers.at[i].scope, scope)) return &s->layers.at[i];
  if (FEW_GROW(s->ctx, &s->layers, s->layers.n + 1)) return NULL;
  struct layer *l = &s->layers.at[s->layers.n++];
  *l = (struct layer){.scope = scope};
  return l;
}

static void add_layer(struct showing *s, const char *name, const char *shape, int64_t parameters,
                      double flops) {
  few__text_add(s->ctx, s->out, "%-36s %-20s %12lld %12.3f\n", name, shape, (long long)parameters,
                flops / 1e6);
}

static few_status add_layers(struct showing *s) {
  int64_t parameters = 0;
  double flops = 0;
  for (few_node v = 0; v <= s->y; v++) {
    const struct few_node_data *n = few__node(s->g, v);
    if (!s->live[v] || n->op == FEW_OP_INPUT || n->op == FEW_OP_FILL || n->op == FEW_OP_CONST)
      continue;
    struct layer *l = layer_of(s, n->scope);
    if (!l) return FEW_E_MEMORY;
    if (n->op == FEW_OP_PARAM)
      l->parameters += few_shape_count(n->shape);
    else
      l->shape = n->shape;
    l->flops += node_flops(s->g, n);
  }
  few__text_add(s->ctx, s->out, "%-36s %-20s %12s %12s\n", "layer", "shape", "parameters", "MFLOP");
  for (int i = 0; i < s->layers.n; i++) {
    const struct layer *l = &s->layers.at[i];
    if (!l->parameters && l->flops == 0) continue;
    add_layer(s, place(l->scope), few__shape_text(l->shape).at, l->parameters, l->flops);
    parameters += l->parameters;
    flops += l->flops;
  }
  add_layer(s, "all", few__shape_text(few_node_shape(s->g, s->y)).at, parameters, flops);
  return FEW_OK;
}

/* ---- Nodes ---- */

static void add_node(struct showing *s, few_node v) {
  const struct few_node_data *n = few__node(s->g, v);
  few__text_add(s->ctx, s->out, "%%%-5d %-14s %-20s", (int)v, few_node_op(s->g, v),
                few__shape_text(n->shape).at);
  if (n->name) few__text_add(s->ctx, s->out, " \"%s\"", n->name);
  for (int k = 0; k < n->n_in; k++) few__text_add(s->ctx, s->out, " %%%d", (int)n->in[k]);
  few__text_add(s->ctx, s->out, "  %s\n", place(n->scope));
}

static few_status show(struct showing *s, const struct few_show_opts *o) {
  FEW_TRY(few_model_graph(&s->y, s->m, s->g, o->rows));
  FEW_TRY(FEW_NEW(s->ctx, &s->live, few_graph_size(s->g)));
  few__model_reach(s->g, s->y, s->live);
  add_head(s);
  if (!o->graph) return add_layers(s);
  for (few_node v = 0; v <= s->y; v++)
    if (s->live[v]) add_node(s, v);
  return FEW_OK;
}

few_status few_model_show(char **out, const few_model *m, const struct few_show_opts *opts) {
  static const struct few_show_opts deflt = FEW_SHOW_OPTS_INIT;
  const struct few_show_opts *o = opts ? opts : &deflt;
  struct few_text text = {0};
  struct showing s = {.ctx = m->ctx, .m = m, .out = &text};
  *out = NULL;
  FEW_TRY(few__opts_check(m->ctx, "few_show_opts", o, FEW_SHOW_OPTS_VERSION));
  FEW_TRY(few_graph_create(&s.g, m->ctx));
  few_status st = show(&s, o);
  if (!st && text.failed) st = few__fail(m->ctx, FEW_E_MEMORY, "out of memory for a model's text");
  few__free(m->ctx, s.live);
  few__free(m->ctx, s.layers.at);
  few_graph_free(s.g);
  if (st)
    few__text_free(m->ctx, &text);
  else
    *out = text.at;
  return st;
}
