/* few_eval of images and of models: the same numbers for every kind of source, and errors for
 * mistakes. */
#include <unistd.h>

#include "data/files.h"
#include "few/eval.h"
#include "few/model.h"
#include "io/json.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "model/models.h"

enum { SIDE = 8, N = 60 };

/* Writes images of the values base .. base + 63. */
static void write_images(struct files *f, const char *name, int64_t n, int base) {
  uint8_t *x = malloc((size_t)(n * SIDE * SIDE));
  struct few_rng r = {.seed = (uint64_t)base, .purpose = FEW_RNG_CHECK};
  float u[SIDE * SIDE];
  for (int64_t i = 0; i < n; i++) {
    r.row = (uint64_t)i;
    few__rng_uniform_f32(&r, SIDE * SIDE, u);
    for (int k = 0; k < SIDE * SIDE; k++)
      x[i * SIDE * SIDE + k] = (uint8_t)((float)base + 64 * u[k]);
  }
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, name), FEW_STORE_U8, 4,
                                   (int64_t[]){n, SIDE, SIDE, 1}, x));
  free(x);
}

static struct few_eval_opts options(struct files *f, const char *source, const char *reference) {
  struct few_eval_opts o = FEW_EVAL_OPTS_INIT;
  o.source = files_path(f, source);
  o.reference = reference ? files_path(f, reference) : NULL;
  o.subsets = 5;
  o.subset_size = 20;
  return o;
}

static struct few_eval_report *eval(struct files *f, const struct few_eval_opts *o) {
  struct few_eval_report *r = NULL;
  assert_ok(f->ctx, few_eval(&r, f->ctx, o));
  return r;
}

static const struct few_eval_number *number(const struct few_eval_report *r, const char *name) {
  for (int i = 0; i < r->n_numbers; i++)
    if (!strcmp(r->number[i].name, name)) return &r->number[i];
  fail_msg("no number %s", name);
  return NULL;
}

static void assert_same_numbers(const struct few_eval_report *a, const struct few_eval_report *b) {
  assert_int_equal(a->n_numbers, b->n_numbers);
  for (int i = 0; i < a->n_numbers; i++) {
    assert_string_equal(a->number[i].name, b->number[i].name);
    if (a->number[i].value != b->number[i].value)
      fail_msg("%s: %.17g and %.17g", a->number[i].name, a->number[i].value, b->number[i].value);
  }
}

static void test_images(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  write_images(f, "b.npy", N + 5, 90);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  struct few_eval_report *r = eval(f, &o);
  assert_int_equal(r->n_numbers, 7);
  assert_false(r->model);
  assert_int_equal(r->n, N);
  assert_int_equal(r->n_reference, N + 5);
  assert_int_equal(r->dim, SIDE * SIDE);
  assert_string_equal(r->features, "pixels");
  assert_string_equal(r->rounding, "bytes as stored");
  assert_int_equal(strlen(r->reference_hash), 16);
  /* values 80 apart at 64 positions: the means give 6.3; nothing overlaps */
  assert_true(number(r, "fd")->value > 6 && number(r, "fd")->value < 8);
  assert_int_equal(number(r, "fd")->n_reference, N + 5);
  assert_true(number(r, "kid")->value > 0 && number(r, "kid")->error >= 0);
  assert_true(number(r, "precision")->value == 0 && number(r, "coverage")->value == 0);
  few_eval_report_free(r);
  o.reference = o.source; /* a set and itself */
  r = eval(f, &o);
  assert_close(number(r, "fd")->value, 0, 1e-12);
  assert_true(number(r, "precision")->value == 1 && number(r, "recall")->value == 1);
  assert_true(number(r, "coverage")->value == 1);
  few_eval_report_free(r);
}

