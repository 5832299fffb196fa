/* From images to noise and back. This is exact on the ring of Gaussians. Decoding has the bits of
 * sampling from the same noise. Models that cannot be inverted are refused. Also the straightness
 * of paths. */
#include "model/models.h"

#include "diffusion/process/process.h"
#include "diffusion/sampler/sampler.h"
#include "few/data.h"
#include "oracle/mixture.h"

enum { N = 40, DIMS = 64 };

/* ---- an exact teacher ---- */

struct ring {
  struct mixture mixture;
  double mean[16 * 2], std[16], sigma;
};

static void ring_init(struct ring *r) {
  const struct few_data_gaussians *g = few_data_mixture();
  const double scale = 0.7; /* to deviation 0.5, nearly */
  assert_true(g->k <= 16 && g->d == 2);
  for (int i = 0; i < 2 * g->k; i++) r->mean[i] = scale * g->mean[i];
  for (int i = 0; i < g->k; i++) r->std[i] = scale * g->std[i];
  r->mixture = (struct mixture){g->k, 2, g->weight, r->mean, r->std};
  r->sigma = 0.5;
}

static few_status ring_eval(void *user, const float *x, double t, double to, float *F) {
  const struct ring *r = user;
  (void)to;
  for (int i = 0; i < N; i++) {
    const double at[2] = {(double)x[2 * i], (double)x[2 * i + 1]};
    double out[2];
    mixture_F(&r->mixture, r->sigma, t, at, out);
    F[2 * i] = (float)out[0];
    F[2 * i + 1] = (float)out[1];
  }
  return FEW_OK;
}

/* Encodes and decodes again. Returns the root mean square of the distance from the start. */
static double round_trip(few_ctx *ctx, struct ring *r, const struct few_sampler_def *sampler,
                         int steps) {
  float start[2 * N], x[2 * N];
  double sum = 0;
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  struct few_sampling s = {
      .rows = N, .dims = 2, .sigma_d = r->sigma, .x = x, .eval = ring_eval, .user = r};
  for (int i = 0; i < N; i++) {
    double at[2];
    mixture_sample(&r->mixture,
                   &(struct few_rng){.seed = 1, .row = (uint64_t)i, .purpose = FEW_RNG_TOY}, at);
    start[2 * i] = (float)at[0];
    start[2 * i + 1] = (float)at[1];
  }
  memcpy(x, start, sizeof x);
  times.steps = steps;
  times.t_end = atan(times.sigma_min / r->sigma);
  assert_ok(ctx, few__encode(ctx, sampler, &times, &s));
  s.started = true;
  assert_ok(ctx, few__sample(ctx, sampler, &times, &s));
  for (int i = 0; i < 2 * N; i++)
    sum += ((double)x[i] - (double)start[i]) * ((double)x[i] - (double)start[i]);
  return sqrt(sum / (2 * N)) / r->sigma;
}

/* The only error is that of the solver. It falls with its order, down to 1e-3. */
static void test_exact_round_trip(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  static struct ring r;
  ring_init(&r);
  const double d1 = round_trip(ctx, &r, &few__sampler_ddim, 200);
  const double d2 = round_trip(ctx, &r, &few__sampler_ddim, 400);
  const double h1 = round_trip(ctx, &r, &few__sampler_heun, 100);
  const double h2 = round_trip(ctx, &r, &few__sampler_heun, 200);
  printf("round trip on the ring: ddim %.4f %.4f, heun %.5f %.5f sigma_d\n", d1, d2, h1, h2);
  assert_true(log2(d1 / d2) > 0.8 && d2 < 0.01);
  assert_true(log2(h1 / h2) > 1.6 && h2 < 1e-4);
  few_ctx_free(ctx);
}

/* ---- models ---- */

static struct few_sample_opts options(const char *sampler, int steps, int64_t n) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = sampler;
  o.steps = steps;
  o.n = n;
  return o;
}

/* Decoding the noise that few_sample draws gives the bits of few_sample, in any batch and from any
 * first image. */
