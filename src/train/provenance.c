/* provenance.c - see provenance.h. */
#include "provenance.h"

#include <inttypes.h>
#include <stdio.h>

#include "io/json.h"

/* The resolved recipe without the keys that do not change what is learned; `steps` is kept. */
static few_status recipe_text(few_ctx *ctx, const struct few_setup *setup, struct few_text *out) {
  struct few_text all = {0};
  struct few_recipe parsed = {0};
  few_status st;
  FEW_GOTO(few__setup_text(ctx, setup, &all));
  FEW_GOTO(few__recipe_parse(ctx, &parsed, "recipe", all.at, all.len));
  for (int i = 0; i < parsed.n; i++)
    if (!few__config_free_key(parsed.at[i].key) || !strcmp(parsed.at[i].key, "steps"))
      few__recipe_put(ctx, out, parsed.at[i].key, parsed.at[i].value);
  if (out->failed) st = few__fail(ctx, FEW_E_MEMORY, "out of memory: provenance");
out:
  few__recipe_free(ctx, &parsed);
  few__text_free(ctx, &all);
  return st;
}

static void put_file(struct few_json *j, const char *key, const char sha256[FEW_SHA256_TEXT]) {
  char hash[16 + FEW_SHA256_TEXT];
  snprintf(hash, sizeof hash, "sha256:%s", sha256);
  few__json_open(j, key, '{');
  few__json_put_string(j, "hash", hash);
  few__json_close(j);
}

static void describe(struct few_json *j, const struct few_setup *setup, int64_t step,
                     const char *recipe) {
  char program[32], hash[48];
  snprintf(program, sizeof program, "few %s", few_version());
  snprintf(hash, sizeof hash, "fnv1a64:%016" PRIx64, few_data_hash(setup->data));
  few__json_open(j, NULL, '{');
  few__json_put_string(j, "program", program);
  few__json_put_string(j, "recipe", recipe);
  few__json_put_int(j, "seed", setup->config.keys.seed);
  few__json_put_int(j, "images", step * setup->config.keys.batch);
  few__json_open(j, "data", '{');
  few__json_put_string(j, "source", setup->config.keys.data);
  few__json_put_string(j, "hash", hash);
  few__json_close(j);
  if (setup->teacher) put_file(j, "teacher", setup->teacher_hash);
  if (setup->start) put_file(j, "init", setup->start_hash);
  few__json_close(j);
}

few_status few__provenance(few_ctx *ctx, const struct few_setup *setup, int64_t step, char **text) {
  struct few_text recipe = {0}, out = {0};
  assert(step >= 0);
  struct few_json j = few__json_begin(ctx, &out);
  few_status st = recipe_text(ctx, setup, &recipe);
  if (!st) {
    describe(&j, setup, step, recipe.at ? recipe.at : "");
    st = few__json_end(&j, "provenance");
  }
  few__text_free(ctx, &recipe);
  if (st) {
    few__text_free(ctx, &out);
    return st;
  }
  few__free(ctx, *text);
  *text = out.at;
  return FEW_OK;
}