/* Sets in memory measure as the files do, under the names that they have. */
static void test_data_in_memory(void **state) {
  struct files *f = *state;
  few_data *data[2];
  write_images(f, "a.npy", N, 10);
  write_images(f, "b.npy", N + 5, 20);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  struct few_eval_report *files = eval(f, &o);
  for (int i = 0; i < 2; i++) {
    few_data *d;
    struct few_data_memory m = FEW_DATA_MEMORY_INIT;
    assert_ok(f->ctx, few_data_open(&d, f->ctx, i ? o.reference : o.source, NULL));
    uint8_t pixels[(N + 5) * SIDE * SIDE];
    float x[SIDE * SIDE];
    m.name = i ? "real" : NULL;
    m.n = few_data_n(d);
    m.h = m.w = SIDE;
    m.pixels = pixels;
    for (int64_t k = 0; k < m.n; k++) {
      assert_ok(f->ctx, few_data_get(x, d, k));
      for (int j = 0; j < SIDE * SIDE; j++)
        pixels[k * SIDE * SIDE + j] = (uint8_t)((x[j] + 1) * 127.5f + 0.5f);
    }
    assert_ok(f->ctx, few_data_create(&data[i], f->ctx, &m, NULL));
    few_data_free(d);
  }
  o.source = o.reference = NULL;
  o.source_data = data[0];
  o.reference_data = data[1];
  struct few_eval_report *memory = eval(f, &o);
  assert_same_numbers(files, memory);
  assert_string_equal(memory->source, "memory");
  assert_string_equal(memory->reference, "real");
  assert_string_equal(memory->source_hash, files->source_hash);
  few_eval_report_free(memory);
  o.reference = "these";
  o.n_reference = N; /* a choice of them */
  memory = eval(f, &o);
  assert_string_equal(memory->reference, "these");
  assert_int_equal(memory->n_reference, N);
  few_eval_report_free(memory);
  few_eval_report_free(files);
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  o.runner = once_runner(m); /* which of the two is the source? */
  assert_int_equal(few_eval(&memory, f->ctx, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "both a runner and data"));
  few_runner_free(o.runner);
  few_model_free(m);
  few_data_free(data[0]);
  few_data_free(data[1]);
}

/* If images are compared by pixels by default, there is a warning. There is none if pixels were
 * chosen, and none for points. */
static void test_warns_of_pixels(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  struct few_eval_opts o = options(f, "a.npy", "a.npy");
  o.metrics = "kid";
  f->warnings = 0;
  few_eval_report_free(eval(f, &o));
  assert_int_equal(f->warnings, 1);
  assert_non_null(strstr(f->warning, "compared by their pixels"));
  assert_non_null(strstr(f->warning, "classifier=FILE"));
  assert_ok(f->ctx, few_eval_save_reference(f->ctx, &o, files_path(f, "r.safetensors")));
  assert_int_equal(f->warnings, 2);
  o.features = "pixels";
  few_eval_report_free(eval(f, &o));
  o.features = NULL;
  o.source = o.reference = "toy:moons";
  o.n = 20;
  few_eval_report_free(eval(f, &o));
  assert_int_equal(f->warnings, 2);
}

/* Results are the same with one worker or three, with all metrics at once or some of them, and for
 * any order of the set. */
static void test_workers(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", 600, 10); /* more than a chunk */
  write_images(f, "b.npy", N, 20);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  o.n = 599;
  o.keep = 50;
  few_ctx_set_workers(f->ctx, 1);
  struct few_eval_report *one = eval(f, &o);
  few_ctx_set_workers(f->ctx, 3);
  struct few_eval_report *three = eval(f, &o);
  assert_same_numbers(one, three);
  assert_int_equal(number(one, "fd")->n, 599);
  assert_int_equal(number(one, "kid")->n, 50);
  few_eval_report_free(one);
  few_eval_report_free(three);
}

