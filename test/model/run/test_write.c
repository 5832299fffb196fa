/* Samples in files: bytes are (x + 1) 127.5, rounded and clipped; arrays are unchanged. */
#include "model/models.h"

#include <unistd.h>

#include "io/file.h"
#include "io/npy.h"
#include "io/png.h"

struct scratch {
  few_ctx *ctx;
  char dir[64], path[96];
};

static struct scratch scratch_new(const char *name) {
  struct scratch s = {.ctx = test_ctx()};
  snprintf(s.dir, sizeof s.dir, "/tmp/few-test-write-%d", (int)getpid());
  assert_ok(s.ctx, few__mkdirs(s.ctx, s.dir));
  snprintf(s.path, sizeof s.path, "%s/%s", s.dir, name);
  return s;
}

static void scratch_free(struct scratch *s) {
  struct few_names names;
  char path[256];
  assert_ok(s->ctx, few__list_dir(s->ctx, &names, s->dir));
  for (int i = 0; i < names.n; i++) {
    snprintf(path, sizeof path, "%s/%s", s->dir, names.at[i]);
    unlink(path);
  }
  few__names_free(s->ctx, &names);
  rmdir(s->dir);
  few_ctx_free(s->ctx);
}

enum { N = 5, SIZE = 64 };

static void ramp(float *x) {
  for (int i = 0; i < N * SIZE; i++) x[i] = (float)(i - 32) / 127.5F - 1;
  x[1] = -7;
  x[2] = 7;
  x[3] = -1e30F;
}

static int byte_of(int i) {
  int v = i == 1 || i == 3 ? 0 : i == 2 ? 255 : i - 32;
  return v < 0 ? 0 : v > 255 ? 255 : v;
}

/* Returns options for samples 0 .. n - 1, which are valid until the next call. */
static const struct few_sample_opts *opts(int64_t n) {
  static struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = n;
  return &o;
}

static void test_array(void **state) {
  (void)state;
  struct scratch s = scratch_new("out.npy");
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  float x[N * SIZE];
  const int32_t labels[N] = {0, 1, 2, 0, -1};
  struct few_npy a;
  ramp(x);
  assert_ok(s.ctx, once_write(m, s.path, opts(N), x, labels, 0));
  assert_ok(s.ctx, few__npy_read(s.ctx, &a, s.path, 1 << 20));
  assert_int_equal(a.store, FEW_STORE_U8);
  assert_true(a.rank == 4 && a.dim[0] == N && a.dim[1] == 8 && a.dim[2] == 8 && a.dim[3] == 1);
  for (int i = 0; i < N * SIZE; i++) assert_int_equal(((uint8_t *)a.data)[i], byte_of(i));
  few__npy_free(s.ctx, &a);
  snprintf(s.path, sizeof s.path, "%s/out.labels.npy", s.dir);
  assert_ok(s.ctx, few__npy_read(s.ctx, &a, s.path, 1 << 20));
  assert_true(a.store == FEW_STORE_I32 && a.rank == 1 && a.dim[0] == N);
  assert_memory_equal(a.data, labels, sizeof labels);
  few__npy_free(s.ctx, &a);
  few_model_free(m);
  scratch_free(&s);
}

/* If the names of all classes are numbers, these numbers are written; otherwise the class
 * indices. */
static void test_labels_by_number(void **state) {
  (void)state;
  static const char *const names[2][3] = {{"17", "3", "900"}, {"17", "3", "03"}};
  static const int32_t labels[N] = {0, 1, 2, 0, -1}, numbers[N] = {17, 3, 900, 17, -1};
  for (int which = 0; which < 2; which++) {
    struct scratch s = scratch_new("out.npy");
    few_model *m = test_model_new(s.ctx, TEST_UNET);
    float x[N * SIZE];
    struct few_npy a;
    ramp(x);
    assert_int_equal(m->spec.classes, 3);
    few_status st = FEW_NEW(s.ctx, &m->class_names, 3);
    assert_ok(s.ctx, st);
    for (int i = 0; i < 3; i++) m->class_names[i] = few__strdup(s.ctx, names[which][i]);
    assert_ok(s.ctx, once_write(m, s.path, opts(N), x, labels, 0));
    snprintf(s.path, sizeof s.path, "%s/out.labels.npy", s.dir);
    assert_ok(s.ctx, few__npy_read(s.ctx, &a, s.path, 1 << 20));
    assert_memory_equal(a.data, which ? labels : numbers, sizeof labels);
    few__npy_free(s.ctx, &a);
    few_model_free(m);
    scratch_free(&s);
  }
}

