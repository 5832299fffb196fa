/* Option tables: printed values read back to the same bits, and every mistake gives an error
 * sentence. */
#include <float.h>

#include "base/option.h"
#include "base/rng.h"
#include "testing.h"

struct opts {
  int64_t channels;
  double dropout, sigma;
  bool flip;
  char name[8];
  int norm;
  struct few_int_list mults;
};

static const struct few_option table[] = {
    FEW_OPT_INT(struct opts, channels, "64", 1, 4096, "width of the first level"),
    FEW_OPT_REAL(struct opts, dropout, "0.1", 0, 1, "chance of dropping a value"),
    FEW_OPT_REAL(struct opts, sigma, "0.5", 0, 0, "deviation of the data"),
    FEW_OPT_BOOL(struct opts, flip, "yes", "mirror half of the images"),
    FEW_OPT_STRING(struct opts, name, "abc", "what to call it"),
    FEW_OPT_CHOICE(struct opts, norm, "layer", "group|layer|none", "normalisation"),
    FEW_OPT_INTS(struct opts, mults, "1, 2, 4", 1, 64, "width of each level"),
    FEW_OPT_END};

/* Option types that only command lines use: their fields point to the arguments. */
enum colour { RED, GREEN, BLUE };
struct words {
  int steps;
  uint64_t seed;
  const char *out;
  struct few_text_list set;
  struct few_real_list times;
  unsigned cases;
  int64_t behind;
  enum colour colour;
};
static const struct few_option words_table[] = {
    FEW_OPT_INT(struct words, steps, "8", 1, 10, "steps"),
    FEW_OPT_ROW(struct words, seed, "seed", FEW_OPTION_SEED, "S", "0", 0, 0, NULL, "seed", false),
    FEW_OPT_ROW(struct words, out, "out", FEW_OPTION_TEXT, "FILE", NULL, 0, 0, NULL, "file", true),
    FEW_OPT_ROW(struct words, set, "set", FEW_OPTION_TEXTS, "K=V", NULL, 0, 0, NULL, "set", false),
    FEW_OPT_ROW(struct words, times, "times", FEW_OPTION_REALS, "A,B", NULL, 0, 2, NULL, "times",
                false),
    FEW_OPT_ROW(struct words, cases, "case", FEW_OPTION_SET, "A,B", "one,three", 0, 0,
                "one|two|three", "cases", false),
    FEW_OPT_ROW(struct words, behind, "behind", FEW_OPTION_COLOUR, "C", "white", 0, 0, NULL,
                "background", false),
    FEW_OPT_CHOICE(struct words, colour, "green", "red|green|blue", "colour"),
    FEW_OPT_END};

static struct opts defaults(few_ctx *ctx) {
  struct opts o;
  memset(&o, 0, sizeof o);
  assert_ok(ctx, few_options_default(&o, ctx, table));
  return o;
}

static void test_defaults(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct opts o = defaults(ctx);
  assert_int_equal(o.channels, 64);
  assert_true(o.dropout == 0.1 && o.sigma == 0.5 && o.flip && o.norm == 1);
  assert_string_equal(o.name, "abc");
  assert_true(o.mults.n == 3 && o.mults.at[2] == 4);
  few_ctx_free(ctx);
}