/* A model gives the same numbers as the files to which its samples were written. */
static void test_model(void **state) {
  struct files *f = *state;
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  assert_ok(f->ctx, few_model_save(m, files_path(f, "m.safetensors")));
  static float samples[N * SIDE * SIDE];
  int32_t labels[N];
  int nfe;
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  s.n = N;
  s.steps = 3;
  s.seed = 5;
  s.sampler = "ddim";
  s.guidance = 2;
  assert_ok(f->ctx, once_sample(m, &s, samples, labels, &nfe));
  assert_ok(f->ctx, once_write(m, files_path(f, "s.npy"), &s, samples, labels, 0));
  write_images(f, "b.npy", N, 90);
  struct few_eval_opts o = options(f, "s.npy", "b.npy");
  struct few_eval_report *written = eval(f, &o);
  o = options(f, "m.safetensors", "b.npy");
  o.n = N;
  o.sampling.steps = 3;
  o.seed = 5;
  o.sampling.sampler = "ddim";
  o.sampling.guidance = 2;
  struct few_eval_report *r = eval(f, &o);
  assert_same_numbers(r, written);
  assert_string_equal(r->settings, "");
  struct few_model_info info;
  few_model_info(&info, sizeof info, m);
  assert_true(r->model && r->nfe == nfe && r->flops == info.flops * nfe);
  assert_int_equal(strlen(r->source_hash), 64);
  /* two seeds: their mean and spread */
  o.seeds = 2;
  struct few_eval_report *two = eval(f, &o);
  const struct few_eval_number *x = number(two, "fd");
  assert_true(x->each[0] == number(r, "fd")->value && x->each[1] != x->each[0]);
  assert_close(x->value, (x->each[0] + x->each[1]) / 2, 1e-12);
  assert_close(x->error, fabs(x->each[0] - x->each[1]) / sqrt(2), 1e-12);
  assert_string_equal(x->error_of, "seeds");
  few_eval_report_free(two);
  few_eval_report_free(r);
  few_eval_report_free(written);
  few_model_free(m);
}

/* The sampling options are used for the images, and are in the report. */
static void test_sampling(void **state) {
  struct files *f = *state;
  few_model *m = test_model_new(f->ctx, TEST_UNET), *worse = test_model_new(f->ctx, TEST_UNET);
  for (int64_t i = 0; i < worse->params.total; i += 3) worse->values[i] *= 0.5f;
  assert_ok(f->ctx, few_model_save(m, files_path(f, "m.safetensors")));
  static float samples[N * SIDE * SIDE];
  int32_t labels[N];
  few_runner *guide = once_runner(worse);
  const double times[] = {1.5, 0.6};
  const char *const settings[] = {"churn=3"};
  struct few_eval_opts o = options(f, "m.safetensors", "b.npy");
  o.n = N;
  o.seed = 3;
  struct few_sample_opts *s = &o.sampling;
  *s = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  s->sampler = "heun";
  s->n_times = 2;
  s->times = times;
  s->n_settings = 1;
  s->settings = settings;
  s->guidance_from = 0.5;
  s->guidance_to = 1;
  s->autoguide = guide;
  s->autoguidance = 1.5;
  write_images(f, "b.npy", N, 90);
  struct few_eval_report *r = eval(f, &o);
  struct few_sample_opts same = *s;
  same.n = N;
  same.seed = 3;
  assert_ok(f->ctx, once_sample(m, &same, samples, labels, NULL));
  assert_ok(f->ctx, once_write(m, files_path(f, "s.npy"), &same, samples, labels, 0));
  o.source = files_path(f, "s.npy");
  few_runner_free(guide);
  *s = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  struct few_eval_report *written = eval(f, &o);
  assert_same_numbers(r, written);
  assert_string_equal(r->sampler, "heun");
  assert_int_equal(r->steps, 2);
  const char *told =
      "times 1.5,0.6; churn=3; guided from t = 0.5 to 1; autoguidance 1.5, away "
      "from weights ";
  assert_int_equal(strncmp(r->settings, told, strlen(told)), 0);
  assert_int_equal(strlen(r->settings), strlen(told) + 16);
  few_eval_report_free(written);
  few_eval_report_free(r);
  few_model_free(worse);
  few_model_free(m);
}

/* Error bars do not change the values and do not depend on the workers. */
static void test_bootstrap(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  write_images(f, "b.npy", N, 30);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  struct few_eval_report *plain = eval(f, &o);
  o.bootstrap = 7;
  few_ctx_set_workers(f->ctx, 1);
  struct few_eval_report *r = eval(f, &o);
  few_ctx_set_workers(f->ctx, 3);
  struct few_eval_report *again = eval(f, &o);
  assert_same_numbers(r, plain);
  for (int i = 0; i < r->n_numbers; i++) {
    assert_string_equal(r->number[i].error_of, "bootstrap");
    assert_true(r->number[i].error == again->number[i].error);
  }
  /* The means differ by 20 of 255 in each of 64 values, and each has an error of 64 / 255 /
   * sqrt(12 N). So the error of |delta|^2, the largest part of fd's, is 2 |delta| sigma =
   * 2 (8 20 / 255) (64 / 255) / sqrt(12 N). */
  const double error = 2 * (8 * 20. / 255) * (64. / 255) / sqrt(12. * N);
  assert_true(number(r, "fd")->error > error / 3 && number(r, "fd")->error < error * 3);
  few_eval_report_free(plain);
  few_eval_report_free(again);
  few_eval_report_free(r);
}

