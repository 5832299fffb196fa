/* watch.c - shows the steps of a sampler to the caller of few_sample (few_sample_opts.watch). */
#include "diffusion/process/predict.h"
#include "sample.h"

/* In the units of images, as the samples themselves. */
static void to_images(const few_model *m, int64_t n, int64_t dims, float *x) {
  for (int64_t k = 0; k < dims; k++) {
    const struct few_data_scale s = few__model_scale(m, k);
    for (int64_t i = 0; i < n; i++)
      x[i * dims + k] = (float)((double)x[i * dims + k] / s.scale + s.mean);
  }
}

few_status few__sample_watch(few_runner *r, const struct few_sample_opts *opts,
                             const struct few_sample_view *view, int evaluation) {
  const few_model *m = r->m;
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  const int64_t skip = view->first < opts->first ? opts->first - view->first : 0;
  const int64_t n = view->rows - skip, count = n * dims;
  const float *x = view->x + skip * dims, *F = view->F ? view->F + skip * dims : NULL;
  float *state = NULL;
  if (n <= 0) return FEW_OK;
  FEW_TRY(FEW_NEW(r->ctx, &state, 2 * count));
  float *denoised = state + count;
  const struct few_line x0 = few_step_denoise(m->spec.sigma_data, view->t);
  for (int64_t i = 0; i < count; i++) {
    state[i] = x[i];
    denoised[i] = F ? (float)(x0.x * (double)x[i] + x0.y * (double)F[i]) : x[i];
  }
  to_images(m, n, dims, state);
  to_images(m, n, dims, denoised);
  const struct few_sample_step step = {
      view->first + skip - opts->first, n, evaluation, view->t, view->to, state, denoised};
  const few_status st = opts->watch(opts->watch_user, &step);
  few__free(r->ctx, state);
  return st;
}
