/* ddpm.c - the discrete process of DDPM (Ho et al., arXiv 2006.11239), for networks that were
 * trained on numbered steps.
 *
 *   a_k = prod_{i<=k} (1 - beta_i),   x_k = sqrt(a_k) x0 + sqrt(1 - a_k) eps,   k = 0 .. T-1.
 *
 * Between the steps ln(sigma/alpha) is interpolated linearly, as samplers of continuous time do
 * with such networks. The process's own time is t = k + 1, so that t = 0 is the clean image; from
 * t = 0 to 1 sigma/alpha itself grows linearly. States noisier than the last step have t > T. The
 * input of a time embedding is k, limited to 0 .. T-1.
 *
 * The betas are those of the network (struct few_betas):
 *   linear          equal steps from `start` to `end`
 *   scaled-linear   equal steps of sqrt(beta) (latent diffusion)
 *   cosine          a_k of Nichol and Dhariwal, arXiv 2102.09672, eq. 17; beta at most 0.999
 * With zero_snr sqrt(a_k) is shifted and scaled so that the last step is pure noise (Lin et al.,
 * arXiv 2305.08891, algorithm 1). ln(sigma/alpha) is infinite at that step, so the table
 * extrapolates linearly from the two steps before it.
 *
 * Training times are the T steps of the default betas with equal probability. The grid `ddpm` has
 * equal steps in t from T ("trailing" in diffusers).
 */
#include "process.h"

static const struct few_betas usual = FEW_BETAS_INIT;

static double beta_of(const struct few_betas *b, int64_t i) {
  const double T = (double)b->steps, at = T > 1 ? (double)i / (T - 1) : 0;
  if (b->schedule == FEW_BETAS_COSINE) {
    const double from = cos(((double)i / T + 0.008) / 1.008 * FEW_PI_2);
    const double to = cos(((double)(i + 1) / T + 0.008) / 1.008 * FEW_PI_2);
    return fmin(1 - (to * to) / (from * from), 0.999);
  }
  if (b->schedule == FEW_BETAS_LINEAR) return b->start + (b->end - b->start) * at;
  const double root = sqrt(b->start) + (sqrt(b->end) - sqrt(b->start)) * at;
  return root * root;
}

/* l[k] = ln(sigma/alpha) of step k. */
static void fill_table(const struct few_betas *b, double *l) {
  double product = 1, first = 0, last = 0;
  assert(b->steps >= FEW_BETAS_MIN_STEPS && b->steps <= FEW_BETAS_MAX_STEPS);
  for (int64_t k = 0; k < b->steps; k++) {
    product *= 1 - beta_of(b, k);
    l[k] = product;
  }
  first = sqrt(l[0]);
  last = sqrt(l[b->steps - 1]);
  for (int64_t k = 0; k < b->steps; k++) {
    double a = l[k];
    if (b->zero_snr) a = pow((sqrt(a) - last) * first / (first - last), 2);
    l[k] = 0.5 * (log1p(-a) - log(a));
  }
  if (b->zero_snr) l[b->steps - 1] = 2 * l[b->steps - 2] - l[b->steps - 3];
}

double few__betas_time(const struct few_betas *b, double sigma_d, int64_t step) {
  double l[FEW_BETAS_MAX_STEPS];
  assert(step >= 0 && step < b->steps);
  if (b->zero_snr && step == b->steps - 1) return FEW_PI_2; /* pure noise */
  fill_table(b, l);
  return atan(exp(l[step]) / sigma_d);
}

/* ---- In f64, of the default betas ---- */

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  double l[FEW_BETAS_MAX_STEPS], ratio;
  fill_table(&usual, l);
  if (t < 1) {
    ratio = t * exp(l[0]);
  } else {
    const int64_t k = t < (double)usual.steps ? (int64_t)t - 1 : usual.steps - 2;
    ratio = exp(l[k] + (l[k + 1] - l[k]) * (t - 1 - (double)k));
  }
  const double alpha = 1 / hypot(1, ratio);
  return (struct few_mix){alpha, ratio * alpha};
}

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  double l[FEW_BETAS_MAX_STEPS];
  const double ratio = ray.eps / ray.x0, x = log(ratio);
  fill_table(&usual, l);
  if (x < l[0]) return ratio / exp(l[0]);
  int64_t k = 0;
  while (k < usual.steps - 2 && x >= l[k + 1]) k++;
  return (double)(k + 1) + (x - l[k]) / (l[k + 1] - l[k]);
}

