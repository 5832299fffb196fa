/* edm.c - dataset.json, which dataset_tool.py of StyleGAN and EDM (Karras et al., 2022,
 * arXiv:2206.00364) writes next to folders of a thousand images each:
 *
 *   {"labels": [["00000/img00000000.png", 6], ["00000/img00000001.png", 9], ...]}
 *
 * or {"labels": null} for a set without classes. In both cases the folders are not classes. An
 * object without "labels" comes from another program and is ignored.
 */
#include "edm.h"

#include "io/json.h"

static const size_t max_bytes = (size_t)256 << 20; /* ImageNet's has 60 MB */

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct few_edm_row *)a)->path, ((const struct few_edm_row *)b)->path);
}

static few_status add(few_ctx *ctx, struct few_edm *e, const char *file, size_t i,
                      const json_t *pair) {
  const char *path = json_string_value(json_array_get(pair, 0));
  const json_t *number = json_array_get(pair, 1);
  const json_int_t label = json_integer_value(number);
  if (!path || json_array_size(pair) != 2 || !json_is_integer(number) || label < 0 ||
      label >= INT32_MAX)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: entry %zu of `labels` is not [\"path\", number of a class]: correct it, "
                     "or remove the file to have folders as classes",
                     file, i);
  FEW_TRY(FEW_GROW(ctx, e, e->n + 1));
  char *copy = few__strdup(ctx, path);
  if (!copy) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", file);
  e->at[e->n++] = (struct few_edm_row){copy, (int32_t)label};
  return FEW_OK;
}

static few_status take(few_ctx *ctx, struct few_edm *e, const char *file, const json_t *all) {
  const json_t *labels = json_object_get(all, "labels");
  if (!labels) return FEW_OK;
  e->kind = json_is_null(labels) ? FEW_EDM_UNLABELLED : FEW_EDM_LABELLED;
  if (!json_is_null(labels) && !json_is_array(labels))
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: `labels` is neither a list nor null: correct it, or remove the file to "
                     "use folders as classes",
                     file);
  for (size_t i = 0; i < json_array_size(labels); i++)
    FEW_TRY(add(ctx, e, file, i, json_array_get(labels, i)));
  if (e->n) qsort(e->at, (size_t)e->n, sizeof *e->at, by_path);
  for (int i = 1; i < e->n; i++)
    if (!strcmp(e->at[i - 1].path, e->at[i].path) && e->at[i - 1].label != e->at[i].label)
      return few__fail(ctx, FEW_E_FORMAT, "%s: %s has two labels, %d and %d: correct one", file,
                       e->at[i].path, (int)e->at[i - 1].label, (int)e->at[i].label);
  return FEW_OK;
}

/* Takes ownership of `all`. */
static few_status take_json(few_ctx *ctx, struct few_edm *out, const char *file, json_t *all) {
  const few_status st = take(ctx, out, file, all);
  json_decref(all);
  if (st) few__edm_free(ctx, out);
  return st;
}

few_status few__edm_parse(few_ctx *ctx, struct few_edm *out, const char *place, const char *text,
                          size_t n) {
  json_t *all = NULL;
  *out = (struct few_edm){0};
  FEW_TRY(few__json_parse(ctx, &all, place, text, n));
  return take_json(ctx, out, place, all);
}

few_status few__edm_read(const struct few_tree *tree, struct few_edm *out, const char *dir) {
  few_ctx *ctx = tree->ctx;
  char *file = NULL, *text = NULL;
  size_t n;
  *out = (struct few_edm){0};
  FEW_TRY(few__path_join(ctx, &file, dir, "dataset.json"));
  few_status st = FEW_OK;
  if (few__tree_exists(tree, file)) {
    st = few__tree_read(tree, &text, &n, file, max_bytes);
    if (!st) st = few__edm_parse(ctx, out, file, text, n);
    few__free(ctx, text);
  }
  few__free(ctx, file);
  return st;
}

int32_t few__edm_label(const struct few_edm *e, const char *path) {
  assert(e->n < 2 || strcmp(e->at[0].path, e->at[e->n - 1].path) <= 0); /* sorted */
  int low = 0, high = e->n;
  while (low < high) {
    const int middle = low + (high - low) / 2, order = strcmp(e->at[middle].path, path);
    if (!order) return e->at[middle].label;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return -1;
}

void few__edm_free(few_ctx *ctx, struct few_edm *e) {
  for (int i = 0; i < e->n; i++) few__free(ctx, e->at[i].path);
  few__free(ctx, e->at);
  *e = (struct few_edm){0};
}