static void test_json(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  write_images(f, "b.npy", N, 30);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  o.metrics = "fid,pr";
  struct few_eval_report *r = eval(f, &o);
  char *text;
  json_t *j, *numbers, *reference;
  const char *name;
  double value;
  int64_t n;
  assert_ok(f->ctx, few_eval_json(&text, f->ctx, r));
  assert_ok(f->ctx, few__json_parse(f->ctx, &j, "report", text, strlen(text)));
  assert_ok(f->ctx, few__json_array(f->ctx, "report", j, "numbers", &numbers));
  assert_int_equal(json_array_size(numbers), 3);
  assert_ok(f->ctx, few__json_string(f->ctx, "", json_array_get(numbers, 0), "name", &name));
  assert_string_equal(name, "fd"); /* FID needs Inception */
  assert_ok(f->ctx, few__json_real(f->ctx, "", json_array_get(numbers, 0), "value", &value));
  assert_true(value == r->number[0].value);
  assert_true(json_is_null(json_object_get(json_array_get(numbers, 0), "error")));
  assert_ok(f->ctx, few__json_object(f->ctx, "report", j, "reference", &reference));
  assert_ok(f->ctx, few__json_int(f->ctx, "", reference, "n", N, N, &n));
  json_decref(j);
  few_text_free(f->ctx, text);
  few_eval_report_free(r);
}

/* Asserts that few_eval fails, with a sentence that contains all of these words. */
static void refused(struct files *f, const struct few_eval_opts *o, few_status want, const char *a,
                    const char *b) {
  struct few_eval_report *r = NULL;
  few_status st = few_eval(&r, f->ctx, o);
  const char *why = st ? few_error(f->ctx) : "";
  if (st != want || r || !strstr(why, a) || !strstr(why, b))
    fail_msg("%s \"%s\"; wanted %s, \"%s\" and \"%s\"", few_status_name(st), why,
             few_status_name(want), a, b);
}

static void test_mistakes(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  write_images(f, "one.npy", 1, 10);
  write_images(f, "five.npy", 5, 10);
  uint8_t other[2 * 4 * 4 * 3] = {0};
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "other.npy"), FEW_STORE_U8, 4,
                                   (int64_t[]){2, 4, 4, 3}, other));
  files_write(f, "broken.npz", "PK\3\4 but no more", 16);
  struct few_eval_opts o = options(f, "a.npy", NULL);
  refused(f, &o, FEW_E_INVALID, "a.npy", "--ref");
  o = options(f, "one.npy", "a.npy");
  refused(f, &o, FEW_E_INVALID, "fd needs at least 2 images", "one.npy has 1");
  o = options(f, "a.npy", "five.npy");
  refused(f, &o, FEW_E_INVALID, "dc needs at least 6 images", "five.npy has 5");
  o.metrics = "pr";
  few_eval_report_free(eval(f, &o)); /* 4 images are enough for this metric */
  o.knn = 5;
  refused(f, &o, FEW_E_INVALID, "pr needs at least 6 images", "five.npy");
  o = options(f, "a.npy", "other.npy");
  refused(f, &o, FEW_E_INVALID, "8x8x1", "4x4x3");
  o = options(f, "a.npy", "a.npy");
  o.metrics = "fd,fdi";
  refused(f, &o, FEW_E_INVALID, "\"fdi\"", "agreement");
  o.metrics = "is";
  refused(f, &o, FEW_E_INVALID, "is cannot be measured", "classifier");
  o.metrics = NULL;
  o.n = N + 1;
  refused(f, &o, FEW_E_INVALID, "a.npy has 60", "61");
  o.n = 0;
  o.seeds = 2;
  refused(f, &o, FEW_E_INVALID, "seeds", "model");
  o.seeds = 1;
  o.sampling.steps = 3;
  refused(f, &o, FEW_E_INVALID, "not a model", "name a model");
  o.sampling.steps = 0;
  o.bootstrap = 1;
  refused(f, &o, FEW_E_INVALID, "bootstrap", "2 replicates");
  o.bootstrap = 2;
  o.keep = 11;
  refused(f, &o, FEW_E_INVALID, "dc needs 6 images", "has 5");
  o = options(f, "a.npy", "missing.npy");
  refused(f, &o, FEW_E_IO, "missing.npy", "");
  o = options(f, "a.npy", "broken.npz");
  refused(f, &o, FEW_E_FORMAT, "broken.npz", "");
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  assert_ok(f->ctx, few_model_save(m, files_path(f, "m.safetensors")));
  few_model_free(m);
  o = options(f, "a.npy", "m.safetensors");
  refused(f, &o, FEW_E_INVALID, "m.safetensors", "few sample");
  o = options(f, "a.npy", "a.npy");
  o.version = 0;
  refused(f, &o, FEW_E_INVALID, "version", "FEW_EVAL_OPTS_INIT");
}

