/* import.c - few_import: opens a source, finds its layout, and makes a model. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "few/import.h"
#include "io/file.h"
#include "mapping.h"

static const struct few_layout *const layouts[] = {
#define FEW_LAYOUT(name) &few__layout_##name,
#include "layouts.def"
#undef FEW_LAYOUT
};

int few__layout_count(void) { return FEW_COUNT(layouts); }

const struct few_layout *few__layout_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(layouts));
  return layouts[i];
}

/* ---- For layouts ---- */

few_status few__import_net(struct few_importer *im, const char *net) {
  char *opts;
  im->net = few__net_find(NULL, net);
  assert(im->net && !im->net_opts);
  FEW_TRY(FEW_NEW(im->ctx, &opts, im->net->options_size));
  im->net_opts = opts;
  return few_options_default(opts, im->ctx, im->net->options);
}

few_status few__import_set(struct few_importer *im, const char *key, const char *fmt, ...) {
  char text[400];
  va_list args;
  va_start(args, fmt);
  few__vprint(text, sizeof text, fmt, args);
  va_end(args);
  const few_status st = few_option_set(im->net_opts, im->ctx, im->net->options, key, text);
  if (!st) return FEW_OK;
  few__fail_in(im->ctx, st, "%s needs an option that few's %s does not have", im->layout->name,
               im->net->name);
  return st == FEW_E_INVALID ? FEW_E_UNSUPPORTED : st;
}

few_status few__import_refuse(struct few_importer *im, const char *fmt, ...) {
  char text[1000];
  va_list args;
  va_start(args, fmt);
  few__vprint(text, sizeof text, fmt, args);
  va_end(args);
  return few__fail(im->ctx, FEW_E_UNSUPPORTED, "%s: %s",
                   im->source->net.place ? im->source->net.place : im->source->place, text);
}

/* ---- The layout ---- */

/* "UNet2DModel, DiTTransformer2DModel" */
static void layout_names(few_ctx *ctx, const char *format, struct few_text *out) {
  for (int i = 0; i < FEW_COUNT(layouts); i++)
    if (!format || !strcmp(format, layouts[i]->format))
      few__text_add(ctx, out, "%s%s", out->len ? ", " : "", layouts[i]->name);
}

/* Two programs may have the same tensors. */
static few_status find_layout(struct few_importer *im) {
  const char *format = im->o->format, *class_name = NULL;
  struct few_text names = {0};
  for (int i = 0; i < FEW_COUNT(layouts); i++) {
    if ((format && strcmp(format, layouts[i]->format) != 0) || !layouts[i]->is(im->source))
      continue;
    if (im->layout)
      return few__fail(im->ctx, FEW_E_INVALID,
                       "%s can be a file of %s or of %s: give one of these words as FORMAT",
                       im->source->place, im->layout->format, layouts[i]->format);
    im->layout = layouts[i];
  }
  if (im->layout) return FEW_OK;
  if (im->source->net.all)
    class_name = json_string_value(json_object_get(im->source->net.all, "_class_name"));
  layout_names(im->ctx, format, &names);
  const few_status st = few__fail(
      im->ctx, FEW_E_UNSUPPORTED, "%s: %s%.60s%s is not a network that few can import%s%s: %s: %s",
      im->source->place, class_name ? "`" : "this", class_name ? class_name : "",
      class_name ? "`" : "", format ? " as " : "", format ? format : "",
      names.at ? names.at : "there is no such format", "see few list layouts");
  few__text_free(im->ctx, &names);
  return st;
}

/* ---- Settings as the configuration ---- */

/* The value is JSON, yes or no as few writes it or Python, or another word. */
static void put_setting(struct few_json *j, const char *key, const char *text) {
  const bool yes = !strcmp(text, "yes") || !strcmp(text, "True");
  json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
  if (v)
    few__json_put_value(j, key, v);
  else if (yes || !strcmp(text, "no") || !strcmp(text, "False"))
    few__json_put_bool(j, key, yes);
  else
    few__json_put_string(j, key, text);
  json_decref(v);
}

