/* gaussian.c - a self-consuming loop with a fitted Gaussian as its model, for which the theory is
 * known (arXiv 2307.01850, section 3 and appendix A).
 *
 * A generation fits N(mu_t, Sigma_t) to its n rows and draws from N(mu_t, lambda Sigma_t). In the
 * synthetic loop
 *
 *   mu_t ~ N(mu_{t-1}, lambda Sigma_{t-1} / n),   Sigma_t ~ Wishart(lambda Sigma_{t-1}/(n-1), n-1),
 *
 * so E[Sigma_t | Sigma_{t-1}] = lambda Sigma_{t-1}, and Sigma_t -> 0 almost surely even for
 * lambda = 1, because ln Sigma falls on average. No factor of Sigma is needed to draw: with the
 * centred rows X, Sigma = X'X/(n-1), so mu + sqrt(lambda/(n-1)) X'g with g ~ N(0, I_n) has exactly
 * that covariance, also where n <= d.
 */
#include <math.h>

#include "base/rng.h"
#include "base/workers.h"
#include "eval/metric/frechet.h"
#include "mix.h"

struct sums {
  const struct few_gaussian_loop *o;
  double *x, *before; /* [capacity][d] rows of this generation and of the last, centred by fit() */
  double *mean, *mean_before;
  double *g; /* [capacity] */
  double *cov, *eye, *zero;
  int64_t n_before;
};

static void draw_real(const struct sums *s, int64_t index, double *x) {
  const struct few_rng r = {.seed = s->o->seed, .row = (uint64_t)index, .purpose = FEW_RNG_TOY};
  few__rng_normal_f64(&r, s->o->d, x);
}

static void draw_synthetic(const struct sums *s, int generation, int64_t index, double *x) {
  const struct few_rng r = {.seed = s->o->seed,
                            .step = (uint64_t)generation,
                            .row = (uint64_t)index,
                            .purpose = FEW_RNG_SAMPLE};
  const int64_t d = s->o->d, n = s->n_before;
  const double scale = sqrt(s->o->bias / (double)(n - 1));
  few__rng_normal_f64(&r, n, s->g);
  memcpy(x, s->mean_before, (size_t)d * sizeof *x);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < d; k++) x[k] += scale * s->g[i] * s->before[i * d + k];
}

/* Computes the mean of the rows, subtracts it from them, and computes their covariance. */
static void fit(struct sums *s, int64_t n) {
  const int64_t d = s->o->d;
  memset(s->mean, 0, (size_t)d * sizeof *s->mean);
  memset(s->cov, 0, (size_t)(d * d) * sizeof *s->cov);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < d; k++) s->mean[k] += s->x[i * d + k] / (double)n;
  for (int64_t i = 0; i < n; i++) {
    double *x = s->x + i * d;
    for (int64_t k = 0; k < d; k++) x[k] -= s->mean[k];
    for (int64_t k = 0; k < d; k++)
      for (int64_t j = 0; j < d; j++) s->cov[k * d + j] += x[k] * x[j] / (double)(n - 1);
  }
}

static few_status measure(few_ctx *ctx, few_workers *w, struct sums *s,
                          struct few_gaussian_fit *out) {
  const int64_t d = s->o->d;
  struct few_frechet f;
  *out = (struct few_gaussian_fit){0};
  memset(s->eye, 0, (size_t)(d * d) * sizeof *s->eye);
  for (int64_t k = 0; k < d; k++) {
    s->eye[k * d + k] = 1;
    out->mean_square += s->mean[k] * s->mean[k];
    out->trace += s->cov[k * d + k];
  }
  FEW_TRY(few__frechet_of(ctx, w, d, s->mean, s->cov, s->zero, s->eye, &f));
  out->distance = f.distance;
  return FEW_OK;
}

static few_status generation(few_ctx *ctx, few_workers *w, struct sums *s, int g,
                             struct few_gaussian_fit *out) {
  const struct few_gaussian_loop *o = s->o;
  const struct few_loop_mix mix = few__loop_mix(o->kind, g, o->n_real, o->n_synthetic);
  const int64_t n = mix.real + mix.synthetic;
  for (int64_t i = 0; i < mix.real; i++) draw_real(s, mix.first + i, s->x + i * o->d);
  for (int64_t i = 0; i < mix.synthetic; i++) draw_synthetic(s, g, i, s->x + (mix.real + i) * o->d);
  fit(s, n);
  FEW_TRY(measure(ctx, w, s, out));
  double *x = s->x, *mean = s->mean;
  s->x = s->before, s->before = x;
  s->mean = s->mean_before, s->mean_before = mean;
  s->n_before = n;
  return FEW_OK;
}

few_status few__gaussian_loop(few_ctx *ctx, const struct few_gaussian_loop *o,
                              struct few_gaussian_fit *out) {
  struct sums s = {.o = o};
  few_workers *w = NULL;
  const int64_t rows = o->n_real + o->n_synthetic, d = o->d;
  few_status st;
  assert(d >= 1 && o->n_real >= 2 && o->n_synthetic >= 2 && o->bias >= 0);
  FEW_GOTO(few__workers_create(ctx, &w, 1));
  FEW_GOTO(FEW_NEW(ctx, &s.x, rows * d));
  FEW_GOTO(FEW_NEW(ctx, &s.before, rows * d));
  FEW_GOTO(FEW_NEW(ctx, &s.mean, d));
  FEW_GOTO(FEW_NEW(ctx, &s.mean_before, d));
  FEW_GOTO(FEW_NEW(ctx, &s.zero, d));
  FEW_GOTO(FEW_NEW(ctx, &s.g, rows));
  FEW_GOTO(FEW_NEW(ctx, &s.cov, d * d));
  FEW_GOTO(FEW_NEW(ctx, &s.eye, d * d));
  for (int g = 1; g <= o->generations; g++) FEW_GOTO(generation(ctx, w, &s, g, &out[g - 1]));
out:
  few__free(ctx, s.x);
  few__free(ctx, s.before);
  few__free(ctx, s.mean);
  few__free(ctx, s.mean_before);
  few__free(ctx, s.zero);
  few__free(ctx, s.g);
  few__free(ctx, s.cov);
  few__free(ctx, s.eye);
  few__workers_free(w);
  return st;
}