static double net_scale(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(t);
  return 1;
}

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return fmin(fmax(t - 1, 0), (double)usual.steps - 1);
}

/* ---- As nodes ---- */

/* Returns the number of the step: the sum over k of (x - l[k])/(l[k+1] - l[k]), each limited to [0,
 * 1], with x = ln(sigma/alpha). All terms but one are exactly 0 or 1. */
static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  const struct few_betas *b = u->betas.steps ? &u->betas : &usual;
  double l[FEW_BETAS_MAX_STEPS], slope[FEW_BETAS_MAX_STEPS];
  const int64_t n = b->steps - 1, rows = few_node_shape(g, t).dim[0];
  fill_table(b, l);
  for (int64_t k = 0; k < n; k++) slope[k] = 1 / (l[k + 1] - l[k]);
  few_node s = few_max(g, few_sin(g, t), few_fill(g, 1e-6, FEW_SCALAR));
  few_node c = few_max(g, few_cos(g, t), few_fill(g, 1e-6, FEW_SCALAR));
  few_node x = few_log(g, few_scale(g, few_div(g, s, c), u->sigma_d));
  few_node beyond =
      few_sub(g, few_reshape(g, x, FEW_SHAPE(rows, 1)), few_const(g, FEW_SHAPE(1, n), l));
  few_node part = few_mul(g, beyond, few_const(g, FEW_SHAPE(1, n), slope));
  few_node zero = few_fill(g, 0, FEW_SCALAR), one = few_fill(g, 1, FEW_SCALAR);
  part = few_max(g, few_min(g, part, one), zero);
  return few_reshape(g, few_sum(g, part, FEW_SHAPE(rows, 1)), FEW_SHAPE(rows));
}

/* Returns t_trig of step floor(u T). */
static few_node trig_time(few_graph *g, const struct few_process_opts *o, double sigma_d,
                          few_node u) {
  FEW_UNUSED(o);
  double l[FEW_BETAS_MAX_STEPS], edge[FEW_BETAS_MAX_STEPS], more[FEW_BETAS_MAX_STEPS];
  const int64_t n = usual.steps - 1, rows = few_node_shape(g, u).dim[0];
  fill_table(&usual, l);
  for (int64_t k = 0; k < n; k++) {
    edge[k] = (double)(k + 1) / (double)usual.steps;
    more[k] = l[k + 1] - l[k];
  }
  few_node above =
      few_less(g, few_const(g, FEW_SHAPE(1, n), edge), few_reshape(g, u, FEW_SHAPE(rows, 1)));
  few_node x =
      few_sum(g, few_mul(g, above, few_const(g, FEW_SHAPE(1, n), more)), FEW_SHAPE(rows, 1));
  few_node ratio = few_exp(g, few_affine(g, few_reshape(g, x, FEW_SHAPE(rows)), 1, l[0]));
  return few__process_angle(g, few_fill(g, sigma_d, FEW_SHAPE(rows)), ratio);
}

const struct few_process few__process_ddpm = {
    .name = "ddpm",
    .source = "Ho et al., arXiv 2006.11239",
    .help = "a thousand steps of linearly growing beta, and networks that take a step's number",
    .t_min = 0,
    .t_max = 1000,
    .predicts = FEW_PREDICT_EPS,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
    .input = few__process_unit_variance,
    .embedded_time = embedded_time,
    .trig_time = trig_time,
    .uniform_times = true,
    .schedule = "ddpm",
    .schedule_help = "DDPM's numbered steps, equally spaced, from the last (diffusers: trailing)",
};
