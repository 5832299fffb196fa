/* The size of df/dt by time is compared with central differences of f along the same paths, for the
 * same random rows. */
#include "model/models.h"

#include "few/data.h"

enum { ROWS = 100, D = 2 }; /* fewer than a replay has */

static few_data *toy(few_ctx *ctx, const char *spec) {
  few_data *data;
  assert_ok(ctx, few_data_open(&data, ctx, spec, NULL));
  return data;
}

/* Draws the rows of a bin, in units of sigma_d: x_t, t and dx_t/dt = cos t z - sin t x0. */
static void draw(const few_model *m, const few_data *data, const struct few_tangent_bin *b, int bin,
                 uint64_t seed, float *x, float *t, float *v) {
  struct few_data_stream stream = FEW_DATA_STREAM_INIT;
  stream.seed = seed;
  stream.scale = (struct few_data_scale){m->data_mean, m->data_scale / m->spec.sigma_data};
  assert_ok(m->ctx, few_data_fill(x, NULL, data, &stream, bin * ROWS, ROWS));
  for (int i = 0; i < ROWS; i++) {
    float z[D];
    const double at = b->from + (b->to - b->from) * (i + 0.5) / ROWS;
    few__rng_normal_f32(&(struct few_rng){seed, (uint64_t)bin, (uint64_t)i, FEW_RNG_CHECK}, D, z);
    t[i] = (float)at;
    for (int k = 0; k < D; k++) {
      const double x0 = (double)x[i * D + k], noise = (double)z[k];
      x[i * D + k] = (float)(cos(at) * x0 + sin(at) * noise);
      v[i * D + k] = (float)(cos(at) * noise - sin(at) * x0);
    }
  }
}

/* Computes f / sigma_d at (x + h v, t + h). */
static void ahead(few_model *m, const float *x, const float *t, const float *v, double h,
                  double *f) {
  float at[ROWS * D], times[ROWS], F[ROWS * D];
  for (int i = 0; i < ROWS; i++) times[i] = (float)((double)t[i] + h);
  for (int i = 0; i < ROWS * D; i++) at[i] = (float)((double)x[i] + h * (double)v[i]);
  assert_ok(m->ctx, once_eval(m, ROWS, at, times, NULL, NULL, NULL, F));
  for (int i = 0; i < ROWS * D; i++) {
    const double time = (double)times[i / D];
    f[i] = cos(time) * (double)at[i] - sin(time) * (double)F[i];
  }
}

static void test_against_differences(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP);
  few_data *data = toy(ctx, "toy:mixture");
  struct few_tangent_opts o = FEW_TANGENT_OPTS_INIT;
  struct few_tangent_bin bin[FEW_TANGENT_BINS];
  /* Rounding to f32 makes an error of 1e-7/h = 1e-4 of a difference. h^2 f''' is about as large for
   * the sinusoids of this network. */
  const double h = 1e-3, tol = 1e-3;
  o.data = data;
  o.rows = ROWS;
  o.seed = 9;
  assert_ok(ctx, once_tangent(m, &o, bin));
  for (int b = 0; b < FEW_TANGENT_BINS; b++) {
    float x[ROWS * D], t[ROWS], v[ROWS * D], F[ROWS * D];
    double up[ROWS * D], down[ROWS * D], size = 0, velocity = 0;
    draw(m, data, &bin[b], b, o.seed, x, t, v);
    ahead(m, x, t, v, h, up);
    ahead(m, x, t, v, -h, down);
    assert_ok(ctx, once_eval(m, ROWS, x, t, NULL, NULL, NULL, F));
    for (int i = 0; i < ROWS * D; i++) {
      size += pow((up[i] - down[i]) / (2 * h), 2) / (ROWS * D);
      velocity += pow(cos((double)t[i / D]) * ((double)F[i] - (double)v[i]), 2) / (ROWS * D);
    }
    assert_int_equal(bin[b].rows, ROWS);
    assert_true(bin[b].size > 0.1);
    assert_close(bin[b].size, sqrt(size), tol * (1 + bin[b].size));
    assert_close(bin[b].velocity, sqrt(velocity), 1e-5);
    assert_true(bin[b].size <= bin[b].velocity + bin[b].slope + 1e-9); /* triangle */
    assert_true(bin[b].difference < 1e-5); /* roundings of some hundred f32 terms */
    assert_true(bin[b].largest_rearranged <= bin[b].largest_raw / 2 + 1e-6); /* cos sin <= 1/2 */
  }
  assert_close(bin[FEW_TANGENT_BINS - 1].to, atan(80 / 0.5), 1e-12);
  few_data_free(data);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* If the path is the flow of the same network, the error of velocity is zero. */
