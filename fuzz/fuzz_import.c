/* A source that can be imported gives a model whose description can be read back. The input is one
 * JSON object: the configurations of a source, its format, an index of files, and the shapes of its
 * tensors, which are all zeros here. */
#include "fuzz.h"
#include "model/import/layout.h"

enum { ELEMENTS = 1 << 18, TENSORS = 4096 };
static const float zeros[ELEMENTS];

static bool part(few_ctx *ctx, struct few_conf *out, const json_t *all, const char *key) {
  const json_t *value = json_object_get(all, key);
  char *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
  const bool ok = !text || fuzz_ok(ctx, few__conf_parse(ctx, out, key, text, strlen(text)));
  free(text);
  return ok;
}

/* Fills t from {"name": [3, 4]}; returns how many. */
static int tensors(const json_t *shapes, struct few_st_tensor *t) {
  const char *name;
  json_t *shape;
  int n = 0;
  json_object_foreach((json_t *)(uintptr_t)shapes, name, shape) {
    struct few_st_tensor one = {.name = name, .store = FEW_STORE_F32, .data = zeros};
    one.rank = (int)json_array_size(shape);
    if (n == TENSORS || one.rank > FEW_STORE_RANK) continue;
    for (int i = 0; i < one.rank; i++)
      one.dim[i] = json_integer_value(json_array_get(shape, (size_t)i));
    if (!few__store_count(one.store, one.rank, one.dim, &one.count, &one.bytes) ||
        one.count > ELEMENTS)
      continue;
    t[n++] = one;
  }
  return n;
}

static void check(few_ctx *ctx, const few_model *m) {
  few_model *back;
  struct few_text text = {0};
  for (int64_t i = 0; i < m->params.total; i++) FUZZ_REQUIRE(m->values[i] > -2 && m->values[i] < 2);
  FUZZ_REQUIRE(few__model_describe(m, &text) == FEW_OK);
  FUZZ_REQUIRE(few__model_from_description(ctx, &back, "back", text.at, text.len) == FEW_OK);
  FUZZ_REQUIRE(few__params_count(&back->params) == few__params_count(&m->params));
  few_model_free(back);
  few__text_free(ctx, &text);
}

static void run(few_ctx *ctx, struct few_origin *s, const json_t *all, struct few_st_tensor *t) {
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  struct few_conf index = {0};
  struct few_shard_names names;
  few_model *m = NULL;
  o.source = "input";
  o.format = json_string_value(json_object_get(all, "format"));
  if (part(ctx, &index, all, "index") && index.all &&
      fuzz_ok(ctx, few__index_files(ctx, &names, &index)))
    for (int i = 0; i < names.n; i++) FUZZ_REQUIRE(!strchr(names.at[i], '/'));
  few__conf_free(ctx, &index);
  if (!part(ctx, &s->net, all, "config") || !part(ctx, &s->scheduler, all, "scheduler") ||
      !part(ctx, &s->pipeline, all, "pipeline"))
    return;
  const int n = tensors(json_object_get(all, "tensors"), t);
  FUZZ_REQUIRE(few__origin_add(s, t, n) == FEW_OK && few__origin_sort(s) == FEW_OK);
  if (fuzz_ok(ctx, few__import_source(&m, s, &o))) check(ctx, m);
  few_model_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_conf all = {0};
  struct few_origin *s;
  FUZZ_REQUIRE(few__origin_new(ctx, &s, "input") == FEW_OK);
  struct few_st_tensor *t = calloc(TENSORS, sizeof *t);
  FUZZ_REQUIRE(t);
  if (fuzz_ok(ctx, few__conf_parse(ctx, &all, "input", (const char *)data, size)))
    run(ctx, s, all.all, t);
  few__origin_free(s);
  few__conf_free(ctx, &all);
  free(t);
  few_ctx_free(ctx);
  return 0;
}
