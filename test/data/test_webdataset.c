/* WebDataset: shards that its own writer wrote (webdataset_reference.py), and archives made here. */
#include <stdio.h>

#include "grey.h"

#define SHARDS FEW_TEST_DIR "/data/data/webdataset/"

static few_data *open_set(struct files *f, const char *where, const struct few_data_opts *o) {
  few_data *d = NULL;
  char spec[600];
  snprintf(spec, sizeof spec, "webdataset:%s", where);
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, o));
  return d;
}

static void assert_fails(struct files *f, const char *where, few_status want, const char *part) {
  few_data *d = NULL;
  char spec[600];
  snprintf(spec, sizeof spec, "webdataset:%s", where);
  few_status st = few_data_open(&d, f->ctx, spec, NULL);
  if (st != want || !strstr(few_error(f->ctx), part))
    fail_msg("%s: %s: %s", where, few_status_name(st), st ? few_error(f->ctx) : "was read");
}

/* Item k is sample first + k: its value is exact in PNG, and of one grey in JPEG too. */
static void check_samples(const few_data *d, int first, int n, const char *const *names) {
  assert_int_equal(few_data_n(d), n);
  assert_true(few_data_h(d) == 8 && few_data_w(d) == 8 && few_data_c(d) == 1);
  for (int k = 0; k < n; k++) {
    float x[64];
    const int i = first + k, label = 7 * i % 5;
    assert_int_equal(few_data_get(x, d, k), FEW_OK);
    assert_int_equal(lround((x[0] + 1) * 127.5), 10 * i + 3);
    if (!names)
      assert_int_equal(few_data_label(d, k), label);
    else
      assert_string_equal(few_data_class_name(d, few_data_label(d, k)), names[label]);
  }
}

static void test_ranges_lists_and_folders(void **state) {
  struct files *f = *state;
  static const char *const specs[] = {
      SHARDS "shard-{000000..000002}.tar", SHARDS "shard-{0..0}{00000..00002}.tar",
      SHARDS "shard-000000.tar," SHARDS "shard-{000001..000002}.tar",
      SHARDS "shard-{000000..000002}.tar,cls"};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    few_data *d = open_set(f, specs[i], NULL);
    check_samples(d, 0, 10, NULL);
    assert_int_equal(few_data_n_classes(d), 5);
    assert_non_null(strstr(few_data_note(d),
                           "3 shards; labels come from cls; files that are "
                           "ignored: 10 json, 10 txt"));
    few_data_free(d);
  }
  few_data *d = open_set(f, SHARDS, NULL); /* packed.tar.gz is shard 0 again, and comes first */
  assert_int_equal(few_data_n(d), 14);
  few_data_free(d);
  few_data *packed = open_set(f, SHARDS "packed.tar.gz", NULL);
  d = open_set(f, SHARDS "shard-000000.tar", NULL);
  assert_int_equal(few_data_hash(packed), few_data_hash(d));
  few_data_free(packed);
  few_data_free(d);
  assert_ok(f->ctx, few_data_open(&d, f->ctx, SHARDS "shard-000001.tar", NULL));
  assert_int_equal(few_data_n(d), 4);
  few_data_free(d);
}

static void test_members_of_json(void **state) {
  struct files *f = *state;
  static const char *const names[] = {"dog", "cat", "ant", "fox", "bee"};
  static const char *const numbers[] = {"2", "3", "4", "5", "6"};
  few_data *d = open_set(f, SHARDS "shard-{000000..000002}.tar,label", NULL);
  check_samples(d, 0, 10, names);
  assert_string_equal(few_data_class_name(d, 0), "ant");
  few_data_free(d);
  d = open_set(f, SHARDS "shard-{000000..000002}.tar,number", NULL);
  check_samples(d, 0, 10, numbers);
  few_data_free(d);
  assert_fails(f, SHARDS "shard-000000.tar,colour", FEW_E_FORMAT,
               "sample set/000000 has no member `colour` in its json");
}

/* A limit, classes without samples, and images of the second reading in each order. */
static void test_options(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.limit = 5;
  few_data *d = open_set(f, SHARDS "shard-{000000..000002}.tar", &o);
  int64_t seen[5] = {0};
  assert_int_equal(few_data_n(d), 5);
  for (int i = 0; i < 5; i++) seen[few_data_label(d, i)]++;
  for (int c = 0; c < 5; c++) assert_int_equal(seen[c], 1);
  few_data_free(d);
  o.limit = 0;
  o.classes = 8;
  d = open_set(f, SHARDS "shard-000002.tar", &o);
  check_samples(d, 8, 2, NULL);
  assert_int_equal(few_data_n_classes(d), 8);
  few_data_free(d);
  o.classes = 2;
  char spec[300];
  snprintf(spec, sizeof spec, "webdataset:%sshard-000000.tar", SHARDS);
  assert_int_equal(few_data_open(&d, f->ctx, spec, &o), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(f->ctx), "000001.jpg has a label that is not below"));
}

/* ---- archives made here ---- */

struct file {
  const char *name, *content; /* content NULL: an image */
};

