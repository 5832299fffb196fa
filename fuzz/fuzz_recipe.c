/* If a recipe is read, its pairs and the options that they set can be written and read back. */
#include "base/recipe.h"
#include "fuzz.h"

struct opts {
  int64_t batch, channels;
  double rate;
  bool a;
  char note[32];
  int net;
  struct few_int_list mults;
};
static const struct few_option table[] = {
    FEW_OPT_INT(struct opts, batch, "1", 0, 0, "any integer"),
    FEW_OPT_INT(struct opts, channels, "1", -5, 4096, "an integer in a range"),
    FEW_OPT_REAL(struct opts, rate, "0", 0, 0, "any real"),
    FEW_OPT_BOOL(struct opts, a, "no", "a switch"),
    FEW_OPT_STRING(struct opts, note, "", "text"),
    FEW_OPT_CHOICE(struct opts, net, "mlp", "mlp|unet|dit", "a choice"),
    FEW_OPT_INTS(struct opts, mults, "", 1, 64, "a list"),
    FEW_OPT_END};

static void check_pairs(few_ctx *ctx, const struct few_recipe *r) {
  struct few_text t = {0};
  struct few_recipe back;
  few__text_add(ctx, &t, "%s", "");
  for (int i = 0; i < r->n; i++) few__recipe_put(ctx, &t, r->at[i].key, r->at[i].value);
  FUZZ_REQUIRE(few__recipe_parse(ctx, &back, "back", t.at, t.len) == FEW_OK && back.n == r->n);
  for (int i = 0; i < r->n; i++) {
    FUZZ_REQUIRE(strcmp(r->at[i].key, back.at[i].key) == 0);
    FUZZ_REQUIRE(strcmp(r->at[i].value, back.at[i].value) == 0);
  }
  few__recipe_free(ctx, &back);
  few__text_free(ctx, &t);
}

static void check_options(few_ctx *ctx, struct few_recipe *r) {
  struct opts o, again;
  struct few_text t = {0};
  struct few_recipe back;
  memset(&o, 0, sizeof o);
  FUZZ_REQUIRE(few_options_default(&o, ctx, table) == FEW_OK);
  memcpy(&again, &o, sizeof o);                       /* also copies the padding */
  fuzz_ok(ctx, few__recipe_apply(ctx, r, table, &o)); /* what it set before failing is valid */
  fuzz_ok(ctx, few__recipe_check(ctx, r));
  FUZZ_REQUIRE(few__recipe_put_options(ctx, &t, "", table, &o) == FEW_OK);
  FUZZ_REQUIRE(few__recipe_parse(ctx, &back, "back", t.at, t.len) == FEW_OK);
  FUZZ_REQUIRE(few__recipe_apply(ctx, &back, table, &again) == FEW_OK);
  FUZZ_REQUIRE(few__recipe_check(ctx, &back) == FEW_OK);
  FUZZ_REQUIRE(memcmp(&o, &again, sizeof o) == 0);
  few__recipe_free(ctx, &back);
  few__text_free(ctx, &t);
}

static void check_override(few_ctx *ctx, struct few_recipe *r, const uint8_t *data, size_t size) {
  char *pair = malloc(size + 1);
  FUZZ_REQUIRE(pair);
  if (size) memcpy(pair, data, size);
  pair[size] = 0;
  fuzz_ok(ctx, few__recipe_override(ctx, r, pair));
  free(pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  few_ctx *ctx = fuzz_ctx();
  struct few_recipe r;
  if (fuzz_ok(ctx, few__recipe_parse(ctx, &r, "input", (const char *)data, size))) {
    check_pairs(ctx, &r);
    check_options(ctx, &r);
    check_override(ctx, &r, data, size);
    check_options(ctx, &r);
  }
  few__recipe_free(ctx, &r);
  few_ctx_free(ctx);
  return 0;
}