/* Saved statistics of a reference give the same bits as the reference. */
static void test_saved(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  write_images(f, "b.npy", 300, 30);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  o.n_reference = 290;
  o.keep = 200;
  struct few_eval_report *want = eval(f, &o);
  o.source = NULL;
  const char *path = files_path(f, "b.safetensors");
  assert_ok(f->ctx, few_eval_save_reference(f->ctx, &o, path));
  const struct few_eval_opts saving = o;
  o = options(f, "a.npy", "b.safetensors");
  o.keep = 200;
  struct few_eval_report *r = eval(f, &o);
  assert_same_numbers(r, want);
  assert_string_equal(r->reference, want->reference);
  assert_string_equal(r->reference_hash, want->reference_hash);
  assert_int_equal(r->n_reference, 290);
  few_eval_report_free(r);
  few_eval_report_free(want);
  /* fewer rows are the first of those saved */
  o.keep = 70;
  r = eval(f, &o);
  o.reference = files_path(f, "b.npy");
  o.n_reference = 290;
  want = eval(f, &o);
  assert_same_numbers(r, want);
  few_eval_report_free(r);
  few_eval_report_free(want);
  /* what does not fit */
  o = options(f, "a.npy", "b.safetensors");
  refused(f, &o, FEW_E_INVALID, "has 200 rows", "--keep 200");
  o.keep = 200;
  o.n_reference = 100;
  refused(f, &o, FEW_E_INVALID, "made from 290 images", "100");
  o.n_reference = 0;
  o.label = 1;
  o.source = files_path(f, "m.safetensors");
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  assert_ok(f->ctx, few_model_save(m, o.source));
  few_model_free(m);
  refused(f, &o, FEW_E_INVALID, "was not made", "label 1");
  uint8_t other[6 * 4 * 4] = {0};
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "other.npy"), FEW_STORE_U8, 4,
                                   (int64_t[]){6, 4, 4, 1}, other));
  o = options(f, "other.npy", "b.safetensors");
  refused(f, &o, FEW_E_INVALID, "4x4x1", "8x8x1");
  o = saving;
  o.reference = path;
  assert_int_equal(few_eval_save_reference(f->ctx, &o, files_path(f, "c.safetensors")),
                   FEW_E_INVALID);
  o.reference = NULL;
  assert_int_equal(few_eval_save_reference(f->ctx, &o, files_path(f, "c.safetensors")),
                   FEW_E_INVALID);
}

