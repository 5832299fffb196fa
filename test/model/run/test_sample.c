/* Samples: an image is the same in every call that computes it, and it is exact if the network is
 * exact. Invalid options are refused with a sentence. */
#include "model/models.h"

#include "diffusion/sampler/sampler.h"

enum { DIMS = 64 };

static int64_t dims(const few_model *m) { return m->spec.h * m->spec.w * m->spec.c; }

/* An untrained network gives F = 0, which is exact for data N(0, sigma_d^2): the field is zero, and
 * a sample is its starting noise. */
static few_model *gaussian(few_ctx *ctx) {
  few_model *m = test_model_new(ctx, TEST_MLP), *exact;
  assert_ok(ctx, few__model_create(ctx, &exact, m->net, m->net_opts, &m->spec, 1));
  exact->data_mean = 3;
  exact->data_scale = 0.25;
  few_model_free(m);
  return exact;
}

static void start_noise(const few_model *m, uint64_t seed, int64_t i, double *z) {
  few__rng_normal_f64(
      &(struct few_rng){.seed = seed, .row = (uint64_t)i, .purpose = FEW_RNG_SAMPLE}, dims(m), z);
}

static void test_one_step_is_exact(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = gaussian(ctx);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float out[300 * 2];
  int nfe;
  double z[2], t = 1.1;
  o.sampler = "consistency";
  o.n = 300;
  o.first = 7;
  o.seed = 9;
  o.n_times = 1;
  o.times = &t;
  assert_ok(ctx, once_sample(m, &o, out, NULL, &nfe));
  assert_int_equal(nfe, 1);
  for (int i = 0; i < 300; i++) {
    start_noise(m, 9, 7 + i, z);
    for (int k = 0; k < 2; k++) {
      double x0 = cos(t) * 0.5 * z[k], raw = x0 / 0.25 + 3;
      /* z, sigma z, x0 and raw are each rounded once */
      assert_close(out[2 * i + k], raw, 0x1p-24 * (3 * fabs(x0 / 0.25) + fabs(raw)) + 1e-30);
    }
  }
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Returns the largest distance from the starting noise, in units of the largest noise. */
static double drift(few_model *m, const char *sampler, int steps) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float out[64 * 2];
  double z[2], worst = 0;
  o.sampler = sampler;
  o.n = 64;
  o.steps = steps;
  assert_ok(m->ctx, once_sample(m, &o, out, NULL, NULL));
  for (int i = 0; i < 64; i++) {
    start_noise(m, 0, i, z);
    for (int k = 0; k < 2; k++)
      worst = fmax(worst, fabs((double)(out[2 * i + k] - 3) * 0.25 - 0.5 * z[k]) / (0.5 * 6.34));
  }
  return worst;
}

