/* back.c - networks of few as tensors and configurations of other programs (back.h). */
#include "back.h"

#include <stdio.h>

enum { FULL_MAX = 200 };

#define ONNX "export an ONNX file instead"

/* ---- Options ---- */

static const struct few_option *option(const few_model *m, const char *key,
                                       enum few_option_type type) {
  const struct few_option *o = few_option_find(m->net->options, key);
  FEW_UNUSED(type);
  assert(o && o->type == type);
  return o;
}

int64_t few__back_int(const few_model *m, const char *key) {
  const struct few_option *o = option(m, key, FEW_OPTION_INT);
  assert(o->size == sizeof(int64_t));
  return *(const int64_t *)(const void *)((const char *)m->net_opts + o->offset);
}

double few__back_real(const few_model *m, const char *key) {
  const struct few_option *o = option(m, key, FEW_OPTION_REAL);
  return *(const double *)(const void *)((const char *)m->net_opts + o->offset);
}

const struct few_int_list *few__back_ints(const few_model *m, const char *key) {
  const struct few_option *o = option(m, key, FEW_OPTION_INT_LIST);
  return (const struct few_int_list *)(const void *)((const char *)m->net_opts + o->offset);
}

bool few__back_is(const few_model *m, const char *key, const char *word) {
  const struct few_option *o = few_option_find(m->net->options, key);
  struct few_text t = {0};
  assert(o && (o->type == FEW_OPTION_CHOICE || o->type == FEW_OPTION_BOOL));
  few__option_format(m->ctx, o, m->net_opts, &t);
  const bool is = !t.failed && !strcmp(t.at, word);
  few__text_free(m->ctx, &t);
  return is;
}

/* ---- Tensors ---- */

static struct few_back_tensor *find(struct few_back *b, const char *name) {
  for (int i = b->n; i-- > 0;) /* the newest are asked for again */
    if (!strcmp(b->at[i].name, name)) return &b->at[i];
  return NULL;
}

/* The tensor of this name; a new one is 0. */
static few_status tensor(struct few_importer *im, const char *name, struct few_shape shape,
                         float **values) {
  struct few_back *b = im->back;
  struct few_back_tensor *t = find(b, name);
  if (!t) {
    FEW_TRY(FEW_GROW(im->ctx, b, b->n + 1));
    t = &b->at[b->n];
    *t = (struct few_back_tensor){.name = few__strdup(im->ctx, name), .shape = shape};
    if (!t->name) return few__fail(im->ctx, FEW_E_MEMORY, "out of memory for the name of a tensor");
    b->n++;
    FEW_TRY(FEW_NEW(im->ctx, &t->values, few_shape_count(shape)));
  }
  assert(few_shape_equal(t->shape, shape));
  *values = t->values;
  return FEW_OK;
}

few_status few__back_put(struct few_importer *im, const char *from, const struct few_map_row *row,
                         const struct few_param_row *p) {
  const few_model *m = im->back->from;
  const int k = few__params_find(&m->params, p->name);
  float *out[FEW_MAP_SOURCES] = {NULL};
  char full[FULL_MAX];
  assert(row->how->undo && row->how->n <= FEW_MAP_SOURCES);
  for (int i = 0; i < row->how->n; i++) {
    snprintf(full, sizeof full, "%s%s", from, row->from[i]);
    FEW_TRY(tensor(im, full, row->how->shape(im, row->how, p->shape, i), &out[i]));
  }
  if (k >= 0) /* else it is an input that the model lacks, and 0 */
    row->how->undo(im, row->how, p->shape, m->values + m->params.at[k].offset, out);
  return FEW_OK;
}

few_status few__back_repeat(struct few_importer *im, const char *prefix, const char *like,
                            const char *const *names, int n) {
  char full[FULL_MAX];
  if (!strcmp(prefix, like)) return FEW_OK;
  for (int i = 0; i < n; i++) {
    float *copy;
    snprintf(full, sizeof full, "%s%s", like, names[i]);
    const struct few_back_tensor *t = find(im->back, full);
    assert(t);
    const struct few_back_tensor first = *t; /* the array may move */
    snprintf(full, sizeof full, "%s%s", prefix, names[i]);
    FEW_TRY(tensor(im, full, first.shape, &copy));
    memcpy(copy, first.values, (size_t)few_shape_count(first.shape) * sizeof *copy);
  }
  return FEW_OK;
}