static void test_values(void **state) {
  (void)state;
  static const struct {
    const char *key, *value;
    bool good;
  } cases[] = {
      {"channels", "1", true},
      {"channels", " +4096 ", true},
      {"channels", "0", false},
      {"channels", "4097", false},
      {"channels", "", false},
      {"channels", "1.5", false},
      {"channels", "12x", false},
      {"channels", "0x10", false},
      {"channels", "1e3", false},
      {"channels", "99999999999999999999", false},
      {"dropout", "1", true},
      {"dropout", "1e-3", true},
      {"dropout", "-0.1", false},
      {"dropout", "nan", false},
      {"dropout", "0,5", false},
      {"dropout", "0.5 0.6", false},
      {"sigma", "-inf", true},
      {"sigma", "1e999", false},
      {"sigma", "1e-999", true},
      {"flip", "no", true},
      {"flip", "off", true},
      {"flip", "0", true},
      {"flip", "maybe", false},
      {"flip", "", false},
      {"name", "1234567", true},
      {"name", "12345678", false},
      {"name", "", true},
      {"norm", "none", true},
      {"norm", "gro", false},
      {"norm", "group|layer", false},
      {"norm", "", false},
      {"mults", "", true},
      {"mults", "7", true},
      {"mults", "1,2 , 3", true},
      {"mults", "1,", false},
      {"mults", "1 2", false},
      {"mults", ",1", false},
      {"mults", "1,65", false},
      {"mults", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", true},
      {"mults", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", false},
  };
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    struct opts o = defaults(ctx), before = o;
    few_status st = few_option_set(&o, ctx, table, cases[i].key, cases[i].value);
    if ((st == FEW_OK) != cases[i].good) fail_msg("%s = `%s`", cases[i].key, cases[i].value);
    if (st == FEW_OK) continue;
    assert_memory_equal(&o, &before, sizeof o);
    assert_non_null(strstr(few_error(ctx), cases[i].key));
    assert_non_null(strstr(few_error(ctx), cases[i].value));
  }
  few_ctx_free(ctx);
}

static void test_sentences(void **state) {
  (void)state;
  static const struct {
    const char *key, *value, *sentence;
  } cases[] = {
      {"channels", "0", "`channels` cannot be `0`: give an integer from 1 to 4096"},
      {"dropout", "2", "`dropout` cannot be `2`: give a number from 0 to 1"},
      {"flip", "x", "`flip` cannot be `x`: give yes or no"},
      {"norm", "batch", "`norm` cannot be `batch`: give one of group, layer, none"},
      {"name", "much too long", "`name` cannot be `much too long`: give text of at most 7 bytes"},
      {"chanels", "1", "unknown key `chanels`: did you mean `channels`?"},
      {"zzz", "1", "unknown key `zzz`: see --help for the keys"},
  };
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    struct opts o = defaults(ctx);
    assert_int_equal(few_option_set(&o, ctx, table, cases[i].key, cases[i].value), FEW_E_INVALID);
    assert_string_equal(few_error(ctx), cases[i].sentence);
  }
  few_ctx_free(ctx);
}

static void check_round_trip(few_ctx *ctx, const struct opts *o) {
  struct opts back = defaults(ctx);
  for (const struct few_option *p = table; p->key; p++) {
    struct few_text t = {0};
    few__option_format(ctx, p, o, &t);
    assert_ok(ctx, few_option_set(&back, ctx, table, p->key, t.at ? t.at : ""));
    few__text_free(ctx, &t);
  }
  assert_memory_equal(&back, o, sizeof back);
}

static void test_round_trip(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct opts o = defaults(ctx);
  static const double reals[] = {0.0,     -0.0,   1.0 / 3,  0.1,       1e300, DBL_MAX,
                                 DBL_MIN, 5e-324, INFINITY, -INFINITY, 1e16,  123456789012345678.0};
  check_round_trip(ctx, &o);
  for (int i = 0; i < FEW_COUNT(reals); i++) {
    o.sigma = reals[i];
    check_round_trip(ctx, &o);
  }
  struct few_rng r = {.seed = 1, .purpose = FEW_RNG_CHECK};
  for (uint32_t i = 0; i < 2000; i++) {
    uint32_t w[4];
    few__rng_block(&r, i, w);
    double x;
    memcpy(&x, w, sizeof x);
    if (isnan(x)) continue;
    o.sigma = x;
    o.channels = 1 + w[2] % 4096;
    o.norm = (int)(w[3] % 3);
    o.flip = w[3] >> 31;
    check_round_trip(ctx, &o);
  }
  few_ctx_free(ctx);
}

static void test_short_reals(void **state) {
  (void)state;
  char text[32];
  few__real_format(0.1, text);
  assert_string_equal(text, "0.1");
  few__real_format(3e-4, text);
  assert_string_equal(text, "0.0003");
  few__real_format(1.0 / 3, text);
  assert_string_equal(text, "0.3333333333333333");
}

