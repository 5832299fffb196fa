/* The Inception-v3 of FID is compared with PyTorch in float64. Its weights come from a formula
 * (torch_reference.py), because the weights of 2015 do not come with few; the arithmetic is the
 * same. Also both ways of resizing, grey images, grouping, and a file in which a tensor is missing.
 *
 * Bound: a value is a sum of K terms in f32 after L layers. The relative error of a layer is
 * sqrt(K) eps / 2, times 3 with Winograd's transforms (test_cpu_conv.c). The squares of the layers'
 * errors add up to 3 sqrt(L K) eps / 2, with the longest path L = 47 and K = 9 * 448. */
#include <float.h>
#include <zlib.h>

#include "eval/feature/net.h"
#include "feature_test.h"

static const double bound = 3 * 435.3 /* sqrt(47 * 9 * 448) */ * FLT_EPSILON / 2;

static uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x85ebca6bu;
  x ^= x >> 13;
  x *= 0xc2b2ae35u;
  return x ^ x >> 16;
}

static uint32_t start_of(const char *name) {
  return (uint32_t)crc32(0, (const unsigned char *)name, (unsigned)strlen(name));
}

static uint8_t *image(const char *name, int64_t n) {
  uint8_t *p = malloc((size_t)n);
  for (int64_t i = 0; i < n; i++)
    p[i] = (uint8_t)(mix(start_of(name) + (uint32_t)i * 0x9e3779b9u) >> 24);
  return p;
}

/* ---- the weights ---- */

struct list {
  few_ctx *ctx;
  struct few_st_tensor at[500];
  int n;
};

static bool ends(const char *name, const char *tail) {
  size_t n = strlen(name), k = strlen(tail);
  return n >= k && !strcmp(name + n - k, tail);
}

static void add(struct list *l, const char *name, int rank, const int64_t *dim) {
  struct few_st_tensor *t = &l->at[l->n++];
  assert_true(l->n < FEW_COUNT(l->at));
  *t = (struct few_st_tensor){
      .name = few__strdup(l->ctx, name), .store = FEW_STORE_F32, .rank = rank};
  int64_t n = 1;
  for (int k = 0; k < rank; k++) n *= t->dim[k] = dim[k];
  double a = 0.25, b = 0;
  if (ends(name, "conv.weight")) a = sqrt(6 / (double)(dim[1] * dim[2] * dim[3]));
  if (!strcmp(name, "fc.weight")) a = sqrt(3 / (double)dim[1]);
  if (ends(name, "bn.weight")) b = 1;
  if (ends(name, "running_var")) a = 0.5, b = 1;
  float *x;
  assert_ok(l->ctx, FEW_NEW(l->ctx, &x, n));
  const uint32_t start = start_of(name);
  for (int64_t i = 0; i < n; i++) {
    const uint32_t u = mix(start + (uint32_t)i * 0x9e3779b9u) >> 8;
    x[i] = (float)(b + a * ((double)u * 0x1p-23 - 1));
  }
  t->data = x;
  t->count = n;
  t->bytes = (size_t)n * sizeof *x;
}

static void unit(struct list *l, const char *block, const char *name, int64_t in, int64_t out,
                 int64_t kh, int64_t kw) {
  static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
  char full[100];
  const char *dot = *block ? "." : "";
  snprintf(full, sizeof full, "%s%s%s.conv.weight", block, dot, name);
  add(l, full, 4, (int64_t[]){out, in, kh, kw});
  for (int k = 0; k < FEW_COUNT(parts); k++) {
    snprintf(full, sizeof full, "%s%s%s.bn.%s", block, dot, name, parts[k]);
    add(l, full, 1, &out);
  }
}