/* Files whose description does not fit their content. */
static void test_saved_broken(void **state) {
  struct files *f = *state;
  static const char head[] =
      "{\"version\":1,\"reference\":\"x\",\"hash\":\"0\",\"label\":-1,\"n\":%d,\"size\":[%s],"
      "\"points\":true,\"features\":\"%s\",\"features_hash\":\"\",\"resize\":\"as they are\"}";
  static const struct {
    int n, d, rows;
    const char *size, *features;
    double value;
    few_status want;
    const char *words;
  } cases[] = {{4, 2, 4, "1,1,2", "pixels", 0, FEW_OK, ""},
               {1, 2, 1, "1,1,2", "pixels", 0, FEW_E_FORMAT, "n"},
               {4, 2, 5, "1,1,2", "pixels", 0, FEW_E_FORMAT, "5 rows of 4"},
               {4, 2, 4, "1,2", "pixels", 0, FEW_E_FORMAT, "three sides"},
               {4, 2, 4, "1,1,0", "pixels", 0, FEW_E_FORMAT, "three sides"},
               {4, 3, 4, "1,1,2", "pixels", 0, FEW_E_FORMAT, "rows of 3"},
               {4, 2, 4, "1,1,2", "fashion", 0, FEW_E_INVALID, "fashion"},
               {4, 2, 4, "1,1,2", "pixels", INFINITY, FEW_E_FORMAT, "not finite"}};
  const float points[4][2] = {{1, 0}, {0, 1}, {2, 0}, {0, 2}};
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "p.npy"), FEW_STORE_F32, 2,
                                   (int64_t[]){4, 2}, points));
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    char text[400];
    double zero[9] = {0};
    const float rows[15] = {0};
    const int64_t d = cases[i].d;
    zero[0] = cases[i].value;
    snprintf(text, sizeof text, head, cases[i].n, cases[i].size, cases[i].features);
    const struct few_st_tensor t[] = {
        {.name = "mean", .store = FEW_STORE_F64, .rank = 1, .dim = {d}, .data = zero},
        {.name = "sums", .store = FEW_STORE_F64, .rank = 2, .dim = {d, d}, .data = zero},
        {.name = "rows",
         .store = FEW_STORE_F32,
         .rank = 2,
         .dim = {cases[i].rows, d},
         .data = rows}};
    const char *path = files_path(f, "s.safetensors");
    assert_ok(f->ctx,
              few__st_write(f->ctx, path, t, 3, &(struct few_st_pair){"few_statistics", text}, 1));
    struct few_eval_opts o = options(f, "p.npy", "s.safetensors");
    o.metrics = "fd";
    if (cases[i].want)
      refused(f, &o, cases[i].want, "s.safetensors", cases[i].words);
    else
      few_eval_report_free(eval(f, &o));
  }
}

/* The features of points are the points, so the distances are known. */
static void test_points(void **state) {
  struct files *f = *state;
  enum { POINTS = 700 };
  static float x[POINTS][2], y[POINTS][2];
  struct few_rng r = {.seed = 1, .purpose = FEW_RNG_CHECK};
  for (int i = 0; i < POINTS; i++) {
    r.row = (uint64_t)i;
    few__rng_normal_f32(&r, 2, x[i]);
    for (int k = 0; k < 2; k++) { /* exact: multiples of 1/1024 */
      x[i][k] = roundf(1024 * x[i][k]) / 1024;
      y[i][k] = 2 * x[i][k] + (k ? -3 : 1);
    }
  }
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "x.npy"), FEW_STORE_F32, 2,
                                   (int64_t[]){POINTS, 2}, x));
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "y.npy"), FEW_STORE_F32, 2,
                                   (int64_t[]){POINTS, 2}, y));
  struct few_eval_opts o = options(f, "x.npy", "y.npy");
  struct few_eval_report *report = eval(f, &o);
  assert_true(report->points && report->dim == 2);
  assert_string_equal(report->rounding, "none");
  /* y = 2 x + b: the means differ by mean + b, the roots of the covariances by the root of x's
   * covariance */
  double mean[2] = {0}, want = 0;
  for (int i = 0; i < POINTS; i++)
    for (int k = 0; k < 2; k++) mean[k] += (double)x[i][k] / POINTS;
  for (int i = 0; i < POINTS; i++)
    for (int k = 0; k < 2; k++) want += pow((double)x[i][k] - mean[k], 2) / (POINTS - 1);
  for (int k = 0; k < 2; k++) want += pow(mean[k] + (k ? -3 : 1), 2);
  assert_close(number(report, "fd")->value, want, 1e-12);
  assert_true(number(report, "energy")->value > 1);
  few_eval_report_free(report);
  /* a model of points, and a file of its samples */
  few_model *m = test_model_new(f->ctx, TEST_MLP);
  assert_ok(f->ctx, few_model_save(m, files_path(f, "m.safetensors")));
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  s.n = POINTS;
  s.steps = 2;
  assert_ok(f->ctx, once_sample(m, &s, x[0], NULL, NULL));
  few_model_free(m);
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "x.npy"), FEW_STORE_F32, 2,
                                   (int64_t[]){POINTS, 2}, x));
  struct few_eval_report *written = eval(f, &o);
  o.source = files_path(f, "m.safetensors");
  o.n = POINTS;
  o.sampling.steps = 2;
  report = eval(f, &o);
  assert_same_numbers(report, written);
  few_eval_report_free(written);
  few_eval_report_free(report);
  o.features = "fashion=" FEW_TEST_DIR "/../models/fashion-features.safetensors";
  refused(f, &o, FEW_E_INVALID, "are points", "pixels");
  write_images(f, "a.npy", N, 10);
  o = options(f, "a.npy", "x.npy");
  refused(f, &o, FEW_E_INVALID, "8x8x1", "points of");
}

