/* vp.c - the variance-preserving process with the cosine schedule (Nichol and Dhariwal, arXiv
 * 2102.09672; in this form Salimans and Ho, arXiv 2202.00512).
 *
 *   x_u = alpha x0 + sigma eps,   alpha^2 + sigma^2 = 1,   u from 0 (clean) to 1 (noise),
 *   lambda(u) = ln(alpha^2/sigma^2) = -2 ln tan(a u + b),
 *
 * so that alpha = cos(a u + b) and sigma = sin(a u + b). a and b make lambda run from logsnr_max to
 * logsnr_min, 20 and -20 unless a recipe says otherwise:
 *
 *   b = arctan(e^{-logsnr_max/2}),   a = arctan(e^{-logsnr_min/2}) - b.
 *
 * TrigFlow's time of the same noise-to-signal ratio is tan t = tan(a u + b)/sigma_d. Networks
 * predict v. The input of their embedding is arctan(sigma/alpha)/(pi/2), which is u except for the
 * margins b ("inv_cos").
 *
 * Training times have u uniform in (0, 1). In larger images the same noise hides less, because
 * averaging s x s pixels divides its variance by s^2. Simple diffusion (Hoogeboom et al., arXiv
 * 2301.11093, section 3.1) therefore adds 2 ln(noise_d/side) to lambda, or an interpolation of two
 * such shifts: 1 - u times that of noise_d plus u times that of noise_d_high.
 *
 * The grid `cosine` has equal steps in u from 1. u = 0 is used as the end at t = 0, although the
 * process has some noise there.
 */
#include "vp.h"

#include "process.h"

struct few_cosine few__cosine(double logsnr_min, double logsnr_max) {
  assert(logsnr_min < logsnr_max);
  const double b = atan(exp(-logsnr_max / 2));
  return (struct few_cosine){atan(exp(-logsnr_min / 2)) - b, b};
}

double few__cosine_time(struct few_cosine c, double sigma_d, double u) {
  const double angle = c.a * u + c.b;
  return atan2(sin(angle), sigma_d * cos(angle));
}

few_node few__cosine_time_node(few_graph *g, struct few_cosine c, double sigma_d, few_node u) {
  few_node angle = few_affine(g, u, c.a, c.b);
  few_node ratio = few_div(g, few_sin(g, angle), few_cos(g, angle));
  return few_atan(g, few_scale(g, ratio, 1 / sigma_d));
}

/* The process with its usual range of lambda, 20 to -20. */
static struct few_cosine usual(void) { return few__cosine(-20, 20); }

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  const struct few_cosine c = usual();
  return (struct few_mix){cos(c.a * t + c.b), sin(c.a * t + c.b)};
}

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  const struct few_cosine c = usual();
  return (atan2(ray.eps, ray.x0) - c.b) / c.a;
}

static double net_scale(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(t);
  return 1;
}

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  const struct few_cosine c = usual();
  return (c.a * t + c.b) / FEW_PI_2;
}

/* Computed by half the angle, arctan(y/x) = 2 arctan(y/(sqrt(x^2 + y^2) + x)). */
static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  few_node n = few_add(g, few_sqrt(g, few__process_norm_squared(g, u->sigma_d, t)), few_cos(g, t));
  few_node half = few_atan(g, few_div(g, few_scale(g, few_sin(g, t), u->sigma_d), n));
  return few_scale(g, half, 2 / FEW_PI_2);
}

/* A shift of lambda by 2 ln(d/side) multiplies sigma/alpha by side/d. */
static few_node trig_time(few_graph *g, const struct few_process_opts *o, double sigma_d,
                          few_node u) {
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  few_node angle = few_affine(g, u, c.a, c.b);
  few_node x = few_scale(g, few_cos(g, angle), sigma_d), y = few_sin(g, angle);
  if (o->noise_d > 0) {
    const double high = o->noise_d_high > 0 ? o->noise_d_high : o->noise_d;
    y = few_mul(g, y,
                few_exp(g, few_affine(g, u, log(o->noise_d / high), log(o->side / o->noise_d))));
  }
  return few__process_angle(g, x, y);
}

static double grid(const struct few_times_opts *o, double sigma_d, int i) {
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  const double end = o->t_end > 0 ? (atan(sigma_d * tan(o->t_end)) - c.b) / c.a : 0;
  return few__cosine_time(c, sigma_d, few__grid_point(1, end, i, o->steps));
}

const struct few_process few__process_vp = {
    .name = "vp",
    .source = "Salimans and Ho, arXiv 2202.00512 (cosine log-SNR in [-20, 20])",
    .help =
        "variance preserving, cosine schedule; keys logsnr_min, logsnr_max, noise_d, noise_d_high",
    .t_min = 0,
    .t_max = 1,
    .predicts = FEW_PREDICT_V,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
    .input = few__process_unit_variance,
    .embedded_time = embedded_time,
    .trig_time = trig_time,
    .uniform_times = true,
    .has_logsnr = true,
    .schedule = "cosine",
    .schedule_help = "equal steps of the cosine process, log-SNR -20 to 20",
    .grid = grid,
};