/* An array without its labels would look like a complete result. */
static void test_labels_first(void **state) {
  (void)state;
  struct scratch s = scratch_new("out.labels.npy");
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  float x[N * SIZE];
  const int32_t labels[N] = {0};
  ramp(x);
  assert_ok(s.ctx, few__mkdirs(s.ctx, s.path)); /* a folder, so no file can be written there */
  char *path = s.path + strlen(s.path) - strlen(".labels.npy");
  strcpy(path, ".npy");
  assert_int_equal(once_write(m, s.path, opts(N), x, labels, 0), FEW_E_IO);
  assert_false(few__path_exists(s.path));
  strcpy(path, ".labels.npy");
  rmdir(s.path);
  few_model_free(m);
  scratch_free(&s);
}

static void test_grid(void **state) {
  (void)state;
  struct scratch s = scratch_new("out.png");
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  float x[N * SIZE];
  struct few_image im;
  ramp(x);
  assert_ok(s.ctx, once_write(m, s.path, opts(N), x, NULL, 3));
  assert_ok(s.ctx, few__png_read(s.ctx, &im, s.path, 1, 4096));
  assert_true(im.w == 3 * 10 + 2 && im.h == 2 * 10 + 2);
  for (int i = 0; i < N * SIZE; i++) {
    int k = i / SIZE, row = 2 + k / 3 * 10 + i % SIZE / 8, column = 2 + k % 3 * 10 + i % 8;
    assert_int_equal(im.at[row * im.w + column], byte_of(i));
  }
  few__image_free(s.ctx, &im);
  few_model_free(m);
  scratch_free(&s);
}

static void test_folder(void **state) {
  (void)state;
  struct scratch s = scratch_new("");
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  float x[N * SIZE];
  struct few_image im;
  ramp(x);
  s.path[strlen(s.path) - 1] = 0;
  assert_ok(s.ctx, once_write(m, s.path, opts(N), x, NULL, 0));
  struct few_sample_opts later = FEW_SAMPLE_OPTS_INIT;
  later.n = 2;
  later.first = N - 2; /* the same files again: a file is named by its image */
  assert_ok(s.ctx, once_write(m, s.path, &later, x + (N - 2) * SIZE, NULL, 0));
  for (int k = 0; k < N; k++) {
    char path[128];
    snprintf(path, sizeof path, "%s/%06d.png", s.dir, k);
    assert_ok(s.ctx, few__png_read(s.ctx, &im, path, 1, 4096));
    assert_true(im.w == 8 && im.h == 8);
    for (int i = 0; i < SIZE; i++) assert_int_equal(im.at[i], byte_of(k * SIZE + i));
    few__image_free(s.ctx, &im);
  }
  few_model_free(m);
  scratch_free(&s);
}

/* The texts of a PNG file have everything that is needed to make it again. */
static void test_text(void **state) {
  (void)state;
  struct scratch s = scratch_new("out.png");
  few_model *m = test_model_new(s.ctx, TEST_UNET);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = N;
  o.first = 3;
  o.seed = UINT64_MAX;
  o.sampler = "heun";
  float x[N * SIZE] = {0};
  assert_ok(s.ctx, once_write(m, s.path, &o, x, NULL, 0));
  static const char text[] =
      "Description\0005 samples from 3, seed 18446744073709551615, 18 steps of heun; net unet";
  char bytes[512];
  FILE *f = fopen(s.path, "rb");
  assert_non_null(f);
  size_t n = fread(bytes, 1, sizeof bytes, f), found = 0;
  fclose(f);
  for (size_t i = 0; i + sizeof text <= n; i++) found += !memcmp(bytes + i, text, sizeof text - 1);
  assert_int_equal(found, 1);
  o.sampler = "heum";
  assert_int_equal(once_write(m, s.path, &o, x, NULL, 0), FEW_E_INVALID);
  few_model_free(m);
  scratch_free(&s);
}

