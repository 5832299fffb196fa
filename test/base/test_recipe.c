/* Recipes: valid files, refused files and their error sentences, and writing. */
#include "base/recipe.h"
#include "io/corpus.h"

struct net {
  int64_t channels;
  char note[64];
};
struct run {
  int64_t steps;
  double rate;
};
static const struct few_option net_table[] = {
    FEW_OPT_INT(struct net, channels, "64", 1, 4096, "width"),
    FEW_OPT_STRING(struct net, note, "", "a note"), FEW_OPT_END};
static const struct few_option run_table[] = {
    FEW_OPT_INT(struct run, steps, "10", 0, 1e9, "steps"),
    FEW_OPT_REAL(struct run, rate, "0.001", 0, 1, "learning rate"), FEW_OPT_END};

static few_status parse(few_ctx *ctx, struct few_recipe *r, const char *text) {
  return few__recipe_parse(ctx, r, "recipe.ini", text, strlen(text));
}

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_recipe r;
  few_status st = few__recipe_parse(ctx, &r, place, bytes, n);
  few__recipe_free(ctx, &r);
  return st;
}

static void test_pairs(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_recipe r;
  assert_ok(ctx, parse(ctx, &r,
                       "\xef\xbb\xbf# a recipe\r\n[net] ; heading\r\nchannels=128\r\n\n"
                       "  note = two words # comment\n; c\nempty =\nhash = a#b;c\n"
                       "quoted = \" # \\\"x\\\\ \\n\" ; yes\nlist = 1, 2, 4"));
  static const struct {
    const char *key, *value;
    int line;
  } want[] = {{"channels", "128", 3}, {"note", "two words", 5},     {"empty", "", 7},
              {"hash", "a#b;c", 8},   {"quoted", " # \"x\\ \n", 9}, {"list", "1, 2, 4", 10}};
  assert_int_equal(r.n, FEW_COUNT(want));
  for (int i = 0; i < r.n; i++) {
    assert_string_equal(r.at[i].key, want[i].key);
    assert_string_equal(r.at[i].value, want[i].value);
    assert_int_equal(r.at[i].line, want[i].line);
  }
  few__recipe_free(ctx, &r);
  few_ctx_free(ctx);
}

static void test_malformed(void **state) {
  (void)state;
  static const struct {
    const char *text, *sentence;
  } cases[] = {
      {"a = 1\nfoo bar\n",
       "recipe.ini:2: cannot read `foo bar`: write `key = value`, `[section]` or `# comment`"},
      {"a = 1\n\nb = 2\na = 3\n",
       "recipe.ini:4: `a` was already given on line 1: keep one of the two"},
      {"[net\n", "recipe.ini:1: cannot read `[net`: close the heading with ]"},
      {"a = \"x\n", "recipe.ini:1: cannot read `a = \"x`: close the \""},
      {"a = \"x\" y\n",
       "recipe.ini:1: cannot read `a = \"x\" y`: only a comment may follow the closing \""},
      {"a = \"\\q\"\n", "recipe.ini:1: cannot read `a = \"\\q\"`: after \\ write one of \" \\ n t"},
      {"= 1", "recipe.ini:1: cannot read `= 1`: write `key = value`, `[section]` or `# comment`"},
      {"a\n= \xff", "recipe.ini:2: byte 0xff is not UTF-8 text: is this a recipe?"},
  };
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    struct few_recipe r;
    assert_int_equal(parse(ctx, &r, cases[i].text), FEW_E_FORMAT);
    assert_string_equal(few_error(ctx), cases[i].sentence);
  }
  few_ctx_free(ctx);
}