static void units_a(struct list *l, const char *b, int64_t in, int64_t pool) {
  unit(l, b, "branch1x1", in, 64, 1, 1);
  unit(l, b, "branch5x5_1", in, 48, 1, 1);
  unit(l, b, "branch5x5_2", 48, 64, 5, 5);
  unit(l, b, "branch3x3dbl_1", in, 64, 1, 1);
  unit(l, b, "branch3x3dbl_2", 64, 96, 3, 3);
  unit(l, b, "branch3x3dbl_3", 96, 96, 3, 3);
  unit(l, b, "branch_pool", in, pool, 1, 1);
}

static void units_c(struct list *l, const char *b, int64_t c) {
  unit(l, b, "branch1x1", 768, 192, 1, 1);
  unit(l, b, "branch7x7_1", 768, c, 1, 1);
  unit(l, b, "branch7x7_2", c, c, 1, 7);
  unit(l, b, "branch7x7_3", c, 192, 7, 1);
  unit(l, b, "branch7x7dbl_1", 768, c, 1, 1);
  unit(l, b, "branch7x7dbl_2", c, c, 7, 1);
  unit(l, b, "branch7x7dbl_3", c, c, 1, 7);
  unit(l, b, "branch7x7dbl_4", c, c, 7, 1);
  unit(l, b, "branch7x7dbl_5", c, 192, 1, 7);
  unit(l, b, "branch_pool", 768, 192, 1, 1);
}

static void units_e(struct list *l, const char *b, int64_t in) {
  unit(l, b, "branch1x1", in, 320, 1, 1);
  unit(l, b, "branch3x3_1", in, 384, 1, 1);
  unit(l, b, "branch3x3_2a", 384, 384, 1, 3);
  unit(l, b, "branch3x3_2b", 384, 384, 3, 1);
  unit(l, b, "branch3x3dbl_1", in, 448, 1, 1);
  unit(l, b, "branch3x3dbl_2", 448, 384, 3, 3);
  unit(l, b, "branch3x3dbl_3a", 384, 384, 1, 3);
  unit(l, b, "branch3x3dbl_3b", 384, 384, 3, 1);
  unit(l, b, "branch_pool", in, 192, 1, 1);
}

static void all_units(struct list *l) {
  unit(l, "", "Conv2d_1a_3x3", 3, 32, 3, 3);
  unit(l, "", "Conv2d_2a_3x3", 32, 32, 3, 3);
  unit(l, "", "Conv2d_2b_3x3", 32, 64, 3, 3);
  unit(l, "", "Conv2d_3b_1x1", 64, 80, 1, 1);
  unit(l, "", "Conv2d_4a_3x3", 80, 192, 3, 3);
  units_a(l, "Mixed_5b", 192, 32);
  units_a(l, "Mixed_5c", 256, 64);
  units_a(l, "Mixed_5d", 288, 64);
  unit(l, "Mixed_6a", "branch3x3", 288, 384, 3, 3);
  unit(l, "Mixed_6a", "branch3x3dbl_1", 288, 64, 1, 1);
  unit(l, "Mixed_6a", "branch3x3dbl_2", 64, 96, 3, 3);
  unit(l, "Mixed_6a", "branch3x3dbl_3", 96, 96, 3, 3);
  units_c(l, "Mixed_6b", 128);
  units_c(l, "Mixed_6c", 160);
  units_c(l, "Mixed_6d", 160);
  units_c(l, "Mixed_6e", 192);
  unit(l, "Mixed_7a", "branch3x3_1", 768, 192, 1, 1);
  unit(l, "Mixed_7a", "branch3x3_2", 192, 320, 3, 3);
  unit(l, "Mixed_7a", "branch7x7x3_1", 768, 192, 1, 1);
  unit(l, "Mixed_7a", "branch7x7x3_2", 192, 192, 1, 7);
  unit(l, "Mixed_7a", "branch7x7x3_3", 192, 192, 7, 1);
  unit(l, "Mixed_7a", "branch7x7x3_4", 192, 192, 3, 3);
  units_e(l, "Mixed_7b", 1280);
  units_e(l, "Mixed_7c", 2048);
  add(l, "fc.weight", 2, (int64_t[]){1008, 2048});
}

