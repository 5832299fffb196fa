/* record.c - records of runs and evaluations: opening, members. */
#include "record.h"

#include <math.h>

#include "base/recipe.h"
#include "io/file.h"

static const size_t most_report = (size_t)16 << 20;

few_status few__record_text(few_record *r, const char **out, const char *text) {
  FEW_TRY(FEW_GROW(r->ctx, &r->texts, r->texts.n + 1));
  char *copy = few__strdup(r->ctx, text);
  if (!copy) return few__fail(r->ctx, FEW_E_MEMORY, "out of memory for a record");
  *out = r->texts.at[r->texts.n++] = copy;
  return FEW_OK;
}

double few__record_number(const json_t *object, const char *key) {
  const json_t *x = json_object_get(object, key);
  return json_is_number(x) ? json_number_value(x) : NAN;
}

const char *few__record_string(const json_t *object, const char *key) {
  const json_t *x = json_object_get(object, key);
  return json_is_string(x) ? json_string_value(x) : "";
}

few_status few__record_space(few_record *r, struct few_record_eval *e, const char *features_hash,
                             const char *reference_hash) {
  struct few_text space = {0}, id = {0};
  few__text_add(r->ctx, &space, "%s features", e->features);
  if (*e->reference) few__text_add(r->ctx, &space, ", against %s", e->reference);
  few__text_add(r->ctx, &id, "%s|%s|%s|%.0f", space.at ? space.at : "", features_hash,
                reference_hash, e->n_reference);
  few_status st = space.failed || id.failed
                      ? few__fail(r->ctx, FEW_E_MEMORY, "out of memory for a record")
                      : few__record_text(r, &e->space, space.at);
  if (!st) st = few__record_text(r, &e->space_id, id.at);
  few__text_free(r->ctx, &space);
  few__text_free(r->ctx, &id);
  return st;
}

/* ---- the recipe of a run ---- */

static few_status take(few_record *r, const struct few_recipe *recipe, const char *key,
                       const char **out) {
  const char *value = few__recipe_value(recipe, key);
  return value ? few__record_text(r, out, value) : FEW_OK;
}

static few_status read_recipe(few_record *r, const char *dir) {
  struct few_recipe recipe = {0};
  char *path, *text = NULL;
  const char *batch = "";
  size_t n;
  few_status st;
  FEW_TRY(few__path_join(r->ctx, &path, dir, "recipe.ini"));
  if (!few__path_exists(path)) {
    few__free(r->ctx, path);
    return FEW_OK;
  }
  FEW_GOTO(few__file_read(r->ctx, &text, &n, path, FEW_RECIPE_MAX));
  FEW_GOTO(few__recipe_parse(r->ctx, &recipe, path, text, n));
  FEW_GOTO(take(r, &recipe, "net", &r->info.net));
  FEW_GOTO(take(r, &recipe, "objective", &r->info.objective));
  FEW_GOTO(take(r, &recipe, "data", &r->info.data));
  FEW_GOTO(take(r, &recipe, "batch", &batch));
  if (*batch) r->info.batch = few__strtod(batch, NULL);
out:
  few__recipe_free(r->ctx, &recipe);
  few__free(r->ctx, text);
  few__free(r->ctx, path);
  return st;
}

/* ---- opening ---- */

static bool ends_with(const char *s, const char *end) {
  const size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

static few_status open_dir(few_record *r, const char *dir) {
  char *path;
  FEW_TRY(few__path_join(r->ctx, &path, dir, "log.jsonl"));
  few_status st = read_recipe(r, dir);
  if (!st && !few__path_exists(path))
    st = few__fail(r->ctx, FEW_E_INVALID,
                   "%s is no run: it has no log.jsonl; give the folder of few train --run", dir);
  if (!st) st = few__record_log(r, path);
  few__free(r->ctx, path);
  return st;
}

static few_status open_log(few_record *r, const char *path) {
  char *dir = few__strdup(r->ctx, path);
  if (!dir) return few__fail(r->ctx, FEW_E_MEMORY, "out of memory: %s", path);
  dir[few__path_name(path) - path] = 0;
  few_status st = read_recipe(r, dir);
  if (!st) st = few__record_log(r, path);
  few__free(r->ctx, dir);
  return st;
}

static few_status open_report(few_record *r, const char *path) {
  json_t *report;
  FEW_TRY(few__json_read(r->ctx, &report, path, most_report));
  const few_status st = few__record_report(r, path, report);
  json_decref(report);
  return st;
}

few_status few__record_create(few_ctx *ctx, few_record **out, const char *name) {
  FEW_TRY(FEW_NEW(ctx, out, 1));
  few_record *r = *out;
  r->ctx = ctx;
  r->info = (struct few_record_info){"", false, "", "", "", "", NAN, NAN, NAN, 0, 0};
  const few_status st = few__record_text(r, &r->info.name, name);
  if (!st) return FEW_OK;
  few_record_free(r);
  *out = NULL;
  return st;
}

few_status few_record_open(few_record **out, few_ctx *ctx, const char *path) {
  *out = NULL;
  if (!path) return few__fail(ctx, FEW_E_INVALID, "record: give a run, a log or a report");
  FEW_TRY(few__record_create(ctx, out, path));
  few_record *r = *out;
  const few_status st = few__path_is_dir(path)      ? open_dir(r, path)
                        : ends_with(path, ".jsonl") ? open_log(r, path)
                                                    : open_report(r, path);
  if (!st) return FEW_OK;
  few_record_free(r);
  *out = NULL;
  return st;
}

void few_record_free(few_record *r) {
  if (!r) return;
  for (int i = 0; i < r->series.n; i++) {
    const struct few_series *s = &r->series.at[i];
    void *const all[] = {s->key, s->space, s->id, s->step, s->seconds, s->value};
    for (int k = 0; k < FEW_COUNT(all); k++) few__free(r->ctx, all[k]);
  }
  for (int i = 0; i < r->evals.n; i++) few__free(r->ctx, r->evals.at[i].number);
  for (int i = 0; i < r->texts.n; i++) few__free(r->ctx, r->texts.at[i]);
  few__free(r->ctx, r->series.at);
  few__free(r->ctx, r->evals.at);
  few__free(r->ctx, r->texts.at);
  few__free(r->ctx, r);
}

/* ---- members ---- */

void few_record_info(struct few_record_info *out, size_t size, const few_record *r) {
  struct few_record_info full = r->info;
  full.n_series = r->series.n;
  full.n_evals = r->evals.n;
  few__give(out, size, &full, sizeof full);
}

void few_record_series(struct few_record_series *out, size_t size, const few_record *r, int i) {
  assert(i >= 0 && i < r->series.n);
  const struct few_series *s = &r->series.at[i];
  const struct few_record_series full = {s->key,  s->space,   s->id,   s->n,
                                         s->step, s->seconds, s->value};
  few__give(out, size, &full, sizeof full);
}

void few_record_eval(struct few_record_eval *out, size_t size, const few_record *r, int i) {
  assert(i >= 0 && i < r->evals.n);
  few__give(out, size, &r->evals.at[i].public, sizeof r->evals.at[i].public);
}
