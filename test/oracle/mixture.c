/* mixture.c - closed forms for Gaussian mixtures under x_t = alpha x0 + sigma eps.
 *
 * Given component i, x_t ~ N(alpha mu_i, V_i I) with V_i = alpha^2 s_i^2 + sigma^2, and with
 * d = x_t - alpha mu_i
 *
 *   E[x0 | x_t, i] = mu_i + (alpha s_i^2/V_i) d,   E[eps | x_t, i] = (sigma/V_i) d.
 *
 * The rest is the posterior r_i, proportional to w_i N(x_t; alpha mu_i, V_i I), computed in
 * logarithms. There is no division by sigma, so everything except the score is exact down to sigma
 * = 0.
 */
#include "mixture.h"

#include <math.h>

#include "ode.h"

static double variance(const struct mixture *m, struct few_mix s, int i) {
  double a = s.x0 * m->std[i];
  return a * a + s.eps * s.eps;
}

/* ln(w_i N(x; alpha mu_i, V_i I)) */
static double log_joint(const struct mixture *m, struct few_mix s, int i, const double *x) {
  const double two_pi = 6.283185307179586;
  double v = variance(m, s, i), d2 = 0;
  const double *mu = m->mean + (int64_t)i * m->dims;
  for (int k = 0; k < m->dims; k++) {
    double d = x[k] - s.x0 * mu[k];
    d2 += d * d;
  }
  return log(m->weight[i]) - 0.5 * (m->dims * log(two_pi * v) + d2 / v);
}

double mixture_logp(const struct mixture *m, struct few_mix state, const double *x) {
  assert(m->n >= 1);
  double max = log_joint(m, state, 0, x), sum = 1;
  for (int i = 1; i < m->n; i++) {
    double l = log_joint(m, state, i, x);
    sum = l > max ? sum * exp(max - l) + 1 : sum + exp(l - max);
    max = fmax(max, l);
  }
  return max + log(sum);
}

void mixture_posterior(const struct mixture *m, struct few_mix state, const double *x, double *r) {
  double max = -INFINITY, sum = 0;
  for (int i = 0; i < m->n; i++) max = fmax(max, r[i] = log_joint(m, state, i, x));
  for (int i = 0; i < m->n; i++) sum += r[i] = exp(r[i] - max);
  for (int i = 0; i < m->n; i++) r[i] /= sum;
}

void mixture_expect(const struct mixture *m, struct few_mix state, struct few_mix q,
                    const double *x, double *out) {
  double max = -INFINITY, sum = 0;
  for (int i = 0; i < m->n; i++) max = fmax(max, log_joint(m, state, i, x));
  for (int k = 0; k < m->dims; k++) out[k] = 0;
  for (int i = 0; i < m->n; i++) {
    const double *mu = m->mean + (int64_t)i * m->dims;
    double r = exp(log_joint(m, state, i, x) - max), s = m->std[i];
    double slope = (q.x0 * state.x0 * s * s + q.eps * state.eps) / variance(m, state, i);
    sum += r;
    for (int k = 0; k < m->dims; k++)
      out[k] += r * (q.x0 * mu[k] + slope * (x[k] - state.x0 * mu[k]));
  }
  for (int k = 0; k < m->dims; k++) out[k] /= sum;
}

void mixture_score(const struct mixture *m, struct few_mix state, const double *x, double *out) {
  mixture_expect(m, state, (struct few_mix){0, -1 / state.eps}, x, out);
}

void mixture_F(const struct mixture *m, double sigma_d, double t, const double *x, double *F) {
  struct few_mix state = few__process_trigflow.at(sigma_d, t);
  mixture_expect(m, state, few__predict_mix(FEW_PREDICT_F, sigma_d, state), x, F);
}

struct velocity {
  const struct mixture *m;
  double sigma_d;
};

static void velocity(void *user, double t, const double *x, double *dx) {
  const struct velocity *v = user;
  mixture_F(v->m, v->sigma_d, t, x, dx);
  for (int k = 0; k < v->m->dims; k++) dx[k] *= v->sigma_d;
}

few_status mixture_map(few_ctx *ctx, const struct mixture *m, double sigma_d, double t0, double t1,
                       double tol, double *x) {
  struct velocity v = {m, sigma_d};
  struct ode ode = {.n = m->dims, .f = velocity, .user = &v, .tol = tol};
  return ode_solve(ctx, &ode, t0, t1, x);
}

void mixture_sample(const struct mixture *m, const struct few_rng *r, double *x) {
  uint32_t w[4];
  few__rng_block(r, 0, w);
  double u = few__uniform_from_u32(w[0]);
  int i = 0;
  while (i + 1 < m->n && u >= m->weight[i]) u -= m->weight[i++];
  for (int k = 0; k < m->dims; k++) {
    if ((k + 1) % 4 == 0) few__rng_block(r, (uint32_t)(k + 1) / 4, w);
    x[k] = m->mean[(int64_t)i * m->dims + k] + m->std[i] * few__normal_from_u32(w[(k + 1) % 4]);
  }
}