/* ---- Is it the same network? ---- */

/* Options that say in two ways what one number says in the other program. If they differ, other
 * options may say why. */
static bool derived(const char *key) {
  static const char *const keys[] = {"channels",       "in_channels",   "mults",
                                     "embedding_mult", "time_channels", "attention",
                                     "head_channels",  "groups",        "group_channels",
                                     "dropout",        "dropout_side",  "pad"};
  for (int i = 0; i < FEW_COUNT(keys); i++)
    if (!strcmp(keys[i], key)) return true;
  return false;
}

static void add_option(struct few_importer *im, const struct few_option *o, struct few_text *out) {
  struct few_text mine = {0}, other = {0};
  few__option_format(im->ctx, o, im->back->from->net_opts, &mine);
  few__option_format(im->ctx, o, im->net_opts, &other);
  if (mine.at && other.at && strcmp(mine.at, other.at) != 0)
    few__text_add(im->ctx, out, "%s%s = %s (it has %s)", out->len ? ", " : "", o->key, mine.at,
                  other.at);
  few__text_free(im->ctx, &mine);
  few__text_free(im->ctx, &other);
}

static void add_spec(struct few_importer *im, struct few_text *out) {
  const struct few_net_spec *a = &im->back->from->spec, *b = &im->spec;
  if (a->process != b->process)
    few__text_add(im->ctx, out, "%sa network of the process %s (it has %s)", out->len ? ", " : "",
                  few__process_at(a->process)->name, few__process_at(b->process)->name);
  if (a->predicts != b->predicts)
    few__text_add(im->ctx, out, "%sthe prediction %s (it has %s)", out->len ? ", " : "",
                  few__predict_name(a->predicts), few__predict_name(b->predicts));
  if (a->h != b->h || a->w != b->w)
    few__text_add(im->ctx, out, "%simages of %lld x %lld", out->len ? ", " : "", (long long)a->h,
                  (long long)a->w);
}

static few_status refuse(struct few_importer *im) {
  struct few_text t = {0};
  add_spec(im, &t);
  for (int all = 0; all < 2 && !t.len; all++)
    for (const struct few_option *o = im->net->options; o->key; o++)
      if (all || !derived(o->key)) add_option(im, o, &t);
  const few_status st = few__fail(
      im->ctx, FEW_E_UNSUPPORTED, "%s of diffusers with %s has no counterpart of %s: " ONNX,
      im->layout->name, im->back->scheduler, t.at ? t.at : "this network");
  few__text_free(im->ctx, &t);
  return st;
}

static few_status compare(struct few_importer *im) {
  const few_model *m = im->back->from;
  few_graph *g;
  FEW_TRY(few_graph_create(&g, im->ctx));
  const struct few_net_input in = few__model_inputs(m, g, 1);
  const few_node mine = few__model_trace(m, g, "", false, &in);
  const few_node other = few__model_trace(im->model, g, "", false, &in);
  /* A parameter of another shape fails the graph: then the networks differ, too. */
  const few_status st = few_graph_status(g);
  few_graph_free(g);
  if (st == FEW_E_MEMORY) return st;
  return st || mine == FEW_NONE || mine != other ? refuse(im) : FEW_OK;
}

/* ---- The model ---- */

static few_status check(few_ctx *ctx, const few_model *m) {
  const char *what = few__model_classifies(m)       ? "a classifier"
                     : m->spec.points               ? "a model of points"
                     : m->spec.guidance             ? "a guidance scale as an input"
                     : m->spec.step_size            ? "a step size as an input"
                     : m->scales                    ? "a scale of the data for each channel"
                     : m->direction == FEW_ENCODES  ? "a model that encodes"
                     : few_net_heads(&m->spec) != 1 ? "the prediction both"
                                                    : NULL;
  if (!what) return FEW_OK;
  return few__fail(ctx, FEW_E_UNSUPPORTED, "diffusers has no counterpart of %s: " ONNX, what);
}

