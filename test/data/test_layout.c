/* Layouts of sets in folders: parts, folders around the set, lists of labels, classes of the
 * training part, files that operating systems add. An image is one grey byte, which identifies the
 * file. */
#include "grey.h"

/* Compares a set with its description `want`, such as "10:a 20:- of 2": the byte of each image with
 * the name of its class ("-" for none), and the number of classes. */
static void expect(struct files *f, const char *where, int split, const char *want) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  char got[1000] = "";
  size_t n = 0;
  o.split = split;
  assert_ok(f->ctx, files_open(f, &d, "folder", where, NULL, &o));
  for (int64_t i = 0; i < few_data_n(d); i++) {
    float x;
    char number[12];
    const int32_t label = few_data_label(d, i);
    const char *name = few_data_class_name(d, label);
    assert_ok(f->ctx, few_data_get(&x, d, i));
    snprintf(number, sizeof number, "%d", (int)label);
    n += (size_t)snprintf(got + n, sizeof got - n, "%s%d:%s", i ? " " : "",
                          (int)lround((x + 1) * 127.5),
                          name        ? name
                          : label < 0 ? "-"
                                      : number);
  }
  n += (size_t)snprintf(got + n, sizeof got - n, " of %d", few_data_n_classes(d));
  assert_string_equal(got, want);
  few_data_free(d);
}

enum { TRAIN = FEW_DATA_TRAIN, TEST_PART = FEW_DATA_TEST };

static void test_parts(void **state) {
  struct files *f = *state;
  image(f, "s/Train/cat/1.png", 1);
  image(f, "s/Train/dog/1.png", 2);
  image(f, "s/Validation/dog/1.png", 3);
  expect(f, "s", TRAIN, "1:cat 2:dog of 2");
  expect(f, "s", TEST_PART, "3:dog of 2"); /* the class keeps its number */
  expect(f, "s:train", TRAIN, "1:cat 2:dog of 2");
  expect(f, "s:train", TEST_PART, "3:dog of 2");
  expect(f, "s:val", TRAIN, "3:dog of 2");
  expect(f, "s:valid", TRAIN, "3:dog of 2");
  assert_refused(f, "folder", "s:test", NULL, NULL, FEW_E_UNSUPPORTED, "has parts, but not test");
  assert_refused(f, "folder", "s:other", NULL, NULL, FEW_E_IO,
                 "is neither a folder, a zip archive nor an image");
  image(f, "s/test/cat/1.png", 4);
  image(f, "s/extra/owl/1.png", 9);
  expect(f, "s", TRAIN, "1:cat 2:dog of 2");
  expect(f, "s", TEST_PART, "4:cat of 2"); /* test comes before validation */
  expect(f, "s:val", TRAIN, "3:dog of 2");
  image(f, "s/test/owl/1.png", 5);
  assert_refused(f, "folder", "s:test", NULL, NULL, FEW_E_FORMAT,
                 "has a class that the training part lacks");
}

/* Test images often come without class folders. */
static void test_parts_without_classes(void **state) {
  struct files *f = *state;
  static const char list[] = "{\"labels\": [[\"00/1.png\", 0], [\"00/2.png\", 1]]}";
  image(f, "s/train/cat/1.png", 1);
  image(f, "s/train/dog/1.png", 2);
  image(f, "s/val/3.png", 3);
  expect(f, "s", TRAIN, "1:cat 2:dog of 2");
  expect(f, "s", TEST_PART, "3:- of 0");
  image(f, "t/train/00/1.png", 1);
  image(f, "t/train/00/2.png", 2);
  image(f, "t/test/00/3.png", 3);
  files_write(f, "t/train/dataset.json", list, strlen(list));
  expect(f, "t", TRAIN, "1:0 2:1 of 2");
  expect(f, "t", TEST_PART, "3:- of 0");
}

static void test_parts_by_a_word(void **state) {
  struct files *f = *state;
  image(f, "s/val2017/1.png", 1);
  image(f, "s/train2017/1.png", 2);
  expect(f, "s", TRAIN, "2:- of 0");
  expect(f, "s:val", TRAIN, "1:- of 0");
  image(f, "s/train2014/1.png", 3);
  assert_refused(f, "folder", "s", NULL, NULL, FEW_E_INVALID, "more than one folder is called");
}