static void list_free(struct list *l) {
  for (int i = 0; i < l->n; i++) {
    few__free(l->ctx, (void *)(uintptr_t)l->at[i].data);
    few__free(l->ctx, (void *)(uintptr_t)l->at[i].name);
  }
}

/* FEW_INCEPTION may name a file of the same weights (torch_reference.py --weights) instead. */
static few_features *open_net(struct list *l, const char *name) {
  few_features *f;
  char spec[1000];
  const char *file = getenv("FEW_INCEPTION");
  snprintf(spec, sizeof spec, "%s=%s", name, file ? file : "");
  if (file) {
    assert_ok(l->ctx, few__features_open(l->ctx, &f, spec));
    return f;
  }
  struct few_weights w = {.path = few__strdup(l->ctx, "weights"), .st = {.n = l->n}};
  assert_ok(l->ctx, FEW_NEW(l->ctx, &w.st.at, l->n));
  memcpy(w.st.at, l->at, (size_t)l->n * sizeof *l->at);
  assert_ok(l->ctx, few__features_open_weights(l->ctx, &f, name, &w));
  return f;
}

/* ---- the tests ---- */

static void compare(const struct few_st *golden, const char *name, const char *part,
                    const float *x) {
  char full[64];
  snprintf(full, sizeof full, "%s/%s", name, part);
  const struct few_st_tensor *t = few__st_find(golden, full);
  const double d = distance(x, t->data, t->count);
  print_message("%s: off by %.2g of their size (bound %.2g)\n", full, d, bound);
  assert_true(d <= bound);
}

static void check(struct list *l, const struct few_st *golden, const char *name, const char *which,
                  int64_t h, int64_t w) {
  uint8_t *bytes = image(which, h * w * 3);
  few_features *f = open_net(l, name);
  const struct few_features_info *i = few__features_info(f);
  assert_int_equal(i->dim, 2048);
  assert_int_equal(i->classes, 1008);
  assert_int_equal(i->spatial, 2023);
  assert_true(i->flops > 11e9 && i->flops < 12e9);
  const double start = few__now();
  float *all = run_cut(l->ctx, f, &(struct images){1, h, w, 3, bytes}, 1);
  print_message("%s: %.3f s\n", name, few__now() - start);
  compare(golden, name, "rows", all);
  compare(golden, name, "logits", all + 2048);
  compare(golden, name, "spatial", all + 2048 + 1008);
  free(all);
  free(bytes);
  few__features_free(f);
}

static void check_grey(struct list *l) {
  uint8_t grey[2 * 12], colour[3 * 2 * 12];
  for (int i = 0; i < 24; i++)
    grey[i] = colour[3 * i] = colour[3 * i + 1] = colour[3 * i + 2] = (uint8_t)(i * 10);
  few_features *f = open_net(l, "inception");
  check_grouping(l->ctx, f, &(struct images){2, 3, 4, 1, grey});
  float *a = run_cut(l->ctx, f, &(struct images){2, 3, 4, 1, grey}, 2);
  float *b = run_cut(l->ctx, f, &(struct images){2, 3, 4, 3, colour}, 2);
  assert_memory_equal(a, b, 2 * (2048 + 1008 + 2023) * sizeof *a);
  free(a);
  free(b);
  few__features_free(f);
}

static void test_inception(void **state) {
  (void)state;
  struct few_st golden;
  few_ctx *ctx = test_ctx();
  struct list *l = calloc(1, sizeof *l);
  l->ctx = ctx;
  few_ctx_set_workers(ctx, 1);
  assert_ok(ctx, few__st_read(ctx, &golden, FEW_TEST_DIR "/eval/feature/data/inception.safetensors",
                              1 << 20));
  all_units(l);
  check(l, &golden, "inception", "small", 40, 29);
  check(l, &golden, "inception-tf", "large", 333, 310);
  check_grey(l);
  list_free(l);
  free(l);
  few__st_free(ctx, &golden);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_inception)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
