/* Sizes at initialisation: the theory of residual networks, and the effect of layers that are
 * zero. */
#include "few/inspect.h"
#include "model/model.h"
#include "testing.h"

enum { LAYERS = 12, MAX_BLOCKS = 32 };

struct seen {
  int n;
  char name[MAX_BLOCKS][64];
  double activation[MAX_BLOCKS], gradient[MAX_BLOCKS];
};

static void take(void *user, const struct few_signal_layer *l) {
  struct seen *s = user;
  assert_true(s->n < MAX_BLOCKS);
  snprintf(s->name[s->n], 64, "%s", l->name);
  s->activation[s->n] = l->activation;
  s->gradient[s->n++] = l->gradient;
}

static int find(const struct seen *s, const char *name) {
  for (int i = 0; i < s->n; i++)
    if (!strcmp(s->name[i], name)) return i;
  fail_msg("no block %s", name);
  return -1;
}

static int layer(const struct seen *s, int l) {
  char name[64];
  snprintf(name, sizeof name, "layer.%d", l);
  return find(s, name);
}

static void look(const char *norm, bool fill, double std, struct seen *out) {
  static const struct few_net_spec spec = {
      .h = 1, .w = 1, .c = 8, .points = true, .sigma_data = 0.5};
  const struct few_net_def *mlp = few__net_find(NULL, "mlp");
  few_ctx *ctx = test_ctx();
  few_model *m;
  char opts[1024];
  assert_true(mlp->options_size <= sizeof opts);
  assert_ok(ctx, few_options_default(opts, ctx, mlp->options));
  assert_ok(ctx, few_option_set(opts, ctx, mlp->options, "width", "256"));
  assert_ok(ctx, few_option_set(opts, ctx, mlp->options, "layers", "12"));
  assert_ok(ctx, few_option_set(opts, ctx, mlp->options, "norm", norm));
  assert_ok(ctx, few__model_create(ctx, &m, mlp, opts, &spec, 1));
  struct few_signal_opts o = FEW_SIGNAL_OPTS_INIT;
  *out = (struct seen){0};
  o.rows = 128;
  o.fill = fill;
  o.std = std;
  o.layer = take;
  o.user = out;
  assert_ok(ctx, few_model_signal(m, &o));
  few_model_free(m);
  few_ctx_free(ctx);
}

/* A last layer of zeros gives zeros and passes no gradient on. The gradient of F itself is w, which
 * has 1024 normal numbers. */
static void test_zeros(void **state) {
  (void)state;
  struct seen s;
  look("pre", false, 0, &s);
  assert_true(s.activation[find(&s, "out")] == 0);
  assert_close(s.gradient[find(&s, "out")], 1, 5 / sqrt(2 * 1024.0));
  for (int l = 0; l < LAYERS; l++) assert_true(s.gradient[layer(&s, l)] == 0);
}

/* x_{l+1} = x_l + F_l(norm x_l), where the F_l are independent and |F_l|^2 = c for all l. So
 * |x_l|^2 = |x_0|^2 + l c. c of a layer varies by sqrt(2/256) because of its weights, and about as
 * much because of the modulation. */
static void test_pre_norm_grows_by_equal_shares(void **state) {
  (void)state;
  struct seen s;
  look("pre", true, 0, &s);
  double share[LAYERS], sum = 0, before = s.activation[find(&s, "in")];
  assert_close(before, 1, 5 * sqrt(2 / 2048.0)); /* in: 8 x 256 weights of 1/sqrt(8) */
  before *= before;
  for (int l = 0; l < LAYERS; l++) {
    const double now = s.activation[layer(&s, l)] * s.activation[layer(&s, l)];
    share[l] = now - before;
    sum += share[l] / LAYERS;
    before = now;
  }
  for (int l = 0; l < LAYERS; l++) assert_close(share[l], sum, 0.5 * sum);
  /* the gradient falls as the inverse of the size */
  for (int l = 1; l < LAYERS; l++)
    assert_true(s.gradient[layer(&s, l)] < s.gradient[layer(&s, l - 1)]);
}

/* With norms after the sum, every activation has size 1, and each layer reduces the share of those
 * before it. So gradients fall towards the input. With norms before the layers they rise. */
static void test_post_norm(void **state) {
  (void)state;
  struct seen s;
  look("post", true, 0, &s);
  for (int l = 0; l < LAYERS; l++) assert_close(s.activation[layer(&s, l)], 1, 1e-4);
  assert_true(2 * s.gradient[layer(&s, 0)] < s.gradient[layer(&s, LAYERS - 1)]); /* 0.045, 0.17 */
}

/* With weights of half the size F_l is half as large, so its share of |x_l|^2 is a quarter. */
static void test_std(void **state) {
  (void)state;
  struct seen a, b;
  look("pre", true, 1 / 16.0, &a); /* 1/sqrt(256): what layers have themselves */
  look("pre", true, 1 / 32.0, &b);
  const int first = layer(&a, 0), last = layer(&a, LAYERS - 1);
  const double whole = pow(a.activation[last], 2) - pow(a.activation[first], 2);
  const double half = pow(b.activation[last], 2) - pow(b.activation[first], 2);
  assert_close(half / whole, 0.25, 0.05);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_zeros),
                                     cmocka_unit_test(test_pre_norm_grows_by_equal_shares),
                                     cmocka_unit_test(test_post_norm), cmocka_unit_test(test_std)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