static few_status write_settings(struct few_importer *im, struct few_text *out) {
  const struct few_import_opts *o = im->o;
  struct few_json j = few__json_begin(im->ctx, out);
  few__json_open(&j, NULL, '{');
  for (int i = 0; i < o->n_settings; i++) {
    char key[64];
    const char *eq = strchr(o->settings[i], '=');
    if (!eq || eq == o->settings[i] || eq - o->settings[i] >= (int)sizeof key)
      return few__fail(im->ctx, FEW_E_INVALID, "`%.60s`: give key=value after the source",
                       o->settings[i]);
    snprintf(key, sizeof key, "%.*s", (int)(eq - o->settings[i]), o->settings[i]);
    put_setting(&j, key, eq + 1);
  }
  few__json_close(&j);
  return few__json_end(&j, "settings");
}

static few_status take_settings(struct few_importer *im) {
  struct few_conf *c = &im->source->net;
  struct few_text t = {0};
  if (!im->o->n_settings) return FEW_OK;
  if (c->all)
    return few__fail(im->ctx, FEW_E_INVALID,
                     "`%.60s`: %s has a configuration of its own: leave this out",
                     im->o->settings[0], c->place);
  few_status st = write_settings(im, &t);
  if (!st) st = few__conf_parse(im->ctx, c, im->source->place, t.at, t.len);
  few__text_free(im->ctx, &t);
  return st;
}

/* ---- Names of classes ---- */

static few_status name_class(struct few_importer *im, int64_t i, const char *from, size_t n) {
  FEW_TRY(FEW_NEW(im->ctx, &im->class_names[i], n + 1));
  memcpy(im->class_names[i], from, n);
  if (few__utf8_valid(im->class_names[i])) return FEW_OK;
  return few__fail(im->ctx, FEW_E_FORMAT, "the name of class %" PRId64 " is not UTF-8: convert it",
                   i);
}

/* A name per line. */
static few_status read_labels(struct few_importer *im) {
  const char *path = im->o->labels;
  char *text;
  size_t n;
  int64_t i = 0;
  FEW_TRY(few__file_read(im->ctx, &text, &n, path, 16 << 20));
  few_status st = FEW_NEW(im->ctx, &im->class_names, im->spec.classes + 1);
  for (const char *at = text; !st && *at;) {
    size_t len = strcspn(at, "\n");
    const size_t next = len + (at[len] == '\n');
    if (len && at[len - 1] == '\r') len--;
    if (i < im->spec.classes) st = name_class(im, i, at, len);
    i++;
    at += next;
  }
  few__free(im->ctx, text);
  if (!st && i != im->spec.classes)
    st = few__fail(im->ctx, FEW_E_INVALID,
                   "%s has %" PRId64 " lines, but the network has %" PRId64
                   " classes: give one name per line",
                   path, i, im->spec.classes);
  return st;
}

/* Pipelines of classes have {"id2label": {"0": "tench, Tinca tinca", ...}}. */
static few_status pipeline_labels(struct few_importer *im) {
  const json_t *map = json_object_get(im->source->pipeline.all, "id2label");
  if (!json_is_object(map) || json_object_size(map) != (size_t)im->spec.classes) return FEW_OK;
  FEW_TRY(FEW_NEW(im->ctx, &im->class_names, im->spec.classes + 1));
  for (int64_t i = 0; i < im->spec.classes; i++) {
    char key[24];
    snprintf(key, sizeof key, "%" PRId64, i);
    const char *name = json_string_value(json_object_get(map, key));
    if (name && *name) FEW_TRY(name_class(im, i, name, strlen(name)));
  }
  return FEW_OK;
}

static few_status take_labels(struct few_importer *im) {
  if (im->o->labels && !im->spec.classes)
    return few__fail(im->ctx, FEW_E_INVALID,
                     "labels %s: this network has no classes: leave them out", im->o->labels);
  if (im->o->labels) return read_labels(im);
  return im->spec.classes ? pipeline_labels(im) : FEW_OK;
}

/* ---- The model ---- */

static few_status declare(struct few_importer *im) {
  const few_status st = few__model_declare(im->ctx, &im->model, im->net, im->net_opts, &im->spec);
  if (!st) return FEW_OK;
  few__fail_in(im->ctx, st, "%s", im->source->place);
  return st == FEW_E_INVALID ? FEW_E_UNSUPPORTED : st;
}

static few_status put_provenance(struct few_importer *im) {
  struct few_text t = {0}, from = {0};
  char program[40];
  struct few_json j = few__json_begin(im->ctx, &t);
  few__text_add(im->ctx, &from, "%s %s, %s", im->layout->format, im->layout->name,
                few__path_name(im->o->source));
  few__json_open(&j, NULL, '{');
  snprintf(program, sizeof program, "few %s", few_version());
  few__json_put_string(&j, "program", program);
  few__json_put_string(&j, "imported_from", from.at ? from.at : "");
  few__json_close(&j);
  few_status st = few__json_end(&j, im->o->source);
  few__text_free(im->ctx, &from);
  if (st)
    few__text_free(im->ctx, &t);
  else
    im->model->provenance = t.at;
  return st;
}