static void test_solvers_converge(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = gaussian(ctx);
  for (int i = 0; i < few__sampler_count(NULL); i++) {
    const struct few_sampler_def *s = few__sampler_at(NULL, i);
    if (!s->order) continue;
    double coarse = drift(m, s->name, 16), fine = drift(m, s->name, 64);
    /* a quarter of the step gives a quarter or a sixteenth of the error; half of that is required,
     * except of methods that are exact for F = 0, such as Euler's in t */
    if (!(fine < coarse / (s->order == 1 ? 2 : 8)) && !(coarse < 0x1p-24 && fine < 0x1p-24))
      fail_msg("%s: %.3g at 16 steps, %.3g at 64", s->name, coarse, fine);
  }
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_same_image(void **state) {
  (void)state;
  static const struct {
    int64_t n, first, batch;
    int workers;
  } ways[] = {{21, 0, 0, 1}, {21, 0, 8, 2}, {21, 0, 1, 1},  {1, 0, 0, 2},
              {1, 20, 0, 3}, {5, 6, 3, 1},  {13, 8, 16, 2}, {20, 1, 0, 4}};
  few_ctx *ctx = test_ctx();
  for (int which = TEST_UNET; which <= TEST_DIT; which++) {
    few_model *m = test_model_new(ctx, which);
    few_runner *r = once_runner(m);
    float all[21 * DIMS], some[21 * DIMS];
    int32_t labels[21];
    assert_int_equal(dims(m), DIMS);
    for (int s = 0; s < few__sampler_count(NULL); s++) {
      if (few__sampler_at(NULL, s)->jumps) continue;  /* does not sample these models */
      if (few__sampler_at(NULL, s)->fitted) continue; /* test_olss.c */
      for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
        o.n = ways[i].n;
        o.first = ways[i].first;
        o.batch = ways[i].batch;
        o.sampler = few__sampler_at(NULL, s)->name;
        o.steps = 3;
        o.seed = 5;
        o.guidance = 1.5;
        few_ctx_set_workers(ctx, ways[i].workers);
        assert_ok(ctx, few_sample(i ? some : all, labels, NULL, r, &o));
        if (i) assert_memory_equal(some, all + o.first * DIMS, (size_t)(o.n * DIMS) * sizeof *all);
        for (int64_t k = 0; k < o.n; k++)
          assert_int_equal(labels[k], (o.first + k) % m->spec.classes);
      }
    }
    few_runner_free(r);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

static void test_defaults_and_counts(void **state) {
  (void)state;
  static const struct {
    const char *sampler;
    double guidance;
    int steps, nfe;
  } cases[] = {{NULL, 1, 0, 2},   {"heun", 1, 0, 35}, {"heun", 2, 3, 10},
               {"ddim", 1, 7, 7}, {"ddim", 3, 7, 14}, {"dpmpp", 1, 5, 5}};
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  snprintf(m->sampler, sizeof m->sampler, "consistency");
  float out[2 * DIMS];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    int nfe = 0;
    o.n = 2;
    o.sampler = cases[i].sampler;
    o.guidance = cases[i].guidance;
    o.steps = cases[i].steps;
    assert_ok(ctx, once_sample(m, &o, out, NULL, &nfe));
    assert_int_equal(nfe, cases[i].nfe);
  }
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Samples n images into out[n * DIMS]. */
static int draw(few_model *m, const struct few_sample_opts *o, float *out) {
  int nfe;
  assert_ok(m->ctx, once_sample(m, o, out, NULL, &nfe));
  return nfe;
}

static void test_settings(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  float plain[3 * DIMS], other[3 * DIMS];
  const char *const still[] = {"churn=0"}, *const churned[] = {"churn=0", "churn=9"};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = 3;
  o.steps = 3;
  o.sampler = "heun";
  draw(m, &o, plain);
  o.settings = still;
  o.n_settings = 1;
  draw(m, &o, other);
  assert_memory_equal(plain, other, sizeof plain);
  o.settings = churned;
  o.n_settings = 2;
  draw(m, &o, other);
  assert_memory_not_equal(plain, other, sizeof plain);
  o.n_settings = 0;
  o.schedule = "karras"; /* heun's own */
  draw(m, &o, other);
  assert_memory_equal(plain, other, sizeof plain);
  o.schedule = "uniform";
  draw(m, &o, other);
  assert_memory_not_equal(plain, other, sizeof plain);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* The times of a model are used with its own sampler, unless the call gives others. */
static void test_own_times(void **state) {
  (void)state;
  static const double times[] = {1.5, 0.9};
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  float want[DIMS], out[DIMS];
  int steps;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = "ddim";
  o.n_times = 2;
  o.times = times;
  draw(m, &o, want);
  snprintf(m->sampler, sizeof m->sampler, "ddim");
  assert_ok(ctx, few__model_set_times(m, 2, times));
  o = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  for (o.steps = 0; o.steps <= 2; o.steps += 2) {
    assert_int_equal(draw(m, &o, out), 2);
    assert_memory_equal(out, want, sizeof out);
  }
  o.steps = 3;
  assert_int_equal(draw(m, &o, out), 3);
  o.steps = 0;
  o.schedule = "karras";
  assert_ok(ctx, once_plan(m, &o, NULL, &steps));
  assert_int_equal(steps, 50);
  o.schedule = NULL;
  o.sampler = "dpmpp";
  assert_ok(ctx, once_plan(m, &o, NULL, &steps));
  assert_int_equal(steps, 25);
  assert_ok(ctx, few__model_set_times(m, 0, NULL));
  o.sampler = NULL;
  assert_ok(ctx, once_plan(m, &o, NULL, &steps));
  assert_int_equal(steps, 50);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* A network conditioned on the step size: two steps by hand, which are the same for both
 * samplers. */
static void test_steps_by_hand(void **state) {
  (void)state;
  static const double times[] = {1.3, 0.6, 0};
  static const char *const samplers[] = {"ddim", "shortcut"};
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MAP);
  for (int which = 0; which < 2; which++) {
    double x[2];
    float out[2], in[2], F[2];
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.n = 1;
    o.n_times = 2;
    o.times = times;
    o.sampler = samplers[which];
    draw(m, &o, out);
    start_noise(m, 0, 0, x);
    for (int k = 0; k < 2; k++) x[k] *= 0.5;
    for (int i = 0; i < 2; i++) {
      const double t = times[i], to = times[i + 1];
      const float time = (float)t, step_size = (float)(t - to);
      for (int k = 0; k < 2; k++) in[k] = (float)(x[k] / 0.5);
      assert_ok(ctx, once_eval(m, 1, in, &time, &step_size, NULL, NULL, F));
      for (int k = 0; k < 2; k++) x[k] = cos(t - to) * x[k] - sin(t - to) * 0.5 * (double)F[k];
    }
    /* a dozen roundings of values of size 4, which a small network amplifies by less than 30 */
    for (int k = 0; k < 2; k++) assert_close(out[k], x[k] * 1.7 + 0.1, 12 * 4 * 30 * 0x1p-24);
  }
  few_model_free(m);
  few_ctx_free(ctx);
}

/* A plan is refused with the same error as the run, before any work. */
static void test_plan_refuses(void **state) {
  (void)state;
  static const double rising[] = {1, 1.5};
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n_times = 2;
  o.times = rising;
  assert_int_equal(once_plan(m, &o, NULL, NULL), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "must fall"));
  o.n_times = 0;
  o.sampler = "heun"; /* which cannot start from pure noise */
  o.schedule = "flow";
  assert_int_equal(once_plan(m, &o, NULL, NULL), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "use ddim"));
  o.sampler = "ddim";
  assert_ok(ctx, once_plan(m, &o, NULL, NULL));
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Guidance only between two times. An empty interval gives the samples without guidance, the whole
 * interval those with guidance. */
static void test_guidance_interval(void **state) {
  (void)state;
  static const double times[] = {1.5, 1, 0.5};
  few_ctx *ctx = test_ctx();
  for (int which = TEST_UNET; which <= TEST_DIT; which++) {
    few_model *m = test_model_new(ctx, which);
    float none[2 * DIMS], all[2 * DIMS], some[2 * DIMS];
    const int more = m->spec.guidance ? 0 : 1; /* evaluations of a guided step */
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.n = 2;
    o.sampler = "ddim";
    o.n_times = 3;
    o.times = times;
    assert_int_equal(draw(m, &o, none), 3);
    o.guidance = 2;
    assert_int_equal(draw(m, &o, all), 3 + 3 * more);
    o.guidance_from = 0.6;
    o.guidance_to = 0.9;
    assert_int_equal(draw(m, &o, some), 3);
    assert_memory_equal(some, none, sizeof none);
    o.guidance_from = 0.5;
    o.guidance_to = 1.5;
    assert_int_equal(draw(m, &o, some), 3 + 3 * more);
    assert_memory_equal(some, all, sizeof all);
    o.guidance_to = 1.2;
    assert_int_equal(draw(m, &o, some), 3 + 2 * more);
    assert_memory_not_equal(some, all, sizeof all);
    assert_memory_not_equal(some, none, sizeof all);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

/* Autoguidance, for one step from the starting noise, with F computed by hand from two models. */
static void test_autoguidance(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET), *worse = test_model_new(ctx, TEST_UNET);
  float plain[2 * DIMS], out[2 * DIMS], z[2 * DIMS], F[2 * DIMS], F_w[2 * DIMS];
  const double time = 1.1;
  const float t[] = {1.1F, 1.1F};
  const int32_t label[] = {0, 1};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  for (int64_t i = 0; i < worse->params.total; i++) worse->values[i] *= 0.9F;
  few_runner *own = once_runner(m), *guide = once_runner(worse);
  o.n = 2;
  o.sampler = "consistency";
  o.n_times = 1;
  o.times = &time;
  assert_int_equal(draw(m, &o, plain), 1);
  o.autoguide = own; /* a model guided away from itself is not changed */
  o.autoguidance = 3;
  assert_int_equal(draw(m, &o, out), 2);
  assert_memory_equal(out, plain, sizeof out);
  o.autoguide = guide;
  o.autoguidance = 1;
  assert_int_equal(draw(m, &o, out), 1);
  assert_memory_equal(out, plain, sizeof out);
  o.autoguidance = 2.5;
  assert_int_equal(draw(m, &o, out), 2);
  for (int i = 0; i < 2; i++) {
    struct few_rng r = {.seed = 0, .row = (uint64_t)i, .purpose = FEW_RNG_SAMPLE};
    few__rng_normal_f32(&r, DIMS, z + i * DIMS);
  }
  assert_ok(ctx, once_eval(m, 2, z, t, NULL, label, NULL, F));
  assert_ok(ctx, once_eval(worse, 2, z, t, NULL, label, NULL, F_w));
  for (int i = 0; i < 2 * DIMS; i++) {
    double f = (double)F_w[i] + 2.5 * ((double)F[i] - (double)F_w[i]);
    double x0 = 0.5 * (cos(time) * (double)z[i] - sin(time) * f);
    /* about ten roundings of values up to |z| + 4 |F|, multiplied by the data's scale */
    double size = fabs((double)z[i]) + 4 * (fabs((double)F[i]) + fabs((double)F_w[i]));
    assert_close(out[i], x0 * 1.7 + 0.1, 10 * 0x1p-24 * (1 + size) * 1.7);
  }
  few_runner_free(own);
  few_runner_free(guide);
  few_model_free(m);
  few_model_free(worse);
  few_ctx_free(ctx);
}

static void refuse(few_model *m, const struct few_sample_opts *o, const char *says) {
  float out[DIMS];
  assert_int_equal(once_sample(m, o, out, NULL, NULL), FEW_E_INVALID);
  if (!strstr(few_error(m->ctx), says)) fail_msg("%s: no \"%s\"", few_error(m->ctx), says);
}

static struct few_sample_opts asked(int label, double guidance) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.label = label;
  o.guidance = guidance;
  return o;
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *points = test_model_new(ctx, TEST_MLP), *teacher = test_model_new(ctx, TEST_UNET),
            *student = test_model_new(ctx, TEST_DIT);
  struct few_sample_opts o = asked(3, 1);
  const double times[2] = {0.5, 1};
  refuse(teacher, &o, "0 to 2");
  refuse(points, &o, "no classes");
  o = asked(-4, 1);
  refuse(teacher, &o, "0 to 2");
  o = asked(FEW_LABEL_EACH, 2);
  refuse(points, &o, "no classes");
  o = asked(FEW_LABEL_NONE, 2);
  refuse(teacher, &o, "without a label");
  o = asked(FEW_LABEL_EACH, 5);
  refuse(student, &o, "1 to 4.25");
  o.guidance = NAN;
  refuse(student, &o, "number");
  o = asked(FEW_LABEL_EACH, 1);
  o.sampler = "eular";
  refuse(teacher, &o, "eular");
  o.sampler = NULL;
  o.n_times = 2;
  o.times = times;
  refuse(teacher, &o, "fall");
  o.steps = 3;
  refuse(teacher, &o, "one of them");
  o = asked(FEW_LABEL_EACH, 1);
  o.n = 0;
  refuse(teacher, &o, "at least one");
  o.n = 1;
  o.first = -1;
  refuse(teacher, &o, "at least one");
  o.first = INT64_MAX;
  refuse(teacher, &o, "at least one");
  o = asked(FEW_LABEL_EACH, 1);
  o.steps = -1;
  refuse(teacher, &o, "steps");
  o.version = 99;
  refuse(teacher, &o, "version");
  const char *setting = "chrun=1";
  o = asked(FEW_LABEL_EACH, 1);
  o.sampler = "heun";
  o.n_settings = 1;
  o.settings = &setting;
  refuse(teacher, &o, "churn");
  o.sampler = "ddim";
  refuse(teacher, &o, "chrun");
  setting = "churn";
  refuse(teacher, &o, "key=value");
  o = asked(FEW_LABEL_EACH, 1);
  o.sampler = "shortcut";
  refuse(teacher, &o, "average velocity");
  o = asked(FEW_LABEL_EACH, 1);
  o.schedule = "cosin";
  refuse(teacher, &o, "cosine");
  o.schedule = "cosine";
  o.n_times = 2;
  o.times = times;
  refuse(teacher, &o, "one of the two");
  o = asked(FEW_LABEL_EACH, 2);
  o.guidance_from = 1;
  o.guidance_to = 0.5;
  refuse(teacher, &o, "smaller");
  o = asked(FEW_LABEL_EACH, 2);
  few_runner *run_teacher = once_runner(teacher), *run_student = once_runner(student);
  o.autoguide = run_teacher;
  refuse(teacher, &o, "at once");
  o.guidance = 1;
  o.autoguide = run_student;
  refuse(teacher, &o, "differs in shape, classes or inputs");
  o.autoguide = run_teacher;
  o.autoguidance = NAN;
  refuse(teacher, &o, "number");
  few_runner_free(run_teacher);
  few_runner_free(run_student);
  few_model_free(points);
  few_model_free(teacher);
  few_model_free(student);
  few_ctx_free(ctx);
}

static int stop_at_once(void *user, const struct few_progress *p) {
  (void)p;
  return ++*(int *)user == 3;
}

/* Labels have the class shares of the training data, also in a part of the series. A class without
 * training items is not sampled. */
static void test_labels(void **state) {
  (void)state;
  static const struct {
    int label;
    int32_t want[7];
  } cases[] = {{FEW_LABEL_SHARES, {2, 0, 2, 2, 0, 2, 2}},
               {FEW_LABEL_EACH, {0, 2, 0, 2, 0, 2, 0}},
               {FEW_LABEL_NONE, {-1, -1, -1, -1, -1, -1, -1}},
               {2, {2, 2, 2, 2, 2, 2, 2}}};
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  float out[7 * DIMS];
  int32_t labels[7];
  struct few_sample_opts o = asked(FEW_LABEL_SHARES, 1);
  o.steps = 1;
  o.n = 7;
  assert_ok(ctx, once_sample(m, &o, out, labels, NULL));
  for (int i = 0; i < 7; i++) assert_int_equal(labels[i], i % 3); /* the shares are unknown */
  few_status st = FEW_NEW(ctx, &m->class_counts, 3);
  assert_ok(ctx, st);
  m->class_counts[0] = 1;
  m->class_counts[2] = 2;
  for (int c = 0; c < FEW_COUNT(cases); c++)
    for (int first = 0; first < 7; first += 3) {
      o.label = cases[c].label;
      o.first = first;
      o.n = 7 - first;
      o.batch = 2;
      assert_ok(ctx, once_sample(m, &o, out, labels, NULL));
      assert_memory_equal(labels, cases[c].want + first, (size_t)o.n * sizeof *labels);
    }
  o = asked(1, 1);
  refuse(m, &o, "none of this class");
  const int32_t some[2] = {0, -1};
  const float x[2 * DIMS] = {0}, t[2] = {1, 1}, guidance[2] = {1, 2};
  for (int unlabelled = 0; unlabelled < 2; unlabelled++) {
    m->spec.unlabelled = unlabelled ? FEW_YES : FEW_NO;
    for (int c = 0; c < 3; c++) {
      o = asked(c == 0 ? FEW_LABEL_NONE : 0, c == 1 ? 2 : 1);
      o.sampler = "ddim"; /* which can be inverted */
      o.steps = 1;
      o.n = 2;
      few_status refused =
          c < 2 ? once_sample(m, &o, out, NULL, NULL) : once_encode(m, &o, x, some, out, NULL);
      assert_int_equal(refused, unlabelled ? FEW_OK : FEW_E_INVALID);
      if (refused) assert_non_null(strstr(few_error(ctx), "label_dropout = 0.1"));
    }
    assert_int_equal(once_eval(m, 2, x, t, NULL, (const int32_t[]){0, 0}, guidance, out),
                     unlabelled ? FEW_OK : FEW_E_INVALID);
  }
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_cancel(void **state) {
  (void)state;
  int calls = 0;
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  opts.user = &calls;
  opts.progress = stop_at_once;
  few_ctx *ctx;
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_MLP);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float out[2];
  assert_int_equal(once_sample(m, &o, out, NULL, NULL), FEW_E_CANCELLED);
  assert_int_equal(calls, 3);
  few_model_free(m);
  few_ctx_free(ctx);
}

struct watch {
  int calls;
  int64_t last, stop; /* cancel after so many; -1 for never */
};
static int watch_progress(void *user, const struct few_progress *p) {
  struct watch *w = user;
  w->calls++;
  assert_true(p->done >= w->last && p->total == 5000);
  w->last = p->done;
  return w->stop >= 0 && p->done >= w->stop;
}

/* Progress is reported many times during one step of many images. The images that were finished
 * before the callback cancels are those of a complete call. */
static void test_cancel_keeps_what_is_finished(void **state) {
  (void)state;
  enum { N = 5000 };
  struct watch w = {.stop = -1};
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  opts.user = &w;
  opts.progress = watch_progress;
  opts.workers = 2;
  few_ctx *ctx;
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_MLP);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  static float whole[2 * N], part[2 * N];
  int64_t finished = -1;
  o.n = N;
  o.first = 3;
  o.sampler = "consistency";
  o.steps = 1;
  o.finished = &finished;
  assert_ok(ctx, once_sample(m, &o, whole, NULL, NULL));
  assert_int_equal(finished, N);
  assert_true(w.calls >= 3);
  w = (struct watch){.stop = 1};
  assert_int_equal(once_sample(m, &o, part, NULL, NULL), FEW_E_CANCELLED);
  assert_true(finished > 0 && finished < N);
  assert_memory_equal(part, whole, (size_t)finished * 2 * sizeof *whole);
  o.sampler = "nothing of that name";
  assert_int_equal(once_sample(m, &o, part, NULL, NULL), FEW_E_INVALID);
  assert_int_equal(finished, 0);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void keep_warning(void *user, few_log_level level, const char *message) {
  if (level == FEW_LOG_WARN) snprintf(user, 200, "%s", message);
}

/* Finite weights may give samples that are not finite. One warning has their number. */
static void test_not_finite(void **state) {
  (void)state;
  few_ctx *ctx;
  char warning[200] = "";
  float out[9 * 2];
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  co.user = warning;
  co.log = keep_warning;
  o.n = 9;
  o.steps = 1;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_MLP);
  assert_ok(ctx, once_sample(m, &o, out, NULL, NULL));
  assert_string_equal(warning, "");
  for (int64_t i = 0; i < m->params.total; i++) m->values[i] = 3e38F;
  assert_ok(ctx, once_sample(m, &o, out, NULL, NULL));
  assert_memory_equal(warning, "9 of 9 samples have values that are not finite", 46);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* A sampling plan has a warning for combinations that run but sample poorly. */
static void test_poor(void **state) {
  (void)state;
  few_ctx *ctx;
  char warning[200] = "";
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  co.user = warning;
  co.log = keep_warning;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_MLP);
  snprintf(m->sampler, sizeof m->sampler, "consistency");
  assert_ok(ctx, once_plan(m, &o, NULL, NULL));
  assert_string_equal(warning, "");
  o.sampler = "ddim";
  assert_ok(ctx, once_plan(m, &o, NULL, NULL));
  assert_non_null(strstr(warning, "learned the jumps of consistency"));
  o.sampler = NULL;
  m->direction = FEW_DECODES;
  assert_ok(ctx, few__model_set_times(m, 2, (double[]){1.5, 1}));
  *warning = 0;
  assert_ok(ctx, once_plan(m, &o, NULL, NULL));
  o.steps = 2;
  assert_ok(ctx, once_plan(m, &o, NULL, NULL));
  assert_string_equal(warning, "");
  o.steps = 3;
  assert_ok(ctx, once_plan(m, &o, NULL, NULL));
  assert_non_null(strstr(warning, "its own 2 steps, but is sampled in 3"));
  few_model_free(m);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_step_is_exact),
      cmocka_unit_test(test_solvers_converge),
      cmocka_unit_test(test_same_image),
      cmocka_unit_test(test_defaults_and_counts),
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_own_times),
      cmocka_unit_test(test_steps_by_hand),
      cmocka_unit_test(test_plan_refuses),
      cmocka_unit_test(test_guidance_interval),
      cmocka_unit_test(test_autoguidance),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_labels),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_cancel_keeps_what_is_finished),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_poor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
