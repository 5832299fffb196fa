/* olss.c - optimal linear subspace search (Duan et al., arXiv 2305.14677): the sampler.
 *
 * In solvers of the probability-flow ODE, each state is a linear combination of the starting noise
 * and the network's outputs so far, with weights that do not depend on the model. Here the weights
 * are fitted to a long run of one model (olss_fit.c), so that a few steps end close to where many
 * steps would.
 */
#include "olss.h"

#include "sampler.h"

few_status few__olss_new(few_ctx *ctx, struct few_olss **out, int steps, double sigma_d) {
  assert(steps >= 1 && sigma_d > 0);
  struct few_olss *o = NULL;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &o, 1));
  few_status st = FEW_NEW(ctx, &o->t, (int64_t)steps * (steps + 4));
  if (st) {
    few__free(ctx, o);
    return st;
  }
  o->steps = steps;
  o->sigma_d = sigma_d;
  o->x = o->t + steps;
  o->rms = o->x + steps;
  o->ddim_rms = o->rms + steps;
  o->F = o->ddim_rms + steps;
  *out = o;
  return FEW_OK;
}

void few__olss_free(few_ctx *ctx, struct few_olss *o) {
  if (!o) return;
  few__free(ctx, o->t);
  few__free(ctx, o);
}

/* Sets x to the weighted sum of the start and each output so far. weight and term: scratch. */
static void combine(struct few_sampling *s, int k, const float *kept, double *weight,
                    const float **term) {
  const struct few_olss *o = s->olss;
  const int64_t n = s->rows * s->dims;
  weight[0] = o->x[k];
  memcpy(weight + 1, o->F + (int64_t)k * o->steps, (size_t)(k + 1) * sizeof *weight);
  for (int j = 0; j < k + 2; j++) term[j] = kept + j * n;
  few_sampling_sum(s->x, s, k + 2, weight, term);
}

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  const int64_t n = s->rows * s->dims;
  float *kept = NULL; /* the start, then the outputs */
  double *weight = NULL;
  const float **term = NULL;
  few_status st = FEW_OK;
  if (!s->olss || s->olss->steps != s->steps)
    return few__fail(ctx, FEW_E_INVALID,
                     "olss needs a schedule that was fitted to the model: make one with few olss");
  FEW_GOTO(FEW_NEW(ctx, &kept, (s->steps + 1) * n));
  FEW_GOTO(FEW_NEW(ctx, &weight, s->steps + 1));
  FEW_GOTO(FEW_NEW(ctx, &term, s->steps + 1));
  memcpy(kept, s->x, (size_t)n * sizeof *kept);
  for (int k = 0; k < s->steps; k++) {
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], s->t[k], kept + (k + 1) * n));
    combine(s, k, kept, weight, term);
  }
out:
  few__free(ctx, kept);
  few__free(ctx, weight);
  few__free(ctx, (void *)term);
  return st;
}

const struct few_sampler_def few__sampler_olss = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "olss",
    .source = "Duan et al., arXiv 2305.14677",
    .help =
        "few steps, with weights fitted to a long run of the same model; needs a file of few olss",
    .schedule = "karras",
    .steps = 0,
    .order = 0,
    .evals_per_step = 1,
    .fitted = true,
    .run = run,
};
