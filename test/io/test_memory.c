/* Makes each allocation of every parser fail in turn: the result is an error, without a leak or
 * crash. */
#include "base/recipe.h"
#include "corpus.h"
#include "io/gzip.h"
#include "io/jpeg.h"
#include "io/npy.h"
#include "io/persistent.h"
#include "io/png.h"
#include "io/pth.h"
#include "io/safetensors.h"
#include "io/tar.h"
#include "io/webp.h"
#include "meter.h"

static few_status safetensors(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_st st;
  few_status status = few__st_parse(ctx, &st, "m", bytes, n);
  few__st_free(ctx, &st);
  return status;
}

static few_status npy(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_npy a;
  few_status st = few__npy_parse(ctx, &a, "m", bytes, n);
  few__npy_free(ctx, &a);
  return st;
}

static few_status pth(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_pth p;
  few_status st = few__pth_parse(ctx, &p, "m", bytes, n);
  few__pth_free(ctx, &p);
  return st;
}

static few_status persistent(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_pth p;
  struct few_text config;
  few_status st = few__persistent_parse(ctx, &p, &config, "m", bytes, n);
  few__pth_free(ctx, &p);
  few__text_free(ctx, &config);
  return st;
}

static few_status png(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_image im;
  uint8_t *out = NULL;
  size_t n_out;
  struct few_png_text text = {"Software", "few"};
  few_status st = few__png_parse(ctx, &im, "m", bytes, n, 3, 100);
  if (!st) st = few__png_encode(ctx, &out, &n_out, &im, &text, 1);
  few__free(ctx, out);
  few__image_free(ctx, &im);
  return st;
}

static few_status jpeg(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_image im;
  few_status st = few__jpeg_parse(ctx, &im, "m", bytes, n, 3, 100);
  few__image_free(ctx, &im);
  return st;
}

static few_status webp(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_image im;
  few_status st = few__webp_parse(ctx, &im, "m", bytes, n, 3, 100);
  few__image_free(ctx, &im);
  return st;
}

static few_status tar(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_tar_member m;
  few_tar *t;
  char *content = NULL;
  bool end = false;
  few_status st = few__tar_memory(ctx, &t, "m", bytes, n);
  while (!st && !end) {
    st = few__tar_next(t, &m, &end);
    if (!st && m.file) st = few__tar_read(t, &content, &n, 1 << 16);
    few__free(ctx, content);
    content = NULL;
  }
  few__tar_close(t);
  return st;
}

static few_status gzip(few_ctx *ctx, const char *bytes, size_t n) {
  char *out;
  size_t n_out;
  few_status st = few__gzip_parse(ctx, &out, &n_out, "m", bytes, n, 100000);
  few__free(ctx, out);
  return st;
}

struct opts {
  int64_t batch;
};
static const struct few_option table[] = {FEW_OPT_INT(struct opts, batch, "1", 0, 0, "x"),
                                          FEW_OPT_END};

static few_status recipe(few_ctx *ctx, const char *bytes, size_t n) {
  struct few_recipe r;
  struct few_text t = {0};
  struct opts o = {0};
  few_status st;
  FEW_GOTO(few__recipe_parse(ctx, &r, "m", bytes, n));
  FEW_GOTO(few__recipe_override(ctx, &r, "batch=3"));
  FEW_GOTO(few__recipe_override(ctx, &r, "other=3"));
  FEW_GOTO(few__recipe_apply(ctx, &r, table, &o));
  FEW_GOTO(few__recipe_put_options(ctx, &t, "", table, &o));
out:
  few__text_free(ctx, &t);
  few__recipe_free(ctx, &r);
  return st;
}

static few_status files(few_ctx *ctx, const char *bytes, size_t n) {
  static const char path[] = "few_test_memory";
  struct few_names names = {0};
  char *copy = NULL;
  few_status st;
  FEW_GOTO(few__mkdirs(ctx, "few_test_dir"));
  FEW_GOTO(few__file_write(ctx, path, bytes, n));
  FEW_GOTO(few__file_read(ctx, &copy, &n, path, n));
  FEW_GOTO(few__list_dir(ctx, &names, "."));
  struct few_st_tensor t = {.name = "a", .store = FEW_STORE_U8, .rank = 1, .dim = {1}, .data = "x"};
  struct few_st_pair meta = {"k", "v"};
  FEW_GOTO(few__st_write(ctx, path, &t, 1, &meta, 1));
  FEW_GOTO(few__npy_write(ctx, path, FEW_STORE_U8, 1, t.dim, "x"));
out:
  remove(path);
  remove("few_test_dir");
  few__names_free(ctx, &names);
  few__free(ctx, copy);
  return st;
}

static void test_each_allocation(void **state) {
  (void)state;
  static const struct {
    const char *file;
    few_status (*run)(few_ctx *ctx, const char *bytes, size_t n);
  } cases[] = {
      {"safetensors/y_python.safetensors", safetensors},
      {"npy/y_f4.npy", npy},
      {"pth/y_zip.pth", pth},
      {"pth/y_legacy.pth", pth},
      {"persistent/y_by_hand.pkl", persistent},
      {"png/y_palette_alpha.png", png},
      {"png/y_text.png", png},
      {"jpeg/y_progressive.jpg", jpeg},
      {"webp/y_turned.webp", webp},
      {"tar/y_pax.tar", tar},
      {"tar/y_gzip.tar.gz", tar},
      {"gzip/y_two_members.gz", gzip},
      {"recipe/y_usual.ini", recipe},
      {"recipe/y_usual.ini", files},
  };
  few_ctx *plain = test_ctx(), *ctx;
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    char path[512], *bytes;
    size_t n;
    few_status st = FEW_E_MEMORY;
    snprintf(path, sizeof path, "%s/io/data/%s", FEW_TEST_DIR, cases[i].file);
    assert_ok(plain, few__file_read(plain, &bytes, &n, path, 1 << 20));
    for (long k = 1; st && k < 1000; k++) {
      struct meter m = {.left = k};
      struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
      o.allocator = (struct few_allocator){&m, meter_alloc, meter_release};
      assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
      st = cases[i].run(ctx, bytes, n);
      if (st && (st != FEW_E_MEMORY || strlen(few_error(ctx)) < 10))
        fail_msg("%s, allocation %ld: %s: %s", cases[i].file, k, few_status_name(st),
                 few_error(ctx));
      few_ctx_free(ctx);
      if (m.live) fail_msg("%s, allocation %ld: %ld leaked", cases[i].file, k, m.live);
    }
    assert_int_equal(st, FEW_OK);
    few__free(plain, bytes);
  }
  few_ctx_free(plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