/* A folder `train` without a held-out part is a class, such as railway trains. */
static void test_classes_called_as_parts(void **state) {
  struct files *f = *state;
  image(f, "s/bus/1.png", 1);
  image(f, "s/train/1.png", 2);
  expect(f, "s", TRAIN, "1:bus 2:train of 2");
  image(f, "t/test/1.png", 3);
  image(f, "t/test_tube/1.png", 4);
  expect(f, "t", TRAIN, "3:test 4:test_tube of 2");
}

static void test_wrappers(void **state) {
  struct files *f = *state;
  image(f, "s/set-v2/images/cat/1.png", 1);
  image(f, "s/set-v2/images/dog/1.png", 2);
  image(f, "s/__MACOSX/set-v2/images/cat/x.png", 9);
  image(f, "s/set-v2/images/.cache/x.png", 9);
  files_write(f, "s/set-v2/images/Thumbs.db", "x", 1);
  files_write(f, "s/set-v2/images/.DS_Store", "x", 1);
  files_write(f, "s/set-v2/images/cat/._1.png", "x", 1);
  expect(f, "s", TRAIN, "1:cat 2:dog of 2");
  image(f, "t/archive/train/only/1.png", 3);
  image(f, "t/archive/test/only/1.png", 4);
  expect(f, "t", TRAIN, "3:- of 0");
  expect(f, "t", TEST_PART, "4:- of 0");
}

/* Deeper folders belong to their class; folders without images are not classes. */
static void test_nested_and_empty_classes(void **state) {
  struct files *f = *state;
  image(f, "s/a/x/1.png", 1);
  image(f, "s/a/y/train/1.png", 2);
  image(f, "s/c/1.PNG", 3);
  make_dirs(f, "s/b/none/");
  files_write(f, "s/b/none/notes.txt", "x", 1);
  assert_int_equal(symlink("../a", files_path(f, "s/b/again")), 0);
  expect(f, "s", TRAIN, "1:a 2:a 3:c of 2");
}

static void test_list_of_labels(void **state) {
  struct files *f = *state;
  static const char *const bad[][2] = {
      {"{", "cannot"},
      {"{\"labels\": {}}", "neither a list nor null"},
      {"{\"labels\": [[\"00/1.png\", [0, 1]]]}", "entry 0"},
      {"{\"labels\": [[\"00/1.png\", -1]]}", "entry 0"},
      {"{\"labels\": [[\"00/1.png\", 1], [\"00/1.png\", 2]]}", "has two labels, 1 and 2"}};
  static const char list[] = "{\"labels\": [[\"01/2.png\", 7], [\"00/1.png\", 3]]}";
  static const char dense[] = "{\"labels\": [[\"01/2.png\", 0], [\"00/1.png\", 1]]}";
  image(f, "s/00/1.png", 1);
  image(f, "s/01/2.png", 2);
  files_write(f, "s/dataset.json", "{\"title\": \"mine\"}", 17);
  expect(f, "s", TRAIN, "1:00 2:01 of 2");
  files_write(f, "s/dataset.json", "{\"labels\": null}", 16);
  expect(f, "s", TRAIN, "1:- 2:- of 0");
  files_write(f, "s/dataset.json", list, strlen(list));
  expect(f, "s", TRAIN, "1:3 2:7 of 2");
  files_write(f, "s/dataset.json", dense, strlen(dense));
  expect(f, "s", TRAIN, "1:1 2:0 of 2");
  image(f, "s/01/3.png", 3);
  assert_refused(f, "folder", "s", NULL, NULL, FEW_E_FORMAT, "has no label in dataset.json");
  for (int i = 0; i < 5; i++) {
    files_write(f, "s/dataset.json", bad[i][0], strlen(bad[i][0]));
    assert_refused(f, "folder", "s", NULL, NULL, FEW_E_FORMAT, i ? bad[i][1] : "dataset.json");
  }
}

/* Folders of a thousand files that are numbered across the folders cause a warning. */
static void test_sets_in_pieces(void **state) {
  struct files *f = *state;
  for (int i = 0; i < 8; i++) {
    char name[40];
    snprintf(name, sizeof name, "pieces/%05d/img%08d.png", i / 3, 40 + i);
    image(f, name, i);
    snprintf(name, sizeof name, "again/%d/%d.png", i / 3, i % 3); /* numbered in each class */
    image(f, name, i);
    snprintf(name, sizeof name, "uneven/%d/%d.png", i > 1 ? i > 4 ? 2 : 1 : 0, i);
    image(f, name, i);
  }
  static const char *const sets[] = {"pieces", "again", "uneven"};
  for (int i = 0; i < 3; i++) {
    few_data *d = NULL;
    assert_ok(f->ctx, files_open(f, &d, "folder", sets[i], NULL, NULL));
    assert_int_equal(few_data_n_classes(d), 3);
    assert_int_equal(f->warnings, i == 0);
    if (i == 0) assert_non_null(strstr(f->warning, "pieces of one sequence"));
    few_data_free(d);
  }
}