static void test_points(void **state) {
  (void)state;
  struct scratch s = scratch_new("out.npy");
  few_model *m = test_model_new(s.ctx, TEST_MLP);
  const float x[8] = {1, 2, -3, 4, 0.5F, 1e30F, -0.0F, 0};
  struct few_npy a;
  assert_ok(s.ctx, once_write(m, s.path, opts(4), x, NULL, 0));
  assert_ok(s.ctx, few__npy_read(s.ctx, &a, s.path, 1 << 20));
  assert_true(a.store == FEW_STORE_F32 && a.rank == 2 && a.dim[0] == 4 && a.dim[1] == 2);
  assert_memory_equal(a.data, x, sizeof x);
  few__npy_free(s.ctx, &a);
  assert_int_equal(once_write(m, s.dir, opts(4), x, NULL, 0), FEW_E_INVALID);
  assert_int_equal(once_write(m, s.path, opts(0), x, NULL, 0), FEW_E_INVALID);
  assert_int_equal(once_write(m, s.path, opts(4), x, NULL, -1), FEW_E_INVALID);
  few_model_free(m);
  scratch_free(&s);
}

/* Samples that are not finite are refused for every kind of file, and nothing is written. */
static void test_not_finite(void **state) {
  (void)state;
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  static const char *const names[] = {"out.png", "out.npy", "folder"};
  for (int b = 0; b < 3; b++)
    for (int k = 0; k < 3; k++) {
      struct scratch s = scratch_new(names[k]);
      few_model *m = test_model_new(s.ctx, TEST_UNET);
      float x[N * SIZE] = {0};
      x[SIZE + 3] = x[4 * SIZE] = bad[b];
      assert_int_equal(once_write(m, s.path, opts(N), x, NULL, 0), FEW_E_DIVERGED);
      assert_non_null(strstr(few_error(s.ctx), "2 of 5 samples (numbers 1, 4) have values"));
      assert_int_equal(once_noise_write(m, s.path, N, x), FEW_E_DIVERGED);
      assert_int_equal(access(s.path, F_OK), -1);
      few_model_free(m);
      scratch_free(&s);
    }
}

/* Points at the corners of a square. A few are far away or not finite. */
static void test_density(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  float x[2 * 1000];
  struct few_image im;
  for (int i = 0; i < 1000; i++) {
    x[2 * i] = i % 2 ? 1 : -1;
    x[2 * i + 1] = i % 4 < 2 ? 1 : -1;
  }
  x[0] = 1e20F;
  x[2] = NAN;
  x[5] = -INFINITY;
  assert_ok(ctx, few__image_density(ctx, &im, x, 1000, 2));
  int dark = 0;
  for (int i = 0; i < im.h * im.w; i++) dark += im.at[i] < 255;
  assert_int_equal(dark, 4);
  /* window [-1.25, 1.25]: the corners are at 1/10 and 9/10 of 256 pixels, y upwards */
  assert_true(im.at[(255 - 230) * 256 + 25] < 10 && im.at[(255 - 25) * 256 + 230] < 10);
  few__image_free(ctx, &im);

  x[0] = x[1] = 5; /* all in one place, or nowhere */
  assert_ok(ctx, few__image_density(ctx, &im, x, 1, 2));
  few__image_free(ctx, &im);
  x[0] = NAN;
  assert_ok(ctx, few__image_density(ctx, &im, x, 1, 2));
  few__image_free(ctx, &im);
  assert_int_equal(few__image_density(ctx, &im, x, 1, 1), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_array),
      cmocka_unit_test(test_labels_first),
      cmocka_unit_test(test_labels_by_number),
      cmocka_unit_test(test_grid),
      cmocka_unit_test(test_folder),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_points),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_density),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
