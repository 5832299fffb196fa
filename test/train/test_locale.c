/* A program may have set a locale whose decimal point is a comma. Recipes, logs, models, tables and
 * messages that few reads and writes do not follow it. localedef compiles the locale from the
 * sources in Debian's package `locales`. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/option.h"
#include "few/model.h"
#include "few/train.h"
#include "io/file.h"
#include "io/json.h"
#include "testing.h"

static char dir[] = "/tmp/few-locale-XXXXXX";

static void path_of(char out[128], const char *name) { snprintf(out, 128, "%s/%s", dir, name); }

static void train(few_ctx *ctx, const char *run) {
  const char *const settings[] = {"steps=4",   "width=8",         "layers=1",  "log_every=2",
                                  "lr=0.0015", "sigma_data=0.75", "ema=1234.5"};
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  o.recipe = FEW_TEST_DIR "/cli/moons.ini";
  o.run = run;
  o.overrides = (const char **)(uintptr_t)settings;
  o.n_overrides = FEW_COUNT(settings);
  assert_ok(ctx, few_train(ctx, &o));
}

static void same_file(few_ctx *ctx, const char *a, const char *b, const char *name) {
  char pa[192], pb[192], *ta, *tb;
  size_t na, nb;
  snprintf(pa, sizeof pa, "%s/%s", a, name);
  snprintf(pb, sizeof pb, "%s/%s", b, name);
  assert_ok(ctx, few__file_read(ctx, &ta, &na, pa, 1 << 24));
  assert_ok(ctx, few__file_read(ctx, &tb, &nb, pb, 1 << 24));
  assert_int_equal(na, nb);
  assert_memory_equal(ta, tb, na);
  few__free(ctx, ta);
  few__free(ctx, tb);
}

static void check_log(few_ctx *ctx, const char *run) {
  char path[192], *text;
  size_t n;
  int lines = 0;
  snprintf(path, sizeof path, "%s/log.jsonl", run);
  assert_ok(ctx, few__file_read(ctx, &text, &n, path, 1 << 20));
  for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
    json_t *o;
    double lr;
    assert_ok(ctx, few__json_parse(ctx, &o, path, line, (size_t)(end - line)));
    assert_ok(ctx, few__json_real(ctx, path, o, "lr", &lr));
    assert_true(lr == 0.0015);
    json_decref(o);
  }
  assert_int_equal(lines, 3);
  few__free(ctx, text);
}

static void check_text(few_ctx *ctx) {
  struct few_text t = {0};
  char text[32];
  double x;
  few__text_add(ctx, &t, "%g %.3f", 0.5, 1e6);
  assert_string_equal(t.at, "0.5 1000000.000");
  few__text_free(ctx, &t);
  few__real_format(0.1, text);
  assert_string_equal(text, "0.1");
  assert_true(few__real_parse(" 2.5e-3 ", &x) && x == 2.5e-3);
  assert_false(few__real_parse("2,5", &x));
  assert_int_equal(few__fail(ctx, FEW_E_INVALID, "at %g", 0.25), FEW_E_INVALID);
  assert_string_equal(few_error(ctx), "at 0.25");
}

static void test_comma(void **state) {
  FEW_UNUSED(state);
  few_ctx *ctx = test_ctx();
  char plain[128], comma[128], here[32];
  path_of(plain, "plain");
  path_of(comma, "comma");
  train(ctx, plain);
  if (!setlocale(LC_ALL, "de_DE.UTF-8") || strcmp(localeconv()->decimal_point, ",") != 0) skip();
  train(ctx, comma);
  snprintf(here, sizeof here, "%g", 0.5);
  assert_string_equal(here, "0,5"); /* the program's locale is unchanged */
  check_text(ctx);
  same_file(ctx, plain, comma, "model.safetensors");
  same_file(ctx, plain, comma, "recipe.ini");
  check_log(ctx, comma);
  train(ctx, comma); /* the recipe and the checkpoint are read as well */
  setlocale(LC_ALL, "C");
  same_file(ctx, plain, comma, "model.safetensors");
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_comma)};
  char command[200];
  if (!mkdtemp(dir)) return 1;
  setenv("LOCPATH", dir, 1);
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/said 2>&1", dir,
           dir);
  if (system(command)) fprintf(stderr, "no localedef, or no sources of locales: skipped\n");
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  snprintf(command, sizeof command, "rm -r %s", dir);
  return system(command) ? 1 : failed;
}
