/* Networks with published weights are compared with the results of their own frameworks on the same
 * images. FEW_FEATURES_DIR names the folder with these files; without it nothing is tested.
 *
 * Bound: a value of a layer is a sum of K terms in f32, so its relative rms error is about sqrt(K)
 * eps / 2, which Winograd's transforms multiply by 3 (test_cpu_conv.c). The squares of the layers'
 * errors add, and the other side has the same errors: sqrt(2 L K) 3 eps / 2. */
#include <float.h>

#include "feature_test.h"
#include "io/safetensors.h"

static double bound(double layers, double terms) {
  return 3 * sqrt(2 * layers * terms) * FLT_EPSILON / 2;
}

struct probe {
  const char *name, *weights, *probe, *output;
  double mean[3], std[3]; /* to which the probe's input was normalised */
  double layers, terms;   /* number of layers; number of terms of the longest sum */
  bool probabilities;
};

static const struct probe probes[] = {
    {"cifar-resnet20",
     "cifar10_resnet20-12fca82f.safetensors",
     "cifar10_resnet20-12fca82f.probe.safetensors",
     "logits",
     {0.485, 0.456, 0.406},
     {0.229, 0.224, 0.225},
     20,
     9 * 64,
     false},
    {"mobilenet",
     "mobilenet_v1_0.75_224_imagenet_f32.safetensors",
     "mobilenet_v1_0.75_224.probe.safetensors",
     "probs",
     {0.5, 0.5, 0.5},
     {0.5, 0.5, 0.5},
     27,
     768,
     true},
};

static void softmax(float *x, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += exp((double)x[k]);
  for (int64_t k = 0; k < n; k++) x[k] = (float)(exp((double)x[k]) / sum);
}

/* Returns the bytes of the probe's images. The probe has them as NCHW numbers, normalised as the
 * network requires. */
static uint8_t *bytes_of(const struct probe *p, const struct few_st_tensor *t) {
  const int64_t n = t->dim[0], hw = t->dim[2] * t->dim[3];
  const float *x = t->data;
  uint8_t *bytes = malloc((size_t)(n * hw * 3));
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < 3; k++)
      for (int64_t at = 0; at < hw; at++) {
        double v = ((double)x[(i * 3 + k) * hw + at] * p->std[k] + p->mean[k]) * 255;
        assert_close(v, round(v), 1e-3);
        bytes[(i * hw + at) * 3 + k] = (uint8_t)lrint(v);
      }
  return bytes;
}

static void compare(const struct probe *p, const char *what, const float *a,
                    const struct few_st_tensor *t) {
  const double d = distance(a, t->data, t->count), limit = bound(p->layers, p->terms);
  print_message("%s, %s: off by %.2g of their size (bound %.2g)\n", p->name, what, d, limit);
  assert_true(d <= limit);
}

static void check_probe(few_ctx *ctx, const char *dir, const struct probe *p) {
  char path[1000];
  struct few_st st;
  few_features *f;
  snprintf(path, sizeof path, "%s/%s", dir, p->probe);
  assert_ok(ctx, few__st_read(ctx, &st, path, 1 << 24));
  snprintf(path, sizeof path, "%s=%s/%s", p->name, dir, p->weights);
  assert_ok(ctx, few__features_open(ctx, &f, path));
  const struct few_st_tensor *in = few__st_find(&st, "input");
  const struct few_features_info *i = few__features_info(f);
  uint8_t *bytes = bytes_of(p, in);
  const struct images images = {in->dim[0], in->dim[2], in->dim[3], 3, bytes};
  float *all = run_cut(ctx, f, &images, 1), *logits = all + in->dim[0] * i->dim;
  assert_int_equal(i->dim, few__st_find(&st, "features")->dim[1]);
  compare(p, "features", all, few__st_find(&st, "features"));
  for (int64_t k = 0; p->probabilities && k < in->dim[0]; k++)
    softmax(logits + k * i->classes, i->classes);
  compare(p, p->output, logits, few__st_find(&st, p->output));
  print_message("%s: %.0f MFLOP an image\n", p->name, i->flops / 1e6);
  check_grouping(ctx, f, &images);
  free(all);
  free(bytes);
  few__features_free(f);
  few__st_free(ctx, &st);
}

static void test_probes(void **state) {
  (void)state;
  const char *dir = getenv("FEW_FEATURES_DIR");
  if (!dir) {
    print_message("FEW_FEATURES_DIR does not name the folder of weights and probes: skipped\n");
    skip();
  }
  few_ctx *ctx = test_ctx();
  for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) check_probe(ctx, dir, &probes[i]);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_probes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