/* Adds a file with a V7 header. */
static void put_file(FILE *out, const char *name, const void *content, size_t n) {
  char block[512] = {0};
  unsigned sum = 0;
  snprintf(block, 100, "%s", name);
  snprintf(block + 124, 12, "%011o", (unsigned)n);
  memset(block + 148, ' ', 8);
  for (int i = 0; i < 512; i++) sum += (unsigned char)block[i];
  snprintf(block + 148, 8, "%06o", sum);
  assert_int_equal(fwrite(block, 1, 512, out), 512);
  assert_int_equal(fwrite(content, 1, n, out), n);
  memset(block, 0, sizeof block);
  const size_t padding = (512 - n % 512) % 512;
  assert_int_equal(fwrite(block, 1, padding, out), padding);
}

static const char *make_shard(struct files *f, const struct file *files, bool end) {
  static const char zeros[1024];
  const char *path = files_path(f, "x.tar");
  char png[4096];
  image(f, "x.png", 9);
  FILE *in = fopen(files_path(f, "x.png"), "rb"), *out = fopen(path, "wb");
  assert_true(in && out);
  const size_t n = fread(png, 1, sizeof png, in);
  fclose(in);
  for (; files->name; files++)
    put_file(out, files->name, files->content ? files->content : png,
             files->content ? strlen(files->content) : n);
  if (end) assert_int_equal(fwrite(zeros, 1, sizeof zeros, out), sizeof zeros);
  fclose(out);
  return path;
}

static void test_odd_shards(void **state) {
  struct files *f = *state;
  static const struct {
    struct file files[5];
    const char *part;
  } cases[] = {
      {{{"a.png", NULL}, {"b.png", NULL}, {"a.cls", "1"}}, "sample a has no image"},
      {{{"a.png", NULL}, {"a.jpg", NULL}}, "sample a has two images"},
      {{{"a.png", NULL}, {"b.png", NULL}, {"a.png", NULL}}, "sample a do not follow each other"},
      {{{"a.png", NULL}, {"a.cls", "cat"}}, "sample a has a file cls that is not the number"},
      {{{"a.png", NULL}, {"a.cls", "-1"}}, "sample a has a file cls that is not the number"},
      {{{"a.png", NULL}, {"a.cls", "1"}, {"b.png", NULL}}, "b.png has no label in a file cls"},
      {{{"a.png", "text"}}, "a.png is neither PNG"},
      {{{"readme", "text"}}, "has no sample"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    assert_fails(f, make_shard(f, cases[i].files, true), FEW_E_FORMAT, cases[i].part);
  assert_fails(f, make_shard(f, cases[1].files, false), FEW_E_FORMAT, "two images");
  const struct file one[] = {{"a.png", NULL}, {NULL, NULL}};
  assert_fails(f, make_shard(f, one, false), FEW_E_FORMAT, "without its end mark");
}

/* What the reader of webdataset leaves out too: meta files, hidden files, names without an ending. */
static void test_skipped(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  const struct file files[] = {{"__meta__", "{}"},  {"a/._1.png", "x"},  {"a/1.PNG", NULL},
                               {"a/1.Cls", " 4\n"}, {"a.b/1.png", NULL}, {"a.b/1.cls", "x"},
                               {"LICENSE", "text"}, {NULL, NULL}};
  o.on_error = FEW_DATA_SKIP;
  few_data *d = open_set(f, make_shard(f, files, true), &o);
  assert_int_equal(few_data_n(d), 1);
  assert_int_equal(few_data_skipped(d), 1);
  assert_string_equal(few_data_class_name(d, 0), "4");
  few_data_free(d);
}

static void test_names(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  char spec[300];
  few_data *d = NULL;
  assert_fails(f, "absent.tar", FEW_E_IO, "absent.tar");
  assert_fails(f, SHARDS "shard-{000000..000009}.tar", FEW_E_IO, "shard-000003.tar");
  assert_fails(f, SHARDS "shard-{a..b}.tar", FEW_E_INVALID, "braces hold a range of numbers");
  assert_fails(f, SHARDS "shard-{2..1}.tar", FEW_E_INVALID, "braces hold a range of numbers");
  assert_fails(f, SHARDS "shard-{0..99999999}.tar", FEW_E_INVALID, "more than 65536 shards");
  assert_fails(f, f->dir, FEW_E_FORMAT, "has no .tar, .tar.gz or .tgz file");
  o.split = FEW_DATA_TEST;
  snprintf(spec, sizeof spec, "webdataset:%sshard-000000.tar", SHARDS);
  assert_int_equal(few_data_open(&d, f->ctx, spec, &o), FEW_E_UNSUPPORTED);
  o.holdout = 0.5;
  snprintf(spec, sizeof spec, "webdataset:%sshard-{0..0}0000{0..2}.tar", SHARDS);
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, &o));
  few_data_free(d);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_ranges_lists_and_folders),
      TEST(test_members_of_json),
      TEST(test_options),
      TEST(test_odd_shards),
      TEST(test_skipped),
      TEST(test_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
