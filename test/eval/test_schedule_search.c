/* The search for sampling times: a known minimum, the distance that few_eval gives, and what is
 * refused. */
#include "data/files.h"
#include "few/eval.h"
#include "io/npy.h"
#include "model/models.h"

enum { SIDE = 8, IMAGES = 40, POINTS = 500 };

/* With F = 0 a consistency step from t gives x0 = cos(t) x_t. After two steps cos(t) sin(t) of the
 * second noise is left, and almost nothing of the first. For data as wide as the noise, the best
 * time is where this factor is largest, at pi/4. */
static void test_points(void **state) {
  struct files *f = *state;
  few_model *m = test_model_new(f->ctx, TEST_MLP), *flat;
  assert_ok(f->ctx, few__model_create(f->ctx, &flat, m->net, m->net_opts, &m->spec, 1));
  snprintf(flat->sampler, sizeof flat->sampler, "consistency");
  few_model_free(m);
  float x[POINTS * 2];
  few__rng_normal_f32(&(struct few_rng){.seed = 8, .purpose = FEW_RNG_CHECK}, POINTS * 2, x);
  for (int i = 0; i < POINTS * 2; i++) x[i] *= 0.5F;
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "p.npy"), FEW_STORE_F32, 2,
                                   (int64_t[]){POINTS, 2}, x));
  char reference[300];
  snprintf(reference, sizeof reference, "npy:%s", files_path(f, "p.npy"));
  struct few_schedule_search_opts o = FEW_SCHEDULE_SEARCH_OPTS_INIT;
  struct few_schedule_found found;
  o.reference = reference;
  o.n = 300;
  assert_ok(f->ctx, once_search(flat, &o, &found));
  assert_int_equal(found.n, 2);
  assert_close(found.times[0], atan(160), 0.5e-5);
  /* the rest of the first noise, cos(atan(160)) = 1/160, moves the minimum by less than the
   * tolerance */
  assert_close(found.times[1], 0.7853981633974483, 2 * o.tolerance);
  assert_true(found.values[1] < found.values[0] && found.looks > 5);
  assert_int_equal(flat->n_times, 0); /* the model is unchanged */
  o.n_reference = POINTS + 1;
  assert_int_equal(once_search(flat, &o, &found), FEW_E_INVALID);
  assert_int_equal(found.n, 0);
  o = (struct few_schedule_search_opts)FEW_SCHEDULE_SEARCH_OPTS_INIT;
  assert_int_equal(once_search(flat, &o, &found), FEW_E_INVALID);
  o.reference = "fashion-mnist-of-nowhere";
  assert_true(once_search(flat, &o, &found) != FEW_OK);
  o.version = 0;
  assert_int_equal(once_search(flat, &o, &found), FEW_E_INVALID);
  few_model_free(flat);
}

/* The distance that the search reports for its times is that of few_eval for a model with these
 * times. */
static void test_images(void **state) {
  struct files *f = *state;
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  uint8_t x[IMAGES * SIDE * SIDE];
  for (int i = 0; i < IMAGES * SIDE * SIDE; i++) x[i] = (uint8_t)((uint32_t)i * 2654435761U >> 13);
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "r.npy"), FEW_STORE_U8, 4,
                                   (int64_t[]){IMAGES, SIDE, SIDE, 1}, x));
  snprintf(m->sampler, sizeof m->sampler, "consistency");
  struct few_schedule_search_opts o = FEW_SCHEDULE_SEARCH_OPTS_INIT;
  struct few_schedule_found found;
  few_model *with;
  o.reference = files_path(f, "r.npy");
  o.steps = 3;
  o.n = 20;
  o.tolerance = 0.3;
  o.metric = "precision";
  assert_int_equal(once_search(m, &o, &found), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "fd, kid, sfd or energy"));
  o.metric = "fd";
  assert_ok(f->ctx, once_search(m, &o, &found));
  assert_ok(f->ctx, few_model_with_times(&with, m, found.n, found.times));
  assert_ok(f->ctx, few_model_save(with, files_path(f, "m.safetensors")));
  few_model_free(with);
  few_model_free(m);
  struct few_eval_opts e = FEW_EVAL_OPTS_INIT;
  struct few_eval_report *r;
  e.source = files_path(f, "m.safetensors");
  e.reference = o.reference;
  e.metrics = "fd";
  e.n = 20;
  assert_ok(f->ctx, few_eval(&r, f->ctx, &e));
  assert_int_equal(r->nfe, 3);
  assert_true(r->number[0].value == found.values[2]);
  few_eval_report_free(r);
}

static void stop_at_third(void *user, few_log_level level, const char *message) {
  if (level == FEW_LOG_INFO && !strncmp(message, "3 times", 7)) *(int *)user = 1;
}
static int stopping(void *user, const struct few_progress *p) {
  (void)p;
  return *(int *)user;
}

/* A search that is cancelled while it looks for its third time returns the first two. */
static void test_stops_with_what_it_has(void **state) {
  struct files *f = *state;
  struct few_schedule_search_opts o = FEW_SCHEDULE_SEARCH_OPTS_INIT;
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  struct few_schedule_found found, whole;
  few_ctx *ctx;
  int stop = 0;
  c.user = &stop;
  c.log = stop_at_third;
  c.progress = stopping;
  assert_int_equal(few_ctx_create(&ctx, &c), FEW_OK);
  few_model *a = test_model_new(ctx, TEST_MLP), *b = test_model_new(f->ctx, TEST_MLP);
  snprintf(a->sampler, sizeof a->sampler, "consistency");
  snprintf(b->sampler, sizeof b->sampler, "consistency");
  o.reference = "toy:moons";
  o.steps = 3;
  o.n = o.n_reference = 50;
  o.tolerance = 0.3;
  assert_ok(f->ctx, once_search(b, &o, &whole));
  assert_int_equal(once_search(a, &o, &found), FEW_E_CANCELLED);
  assert_true(found.looks > 2 && found.looks < whole.looks);
  assert_int_equal(found.n, 2);
  for (int i = 0; i < 2; i++)
    assert_true(found.values[i] == whole.values[i] && found.times[i] == whole.times[i]);
  stop = 1; /* before the first evaluation is finished */
  assert_int_equal(once_search(a, &o, &found), FEW_E_CANCELLED);
  assert_int_equal(found.looks, 0);
  assert_int_equal(found.n, 0);
  few_model_free(a);
  few_model_free(b);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_points, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_images, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_stops_with_what_it_has, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
