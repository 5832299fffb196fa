/* provenance.c - see provenance.h. */
#include "provenance.h"

#include <inttypes.h>
#include <stdio.h>

#include "io/json.h"

/* The resolved recipe without keys that change nothing, but with the number of steps. */
static few_status recipe_text(few_ctx *ctx, const struct few_run_recipe *r, struct few_text *out) {
  struct few_text all = {0};
  struct few_recipe parsed = {0};
  few_status st;
  FEW_GOTO(few__run_recipe_text(ctx, r, &all));
  FEW_GOTO(few__recipe_parse(ctx, &parsed, "recipe", all.at, all.len));
  for (int i = 0; i < parsed.n; i++)
    if (!few__run_recipe_free_key(parsed.at[i].key) || !strcmp(parsed.at[i].key, "steps"))
      few__recipe_put(ctx, out, parsed.at[i].key, parsed.at[i].value);
  if (out->failed) st = few__fail(ctx, FEW_E_MEMORY, "out of memory: provenance");
out:
  few__recipe_free(ctx, &parsed);
  few__text_free(ctx, &all);
  return st;
}

static few_status describe(few_ctx *ctx, const struct few_run_recipe *r, int64_t step,
                           const char *recipe, json_t *o) {
  char program[32], hash[48], file[16 + FEW_SHA256_TEXT];
  snprintf(program, sizeof program, "few %d.%d.%d", FEW_VERSION_MAJOR, FEW_VERSION_MINOR,
           FEW_VERSION_PATCH);
  snprintf(hash, sizeof hash, "fnv1a64:%016" PRIx64, few_data_hash(r->data));
  int failed = json_object_set_new(o, "program", json_string(program));
  failed |= json_object_set_new(o, "recipe", json_string(recipe));
  failed |= json_object_set_new(o, "seed", json_integer(r->keys.seed));
  failed |= json_object_set_new(o, "images", json_integer(step * r->keys.batch));
  failed |=
      json_object_set_new(o, "data", json_pack("{s:s,s:s}", "source", r->keys.data, "hash", hash));
  if (r->teacher) {
    snprintf(file, sizeof file, "sha256:%s", r->teacher_hash);
    failed |= json_object_set_new(o, "teacher", json_pack("{s:s}", "hash", file));
  }
  if (r->start) {
    snprintf(file, sizeof file, "sha256:%s", r->start_hash);
    failed |= json_object_set_new(o, "init", json_pack("{s:s}", "hash", file));
  }
  return failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory, or a recipe that is no UTF-8")
                : FEW_OK;
}

few_status few__provenance(few_ctx *ctx, const struct few_run_recipe *r, int64_t step,
                           char **text) {
  struct few_text recipe = {0}, out = {0};
  json_t *o = json_object();
  few_status st = recipe_text(ctx, r, &recipe);
  if (!st) st = describe(ctx, r, step, recipe.at ? recipe.at : "", o);
  if (!st) st = few__json_text(ctx, o, &out);
  json_decref(o);
  few__text_free(ctx, &recipe);
  if (st) {
    few__text_free(ctx, &out);
    return st;
  }
  few__free(ctx, *text);
  *text = out.at;
  return FEW_OK;
}
