/* few_eval from pictures or a model to numbers: the same by every way in, and mistakes told. */
#include <unistd.h>

#include "data/files.h"
#include "few/eval.h"
#include "few/model.h"
#include "io/json.h"
#include "io/npy.h"
#include "model/models.h"

enum { SIDE = 8, N = 60 };

/* Pictures of the values base .. base + 63. */
static void write_pictures(struct files *f, const char *name, int64_t n, int base) {
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
  assert_ok(f->ctx, few_eval(f->ctx, o, &r));
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

static void test_pictures(void **state) {
  struct files *f = *state;
  write_pictures(f, "a.npy", N, 10);
  write_pictures(f, "b.npy", N + 5, 90);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  struct few_eval_report *r = eval(f, &o);
  assert_int_equal(r->n_numbers, 6);
  assert_false(r->model);
  assert_int_equal(r->n, N);
  assert_int_equal(r->n_reference, N + 5);
  assert_int_equal(r->dim, SIDE * SIDE);
  assert_string_equal(r->features, "pixels");
  assert_string_equal(r->rounding, "bytes as stored");
  assert_int_equal(strlen(r->reference_hash), 16);
  /* values 80 apart in 64 places: the means alone make 6.3; nothing overlaps */
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

/* One worker or three; all at once, or some chosen, whatever the set's order. */
static void test_workers(void **state) {
  struct files *f = *state;
  write_pictures(f, "a.npy", 600, 10); /* more than a chunk */
  write_pictures(f, "b.npy", N, 20);
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

/* A model, and the files that its samples were written to. */
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
  assert_ok(f->ctx, few_sample(m, &s, samples, labels, &nfe));
  assert_ok(f->ctx, few_sample_write(m, files_path(f, "s.npy"), &s, samples, labels, 0));
  write_pictures(f, "b.npy", N, 90);
  struct few_eval_opts o = options(f, "s.npy", "b.npy");
  struct few_eval_report *written = eval(f, &o);
  o = options(f, "m.safetensors", "b.npy");
  o.n = N;
  o.steps = 3;
  o.seed = 5;
  o.sampler = "ddim";
  o.guidance = 2;
  struct few_eval_report *r = eval(f, &o);
  assert_same_numbers(r, written);
  struct few_model_info info;
  few_model_info(m, &info);
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

/* Error bars leave the values alone and do not depend on the workers. */
static void test_bootstrap(void **state) {
  struct files *f = *state;
  write_pictures(f, "a.npy", N, 10);
  write_pictures(f, "b.npy", N, 30);
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
  /* means 20 of 255 apart, each of 64 spread by 64 / 255 / sqrt(12 N): |delta|^2 has the error
   * 2 |delta| sigma = 2 (8 20 / 255) (64 / 255) / sqrt(12 N), if that were all of it */
  const double error = 2 * (8 * 20. / 255) * (64. / 255) / sqrt(12. * N);
  assert_true(number(r, "fd")->error > error / 3 && number(r, "fd")->error < error * 3);
  few_eval_report_free(plain);
  few_eval_report_free(again);
  few_eval_report_free(r);
}

static void test_json(void **state) {
  struct files *f = *state;
  write_pictures(f, "a.npy", N, 10);
  write_pictures(f, "b.npy", N, 30);
  struct few_eval_opts o = options(f, "a.npy", "b.npy");
  o.metrics = "fid,pr";
  struct few_eval_report *r = eval(f, &o);
  char *text;
  json_t *j, *numbers, *reference;
  const char *name;
  double value;
  int64_t n;
  assert_ok(f->ctx, few_eval_json(f->ctx, r, &text));
  assert_ok(f->ctx, few__json_parse(f->ctx, &j, "report", text, strlen(text)));
  assert_ok(f->ctx, few__json_array(f->ctx, "report", j, "numbers", &numbers));
  assert_int_equal(json_array_size(numbers), 3);
  assert_ok(f->ctx, few__json_string(f->ctx, "", json_array_get(numbers, 0), "name", &name));
  assert_string_equal(name, "fd"); /* FID is of Inception alone */
  assert_ok(f->ctx, few__json_real(f->ctx, "", json_array_get(numbers, 0), "value", &value));
  assert_true(value == r->number[0].value);
  assert_true(json_is_null(json_object_get(json_array_get(numbers, 0), "error")));
  assert_ok(f->ctx, few__json_object(f->ctx, "report", j, "reference", &reference));
  assert_ok(f->ctx, few__json_int(f->ctx, "", reference, "n", N, N, &n));
  json_decref(j);
  few_text_free(f->ctx, text);
  few_eval_report_free(r);
}

/* The sentence of the failure holds all of these words. */
static void refused(struct files *f, const struct few_eval_opts *o, few_status want, const char *a,
                    const char *b) {
  struct few_eval_report *r = NULL;
  few_status st = few_eval(f->ctx, o, &r);
  const char *why = st ? few_error(f->ctx) : "";
  if (st != want || r || !strstr(why, a) || !strstr(why, b))
    fail_msg("%s \"%s\"; wanted %s, \"%s\" and \"%s\"", few_status_name(st), why,
             few_status_name(want), a, b);
}

static void test_mistakes(void **state) {
  struct files *f = *state;
  write_pictures(f, "a.npy", N, 10);
  write_pictures(f, "one.npy", 1, 10);
  write_pictures(f, "five.npy", 5, 10);
  uint8_t other[2 * 4 * 4 * 3] = {0};
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "other.npy"), FEW_STORE_U8, 4,
                                   (int64_t[]){2, 4, 4, 3}, other));
  files_write(f, "broken.npz", "PK\3\4 but no more", 16);
  struct few_eval_opts o = options(f, "a.npy", NULL);
  refused(f, &o, FEW_E_INVALID, "a.npy", "--ref");
  o = options(f, "one.npy", "a.npy");
  refused(f, &o, FEW_E_INVALID, "fd needs 2 pictures", "one.npy has 1");
  o = options(f, "a.npy", "five.npy");
  refused(f, &o, FEW_E_INVALID, "dc needs 6 pictures", "five.npy has 5");
  o.metrics = "pr";
  few_eval_report_free(eval(f, &o)); /* 4 are enough for this one */
  o.knn = 5;
  refused(f, &o, FEW_E_INVALID, "pr needs 6 pictures", "five.npy");
  o = options(f, "a.npy", "other.npy");
  refused(f, &o, FEW_E_INVALID, "8x8x1", "4x4x3");
  o = options(f, "a.npy", "a.npy");
  o.metrics = "fd,fdi";
  refused(f, &o, FEW_E_INVALID, "\"fdi\"", "agreement");
  o.metrics = "is";
  refused(f, &o, FEW_E_INVALID, "is cannot be measured", "classifier");
  o.metrics = NULL;
  o.n = N + 1;
  refused(f, &o, FEW_E_INVALID, "a.npy holds 60", "61");
  o.n = 0;
  o.seeds = 2;
  refused(f, &o, FEW_E_INVALID, "seeds", "model");
  o.seeds = 1;
  o.bootstrap = 1;
  refused(f, &o, FEW_E_INVALID, "bootstrap", "2 replicates");
  o.bootstrap = 2;
  o.keep = 11;
  refused(f, &o, FEW_E_INVALID, "dc 6 pictures", "has 5");
  o = options(f, "a.npy", "missing.npy");
  refused(f, &o, FEW_E_IO, "missing.npy", "");
  o = options(f, "a.npy", "broken.npz");
  refused(f, &o, FEW_E_FORMAT, "broken.npz", "");
  o = options(f, "a.npy", "m.safetensors");
  refused(f, &o, FEW_E_INVALID, "m.safetensors", "few sample");
  o = options(f, "a.npy", "a.npy");
  o.version = 0;
  refused(f, &o, FEW_E_INVALID, "version", "FEW_EVAL_OPTS_INIT");
}

static int stop_at_once(void *user, const struct few_progress *p) {
  *(int *)user += 1;
  assert_true(p->done >= 0 && p->done <= p->total);
  return 1;
}

static void test_stops(void **state) {
  struct files *f = *state;
  write_pictures(f, "a.npy", N, 10);
  int calls = 0;
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  c.user = &calls;
  c.progress = stop_at_once;
  few_ctx *ctx;
  assert_int_equal(few_ctx_create(&ctx, &c), FEW_OK);
  struct few_eval_opts o = options(f, "a.npy", "a.npy");
  struct few_eval_report *r;
  assert_int_equal(few_eval(ctx, &o, &r), FEW_E_CANCELLED);
  assert_null(r);
  assert_int_equal(calls, 1);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_pictures, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_workers, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_model, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_bootstrap, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_json, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_mistakes, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_stops, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