static void test_decode_is_sample(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  struct few_sample_opts o = options("ddim", 3, 11);
  static float noise[11 * DIMS], want[11 * DIMS], out[11 * DIMS];
  int32_t label[11];
  o.first = 5;
  o.guidance = 2;
  for (int i = 0; i < 11; i++)
    few__rng_normal_f32(&(struct few_rng){.row = (uint64_t)(5 + i), .purpose = FEW_RNG_SAMPLE},
                        DIMS, noise + i * DIMS);
  assert_ok(ctx, once_sample(m, &o, want, label, NULL));
  assert_ok(ctx, once_decode(m, &o, noise, NULL, out, NULL));
  assert_memory_equal(out, want, sizeof out);
  o.batch = 8;
  o.label = FEW_LABEL_NONE; /* the array counts */
  o.guidance = 2;
  struct few_sample_opts given = o;
  given.label = 0;
  assert_ok(ctx, once_decode(m, &given, noise, label, out, NULL));
  assert_memory_equal(out, want, sizeof out);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Encoding and decoding with many steps of a smooth field gives the starting image. Images do not
 * depend on each other, and the result may replace the input. */
static void test_round_trip(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int which = TEST_MLP; which <= TEST_UNET; which++) {
    few_model *m = test_model_new(ctx, which);
    const int dims = which == TEST_MLP ? 2 : DIMS;
    struct few_sample_opts o = options("heun", 60, 10);
    static float start[10 * DIMS], noise[10 * DIMS], part[10 * DIMS], back[10 * DIMS];
    int32_t label[10], other[10];
    int nfe;
    for (int i = 0; i < 10; i++) label[i] = which == TEST_MLP ? -1 : i % 4 - 1, other[i] = 2;
    for (int i = 0; i < 10 * dims; i++) start[i] = (float)sin(1.7 * i);
    assert_ok(ctx, once_encode(m, &o, start, label, noise, &nfe));
    assert_int_equal(nfe, 120);
    struct few_sample_opts last = o;
    last.first = 7;
    last.n = 3;
    assert_ok(ctx, once_encode(m, &last, start + 7 * dims, label + 7, part, NULL));
    assert_memory_equal(part, noise + 7 * dims, 3 * (size_t)dims * sizeof *part);
    assert_ok(ctx, once_decode(m, &o, noise, label, back, NULL));
    double worst = 0, moved = 0;
    for (int i = 0; i < 10 * dims; i++) {
      worst = fmax(worst, fabs((double)(back[i] - start[i])));
      moved = fmax(moved, fabs((double)(noise[i] - start[i])));
    }
    printf("%s: back within %.4f\n", which == TEST_MLP ? "mlp" : "unet", worst);
    assert_true(worst < 0.02 && moved > 0.5);
    few_runner *r = once_runner(m);
    const struct few_transfer_opts t = {FEW_TRANSFER_OPTS_VERSION, r, r, &o, &o, label, label};
    memcpy(part, start, sizeof part);
    assert_ok(ctx, few_transfer(part, &nfe, &t, part));
    assert_int_equal(nfe, 120 + 119);
    assert_memory_equal(part, back, (size_t)(10 * dims) * sizeof *part);
    if (which == TEST_UNET) { /* another label, another image */
      struct few_transfer_opts u = t;
      u.to = other;
      assert_ok(ctx, few_transfer(part, NULL, &u, start));
      assert_true(memcmp(part, back, sizeof part) != 0);
      assert_memory_equal(part + 3 * dims, back + 3 * dims, (size_t)dims * sizeof *part);
    }
    few_runner_free(r);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

static int stop_late(void *user, const struct few_progress *p) {
  FEW_UNUSED(user);
  return p->done > p->total / 2;
}

/* The images that were finished before the call was cancelled are those of a complete call. */
static void test_cancel_keeps_what_is_finished(void **state) {
  (void)state;
  enum { MANY = 2000 };
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  few_ctx *ctx;
  static float start[2 * MANY], whole[2 * MANY], part[2 * MANY];
  int64_t finished = -1;
  co.workers = 1; /* 256 points at first */
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_MLP);
  struct few_sample_opts o = options("ddim", 3, MANY), down = options("ddpm", 3, MANY);
  down.first = o.first = 5;
  down.finished = &finished;
  few_runner *r = once_runner(m);
  const struct few_transfer_opts t = {FEW_TRANSFER_OPTS_VERSION, r, r, &o, &down, NULL, NULL};
  for (int i = 0; i < 2 * MANY; i++) start[i] = (float)sin(1.7 * i);
  assert_ok(ctx, few_transfer(whole, NULL, &t, start));
  assert_int_equal(finished, MANY);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
  co.progress = stop_late;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  m = test_model_new(ctx, TEST_MLP);
  r = once_runner(m);
  const struct few_transfer_opts u = {FEW_TRANSFER_OPTS_VERSION, r, r, &o, &down, NULL, NULL};
  assert_int_equal(few_transfer(part, NULL, &u, start), FEW_E_CANCELLED);
  assert_true(finished >= 256 && finished < MANY);
  assert_memory_equal(part, whole, (size_t)finished * 2 * sizeof *whole);
  few_runner_free(r);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void refused(few_status st, few_ctx *ctx, const char *word) {
  assert_int_equal(st, FEW_E_INVALID);
  if (!strstr(few_error(ctx), word)) fail_msg("\"%s\" does not say %s", few_error(ctx), word);
}

static void test_directions(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP), *u = test_model_new(ctx, TEST_UNET);
  struct few_sample_opts o = options(NULL, 0, 2), three = options(NULL, 0, 3);
  float x[4] = {0}, y[4];
  int nfe;
  snprintf(m->sampler, sizeof m->sampler, "progressive");
  assert_ok(ctx, few__model_set_times(m, 2, (double[]){1.5707, 0.9}));
  m->direction = FEW_ENCODES;
  refused(once_sample(m, &o, y, NULL, NULL), ctx, "few encode");
  assert_ok(ctx, once_encode(m, &o, x, NULL, y, &nfe));
  assert_int_equal(nfe, 2); /* its own times */
  m->direction = FEW_DECODES;
  assert_ok(ctx, once_sample(m, &o, y, NULL, NULL));
  refused(once_encode(m, &o, x, NULL, y, NULL), ctx, "teacher");
  m->direction = FEW_BOTH_WAYS;
  snprintf(m->sampler, sizeof m->sampler, "consistency");
  refused(once_encode(m, &o, x, NULL, y, NULL), ctx, "teacher");
  snprintf(m->sampler, sizeof m->sampler, "dpmpp"); /* cannot be inverted, so ddim is used */
  assert_ok(ctx, once_encode(m, &o, x, NULL, y, &nfe));
  assert_int_equal(nfe, 50);
  few_runner *a = once_runner(m), *b = once_runner(u);
  struct few_transfer_opts t = {FEW_TRANSFER_OPTS_VERSION, a, b, &o, &o, NULL, NULL};
  refused(few_transfer(y, NULL, &t, x), ctx, "one size");
  t.b = a;
  t.decode = &three;
  refused(few_transfer(y, NULL, &t, x), ctx, "same n");
  few_runner_free(a);
  few_runner_free(b);
  few_model_free(m);
  few_model_free(u);
  few_ctx_free(ctx);
}

/* ---- straightness ---- */

/* With F = 0, x does not change with t. So y(t) = x/(cos t + sigma_d sin t) moves along a line with
 * the velocity v = x (sin t/sigma_d - cos t), and its ends are x (1/sigma_d - 1) apart. */
static void test_straightness(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP);
  struct few_sample_opts o = options(NULL, 400, 100);
  const double sd = 0.5;
  double value, mean = 0, variance = 0, first = 0;
  memset(m->values, 0, (size_t)m->params.total * sizeof *m->values);
  assert_ok(ctx, once_straightness(m, &o, &value));
  for (int i = 0; i < 100; i++) {
    double z[2];
    few__rng_normal_f64(&(struct few_rng){.row = (uint64_t)i, .purpose = FEW_RNG_SAMPLE}, 2, z);
    mean += sd * sd * (z[0] * z[0] + z[1] * z[1]) / 200;
  }
  double x = 1; /* the state of an Euler path, relative to its start */
  for (int k = 0; k < 400; k++) {
    const double u = 1 - k / 400., t = atan2(u, (1 - u) * sd),
                 s = atan2(u - 1 / 400., (1 - u + 1 / 400.) * sd);
    const double v = x * (sin(t) / sd - cos(t));
    first += v / 400;
    variance += v * v / 400;
    x *= cos(t - s);
  }
  assert_close(value, mean * (variance - first * first), 1e-5 * mean);
  assert_close(first, 1 / sd - 1, 0.02);
  assert_true(value > 0.1 * mean);
  o.n = 0;
  refused(once_straightness(m, &o, &value), ctx, "at least one");
  few_model_free(m);
  few_ctx_free(ctx);
}

