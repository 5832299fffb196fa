/* once.h - for tests that have a model and do not test runners: each call creates a runner with the
 * model's own context. */
#ifndef FEW_TEST_ONCE_H
#define FEW_TEST_ONCE_H

#include "few/eval.h"
#include "few/inspect.h"
#include "few/sample.h"
#include "model/model.h"
#include "testing.h"

/* Returns a runner with the model's own context. */
static inline few_runner *once_runner(const few_model *m) {
  few_runner *r = NULL;
  assert_int_equal(few_runner_create(&r, m->ctx, m), FEW_OK);
  return r;
}

#define ONCE(m, call)                                   \
  few_runner *r_;                                       \
  few_status st_ = few_runner_create(&r_, (m)->ctx, m); \
  if (!st_) st_ = (call);                               \
  few_runner_free(r_);                                  \
  return st_

static inline few_status once_sample(const few_model *m, const struct few_sample_opts *o,
                                     float *images, int32_t *labels, int *nfe) {
  ONCE(m, few_sample(images, labels, nfe, r_, o));
}

static inline few_status once_plan(const few_model *m, const struct few_sample_opts *o,
                                   const char **sampler, int *steps) {
  ONCE(m, few_sample_plan(sampler, steps, r_, o));
}

static inline few_status once_write(const few_model *m, const char *path,
                                    const struct few_sample_opts *o, const float *images,
                                    const int32_t *labels, int64_t columns) {
  ONCE(m, few_sample_write(r_, path, o, images, labels, columns));
}

static inline few_status once_noise_write(const few_model *m, const char *path, int64_t n,
                                          const float *noise) {
  ONCE(m, few_noise_write(r_, path, n, noise));
}

static inline few_status once_encode(const few_model *m, const struct few_sample_opts *o,
                                     const float *images, const int32_t *label, float *noise,
                                     int *nfe) {
  ONCE(m, few_encode(noise, nfe, r_, o, images, label));
}

static inline few_status once_decode(const few_model *m, const struct few_sample_opts *o,
                                     const float *noise, const int32_t *label, float *images,
                                     int *nfe) {
  ONCE(m, few_decode(images, nfe, r_, o, noise, label));
}

static inline few_status once_olss(const few_model *m, const struct few_olss_opts *o,
                                   const char *path, struct few_olss_step *step) {
  ONCE(m, few_olss(step, r_, o, path));
}

static inline few_status once_eval(const few_model *m, int64_t n, const float *x, const float *t,
                                   const float *step_size, const int32_t *label,
                                   const float *guidance, float *out) {
  const struct few_inputs in = {FEW_INPUTS_VERSION, n, x, t, step_size, label, guidance};
  ONCE(m, few_runner_eval(out, r_, &in));
}

static inline few_status once_straightness(const few_model *m, const struct few_sample_opts *o,
                                           double *out) {
  ONCE(m, few_model_straightness(out, r_, o));
}

static inline few_status once_tangent(const few_model *m, const struct few_tangent_opts *o,
                                      struct few_tangent_bin out[FEW_TANGENT_BINS]) {
  ONCE(m, few_model_tangent(out, r_, o));
}

static inline few_status once_search(const few_model *m, const struct few_schedule_search_opts *o,
                                     struct few_schedule_found *out) {
  ONCE(m, few_schedule_search(out, r_, o));
}

#endif