/* The images of one class equal a set that has only these images. */
static void test_label(void **state) {
  struct files *f = *state;
  enum { CLASSES = 3, EACH = 40 };
  static uint8_t all[2][CLASSES * EACH][4], one[2][EACH][4];
  int32_t labels[CLASSES * EACH];
  char spec[2][600];
  for (int s = 0; s < 2; s++) {
    for (int i = 0; i < CLASSES * EACH; i++) {
      labels[i] = i % CLASSES;
      for (int k = 0; k < 4; k++)
        all[s][i][k] = (uint8_t)(i * (31 + 6 * s) + k * k * 17 + labels[i] * 50);
      if (labels[i] == 2) memcpy(one[s][i / CLASSES], all[s][i], 4);
    }
    const char *path = files_path(f, s ? "b.npy" : "a.npy");
    const char *only = files_path(f, s ? "b2.npy" : "a2.npy"), *marks = files_path(f, "l.npy");
    assert_ok(f->ctx, few__npy_write(f->ctx, path, FEW_STORE_U8, 4,
                                     (int64_t[]){CLASSES * EACH, 2, 2, 1}, all[s]));
    assert_ok(f->ctx,
              few__npy_write(f->ctx, only, FEW_STORE_U8, 4, (int64_t[]){EACH, 2, 2, 1}, one[s]));
    assert_ok(f->ctx,
              few__npy_write(f->ctx, marks, FEW_STORE_I32, 1, (int64_t[]){CLASSES * EACH}, labels));
    snprintf(spec[s], sizeof spec[s], "npy:%s,%s", path, marks);
  }
  struct few_eval_opts o = options(f, "a2.npy", "b2.npy");
  o.n = 30;
  struct few_eval_report *want = eval(f, &o);
  o.source = spec[0];
  o.reference = spec[1];
  o.label = 2;
  struct few_eval_report *r = eval(f, &o);
  assert_same_numbers(r, want);
  assert_true(r->label == 2 && r->n == 30 && r->n_reference == EACH && want->label == -1);
  few_eval_report_free(r);
  few_eval_report_free(want);
  o.label = 3;
  refused(f, &o, FEW_E_INVALID, "label 3", "3 classes");
  o = options(f, "a2.npy", "b2.npy");
  o.label = 0;
  refused(f, &o, FEW_E_INVALID, "label 0", "no labels");
}

static int stop_at_once(void *user, const struct few_progress *p) {
  *(int *)user += 1;
  assert_true(p->done >= 0 && p->done <= p->total);
  return 1;
}

static void test_stops(void **state) {
  struct files *f = *state;
  write_images(f, "a.npy", N, 10);
  int calls = 0;
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  c.user = &calls;
  c.progress = stop_at_once;
  few_ctx *ctx;
  assert_int_equal(few_ctx_create(&ctx, &c), FEW_OK);
  struct few_eval_opts o = options(f, "a.npy", "a.npy");
  struct few_eval_report *r;
  assert_int_equal(few_eval(&r, ctx, &o), FEW_E_CANCELLED);
  assert_int_equal(calls, 1);
  assert_true(r && !r->complete && r->n_numbers == 0);
  assert_string_equal(r->missing, "fd, kid, energy, pr, dc");
  few_eval_report_free(r);
  few_ctx_free(ctx);
}

