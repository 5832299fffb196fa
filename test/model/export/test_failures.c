/* Makes each allocation of an export fail in turn, and each write: the result is an error, without
 * a leak, and without a file or folder. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "meter.h"
#include "testing.h"

#include "few/export.h"
#include "few/import.h"
#include "io/file.h"

static char dir[40];

/* ---- The exports ---- */

static few_status diffusers(few_ctx *ctx, const few_model *m) {
  char path[80], *about;
  snprintf(path, sizeof path, "%s/folder", dir);
  const few_status st = few_export_diffusers(&about, ctx, m, path);
  few_text_free(ctx, about);
  return st;
}

static few_status onnx(few_ctx *ctx, const few_model *m) {
  struct few_export_opts o = FEW_EXPORT_OPTS_INIT;
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  char path[80], *about;
  snprintf(path, sizeof path, "%s/x.onnx", dir);
  s.steps = 2;
  o.sampling = &s;
  o.pixels = FEW_EXPORT_RGB;
  o.flat = true;
  const few_status st = few_export_onnx(&about, ctx, m, path, &o);
  few_text_free(ctx, about);
  return st;
}

typedef few_status export(few_ctx *ctx, const few_model *m);

/* ---- What is left ---- */

static int entries(void) {
  struct few_names names;
  few_ctx *ctx = test_ctx();
  assert_ok(ctx, few__list_dir(ctx, &names, dir));
  const int n = names.n;
  few__names_free(ctx, &names);
  few_ctx_free(ctx);
  return n;
}

static int begin(void **state) {
  (void)state;
  strcpy(dir, "/tmp/few-test-export-XXXXXX");
  return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  few__remove_tree(AT_FDCWD, dir);
  return access(dir, F_OK) == 0;
}

/* ---- Failures ---- */

static few_model *model(few_ctx *ctx) {
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  few_model *m = NULL;
  o.source = FEW_TEST_DIR "/model/import/data/cm";
  assert_ok(ctx, few_import(&m, ctx, &o));
  return m;
}

static few_ctx *metered(struct meter *meter) {
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  few_ctx *ctx;
  opts.allocator = (struct few_allocator){meter, meter_alloc, meter_release};
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  return ctx;
}

/* The number of allocations of one export, which also shows that it succeeds. */
static long needed(few_ctx *ctx, struct meter *meter, export *run, const few_model *m) {
  const long before = meter->left;
  assert_ok(ctx, run(ctx, m));
  assert_int_equal(entries(), 1);
  assert_int_equal(end(NULL), 0);
  assert_int_equal(begin(NULL), 0);
  return before - meter->left;
}

static void each_allocation(export *run, int tries) {
  struct meter meter = {.left = LONG_MAX};
  few_ctx *plain = test_ctx(), *ctx = metered(&meter);
  few_model *m = model(plain);
  const long live = meter.live, n = needed(ctx, &meter, run, m);
  for (long k = 0; k < n; k += 1 + n / tries) {
    meter.left = k;
    const few_status st = run(ctx, m);
    if (st != FEW_E_MEMORY)
      fail_msg("allocation %ld of %ld: %s: %s", k, n, few_status_name(st), few_error(ctx));
    assert_int_equal(meter.live, live);
    assert_int_equal(entries(), 0);
  }
  meter.left = LONG_MAX;
  few_model_free(m);
  few_ctx_free(ctx);
  few_ctx_free(plain);
}

/* From allocation number `left` on no file can grow. */
struct disk {
  long left;
  rlim_t most;
};

static void limit_files(rlim_t bytes) {
  struct rlimit r;
  getrlimit(RLIMIT_FSIZE, &r);
  r.rlim_cur = bytes;
  setrlimit(RLIMIT_FSIZE, &r);
}

static void *disk_alloc(void *user, size_t n) {
  struct disk *d = user;
  if (d->left-- == 0) limit_files(d->most);
  return malloc(n);
}

static void disk_release(void *user, void *p) {
  (void)user;
  free(p);
}

static void each_write(export *run, rlim_t most, int at_least) {
  struct disk disk = {.left = LONG_MAX, .most = most};
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  few_ctx *plain = test_ctx(), *ctx;
  few_model *m = model(plain);
  opts.allocator = (struct few_allocator){&disk, disk_alloc, disk_release};
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  int failed = 0;
  few_status st;
  assert_ok(ctx, run(ctx, m));
  const long n = LONG_MAX - disk.left;
  assert_int_equal(end(NULL), 0);
  assert_int_equal(begin(NULL), 0);
  for (long k = n - 1, same = 0; k > 0 && same < 40; k--) { /* later allocations are near the end */
    disk.left = k;
    st = run(ctx, m);
    limit_files(RLIM_INFINITY);
    if (st != FEW_OK && st != FEW_E_IO)
      fail_msg("from allocation %ld of %ld: %s: %s", k, n, few_status_name(st), few_error(ctx));
    assert_int_equal(entries(), st ? 0 : 1);
    failed += st != FEW_OK;
    same = st ? same + 1 : 0;
    if (!st) assert_int_equal(end(NULL) + begin(NULL), 0);
  }
  assert_true(failed >= at_least);
  few_model_free(m);
  few_ctx_free(ctx);
  few_ctx_free(plain);
}

static void test_allocations(void **state) {
  (void)state;
  each_allocation(diffusers, 400);
  each_allocation(onnx, 400);
}

static void test_writes(void **state) {
  (void)state;
  signal(SIGXFSZ, SIG_IGN);
  each_write(diffusers, 0, 10);
  each_write(onnx, 0, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations),
                                     cmocka_unit_test(test_writes)};
  return cmocka_run_group_tests(tests, begin, end);
}