static void test_teacher(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP);
  few_data *data = toy(ctx, "toy:moons");
  struct few_tangent_opts o = FEW_TANGENT_OPTS_INIT;
  struct few_tangent_bin bin[FEW_TANGENT_BINS];
  o.data = data;
  o.teacher = once_runner(m);
  o.rows = ROWS;
  assert_ok(ctx, once_tangent(m, &o, bin));
  for (int b = 0; b < FEW_TANGENT_BINS; b++) {
    assert_true(bin[b].velocity < 1e-5);
    assert_close(bin[b].size, bin[b].slope, 1e-5);
  }
  few_runner_free(o.teacher);
  few_data_free(data);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Small images of normal noise, and a U-Net whose activations are stored in bf16. */
static void test_bf16(void **state) {
  (void)state;
  enum { SIDE = 4, IMAGES = 2, PIXELS = SIDE * SIDE, MOST = 1 << 17 };
  static float values[MOST];
  few_ctx *ctx = test_ctx();
  few_model *m;
  few_data *data;
  struct few_model_opts opts = FEW_MODEL_OPTS_INIT;
  opts.net = "unet";
  opts.settings = (const char *const[]){"channels=16", "mults=1", "blocks=1", "attention=1"};
  opts.n_settings = 4;
  opts.h = opts.w = SIDE;
  opts.values = values;
  few__rng_normal_f32(&(struct few_rng){.purpose = FEW_RNG_CHECK}, MOST, values);
  for (int i = 0; i < MOST; i++) values[i] *= 0.1F;
  assert_ok(ctx, few_model_create(&m, ctx, &opts));
  assert_true(m->params.total <= MOST);
  uint8_t pixels[IMAGES * PIXELS];
  for (int i = 0; i < IMAGES * PIXELS; i++) pixels[i] = (uint8_t)(37 * i);
  struct few_data_memory memory = FEW_DATA_MEMORY_INIT;
  memory.n = IMAGES;
  memory.h = memory.w = SIDE;
  memory.pixels = pixels;
  assert_ok(ctx, few_data_create(&data, ctx, &memory, NULL));
  struct few_tangent_opts o = FEW_TANGENT_OPTS_INIT;
  struct few_tangent_bin bin[2][FEW_TANGENT_BINS];
  o.data = data;
  o.rows = 8;
  assert_ok(ctx, once_tangent(m, &o, bin[0]));
  assert_ok(ctx, few_ctx_set_precision(ctx, FEW_BF16));
  assert_ok(ctx, once_tangent(m, &o, bin[1]));
  for (int b = 0; b < FEW_TANGENT_BINS; b++) {
    const struct few_tangent_bin *whole = &bin[0][b], *half = &bin[1][b];
    /* Rounding to 8 bits instead of 24 makes the two forms differ by about 2^16 times as much. */
    assert_true(half->difference > 0x1p12 * whole->difference);
    assert_true(half->difference < 0x1p20 * whole->difference);
    assert_close(half->size, whole->size,
                 0x1p-9 * 40 * whole->size); /* fewer than 40^2 roundings */
  }
  assert_ok(ctx, few_ctx_set_precision(ctx, FEW_TF32));
  assert_int_equal(once_tangent(m, &o, bin[1]), FEW_E_UNSUPPORTED);
  few_data_free(data);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP), *map = test_model_new(ctx, TEST_MAP),
            *image = test_model_new(ctx, TEST_UNET);
  few_data *data = toy(ctx, "toy:mixture");
  struct few_tangent_opts o = FEW_TANGENT_OPTS_INIT;
  struct few_tangent_bin bin[FEW_TANGENT_BINS];
  assert_int_equal(once_tangent(m, &o, bin), FEW_E_INVALID);
  o.data = data;
  assert_int_equal(once_tangent(map, &o, bin), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "step size"));
  assert_int_equal(once_tangent(image, &o, bin), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "shape"));
  o.teacher = once_runner(image);
  assert_int_equal(once_tangent(m, &o, bin), FEW_E_INVALID);
  few_runner_free(o.teacher);
  o.teacher = NULL;
  o.rows = 0;
  assert_int_equal(once_tangent(m, &o, bin), FEW_E_INVALID);
  few_data_free(data);
  few_model_free(image);
  few_model_free(map);
  few_model_free(m);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_differences),
                                     cmocka_unit_test(test_teacher), cmocka_unit_test(test_bf16),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
