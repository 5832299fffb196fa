/* Labels in a table: quoting as in RFC 4180, headers, and rows and files that do not fit. */
#include <stdio.h>

#include "../io/corpus.h"
#include "data/table.h"
#include "grey.h"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_table t;
  few_status st = few__table_parse(ctx, &t, place, bytes, n);
  few__table_free(ctx, &t);
  return st;
}

static void test_parser(void **state) {
  struct files *f = *state;
  static const char text[] =
      "\xef\xbb\xbfid,note,Class\r\n"
      "\"b,\"\"1\"\"\",\"two\nlines\",x\r\n"
      "\n./a.png,,\"y\n\"\n";
  struct few_table t;
  assert_ok(f->ctx, few__table_parse(f->ctx, &t, "t", text, sizeof text - 1));
  assert_int_equal(t.n, 2);
  assert_string_equal(t.at[0].file, "a.png");
  assert_string_equal(t.at[0].label, "y\n");
  assert_int_equal(t.at[0].line, 5);
  assert_string_equal(t.at[1].file, "b,\"1\"");
  assert_string_equal(t.at[1].label, "x");
  assert_int_equal(t.at[1].line, 2);
  assert_ptr_equal(few__table_find(&t, "b,\"1\".png"), &t.at[1]); /* without the ending */
  assert_ptr_equal(few__table_find(&t, "a.png"), &t.at[0]);
  assert_null(few__table_find(&t, "a.jpg"));
  assert_null(few__table_find(&t, "a"));
  few__table_free(f->ctx, &t);
}

/* y_* is read and n_* refused, in a sentence with the line. */
static void test_corpus(void **state) {
  struct files *f = *state;
  static const char *const cases[][2] = {{"n_open_quote", "line 2: a quotation that"},
                                         {"n_short_row", "line 2: not as many values"},
                                         {"n_long_row", "line 2: not as many values"},
                                         {"n_twice", "line 3: a.png is listed in line 1"},
                                         {"n_empty_label", "line 1: no file or no label"},
                                         {"n_one_column", "line 1: neither a header"},
                                         {"n_no_names", "line 1: neither a header"},
                                         {"n_quote_inside", "line 1: a quote inside"},
                                         {"n_carriage", "line 1: a carriage return"}};
  struct few_names names;
  assert_ok(f->ctx, few__list_dir(f->ctx, &names, FEW_TEST_DIR "/data/data/csv"));
  assert_int_equal(names.n, 17);
  for (int i = 0; i < names.n; i++) {
    char path[300], *bytes;
    size_t n;
    snprintf(path, sizeof path, "%s/data/data/csv/%s", FEW_TEST_DIR, names.at[i]);
    assert_ok(f->ctx, few__file_read(f->ctx, &bytes, &n, path, 1 << 16));
    few_status st = corpus_parse(f->ctx, parse_and_free, names.at[i], bytes, n);
    if ((names.at[i][0] == 'y') != !st)
      fail_msg("%s: %s", names.at[i], st ? few_error(f->ctx) : "was read");
    for (int k = 0; k < FEW_COUNT(cases); k++)
      if (!strncmp(names.at[i], cases[k][0], strlen(cases[k][0])) &&
          !strstr(few_error(f->ctx), cases[k][1]))
        fail_msg("%s: %s", names.at[i], few_error(f->ctx));
    few__free(f->ctx, bytes);
  }
  few__names_free(f->ctx, &names);
}

static void write_text(struct files *f, const char *name, const char *text) {
  files_write(f, name, text, strlen(text));
}

static void test_folder_with_labels(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  image(f, "set/a.png", 1);
  image(f, "set/sub/b.png", 2);
  image(f, "set/sub/c.png", 3);
  write_text(f, "l.csv", "sub/c.png,dog\na,ant\nsub/b,dog\n");
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", "l.csv", NULL));
  assert_int_equal(few_data_n(d), 3);
  assert_int_equal(few_data_n_classes(d), 2);
  assert_string_equal(few_data_class_name(d, 0), "ant");
  assert_true(few_data_label(d, 0) == 0 && few_data_label(d, 1) == 1 && few_data_label(d, 2) == 1);
  few_data_free(d);
  /* numbers, and a table in the folder */
  char spec[300];
  write_text(f, "set/n.csv", "label,file\n7,a.png\n3,sub/b.png\n7,sub/c.png\n");
  snprintf(spec, sizeof spec, "folder:%s,n.csv", files_path(f, "set"));
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, NULL));
  assert_int_equal(few_data_n_classes(d), 2);
  assert_string_equal(few_data_class_name(d, 1), "7");
  assert_true(few_data_label(d, 0) == 1 && few_data_label(d, 1) == 0 && few_data_label(d, 2) == 1);
  few_data_free(d);
}

static void test_misfits(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  image(f, "set/a.png", 1);
  image(f, "set/b.png", 2);
  write_text(f, "l.csv", "a.png,x\nc.png,x\n");
  assert_refused(f, "folder", "set", "l.csv", NULL, FEW_E_FORMAT, "line 2: c.png is not an image");
  o.on_error = FEW_DATA_SKIP;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", "l.csv", &o));
  assert_true(few_data_n(d) == 1 && few_data_skipped(d) == 2);
  few_data_free(d);
  write_text(f, "l.csv", "a.png,x\n");
  assert_refused(f, "folder", "set", "l.csv", NULL, FEW_E_FORMAT, "b.png has no label in");
  image(f, "set/a.jpg", 1);
  write_text(f, "l.csv", "a,x\nb,x\n");
  assert_refused(f, "folder", "set", "l.csv", NULL, FEW_E_FORMAT, "line 1: \"a\" is");
  assert_refused(f, "folder", "absent", "l.csv", NULL, FEW_E_IO, "write folder:DIR,LABELS.csv");
  assert_refused(f, "folder", "set", "absent.csv", NULL, FEW_E_IO, "absent.csv");
  o.split = FEW_DATA_TEST;
  assert_refused(f, "folder", "set", "l.csv", &o, FEW_E_UNSUPPORTED, "no test split");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_parser),
      TEST(test_corpus),
      TEST(test_folder_with_labels),
      TEST(test_misfits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
