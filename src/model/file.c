/* file.c - a model as a safetensors file (docs/format.md).
 *
 * A file is not trusted. Its description gives a table of parameters. Before any of them is
 * allocated, the table must match the file's tensors name by name and shape by shape, so a model
 * never takes more memory than the bytes of its file. Tensors with a slash in their name belong to
 * a trainer's state and are ignored.
 */
#include <math.h>
#include <stdio.h>

#include "io/file.h"
#include "io/safetensors.h"
#include "model.h"
#include "weights.h"

static const size_t max_bytes = (size_t)1 << 37;
enum { LISTED = 4 };

/* ---- Saving ---- */

static few_status check_finite(few_ctx *ctx, few_status otherwise, const char *place,
                               const struct few_param_row *row, const float *values) {
  int64_t n = few_shape_count(row->shape);
  for (int64_t i = 0; i < n; i++)
    if (!isfinite(values[i]))
      return few__fail(ctx, otherwise, "%s: %s has a value that is not finite (element %lld)%s",
                       place, row->name, (long long)i,
                       otherwise == FEW_E_INVALID ? ": train with a smaller step" : "");
  return FEW_OK;
}

few_status few_model_save_as(const few_model *m, const char *path, enum few_weight_type type) {
  few_ctx *ctx = m->ctx;
  struct few_text description = {0};
  struct few_weight_file file = {0};
  few_status st = FEW_OK;
  if ((int)type < 0 || type > FEW_WEIGHTS_INT8)
    return few__fail(ctx, FEW_E_INVALID, "%s: there is no number type %d of weights", path,
                     (int)type);
  for (int i = 0; i < m->params.n && !st; i++) {
    const struct few_param_row *row = &m->params.at[i];
    st = check_finite(ctx, FEW_E_INVALID, path, row, m->values + row->offset);
  }
  FEW_GOTO(st);
  FEW_GOTO(few__model_weights_store(&file, m, type));
  FEW_GOTO(few__model_describe(m, &description));
  const struct few_st_pair meta[] = {{"format", "few"}, {"few", description.at}};
  FEW_GOTO(few__st_write(ctx, path, file.at, file.n, meta, FEW_COUNT(meta)));
out:
  few__text_free(ctx, &description);
  few__model_weights_free(ctx, &file);
  return st;
}

few_status few_model_save(const few_model *m, const char *path) {
  return few_model_save_as(m, path, m->weights);
}

/* ---- Loading ---- */

/* The first names of a list, for a message. */
struct names {
  int n;
  char text[400];
};

static void add_name(struct names *list, const char *name) {
  size_t len = strlen(list->text);
  if (list->n++ < LISTED)
    snprintf(list->text + len, sizeof list->text - len, "%s%.90s", len ? ", " : "", name);
  else if (list->n == LISTED + 1)
    snprintf(list->text + len, sizeof list->text - len, ", ...");
}

static bool same_shape(const struct few_param_row *row, const struct few_st_tensor *t) {
  if (row->shape.rank != t->rank) return false;
  for (int k = 0; k < t->rank; k++)
    if (row->shape.dim[k] != t->dim[k]) return false;
  return true;
}

static few_status complain(few_ctx *ctx, const char *path, const char *net, const char *what,
                           const struct names *list) {
  if (!list->n) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT, "%s: %d tensors %s net %s: %s: fetch or make the file again",
                   path, list->n, what, net, list->text);
}

static few_status match(const few_model *m, const char *path, const struct few_st *st) {
  struct names missing = {0}, extra = {0}, shaped = {0}, typed = {0};
  for (int i = 0; i < m->params.n; i++) {
    const struct few_param_row *row = &m->params.at[i];
    const struct few_st_tensor *t = few__st_find(st, row->name);
    if (!t)
      add_name(&missing, row->name);
    else if (!same_shape(row, t))
      add_name(&shaped, row->name);
    else if (!few__model_weights_readable(st, t))
      add_name(&typed, row->name);
  }
  for (int i = 0; i < st->n; i++)
    if (!strchr(st->at[i].name, '/') && few__params_find(&m->params, st->at[i].name) < 0)
      add_name(&extra, st->at[i].name);
  FEW_TRY(complain(m->ctx, path, m->net->name, "are missing for", &missing));
  FEW_TRY(complain(m->ctx, path, m->net->name, "are not known to", &extra));
  FEW_TRY(complain(m->ctx, path, m->net->name, "have another shape than in", &shaped));
  return complain(m->ctx, path, m->net->name, "are not F32, F16, BF16, or I8 with scales, in",
                  &typed);
}

static few_status take_values(few_model *m, const char *path, const struct few_st *st) {
  FEW_TRY(match(m, path, st));
  FEW_TRY(FEW_NEW(m->ctx, &m->values, m->params.total));
  int n[FEW_WEIGHTS_INT8 + 1] = {0};
  for (int i = 0; i < m->params.n; i++) {
    const struct few_param_row *row = &m->params.at[i];
    const struct few_st_tensor *t = few__st_find(st, row->name);
    few__model_weights_load(st, t, m->values + row->offset);
    FEW_TRY(check_finite(m->ctx, FEW_E_FORMAT, path, row, m->values + row->offset));
    n[few__model_weights_type(t)]++;
  }
  /* so that saving it gives the same file */
  if (n[FEW_WEIGHTS_INT8]) m->weights = FEW_WEIGHTS_INT8;
  if (n[FEW_WEIGHTS_F16] == m->params.n) m->weights = FEW_WEIGHTS_F16;
  if (n[FEW_WEIGHTS_BF16] == m->params.n) m->weights = FEW_WEIGHTS_BF16;
  return FEW_OK;
}

/* The model in a parsed file, which is freed. */
static few_status take(few_ctx *ctx, few_model **out, const char *place, struct few_st *file) {
  const char *text = few__st_meta(file, "few");
  few_status st;
  if (text)
    st = few__model_from_description(ctx, out, place, text, strlen(text));
  else
    st = few__fail(
        ctx, FEW_E_FORMAT,
        "%s is not a model of few: its metadata have no `few`: give a file that few saved", place);
  if (!st) st = take_values(*out, place, file);
  few__st_free(ctx, file);
  if (st) {
    few_model_free(*out);
    *out = NULL;
  }
  return st;
}

/* If the path is the directory of a run, the error names the model in it. */
static few_status check_no_run(few_ctx *ctx, const char *path) {
  char *model;
  if (!few__path_is_dir(path)) return FEW_OK;
  FEW_TRY(few__path_join(ctx, &model, path, "model.safetensors"));
  const bool run = few__path_exists(model);
  few__free(ctx, model);
  if (!run) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s is a training run: give %s/model.safetensors", path,
                   path);
}

few_status few_model_load(few_model **out, few_ctx *ctx, const char *path) {
  struct few_st file;
  *out = NULL;
  if (!path) return few__fail(ctx, FEW_E_INVALID, "no model: give a path");
  FEW_TRY(check_no_run(ctx, path));
  FEW_TRY(few__st_read(ctx, &file, path, max_bytes));
  return take(ctx, out, path, &file);
}

few_status few_model_load_bytes(few_model **out, few_ctx *ctx, const char *name, const void *bytes,
                                size_t n) {
  struct few_st file;
  *out = NULL;
  if (!bytes || !name)
    return few__fail(ctx, FEW_E_INVALID,
                     "the bytes of a model, or a name for messages, are missing: give both");
  FEW_TRY(few__st_parse(ctx, &file, name, bytes, n));
  return take(ctx, out, name, &file);
}