/* The labels of a part are classes of the training part. */
static void test_lists_of_parts(void **state) {
  struct files *f = *state;
  static const char train[] = "{\"labels\": [[\"1.png\", 4], [\"2.png\", 6], [\"3.png\", 8]]}";
  static const char test[] = "{\"labels\": [[\"1.png\", 8], [\"2.png\", 4]]}";
  for (int i = 1; i <= 3; i++) {
    char name[40];
    snprintf(name, sizeof name, "s/train/%d.png", i);
    image(f, name, i);
  }
  image(f, "s/test/1.png", 11);
  image(f, "s/test/2.png", 12);
  files_write(f, "s/train/dataset.json", train, strlen(train));
  files_write(f, "s/test/dataset.json", test, strlen(test));
  expect(f, "s", TRAIN, "1:4 2:6 3:8 of 3");
  expect(f, "s", TEST_PART, "11:8 12:4 of 3");
}

static void test_limit_takes_from_all_folders(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  for (int i = 0; i < 12; i++) {
    char name[40];
    snprintf(name, sizeof name, "s/%s/%02d.png", i < 8 ? "a" : i < 11 ? "b" : "c", i);
    image(f, name, i);
  }
  files_write(f, "s/a/00.png", "broken", 6);
  o.limit = 4;
  o.on_error = FEW_DATA_SKIP;
  assert_ok(f->ctx, files_open(f, &d, "folder", "s", NULL, &o));
  static const int label[] = {0, 0, 1, 2},
                   byte[] = {1, 2, 8, 11}; /* image 0 is broken, so image 1 replaces it */
  assert_int_equal(few_data_n(d), 4);
  for (int i = 0; i < 4; i++) {
    float x;
    assert_ok(f->ctx, few_data_get(&x, d, i));
    assert_int_equal(few_data_label(d, i), label[i]);
    assert_int_equal(lround((x + 1) * 127.5), byte[i]);
  }
  few_data_free(d);
}

/* A class whose images are all broken is removed. */
static void test_classes_of_broken_images(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  image(f, "s/a/1.png", 1);
  make_dirs(f, "s/b/");
  files_write(f, "s/b/1.png", "broken", 6);
  image(f, "s/c/1.png", 3);
  o.on_error = FEW_DATA_SKIP;
  assert_ok(f->ctx, files_open(f, &d, "folder", "s", NULL, &o));
  assert_int_equal(few_data_n_classes(d), 2);
  assert_string_equal(few_data_class_name(d, 0), "a");
  assert_string_equal(few_data_class_name(d, 1), "c");
  assert_int_equal(few_data_label(d, 1), 1);
  few_data_free(d);
}

static void test_names_of_classes(void **state) {
  struct files *f = *state;
  char name[210], want[600];
  memset(name, 'x', 200);
  snprintf(name + 200, sizeof name - 200, "\xc3\xa9");
  snprintf(want, sizeof want, "s/%s1/1.png", name);
  image(f, want, 1);
  snprintf(want, sizeof want, "s/%s2/1.png", name);
  image(f, want, 2);
  snprintf(want, sizeof want, "1:%s1 2:%s2 of 2", name, name);
  expect(f, "s", TRAIN, want);
  image(f, "s/caf\xe9/1.png", 3);
  assert_refused(f, "folder", "s", NULL, NULL, FEW_E_FORMAT,
                 "the name of class caf\\xe9 is not UTF-8");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_parts),
      TEST(test_parts_without_classes),
      TEST(test_parts_by_a_word),
      TEST(test_classes_called_as_parts),
      TEST(test_wrappers),
      TEST(test_nested_and_empty_classes),
      TEST(test_list_of_labels),
      TEST(test_sets_in_pieces),
      TEST(test_lists_of_parts),
      TEST(test_limit_takes_from_all_folders),
      TEST(test_classes_of_broken_images),
      TEST(test_names_of_classes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