static void test_words(void **state) {
  (void)state;
  static const struct {
    const char *key, *value, *back; /* back is NULL if the value is refused */
  } cases[] = {
      {"steps", "10", "10"},
      {"steps", "11", NULL},
      {"steps", "4294967297", NULL}, /* 1 in 32 bits */
      {"seed", "18446744073709551615", "18446744073709551615"},
      {"seed", "18446744073709551616", NULL},
      {"seed", "-1", NULL},
      {"seed", "", NULL},
      {"out", "a.png", "a.png"},
      {"out", "", NULL},
      {"set", "a=1", "a=1"},
      {"set", "b=2", "a=1 b=2"},
      {"set", "", NULL},
      {"times", "1.5,0.25,0", "1.5,0.25,0"},
      {"times", "1,,2", NULL},
      {"times", "1,", NULL},
      {"times", "3", NULL},
      {"times", "", NULL},
      {"case", "two", "two"},
      {"case", "three,one", "one,three"},
      {"case", "one,four", NULL},
      {"case", "", NULL},
      {"colour", "blue", "blue"},
  };
  few_ctx *ctx = test_ctx();
  struct words o;
  char *text;
  memset(&o, 0, sizeof o);
  assert_ok(ctx, few_options_default(&o, ctx, words_table));
  assert_true(o.steps == 8 && o.cases == 5 && o.colour == GREEN && !o.out);
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    const struct few_option *row = few_option_find(words_table, cases[i].key);
    const struct words before = o;
    const few_status st = few_option_set(&o, ctx, words_table, cases[i].key, cases[i].value);
    if ((st == FEW_OK) != (cases[i].back != NULL))
      fail_msg("%s = `%s`", cases[i].key, cases[i].value);
    if (st) assert_memory_equal(&o, &before, sizeof o);
    if (st) continue;
    assert_ok(ctx, few_option_text(&text, ctx, row, &o));
    assert_string_equal(text, cases[i].back);
    few_text_free(ctx, text);
  }
  few_ctx_free(ctx);
}

/* Bounds are printed as 10, not as 1e+01. */
static void test_colours(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int64_t value;
    const char *again;
  } good[] = {{"white", 255, "255"},
              {"black", 0, "0"},
              {"128", 128, "128"},
              {"00ff7F", FEW_RGB(0, 255, 127), "00ff7f"},
              {"100100", FEW_RGB(16, 1, 0), "100100"},
              {"000000", FEW_RGB(0, 0, 0), "000000"}};
  static const char *const bad[] = {"256", "-1", "", "red", "0ff", "1000", "#00ff7f", "00ff7g"};
  few_ctx *ctx = test_ctx();
  struct words w = {0};
  for (int i = 0; i < FEW_COUNT(good); i++) {
    char *text;
    assert_ok(ctx, few_option_set(&w, ctx, words_table, "behind", good[i].text));
    assert_int_equal(w.behind, good[i].value);
    assert_ok(ctx, few_option_text(&text, ctx, few_option_find(words_table, "behind"), &w));
    assert_string_equal(text, good[i].again);
    few_text_free(ctx, text);
  }
  for (int i = 0; i < FEW_COUNT(bad); i++) {
    assert_int_equal(few_option_set(&w, ctx, words_table, "behind", bad[i]), FEW_E_INVALID);
    assert_non_null(strstr(few_error(ctx), "a colour RRGGBB of six hexadecimal digits"));
  }
  few_ctx_free(ctx);
}

static void test_bounds(void **state) {
  (void)state;
  static const struct few_option rows[] = {
      FEW_OPT_REAL(struct opts, sigma, "1", 0, 10, ""),
      FEW_OPT_REAL(struct opts, sigma, "1", 1e-3, 1000000, ""),
      FEW_OPT_REAL(struct opts, sigma, "1", 0, 1e300, ""),
      FEW_OPT_REAL(struct opts, sigma, "1", 0.001, INFINITY, ""),
      FEW_OPT_REAL(struct opts, sigma, "1", 1e-6, 1e20, ""),
  };
  static const char *const allowed[] = {"a number from 0 to 10", "a number from 0.001 to 1000000",
                                        "a number from 0 to 1e300", "a number of at least 0.001",
                                        "a number from 1e-6 to 1e20"};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(rows); i++) {
    char *text;
    assert_ok(ctx, few_option_allowed(&text, ctx, &rows[i]));
    assert_string_equal(text, allowed[i]);
    few_text_free(ctx, text);
  }
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_words),      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_colours),    cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_values),     cmocka_unit_test(test_sentences),
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_short_reals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
