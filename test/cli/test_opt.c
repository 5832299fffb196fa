/* Arguments of a command: values, typos, options and operands. */
#include "cli/opt.c" /* the program's own, not part of the library */
#include "testing.h"

struct all {
  bool flag;
  int64_t n;
  uint64_t seed;
  double x;
  const char *text;
  struct few_text_list texts;
  struct few_real_list reals;
  int choice;
  unsigned set;
  int narrow;
};
static const struct few_option table[] = {
    OPT_FLAG(struct all, flag, "flag", "a flag"),
    OPT_INT(struct all, n, "number", "N", "7", -5, 100, "a number"),
    OPT_SEED(struct all, seed, "seed", "S", "0", "a seed"),
    OPT_REAL(struct all, x, "real", "X", "0.5", 0, 2, "a real"),
    OPT_TEXT(struct all, text, "text", "T", NULL, "a text"),
    OPT_TEXTS(struct all, texts, "texts", "K=V", "texts"),
    OPT_REALS(struct all, reals, "reals", "A,B", 0, 2, "reals"),
    OPT_CHOICE(struct all, choice, "choice", "two", "one|two|three", "a choice"),
    OPT_SET(struct all, set, "set", "A,B", "one,three", "one|two|three", "a set"),
    OPT_INT(struct all, narrow, "long_key", "N", "7", -5, 100, "an int, a key of two words"),
    FEW_OPT_END};

/* Parses words separated by blanks; `~` is an empty word. */
static int parse(few_ctx *ctx, struct all *o, const char *line, char error[OPT_ERROR_MAX],
                 char *words[32]) {
  static char copy[512];
  int n = 0;
  snprintf(copy, sizeof copy, "%s", line);
  for (char *p = copy; *p;) {
    size_t length = strcspn(p, " ");
    bool end = p[length] == '\0';
    p[length] = '\0';
    words[n++] = *p == '~' ? p + 1 : p;
    p += length + !end;
  }
  *o = (struct all){0};
  return opt_parse(ctx, table, o, n, words, error);
}

static void test_values(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct all o;
  char error[OPT_ERROR_MAX], *words[32];
  assert_int_equal(parse(ctx, &o, "", error, words), 0);
  assert_int_equal(o.n, 7);
  assert_int_equal(o.choice, 1);
  assert_int_equal(o.set, 5);
  assert_null(o.text);
  int n = parse(ctx, &o,
                "a --number -5 --seed 18446744073709551615 b=c --real=2 --text --not-this - "
                "--texts x=1 --texts=y=2",
                error, words);
  assert_int_equal(n, -1); /* a value that begins with dashes needs the equals sign */
  n = parse(ctx, &o,
            "a --number -5 --seed 18446744073709551615 b=c --real=2 --text=--this - --texts x=1 "
            "--texts=y=2 --reals 1.5,0.25,0 --choice three --set two --flag -- --flag",
            error, words);
  assert_int_equal(n, 4);
  assert_string_equal(words[0], "a");
  assert_string_equal(words[1], "b=c");
  assert_string_equal(words[2], "-");
  assert_string_equal(words[3], "--flag");
  assert_true(o.flag && o.n == -5 && o.seed == UINT64_MAX && o.x == 2);
  assert_string_equal(o.text, "--this");
  assert_int_equal(o.texts.n, 2);
  assert_string_equal(o.texts.at[1], "y=2");
  assert_true(o.reals.n == 3 && o.reals.at[1] == 0.25);
  assert_int_equal(o.choice, 2);
  assert_int_equal(o.set, 2);
  assert_int_equal(parse(ctx, &o, "--long-key 3 --number +4", error, words), 0);
  assert_true(o.narrow == 3 && o.n == 4);
  assert_int_equal(parse(ctx, &o, "--long_key=5", error, words), 0);
  assert_int_equal(o.narrow, 5);
  few_ctx_free(ctx);
}

static void test_mistakes(void **state) {
  (void)state;
  static const char *const lines[][2] = {
      {"--number", "needs a value"},
      {"--number 101", "-5 to 100"},
      {"--number -6", "\"-6\""},
      {"--number 1e2", "integer"},
      {"--number 0x10", "integer"},
      {"--number ~", "integer"},
      {"--number 3 --number 4.0", "integer"},
      {"--seed -1", "2^64"},
      {"--seed 18446744073709551616", "2"},
      {"--real nan", "number from 0 to 2"},
      {"--real inf", "number"},
      {"--real 2.01", "0 to 2"},
      {"--real 1,5", "number"},
      {"--real 0x1p0", "number"},
      {"--real 1e999", "number"},
      {"--reals 1,,2", "commas"},
      {"--reals 1,", "commas"},
      {"--reals ,1", "commas"},
      {"--reals 1,3", "0 to 2"},
      {"--choice four", "one, two, three"},
      {"--choice on", "one of"},
      {"--set one,four", "some of"},
      {"--set ~", "some of"},
      {"--flag=1", "no value"},
      {"--text ~", "empty"},
      {"--numbr 3", "did you mean --number?"},
      {"--num 3", "did you mean --number?"},
      {"--nubmer=3", "did you mean --number?"},
      {"--long-key 101", "--long-key takes an integer from -5 to 100"},
      {"--lng-key 1", "did you mean --long-key?"},
      {"-seed 3", "did you mean --seed?"},
      {"-x", "no option -x"},
      {"--completely-else", "no option"},
      {"--=3", "no option"},
  };
  few_ctx *ctx = test_ctx();
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    struct all o;
    char error[OPT_ERROR_MAX] = "", *words[32];
    int n = parse(ctx, &o, lines[i][0], error, words);
    if (n != -1 || !strstr(error, lines[i][1]))
      fail_msg("%s: %d, \"%s\" without \"%s\"", lines[i][0], n, error, lines[i][1]);
  }
  few_ctx_free(ctx);
}

static void test_distance(void **state) {
  (void)state;
  static const struct {
    const char *a, *b;
    int d;
  } pairs[] = {{"", "", 0},       {"", "abc", 3},           {"abc", "", 3},
               {"abc", "abc", 0}, {"abc", "acb", 1},        {"abc", "abd", 1},
               {"abc", "ab", 1},  {"kitten", "sitting", 3}, {"smaple", "sample", 1},
               {"ab", "ba", 1},   {"workers", "worker", 1}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    assert_int_equal(distance(pairs[i].a, pairs[i].b), pairs[i].d);
    assert_int_equal(distance(pairs[i].b, pairs[i].a), pairs[i].d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_mistakes),
                                     cmocka_unit_test(test_distance)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
