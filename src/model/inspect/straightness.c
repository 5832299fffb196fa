/* straightness.c - measures how straight a model's paths are (Liu, Gong and Liu, arXiv 2209.03003,
 * section 2.2; few/inspect.h).
 *
 * On the schedule of flow matching a DDIM step is an Euler step, which changes y by du v. So y_1 -
 * y_0 is the mean of the velocities along a path, weighted by du, and the integral is their
 * variance:
 *
 *   S = sum_k du_k v_k^2 - (sum_k du_k v_k)^2,   v = eps^ - x^ at (x_t, t).
 */
#include <math.h>

#include "diffusion/process/predict.h"
#include "diffusion/process/process.h"
#include "few/inspect.h"
#include "model/run/sample.h"

struct sums {
  double sigma_d;
  int64_t dims;
  double *first, *second; /* [n][dims] sums of v and of its square, weighted by du */
};

static double share(double sigma_d, double t) {
  return few__process_flow.time(sigma_d, few__process_trigflow.at(sigma_d, t));
}

static void add(void *user, const struct few_sample_view *view) {
  const struct sums *s = user;
  if (!view->F) return;
  const double du = share(s->sigma_d, view->t) - share(s->sigma_d, view->to);
  const struct few_line x0 = few_step_denoise(s->sigma_d, view->t);
  const struct few_line noise = few_step_noise(s->sigma_d, view->t);
  const int64_t from = view->first * s->dims;
  for (int64_t i = 0; i < view->rows * s->dims; i++) {
    const double x = (double)view->x[i], F = (double)view->F[i];
    const double v = (noise.x * x + noise.y * F) / s->sigma_d - (x0.x * x + x0.y * F);
    s->first[from + i] += du * v;
    s->second[from + i] += du * v * v;
  }
}

few_status few_model_straightness(double *out, few_runner *r, const struct few_sample_opts *opts) {
  few_ctx *ctx = r->ctx;
  const few_model *m = r->m;
  FEW_TRY(few__opts_check(ctx, "few_sample_opts", opts, FEW_SAMPLE_OPTS_VERSION));
  struct few_sample_opts o = *opts;
  struct sums s = {.sigma_d = m->spec.sigma_data};
  struct few_sample_path path = {.see = add, .user = &s};
  const int64_t dims = s.dims = m->spec.h * m->spec.w * m->spec.c;
  float *images = NULL;
  double sum = 0;
  few_status st;
  o.first = 0;
  o.sampler = "ddim";
  o.schedule = "flow";
  o.n_times = o.n_settings = 0;
  if (!o.steps) o.steps = 64;
  FEW_TRY(few__model_field_check(ctx, m, "straightness"));
  FEW_TRY(few_sample_plan(NULL, NULL, r, &o));
  FEW_GOTO(FEW_NEW(ctx, &images, o.n * dims));
  FEW_GOTO(FEW_NEW(ctx, &s.first, o.n * dims));
  FEW_GOTO(FEW_NEW(ctx, &s.second, o.n * dims));
  FEW_GOTO(few__sample_run(r, &o, &path, images, NULL, NULL));
  for (int64_t i = 0; i < o.n * dims; i++) sum += s.second[i] - s.first[i] * s.first[i];
  *out = sum / (double)(o.n * dims);
  FEW_GOTO(few__samples_check(ctx, m, "straightness", 0, o.n, images));
out:
  few__free(ctx, images);
  few__free(ctx, s.first);
  few__free(ctx, s.second);
  return st;
}