struct stop_in {
  const char *what;
  int64_t at;
};
static int stop_in(void *user, const struct few_progress *p) {
  const struct stop_in *s = user;
  return !strcmp(p->what, s->what) && p->done >= s->at;
}

/* Runs few_eval and cancels it in `what`. Returns its report, which has a context of its own. */
static struct few_eval_report *stopped(few_ctx **ctx, const struct few_eval_opts *o,
                                       struct stop_in *at) {
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  struct few_eval_report *r;
  c.user = at;
  c.progress = stop_in;
  assert_int_equal(few_ctx_create(ctx, &c), FEW_OK);
  assert_int_equal(few_eval(&r, *ctx, o), FEW_E_CANCELLED);
  assert_true(r && !r->complete);
  return r;
}

/* If an evaluation is cancelled, its finished results are those of a complete one, and the report
 * lists what is missing. */
static void test_stops_with_what_it_has(void **state) {
  struct files *f = *state;
  few_ctx *ctx;
  char *json;
  write_images(f, "a.npy", N, 10);
  write_images(f, "b.npy", N, 40);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  struct few_eval_report *whole = eval(f, &o);
  struct few_eval_report *r = stopped(&ctx, &o, &(struct stop_in){"neighbours", 1});
  assert_string_equal(r->missing, "pr, dc");
  assert_int_equal(r->n_numbers, 3);
  const char *const had[] = {"fd", "kid", "energy"};
  for (int i = 0; i < 3; i++) assert_true(number(r, had[i])->value == number(whole, had[i])->value);
  assert_ok(ctx, few_eval_json(&json, ctx, r));
  assert_non_null(strstr(json, "\"complete\":false,\"missing\":\"pr, dc\""));
  few_text_free(ctx, json);
  few_eval_report_free(r);
  few_ctx_free(ctx);

  o.bootstrap = 4;
  r = stopped(&ctx, &o, &(struct stop_in){"error bars", 2});
  assert_string_equal(r->missing, "error bars");
  assert_int_equal(r->n_numbers, whole->n_numbers);
  assert_true(isnan(number(r, "precision")->error));
  few_eval_report_free(r);
  few_ctx_free(ctx);
  few_eval_report_free(whole);

  /* the second of three sets */
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  assert_ok(f->ctx, few_model_save(m, files_path(f, "m.safetensors")));
  few_model_free(m);
  o = options(f, "m.safetensors", "b.npy");
  o.n = 20;
  o.sampling.steps = 1;
  whole = eval(f, &o);
  o.seeds = 3;
  r = stopped(&ctx, &o, &(struct stop_in){"samples", 21});
  assert_string_equal(r->missing, "2 of 3 sets of samples");
  assert_int_equal(r->seeds, 1);
  assert_same_numbers(r, whole);
  few_eval_report_free(r);
  few_ctx_free(ctx);
  few_eval_report_free(whole);
}

/* A model with finite weights whose samples are not finite: there are no results. */
static void test_not_finite(void **state) {
  struct files *f = *state;
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  for (int64_t i = 0; i < m->params.total; i++) m->values[i] = 3e38F;
  assert_ok(f->ctx, few_model_save(m, files_path(f, "m.safetensors")));
  few_model_free(m);
  write_images(f, "b.npy", N, 90);
  struct few_eval_opts o = options(f, "m.safetensors", "b.npy");
  struct few_eval_report *r;
  o.n = N;
  o.sampling.steps = 1;
  assert_int_equal(few_eval(&r, f->ctx, &o), FEW_E_DIVERGED);
  assert_null(r);
  assert_non_null(strstr(few_error(f->ctx), "have values that are not finite"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_images, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_data_in_memory, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_warns_of_pixels, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_workers, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_model, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_not_finite, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_sampling, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_bootstrap, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_stops_with_what_it_has, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_json, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_mistakes, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_saved, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_saved_broken, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_points, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_label, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_stops, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