static few_status find_layout(few_ctx *ctx, struct few_back *b) {
  for (int i = 0; i < few__layout_count(); i++) {
    const struct few_layout *l = few__layout_at(i);
    if (!l->configure || strcmp(l->net, b->from->net->name) != 0) continue;
    b->layout = l;
    return FEW_OK;
  }
  return few__fail(ctx, FEW_E_UNSUPPORTED, "diffusers has no counterpart of the network %s: " ONNX,
                   b->from->net->name);
}

static few_status write_net(few_ctx *ctx, struct few_back *b) {
  const few_model *m = b->from;
  struct few_json j = few__json_begin(ctx, &b->net_text);
  few__json_open(&j, NULL, '{');
  few__json_put_string(&j, "_class_name", b->layout->name);
  few__json_put_string(&j, "_diffusers_version", FEW_BACK_VERSION);
  if (m->data_mean != 0) few__json_put_real(&j, FEW_BACK_MEAN, m->data_mean);
  if (m->data_scale != 1) few__json_put_real(&j, FEW_BACK_SCALE, m->data_scale);
  b->layout->configure(m, &j);
  few__json_close(&j);
  return few__json_end(&j, b->layout->name);
}

static few_status write_scheduler(few_ctx *ctx, struct few_back *b) {
  struct few_json j = few__json_begin(ctx, &b->time_text);
  few__json_open(&j, NULL, '{');
  FEW_TRY(few__export_process(ctx, b->from, &j, &b->scheduler));
  few__json_close(&j);
  return few__json_end(&j, b->scheduler);
}

static few_status read_back(struct few_importer *im) {
  struct few_back *b = im->back;
  struct few_origin *s = im->source;
  FEW_TRY(few__conf_parse(im->ctx, &s->net, b->layout->name, b->net_text.at, b->net_text.len));
  FEW_TRY(few__conf_parse(im->ctx, &s->scheduler, b->scheduler, b->time_text.at, b->time_text.len));
  const few_status st = im->layout->describe(im);
  if (st) return few__fail_in(im->ctx, st, "diffusers cannot have this network, so " ONNX);
  FEW_TRY(few__import_process(im));
  return few__model_declare(im->ctx, &im->model, im->net, im->net_opts, &im->spec);
}

static few_status make_tensors(struct few_importer *im) {
  FEW_TRY(FEW_NEW(im->ctx, &im->set, im->model->params.n + 1));
  FEW_TRY(im->layout->map(im));
  for (int i = 0; i < im->model->params.n; i++) assert(im->set[i]);
  return FEW_OK;
}

few_status few__back_open(few_ctx *ctx, struct few_back *out, const few_model *m) {
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  struct few_importer im = {.ctx = ctx,
                            .o = &o,
                            .outputs = 1,
                            .spec = {.h = 1, .w = 1, .c = 1, .sigma_data = 0.5},
                            .back = out};
  few_status st;
  *out = (struct few_back){.from = m};
  o.sigma_data = m->spec.sigma_data;
  FEW_GOTO(check(ctx, m));
  FEW_GOTO(find_layout(ctx, out));
  im.layout = out->layout;
  FEW_GOTO(write_net(ctx, out));
  FEW_GOTO(write_scheduler(ctx, out));
  FEW_GOTO(few__origin_new(ctx, &im.source, m->net->name));
  FEW_GOTO(read_back(&im));
  FEW_GOTO(compare(&im));
  st = make_tensors(&im);
out:
  few__origin_free(im.source);
  few_model_free(im.model);
  few__free(ctx, im.net_opts);
  few__free(ctx, im.set);
  return st;
}

void few__back_close(few_ctx *ctx, struct few_back *b) {
  for (int i = 0; i < b->n; i++) {
    few__free(ctx, b->at[i].name);
    few__free(ctx, b->at[i].values);
  }
  few__free(ctx, b->at);
  few__text_free(ctx, &b->net_text);
  few__text_free(ctx, &b->time_text);
}
