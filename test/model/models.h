/* models.h - small models for the tests of src/model, without weights that are zero. */
#ifndef FEW_TEST_MODELS_H
#define FEW_TEST_MODELS_H

#include "once.h"
#include "testing.h"

#include "base/rng.h"
#include "model/run/sample.h"

struct test_model {
  const char *net;
  bool points;
  int64_t side, classes;
  bool guidance;
  enum few_step_size step_size;
  const char *settings[10][2];
  enum few_prediction predicts;
};

static const struct test_model test_models[] = {
    {"mlp",
     true,
     1,
     0,
     false,
     FEW_STEP_SIZE_NONE,
     {{"width", "8"}, {"layers", "2"}, {"embedding", "4"}},
     FEW_PREDICT_F},
    {"unet",
     false,
     8,
     3,
     false,
     FEW_STEP_SIZE_NONE,
     {{"channels", "4"},
      {"mults", "1, 2"},
      {"blocks", "1"},
      {"attention", "4"},
      {"head_channels", "4"},
      {"groups", "2"},
      {"dropout", "0.13"}},
     FEW_PREDICT_F},
    {"dit",
     false,
     8,
     4,
     true,
     FEW_STEP_SIZE_NONE,
     {{"patch", "4"}, {"width", "8"}, {"depth", "2"}, {"heads", "2"}, {"embedding", "4"}},
     FEW_PREDICT_F},
    {"mlp",
     true,
     1,
     0,
     false,
     FEW_STEP_SIZE_ANGLE,
     {{"width", "8"}, {"layers", "1"}, {"embedding", "4"}, {"time_transform", "vp"}},
     FEW_PREDICT_BOTH},
};
enum { TEST_MLP, TEST_UNET, TEST_DIT, TEST_MAP, TEST_MODELS };

static inline few_model *test_model_new(few_ctx *ctx, int which) {
  const struct test_model *t = &test_models[which];
  const struct few_net_def *net = few__net_find(NULL, t->net);
  struct few_net_spec spec = {.h = t->side,
                              .w = t->side,
                              .c = t->points ? 2 : 1,
                              .points = t->points,
                              .classes = t->classes,
                              .guidance = t->guidance,
                              .step_size = t->step_size,
                              .predicts = t->predicts,
                              .sigma_data = 0.5};
  union {
    double align;
    char bytes[4096];
  } opts = {0};
  few_model *m;
  assert_true(net && net->options_size <= sizeof opts);
  assert_ok(ctx, few_options_default(&opts, ctx, net->options));
  for (int i = 0; i < 10 && t->settings[i][0]; i++)
    assert_ok(ctx, few_option_set(&opts, ctx, net->options, t->settings[i][0], t->settings[i][1]));
  assert_ok(ctx, few__model_create(ctx, &m, net, &opts, &spec, 3));
  /* some initial weights are zero; adding 0.2 z makes every path matter */
  struct few_rng r = {.seed = 4, .purpose = FEW_RNG_CHECK};
  for (int i = 0; i < m->params.n; i++) {
    float *at = m->values + m->params.at[i].offset, z[4096];
    int64_t n = few_shape_count(m->params.at[i].shape);
    assert_true(n <= 4096);
    r.row = (uint64_t)i;
    few__rng_normal_f32(&r, n, z);
    for (int64_t k = 0; k < n; k++) at[k] += 0.2F * z[k];
  }
  m->data_mean = 0.1;
  m->data_scale = 1 / 1.7;
  if (t->guidance) m->guidance_max = 4.25;
  return m;
}

#endif