static void test_apply(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_recipe r;
  struct net net;
  struct run run;
  assert_ok(ctx, few_options_default(&net, ctx, net_table));
  assert_ok(ctx, few_options_default(&run, ctx, run_table));
  assert_ok(ctx, parse(ctx, &r, "channels = 32\nsteps = 7\n"));
  assert_ok(ctx, few__recipe_override(ctx, &r, "steps=9"));
  assert_ok(ctx, few__recipe_override(ctx, &r, "rate = 0.5"));
  assert_string_equal(few__recipe_value(&r, "rate"), "0.5");
  assert_null(few__recipe_value(&r, "note"));
  assert_ok(ctx, few__recipe_apply(ctx, &r, net_table, &net));
  assert_int_equal(few__recipe_check(ctx, &r), FEW_E_INVALID);
  assert_ok(ctx, few__recipe_apply(ctx, &r, run_table, &run));
  assert_ok(ctx, few__recipe_check(ctx, &r));
  assert_true(net.channels == 32 && run.steps == 9 && run.rate == 0.5);
  few__recipe_free(ctx, &r);
  few_ctx_free(ctx);
}

static void test_slips(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_recipe r;
  struct net net;
  struct run run;
  assert_ok(ctx, parse(ctx, &r, "# x\n\nchanels = 32\nzzzz = 1\n"));
  assert_ok(ctx, few__recipe_apply(ctx, &r, net_table, &net));
  assert_ok(ctx, few__recipe_apply(ctx, &r, run_table, &run));
  assert_int_equal(few__recipe_check(ctx, &r), FEW_E_INVALID);
  assert_string_equal(few_error(ctx),
                      "recipe.ini:3: unknown key `chanels`: did you mean `channels`?");
  r.at[0].taken = true;
  assert_int_equal(few__recipe_check(ctx, &r), FEW_E_INVALID);
  assert_string_equal(few_error(ctx),
                      "recipe.ini:4: unknown key `zzzz`: nothing in this recipe "
                      "uses it: remove it");
  few__recipe_free(ctx, &r);

  assert_ok(ctx, parse(ctx, &r, "\nrate = fast"));
  assert_int_equal(few__recipe_apply(ctx, &r, run_table, &run), FEW_E_INVALID);
  assert_string_equal(few_error(ctx),
                      "recipe.ini:2: `rate` cannot be `fast`: give a number from 0 to 1");
  assert_ok(ctx, few__recipe_override(ctx, &r, "rate=2"));
  assert_int_equal(few__recipe_apply(ctx, &r, run_table, &run), FEW_E_INVALID);
  assert_string_equal(few_error(ctx),
                      "command line: `rate` cannot be `2`: give a number from 0 to 1");
  assert_int_equal(few__recipe_override(ctx, &r, "rate"), FEW_E_INVALID);
  assert_int_equal(few__recipe_override(ctx, &r, "=1"), FEW_E_INVALID);
  assert_int_equal(few__recipe_override(ctx, &r, "a b=1"), FEW_E_INVALID);
  assert_int_equal(few__recipe_override(ctx, &r, "a=\xc0\x80"), FEW_E_FORMAT);
  few__recipe_free(ctx, &r);
  few_ctx_free(ctx);
}

/* Written options read back the same, whatever a string contains. */
static void test_write_back(void **state) {
  (void)state;
  static const char *const notes[] = {"",        "plain", " blanks ", "# hash",
                                      "a # b",   "a#b",   "\"q\"",    "back\\s\n",
                                      "a\nb\tc", "; ",    "\r",       "caf\xc3\xa9"};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(notes); i++) {
    struct net net = {0}, back = {0};
    struct few_text t = {0};
    struct few_recipe r;
    assert_ok(ctx, few_options_default(&net, ctx, net_table));
    strcpy(net.note, notes[i]);
    few__recipe_put_section(ctx, &t, "network");
    assert_ok(ctx, few__recipe_put_options(ctx, &t, "", net_table, &net));
    assert_ok(ctx, parse(ctx, &r, t.at));
    assert_ok(ctx, few__recipe_apply(ctx, &r, net_table, &back));
    assert_memory_equal(&net, &back, sizeof net);
    few__recipe_free(ctx, &r);
    few__text_free(ctx, &t);
  }
  few_ctx_free(ctx);
}

static void test_corpus(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  corpus_check(ctx, "recipe", parse_and_free);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pairs),      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_apply),      cmocka_unit_test(test_slips),
      cmocka_unit_test(test_write_back), cmocka_unit_test(test_corpus),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
