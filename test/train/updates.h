/* updates.h - single updates of a run on any backend: the recipe, its networks, and random numbers
 * for parameters and rows. */
#ifndef FEW_TEST_UPDATES_H
#define FEW_TEST_UPDATES_H

#include "base/rng.h"
#include "testing.h"
#include "train/shard.h"
#include "train/update.h"

struct updates {
  few_ctx *ctx;
  struct few_setup setup;
  few_model *student;
  struct few_params head, fake_head;
  few_workers *workers;
  struct few_arrays arrays;
  few_shards *shards;
  struct few_run_state state;
};

static inline void updates_fill(void *user, const struct few_rows *rows) {
  const struct few_net_spec *s = &((const struct updates *)user)->setup.spec;
  const int64_t size = s->h * s->w * s->c;
  for (int64_t i = 0; i < rows->rows; i++) {
    struct few_rng r = {.row = (uint64_t)(rows->first + i),
                        .step = (uint64_t)rows->update,
                        .purpose = FEW_RNG_CHECK};
    few__rng_normal_f32(&r, size, rows->x + size * i);
    r.purpose = FEW_RNG_WARP;
    if (rows->augment) few__rng_normal_f32(&r, s->augment, rows->augment + s->augment * i);
    rows->label[i] = (int32_t)((rows->first + i) % (s->classes ? s->classes : 1));
  }
}

static inline struct few_networks updates_networks(struct updates *t) {
  return (struct few_networks){&t->setup, t->student, &t->head, &t->fake_head};
}

static inline void updates_open(struct updates *t, const char *recipe, int n,
                                const char *const *settings) {
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  *t = (struct updates){.ctx = test_ctx()};
  o.recipe = recipe;
  o.run = "/tmp/few-none";
  o.n_overrides = n;
  o.overrides = (const char **)(uintptr_t)settings;
  assert_ok(t->ctx, few__setup_open(t->ctx, &t->setup, &o));
}

static inline void updates_make(struct updates *t, int workers, const struct few_backend *backend) {
  const struct few_setup *r = &t->setup;
  assert_ok(t->ctx, few__model_create(t->ctx, &t->student, r->net, r->net_opts, &r->spec, 1));
  assert_ok(t->ctx, few__workers_create(t->ctx, &t->workers, workers));
  assert_ok(t->ctx, few__arrays_open(t->ctx, &t->arrays, t->workers, backend));
  const struct few_networks w = updates_networks(t);
  const struct few_shards_opts so = {
      .networks = w, .fill = updates_fill, .user = t, .arrays = &t->arrays};
  assert_ok(t->ctx, few__shards_create(t->ctx, &t->shards, &so));
  const struct few_state_shape shape = {.n_model = t->student->params.total,
                                        .n = few__parameters(&w),
                                        .n_moments = r->config.optim->states,
                                        .ema = true};
  assert_ok(t->ctx, few__state_create(&t->state, &shape, &t->arrays));
  struct few_rng rng = {.purpose = FEW_RNG_INIT};
  few__rng_normal_f32(&rng, shape.n, t->state.here.param);
  for (int64_t i = 0; i < shape.n; i++) t->state.here.param[i] *= 0.1f;
  few__state_put(&t->state);
}

static inline void updates_begin(struct updates *t, const char *recipe, int n,
                                 const char *const *settings, int workers,
                                 const struct few_backend *backend) {
  updates_open(t, recipe, n, settings);
  updates_make(t, workers, backend);
}

static inline void updates_end(struct updates *t) {
  few__shards_free(t->shards);
  few__state_free(&t->state);
  few__arrays_close(&t->arrays);
  few__params_free(t->ctx, &t->head);
  few__params_free(t->ctx, &t->fake_head);
  few_model_free(t->student);
  few__workers_free(t->workers);
  few__setup_close(t->ctx, &t->setup);
  few_ctx_free(t->ctx);
}

static inline struct few_gradient updates_step(struct updates *t, enum few_phase_id phase,
                                               int64_t update, struct few_step_report *report) {
  const struct few_values v = {t->state.there.param, NULL};
  const struct few_clock at = few__config_clock(&t->setup.config, 4, 1);
  struct few_gradient g;
  assert_ok(t->ctx, few__shards_step(t->shards, phase, &at, update, &v, &g, report));
  return g;
}

#endif
