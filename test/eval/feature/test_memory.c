/* Makes allocations of a feature network fail in turn: the result is an error, without a leak. */
#include <unistd.h>

#include "feature_test.h"
#include "io/safetensors.h"
#include "meter.h"

/* ---- a file of weights for cifar-resnet20, all 0.1 ---- */

enum { TENSORS = 100 };
struct list {
  struct few_st_tensor at[TENSORS];
  char name[TENSORS][48];
  int n;
};
static float tenths[9 * 64 * 64];

static void add(struct list *l, const char *block, const char *name, int rank, int64_t a,
                int64_t b) {
  snprintf(l->name[l->n], sizeof *l->name, "%s%s", block, name);
  l->at[l->n] = (struct few_st_tensor){.name = l->name[l->n],
                                       .store = FEW_STORE_F32,
                                       .rank = rank,
                                       .dim = {a, b, 3, 3},
                                       .data = tenths};
  l->n++;
}

static void add_conv(struct list *l, const char *block, int number, int64_t in, int64_t out) {
  static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
  char name[32];
  snprintf(name, sizeof name, "conv%d.weight", number);
  add(l, block, name, 4, out, in);
  for (int k = 0; k < 4; k++) {
    snprintf(name, sizeof name, "bn%d.%s", number, parts[k]);
    add(l, block, name, 1, out, 0);
  }
}

static void write_weights(few_ctx *ctx, const char *path) {
  struct list *l = calloc(1, sizeof *l);
  for (size_t i = 0; i < sizeof tenths / sizeof *tenths; i++) tenths[i] = 0.1f;
  add_conv(l, "", 1, 3, 16);
  for (int level = 1; level <= 3; level++)
    for (int b = 0; b < 3; b++) {
      char block[32];
      snprintf(block, sizeof block, "layer%d.%d.", level, b);
      add_conv(l, block, 1, level > 1 && b == 0 ? 4 << level : 8 << level, 8 << level);
      add_conv(l, block, 2, 8 << level, 8 << level);
    }
  add(l, "", "linear.weight", 2, 10, 64);
  add(l, "", "linear.bias", 1, 10, 0);
  assert_ok(ctx, few__st_write(ctx, path, l->at, l->n, NULL, 0));
  free(l);
}

/* ---- the test ---- */

static few_status life(few_ctx *ctx, const char *spec, const struct images *p) {
  few_features *f;
  float rows[3 * 96], logits[3 * 10];
  FEW_TRY(few__features_open(ctx, &f, spec));
  few_status st = few__features_run(f, p->n, p->h, p->w, p->c, p->at, rows, logits, NULL);
  few__features_free(f);
  return st;
}

static void check(const char *spec, const struct images *p) {
  struct meter meter = {.left = LONG_MAX};
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  few_ctx *ctx;
  opts.allocator = (struct few_allocator){&meter, meter_alloc, meter_release};
  opts.workers = 1;
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  const long live = meter.live;
  meter.left = LONG_MAX;
  assert_ok(ctx, life(ctx, spec, p));
  const long needed = LONG_MAX - meter.left;
  for (long k = 0; k < needed; k += needed / 100 + 1) { /* fails each kind of allocation */
    meter.left = k;
    few_status st = life(ctx, spec, p);
    if (st != FEW_E_MEMORY)
      fail_msg("%s, allocation %ld of %ld: %s: %s", spec, k, needed, few_status_name(st),
               few_error(ctx));
    if (meter.live != live)
      fail_msg("%s, allocation %ld of %ld: %ld leaked: %s", spec, k, needed, meter.live - live,
               few_error(ctx));
  }
  few_ctx_free(ctx);
}

static void test_life(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char path[64], spec[96];
  uint8_t *bytes = random_bytes(3 * 32 * 32 * 3);
  snprintf(path, sizeof path, "/tmp/few-test-feature-%d.safetensors", (int)getpid());
  snprintf(spec, sizeof spec, "cifar-resnet20=%s", path);
  write_weights(ctx, path);
  check(spec, &(struct images){3, 32, 32, 3, bytes});
  check("fashion=" FEW_TEST_DIR "/../models/fashion-features.safetensors",
        &(struct images){3, 28, 28, 1, bytes});
  unlink(path);
  free(bytes);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
