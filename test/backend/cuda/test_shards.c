/* An update of a run on the emulated GPU against the reference: losses, logs and gradients of whole
 * networks, of both phases, replayed until they are recordings. */
#include "backend/cuda/plugin.h"
#include "base/rng.h"
#include "testing.h"
#include "train/shard.h"

#define RECIPE(name) FEW_TEST_DIR "/../recipes/" name ".ini"
#define TEACHER(name) "teacher=" FEW_TEST_DIR "/../models/" name ".safetensors"

struct run {
  few_ctx *ctx;
  struct few_run_recipe recipe;
  few_model *student;
  struct few_params head, fake_head;
  few_workers *workers;
  few_shards *shards;
  float *param;
};

static void fill(void *user, const struct few_rows *rows) {
  const struct few_net_spec *s = &((const struct run *)user)->recipe.spec;
  const int64_t size = s->h * s->w * s->c;
  for (int64_t i = 0; i < rows->rows; i++) {
    struct few_rng r = {.row = (uint64_t)(rows->first + i), .purpose = FEW_RNG_CHECK};
    few__rng_normal_f32(&r, size, rows->x + size * i);
    rows->label[i] = (int32_t)((rows->first + i) % (s->classes ? s->classes : 1));
  }
}

static void begin(struct run *t, const char *recipe, int n, const char *const *settings,
                  const struct few_backend *backend) {
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  *t = (struct run){.ctx = test_ctx()};
  o.recipe = recipe;
  o.run = "/tmp/few-none";
  o.n_overrides = n;
  o.overrides = settings;
  assert_ok(t->ctx, few__run_recipe_open(t->ctx, &t->recipe, &o));
  const struct few_run_recipe *r = &t->recipe;
  assert_ok(t->ctx, few__model_create(t->ctx, &t->student, r->net, r->net_opts, &r->spec, 1));
  assert_ok(t->ctx, few__workers_create(t->ctx, &t->workers, 1));
  const struct few_networks w = {&t->recipe, t->student, &t->head, &t->fake_head};
  const struct few_shards_opts so = {
      .networks = w, .fill = fill, .user = t, .workers = t->workers, .backend = backend};
  assert_ok(t->ctx, few__shards_create(t->ctx, &t->shards, &so));
  const int64_t count = few__parameters(&w);
  t->param = malloc((size_t)count * sizeof *t->param);
  const struct few_rng rng = {.purpose = FEW_RNG_INIT};
  few__rng_normal_f32(&rng, count, t->param);
  for (int64_t i = 0; i < count; i++) t->param[i] *= 0.1f;
}

static void end(struct run *t) {
  few__shards_free(t->shards);
  free(t->param);
  few__params_free(t->ctx, &t->head);
  few__params_free(t->ctx, &t->fake_head);
  few_model_free(t->student);
  few__workers_free(t->workers);
  few__run_recipe_close(t->ctx, &t->recipe);
  few_ctx_free(t->ctx);
}

static struct few_gradient step(struct run *t, enum few_phase_id phase, struct few_step_report *r) {
  const struct few_values v = {t->param, NULL};
  const struct few_clock at = few__run_clock(&t->recipe, 4, 1);
  struct few_gradient g;
  assert_ok(t->ctx, few__shards_step(t->shards, phase, &at, 4, &v, &g, r));
  return g;
}

static void compare(const char *recipe, int n, const char *const *settings) {
  struct run ref, gpu;
  begin(&ref, recipe, n, settings, few__backend_ref());
  begin(&gpu, recipe, n, settings, few_cuda_backend(FEW_CUDA_ABI));
  for (enum few_phase_id phase = 0; phase < FEW_PHASES; phase++) {
    if (phase == FEW_PHASE_FAKE && !few__has_fake(&ref.recipe)) continue;
    for (int again = 0; again < 3; again++) {
      struct few_step_report a, b;
      const struct few_gradient want = step(&ref, phase, &a), got = step(&gpu, phase, &b);
      double most = 0, worst = 0;
      for (int64_t i = 0; i < want.n * want.n_grads; i++) {
        most = fmax(most, fabs((double)want.at[i]));
        worst = fmax(worst, fabs((double)(got.at[i] - want.at[i])));
      }
      /* f32 on both sides, with sums in another order; a tangent loses some more */
      assert_close(b.loss, a.loss, 2e-4 * fmax(1, fabs(a.loss)));
      assert_true(most > 1e-3);
      assert_true(worst <= 2e-4 * most);
      gpu.param[7] = ref.param[7] += 0.125f; /* which must be seen there */
    }
  }
  end(&gpu);
  end(&ref);
}

static void test_points(void **state) {
  (void)state;
  const char *const settings[] = {
      TEACHER("toy-labels-teacher"),       "labels=yes", "guidance_max=3",
      "objective=scd + vsd + adversarial", "batch=24",   "shards=3"};
  compare(RECIPE("toy-vsd"), FEW_COUNT(settings), settings);
}

static void test_pictures(void **state) {
  (void)state;
  const char *const settings[] = {"objective=sct", "batch=2", "shards=1"};
  compare(FEW_TEST_DIR "/cli/tiny-unet.ini", FEW_COUNT(settings), settings);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_points),
                                     cmocka_unit_test(test_pictures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
