/* The k-th allocation of every reader fails, for every k: the status is FEW_E_MEMORY and nothing
 * leaks. The policy `skip` must not treat a lack of memory as a broken item. */
#include <png.h>

#include "files.h"
#include "meter.h"

static void write_sets(struct files *f) {
  static uint8_t cifar[2 * 3073];
  static const uint8_t idx[16 + 8] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1};
  static const uint8_t labels[8 + 2] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
  static const char header[] =
      "\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }        "
      " "
      "   ";
  char npy[80 + 16] = {0};
  files_write(f, "cifar.bin", cifar, sizeof cifar);
  files_write(f, "images", idx, sizeof idx);
  files_write(f, "labels", labels, sizeof labels);
  memcpy(npy, header, 79);
  npy[79] = '\n';
  files_write(f, "points.npy", npy, sizeof npy);
  assert_int_equal(mkdir(files_path(f, "set"), 0700), 0);
  assert_int_equal(mkdir(files_path(f, "set/a"), 0700), 0);
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = 3;
  image.height = 2;
  image.format = PNG_FORMAT_RGBA;
  assert_true(png_image_write_to_file(&image, files_path(f, "set/a/1.png"), 0, cifar, 0, NULL));
}

static void test_each_allocation_fails(void **state) {
  struct files *f = *state;
  write_sets(f);
  files_write(f, "labels.csv", "a/1.png,x\n", 10);
  char specs[9][256];
  snprintf(specs[0], sizeof specs[0], "cifar:%s", files_path(f, "cifar.bin"));
  snprintf(specs[1], sizeof specs[1], "idx:%s,%s", files_path(f, "images"),
           files_path(f, "labels"));
  snprintf(specs[2], sizeof specs[2], "npy:%s", files_path(f, "points.npy"));
  snprintf(specs[3], sizeof specs[3], "folder:%s", files_path(f, "set"));
  snprintf(specs[4], sizeof specs[4], "toy:moons");
  snprintf(specs[5], sizeof specs[5], "folder:%s,%s", files_path(f, "set"),
           files_path(f, "labels.csv"));
  snprintf(specs[6], sizeof specs[6], "folder:%s/data/data/zip/y_edm.zip", FEW_TEST_DIR);
  snprintf(specs[7], sizeof specs[7], "webdataset:%s/data/data/webdataset/shard-{0..0}00002.tar,%s",
           FEW_TEST_DIR, "label");
  snprintf(specs[8], sizeof specs[8], "webdataset:%s/data/data/webdataset/packed.tar.gz",
           FEW_TEST_DIR);
  for (int k = 0; k < 9; k++) {
    few_status st = FEW_E_MEMORY;
    for (int fail_at = 1; st; fail_at++) { /* allocation 0 is the context */
      struct meter c = {.left = fail_at, .once = true};
      struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
      struct few_data_opts o = FEW_DATA_OPTS_INIT;
      few_ctx *ctx = NULL;
      few_data *d = NULL;
      co.allocator = (struct few_allocator){&c, meter_alloc, meter_release};
      assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
      o.on_error = FEW_DATA_SKIP;
      if (k == 3 || k > 4) o.size = 2; /* of image files */
      o.limit = 10;
      st = few_data_open(&d, ctx, specs[k], &o);
      assert_true((d == NULL) == (st != FEW_OK));
      if (!st) st = few_data_write(d, files_path(f, "written.npy"), 0, 1, 0);
      if (!st) st = few_data_write(d, files_path(f, "written.png"), 0, 1, 0);
      if (st && st != FEW_E_MEMORY)
        fail_msg("%s, allocation %d: %s", specs[k], fail_at, few_error(ctx));
      if (d) assert_int_equal(few_data_skipped(d), 0);
      few_data_free(d);
      few_ctx_free(ctx);
      assert_int_equal(c.live, 0);
      assert_true(fail_at < 1000);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_each_allocation_fails, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