/* ---- images ---- */

/* Images of clothes, encoded to noise and decoded again by the teacher that comes with few. */
static void test_fashion(void **state) {
  (void)state;
  enum { IMAGES = 8, PIXELS = 784 };
  few_ctx *ctx = test_ctx();
  few_data *d;
  few_model *m;
  static float x[IMAGES * PIXELS], noise[IMAGES * PIXELS], back[IMAGES * PIXELS];
  int32_t label[IMAGES];
  double error = 0, power = 0;
  if (few_data_open(&d, ctx, "fashion-mnist:test", NULL)) {
    printf("note: dataset-fashion-mnist is not installed: skipped\n");
    few_ctx_free(ctx);
    return;
  }
  assert_ok(ctx, few_model_load(&m, ctx, FEW_TEST_DIR "/../models/fashion-teacher.safetensors"));
  for (int i = 0; i < IMAGES; i++) {
    assert_ok(ctx, few_data_get(x + i * PIXELS, d, i));
    label[i] = few_data_label(d, i);
  }
  struct few_sample_opts o = options("heun", 18, IMAGES);
  assert_ok(ctx, once_encode(m, &o, x, label, noise, NULL));
  assert_ok(ctx, once_decode(m, &o, noise, label, back, NULL));
  for (int i = 0; i < IMAGES * PIXELS; i++) {
    error += pow((double)(back[i] - x[i]), 2) / (IMAGES * PIXELS);
    power += pow((double)noise[i], 2) / (IMAGES * PIXELS);
  }
  printf("clothes: back within %.3f rms of 2; noise of deviation %.3f\n", sqrt(error), sqrt(power));
  assert_true(sqrt(error) < 0.03);
  assert_true(sqrt(power) > 0.8 && sqrt(power) < 1.2);
  few_model_free(m);
  few_data_free(d);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exact_round_trip),
      cmocka_unit_test(test_decode_is_sample),
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_directions),
      cmocka_unit_test(test_straightness),
      cmocka_unit_test(test_fashion),
      cmocka_unit_test(test_cancel_keeps_what_is_finished),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
