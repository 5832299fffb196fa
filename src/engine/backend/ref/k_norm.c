/* k_norm.c - normalises groups of channels, and computes the derivative of the normalisation.
 *
 * x is [N, .., C]. A group is, for one n, all positions and one of `groups` equal runs of channels.
 * Over each group, with mean m (taken as 0 without `center`) and variance v = mean((x - m)^2),
 *
 *     r = 1 / sqrt(v + eps),   y = (x - m) r,
 *     J d = r (d - mean(d) - y mean(y d))        without mean(d) if not centred.
 *
 * J is symmetric. Statistics are computed in double and in two passes, since mean(x^2) - m^2 would
 * lose digits by cancellation.
 */
#include "real.h"

/* A group: P runs of n numbers, C apart, from `first` on. */
struct group {
  int64_t first, P, n, C;
};

struct stats {
  double mean, r;
};

static struct stats measure(struct group g, const real *x, bool center, double eps) {
  const double count = (double)(g.P * g.n);
  double mean = 0, var = 0;
  for (int64_t p = 0; p < g.P && center; p++)
    for (int64_t k = 0; k < g.n; k++) mean += x[g.first + p * g.C + k];
  mean /= count;
  for (int64_t p = 0; p < g.P; p++)
    for (int64_t k = 0; k < g.n; k++) {
      const double d = x[g.first + p * g.C + k] - mean;
      var += d * d;
    }
  return (struct stats){mean, 1 / sqrt(var / count + eps)};
}

static void normalise(struct group g, const struct few_call *c) {
  const real *x = c->in[0].data;
  real *y = c->out;
  const struct stats s = measure(g, x, c->node->attr.norm.center != 0, c->node->attr.norm.eps);
  for (int64_t p = 0; p < g.P; p++)
    for (int64_t k = 0; k < g.n; k++) {
      const int64_t at = g.first + p * g.C + k;
      y[at] = (real)((x[at] - s.mean) * s.r);
    }
}

static void differentiate(struct group g, const struct few_call *c) {
  const real *x = c->in[0].data, *d = c->in[1].data;
  real *out = c->out;
  const bool center = c->node->attr.norm.center != 0;
  const struct stats s = measure(g, x, center, c->node->attr.norm.eps);
  const double count = (double)(g.P * g.n);
  double mean_d = 0, mean_yd = 0;
  for (int64_t p = 0; p < g.P; p++)
    for (int64_t k = 0; k < g.n; k++) {
      const int64_t at = g.first + p * g.C + k;
      if (center) mean_d += d[at] / count;
      mean_yd += (x[at] - s.mean) * s.r * d[at] / count;
    }
  for (int64_t p = 0; p < g.P; p++)
    for (int64_t k = 0; k < g.n; k++) {
      const int64_t at = g.first + p * g.C + k;
      out[at] = (real)(s.r * (d[at] - mean_d - (x[at] - s.mean) * s.r * mean_yd));
    }
}

static void each_group(const struct few_call *c, void (*f)(struct group, const struct few_call *)) {
  const struct few_shape s = c->shape;
  assert(s.rank >= 2);
  const int64_t N = s.dim[0], C = s.dim[s.rank - 1], groups = c->node->attr.norm.groups;
  assert(groups > 0 && C % groups == 0);
  const int64_t P = outer_of(s, s.rank - 1) / (N > 0 ? N : 1), n = C / groups;
  for (int64_t row = 0; row < N; row++)
    for (int64_t k = 0; k < groups; k++) f((struct group){row * P * C + k * n, P, n, C}, c);
}

void K(norm)(const struct few_call *c) { each_group(c, normalise); }

NO_SCRATCH(norm)

void K(norm_tangent)(const struct few_call *c) { each_group(c, differentiate); }

NO_SCRATCH(norm_tangent)
