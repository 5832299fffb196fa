/* A set from memory equals the set of the same items in a file, in its hash, statistics, batches
 * and selections. Borrowed values are not changed. */
#include "files.h"

enum { N = 60, H = 3, W = 2, C = 3, ITEM = H * W * C, CLASSES = 4 };

static uint8_t pixels[N * ITEM];
static float points[N * C];
static int32_t labels[N];

static void make_items(void) {
  uint32_t x = 1;
  for (int i = 0; i < N * ITEM; i++) pixels[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
  for (int i = 0; i < N * C; i++) points[i] = (float)pixels[i] / 100 - 1;
  for (int i = 0; i < N; i++) labels[i] = i * i % CLASSES % 3 + (i == 7 ? 2 : 0);
}

static struct few_data_memory of_images(void) {
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  m.n = N, m.h = H, m.w = W, m.c = C;
  m.pixels = pixels;
  m.labels = labels;
  m.n_classes = CLASSES;
  return m;
}

static struct few_data_memory of_points(void) {
  struct few_data_memory m = FEW_DATA_MEMORY_INIT;
  m.n = N, m.c = C;
  m.points = points;
  return m;
}

static void assert_same(few_ctx *ctx, const few_data *a, const few_data *b) {
  struct few_data_stream s = FEW_DATA_STREAM_INIT;
  float x[2][70 * ITEM];
  int32_t y[2][70];
  assert_int_equal(few_data_n(a), few_data_n(b));
  assert_int_equal(few_data_item_size(a), few_data_item_size(b));
  assert_int_equal(few_data_n_classes(a), few_data_n_classes(b));
  assert_true(few_data_hash(a) == few_data_hash(b));
  assert_true(few_data_mean(a) == few_data_mean(b) && few_data_std(a) == few_data_std(b));
  s.seed = 5;
  s.flip = few_data_get_kind(a) == FEW_DATA_IMAGES;
  s.scale = few_data_scale_to(a, 0.5);
  assert_ok(ctx, few_data_fill(x[0], y[0], a, &s, 33, 70));
  assert_ok(ctx, few_data_fill(x[1], y[1], b, &s, 33, 70));
  assert_memory_equal(x[0], x[1], 70 * (size_t)few_data_item_size(a) * sizeof(float));
  assert_memory_equal(y[0], y[1], sizeof y[0]);
}

static few_status copy_item(void *user, int64_t i, void *values, int32_t *label) {
  const struct few_data_memory *m = user;
  const size_t size = (size_t)(m->h * m->w * m->c);
  if (m->kind == FEW_DATA_IMAGES)
    memcpy(values, pixels + (size_t)i * size, size);
  else
    memcpy(values, points + (size_t)i * size, size * sizeof(float));
  *label = labels[i];
  return FEW_OK;
}

/* Writes the set to a file and opens the file with options. Compares it with the same set from
 * memory, created in three ways. */
static void hold_against_file(struct files *f, struct few_data_memory m,
                              const struct few_data_opts *o) {
  few_data *whole = NULL, *file = NULL, *d = NULL;
  struct few_data_opts of_file = FEW_DATA_OPTS_INIT;
  if (o) of_file = *o;
  assert_ok(f->ctx, few_data_create(&whole, f->ctx, &m, NULL));
  assert_ok(f->ctx, few_data_write(whole, files_path(f, "set.npy"), 0, N, 0));
  few_data_free(whole);
  of_file.classes = m.n_classes;
  assert_ok(f->ctx,
            files_open(f, &file, "npy", "set.npy", m.labels ? "set.labels.npy" : NULL, &of_file));
  for (int way = 0; way < 3; way++) {
    struct few_data_memory by_item = m;
    m.borrow = way == 1;
    if (way == 2) {
      m.kind = m.pixels ? FEW_DATA_IMAGES : FEW_DATA_POINTS;
      m.pixels = NULL, m.points = NULL, m.labels = NULL;
      by_item.kind = m.kind;
      m.item = copy_item;
      m.user = &by_item;
    }
    assert_ok(f->ctx, few_data_create(&d, f->ctx, &m, o));
    assert_same(f->ctx, file, d);
    few_data_free(d);
  }
  few_data_free(file);
}

static void test_as_from_a_file(void **state) {
  struct files *f = *state;
  make_items();
  hold_against_file(f, of_images(), NULL);
  hold_against_file(f, of_points(), NULL);
}

static void test_options(void **state) {
  struct files *f = *state;
  uint8_t before[sizeof pixels];
  make_items();
  memcpy(before, pixels, sizeof before);
  for (int k = 0; k < 3; k++) {
    struct few_data_opts o = FEW_DATA_OPTS_INIT;
    if (k == 0) o.limit = 11;
    if (k > 0) o.holdout = 0.25;
    if (k == 2) o.split = FEW_DATA_TEST;
    hold_against_file(f, of_images(), &o);
    hold_against_file(f, of_points(), &o);
  }
  assert_memory_equal(before, pixels, sizeof before);
}

static void test_what_is_copied(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  char name[] = "my set", class_name[] = "dog";
  const char *names[CLASSES] = {"cat", class_name, "emu", "fox"};
  struct few_data_memory m = of_images();
  float x[ITEM];
  make_items();
  m.name = name;
  m.class_names = names;
  assert_ok(f->ctx, few_data_create(&d, f->ctx, &m, NULL));
  name[0] = class_name[0] = 'X';
  names[0] = "none";
  pixels[0] ^= 255;
  labels[0] = 3;
  assert_string_equal(few_data_spec(d), "my set");
  assert_string_equal(few_data_class_name(d, 0), "cat");
  assert_string_equal(few_data_class_name(d, 1), "dog");
  assert_ok(f->ctx, few_data_get(x, d, 0));
  assert_close(x[0], (pixels[0] ^ 255) / 127.5 - 1, 1e-7);
  assert_int_equal(few_data_label(d, 0), 0);
  few_data_free(d);
  make_items();
  m.borrow = true;
  assert_ok(f->ctx, few_data_create(&d, f->ctx, &m, NULL));
  pixels[0] ^= 255; /* programs must not do this; here it shows that nothing was copied */
  assert_ok(f->ctx, few_data_get(x, d, 0));
  assert_close(x[0], pixels[0] / 127.5 - 1, 1e-7);
  few_data_free(d);
}

static few_status fail_at_3(void *user, int64_t i, void *values, int32_t *label) {
  (void)values, (void)label;
  ++*(int *)user;
  return i == 3 ? FEW_E_IO : FEW_OK;
}

static void test_refused(void **state) {
  struct files *f = *state;
  make_items();
  for (int k = 0; k < 13; k++) {
    struct few_data_memory m = of_images();
    struct few_data_opts o = FEW_DATA_OPTS_INIT;
    few_status want = FEW_E_INVALID;
    static const char *const bad_names[CLASSES] = {"a", "b", "\xff", "d"};
    static const char *const no_name[CLASSES] = {"a", "b", NULL, "d"};
    const float bad_points[6] = {0, 1, 2, 3, (float)NAN, 5};
    few_data *d = (few_data *)&m;
    int calls = 0;
    if (k == 0) m.version++;
    if (k == 1) m.n = 0;
    if (k == 2) m.c = 5;
    if (k == 3) m.h = 0;
    if (k == 4) m.points = points; /* two of three */
    if (k == 5) m.pixels = NULL;   /* none */
    if (k == 6) m.labels = NULL;   /* classes without labels */
    if (k == 7) labels[5] = CLASSES, want = FEW_E_FORMAT;
    if (k == 8) m.class_names = bad_names, want = FEW_E_FORMAT;
    if (k == 9) m.class_names = no_name;
    if (k == 10) m = of_points(), m.n = 2, m.points = bad_points, want = FEW_E_FORMAT;
    if (k == 11)
      m.pixels = NULL, m.labels = NULL, m.item = fail_at_3, m.user = &calls, want = FEW_E_IO;
    if (k == 12) o.split = FEW_DATA_TEST, want = FEW_E_UNSUPPORTED;
    assert_int_equal(few_data_create(&d, f->ctx, &m, &o), want);
    assert_null(d);
    assert_true(strlen(few_error(f->ctx)) > 10);
    assert_int_equal(calls, k == 11 ? 4 : 0);
    if (k == 7) make_items();
  }
}

static void test_broken_items_are_skipped(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  struct few_data_memory m = of_images();
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  float x[ITEM];
  make_items();
  labels[0] = -7;
  m.borrow = true;
  o.on_error = FEW_DATA_SKIP;
  assert_ok(f->ctx, few_data_create(&d, f->ctx, &m, &o));
  assert_int_equal(few_data_n(d), N - 1);
  assert_int_equal(few_data_skipped(d), 1);
  assert_ok(f->ctx, few_data_get(x, d, 0));
  assert_close(x[0], pixels[ITEM] / 127.5 - 1, 1e-7);
  few_data_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_as_from_a_file, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_options, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_what_is_copied, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_refused, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_broken_items_are_skipped, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
