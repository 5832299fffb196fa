/* Eight threads run one model, each with a runner and a context. They share one copy of the
 * weights, give the bits of one thread, and do not change the model's context. */
#include <pthread.h>

#include "model/models.h"

enum { THREADS = 8, N = 300, DIMS = 2 };

/* Counts the bytes that a context has allocated. The size of a block is stored before it. */
struct bytes {
  size_t live, peak;
  long calls;
};
enum { HEAD = 64 };

static void *take(void *user, size_t n) {
  struct bytes *b = user;
  char *p = malloc(n + HEAD);
  b->calls++;
  if (!p) return NULL;
  memcpy(p, &n, sizeof n);
  b->live += n;
  if (b->live > b->peak) b->peak = b->live;
  return p + HEAD;
}

static void give(void *user, void *p) {
  struct bytes *b = user;
  size_t n;
  memcpy(&n, (char *)p - HEAD, sizeof n);
  b->live -= n;
  b->calls++;
  free((char *)p - HEAD);
}

static few_ctx *context(struct bytes *b) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  few_ctx *ctx;
  o.allocator = (struct few_allocator){b, take, give};
  o.workers = 1;
  assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
  return ctx;
}

/* A model whose weights are much larger than the memory to evaluate it. */
static few_model *large(few_ctx *ctx) {
  static const char *const settings[] = {"width=512", "layers=4"};
  struct few_model_opts o = FEW_MODEL_OPTS_INIT;
  few_model *m;
  o.net = "mlp";
  o.n_settings = 2;
  o.settings = settings;
  o.c = DIMS;
  o.points = true;
  assert_ok(ctx, few_model_create(&m, ctx, &o));
  for (int64_t i = 0; i < m->params.total; i++) m->values[i] += 1e-3F * (float)sin((double)i);
  return m;
}

struct thread {
  int seed;
  const few_model *m;
  few_ctx *ctx;
  struct bytes bytes;
  few_status status, refused;
  float points[N * DIMS];
};

static void *draw(void *user) {
  struct thread *t = user;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  few_runner *r;
  t->status = few_runner_create(&r, t->ctx, t->m);
  if (t->status) return NULL;
  o.n = N;
  o.seed = (uint64_t)t->seed;
  o.sampler = "ddim";
  o.steps = -1;
  t->refused = few_sample(t->points, NULL, NULL, r, &o);
  o.steps = 2;
  t->status = few_sample(t->points, NULL, NULL, r, &o);
  few_runner_free(r);
  return NULL;
}

static void test_threads_share_weights(void **state) {
  (void)state;
  static struct thread thread[THREADS], again;
  struct bytes of_model = {0, 0, 0};
  pthread_t id[THREADS];
  few_ctx *ctx = context(&of_model);
  few_model *m = large(ctx);
  const size_t weights = (size_t)m->params.total * sizeof(float);
  const long calls = of_model.calls;
  for (int i = 0; i < THREADS; i++) {
    thread[i] = (struct thread){.seed = i, .m = m};
    thread[i].ctx = context(&thread[i].bytes);
    assert_int_equal(pthread_create(&id[i], NULL, draw, &thread[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_join(id[i], NULL), 0);
  assert_int_equal(of_model.calls, calls);
  assert_string_equal(few_error(ctx), ""); /* errors are in the threads' contexts */
  for (int i = 0; i < THREADS; i++) {
    struct thread *t = &thread[i];
    assert_ok(t->ctx, t->status);
    assert_int_equal(t->refused, FEW_E_INVALID);
    assert_non_null(strstr(few_error(t->ctx), "-1 steps"));
    if (t->bytes.peak >= weights)
      fail_msg("%zu bytes in a thread's context, weights of %zu", t->bytes.peak, weights);
    again = (struct thread){.seed = i, .m = m, .ctx = ctx};
    draw(&again); /* in one thread, with the model's own context */
    assert_memory_equal(t->points, again.points, sizeof again.points);
    few_ctx_free(t->ctx);
    assert_int_equal(t->bytes.live, 0);
  }
  few_model_free(m);
  few_ctx_free(ctx);
  assert_int_equal(of_model.live, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads_share_weights)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