/* Of networks that few has written itself. */
static few_status take_scale(struct few_importer *im) {
  const struct few_conf *c = &im->source->net;
  few_model *m = im->model;
  FEW_TRY(few__conf_real(im->ctx, c, FEW_BACK_MEAN, 0, &m->data_mean));
  FEW_TRY(few__conf_real(im->ctx, c, FEW_BACK_SCALE, 1, &m->data_scale));
  if (fabs(m->data_mean) < 1e6 && m->data_scale > 0 && m->data_scale < 1e6) return FEW_OK;
  return few__fail(im->ctx, FEW_E_FORMAT,
                   "%s: mean %g and scale %g of the data cannot be: export it again", c->place,
                   m->data_mean, m->data_scale);
}

static few_status finish(struct few_importer *im) {
  few_model *m = im->model;
  FEW_TRY(take_scale(im));
  snprintf(m->objective, sizeof m->objective, "%s", im->objective);
  snprintf(m->sampler, sizeof m->sampler, "%s", im->sampler);
  FEW_TRY(few__model_set_times(m, im->n_times, im->times));
  m->class_names = im->class_names;
  im->class_names = NULL;
  return put_provenance(im);
}

static void free_names(struct few_importer *im) {
  for (int64_t i = 0; im->class_names && i < im->spec.classes; i++)
    few__free(im->ctx, im->class_names[i]);
  few__free(im->ctx, im->class_names);
}

few_status few__import_source(few_model **out, struct few_origin *source,
                              const struct few_import_opts *opts) {
  struct few_importer im = {.ctx = source->ctx,
                            .o = opts,
                            .source = source,
                            .outputs = 1,
                            .spec = {.h = 1, .w = 1, .c = 1, .sigma_data = 0.5}};
  few_status st;
  *out = NULL;
  FEW_GOTO(take_settings(&im));
  FEW_GOTO(find_layout(&im));
  FEW_GOTO(im.layout->describe(&im));
  FEW_GOTO(few__import_process(&im));
  FEW_GOTO(take_labels(&im));
  FEW_GOTO(declare(&im));
  FEW_GOTO(few__map_all(&im));
  FEW_GOTO(finish(&im));
  *out = im.model;
out:
  if (st) few_model_free(im.model);
  free_names(&im);
  few__free(im.ctx, im.net_opts);
  few__free(im.ctx, im.set);
  few__free(im.ctx, im.used);
  return st;
}

static few_status check_opts(few_ctx *ctx, const struct few_import_opts *o) {
  FEW_TRY(few__opts_check(ctx, "few_import_opts", o, FEW_IMPORT_OPTS_VERSION));
  FEW_TRY(few__opts_texts(ctx, "settings", o->n_settings, o->settings));
  if (!o->source)
    return few__fail(ctx, FEW_E_INVALID, "nothing to import: give the path of a folder or a file");
  if ((int)o->process < 0 || o->process >= FEW_IMPORT_PROCESSES)
    return few__fail(ctx, FEW_E_INVALID, "process %d: give one of enum few_import_process",
                     (int)o->process);
  if (o->scheduler && o->process != FEW_IMPORT_FOUND)
    return few__fail(ctx, FEW_E_INVALID,
                     "a scheduler and a process: give one of them, because a scheduler names the "
                     "process");
  FEW_TRY(few__opts_range(ctx, "sigma_data", o->sigma_data, 0, 1000));
  return few__opts_range(ctx, "size", (double)o->size, 0, 1 << 20);
}

few_status few_import(few_model **out, few_ctx *ctx, const struct few_import_opts *opts) {
  struct few_origin *source;
  *out = NULL;
  FEW_TRY(check_opts(ctx, opts));
  FEW_TRY(few__origin_open(ctx, &source, opts->source));
  few_status st = FEW_OK;
  if (opts->scheduler) {
    few__conf_free(ctx, &source->scheduler);
    st = few__conf_read(ctx, &source->scheduler, opts->scheduler);
  }
  if (!st) st = few__import_source(out, source, opts);
  few__origin_free(source);
  return st;
}
