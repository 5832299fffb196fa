/* time.c - what the embedding sees of TrigFlow's time t.
 *
 * A network trained with another process knows that process's time. With c = cos t, s = sin t and
 * eps of unit variance the state is c x0 + sigma_d s eps, so that
 *
 *   log         ln(sigma)/4 of EDM, sigma = sigma_d tan t
 *   vp          arctan(sigma)/(pi/2), the angle of the cosine schedule
 *   vp-linear   u of B(u) = ln(1 + sigma^2), B(u) = b0 u + (b1 - b0) u^2/2, b0 = 0.1, b1 = 20
 *   flow        u = sigma/(1 + sigma) = sigma_d s/(c + sigma_d s).
 *
 * Each is written so that nothing overflows at t = 0 and at pi/2, where single precision has
 * c = -4e-8. `log` has no ends of its own: it is held to 1e-5 < tan t < 1e4, beyond which EDM knows
 * nothing, and its slope there makes it the one to avoid in consistency training.
 */
#include "net.h"

static few_node identity(few_graph *g, double sigma_d, few_node t) {
  FEW_UNUSED(g);
  FEW_UNUSED(sigma_d);
  return t;
}

static few_node edm(few_graph *g, double sigma_d, few_node t) {
  few_node s = few_max(g, few_sin(g, t), few_fill(g, 1e-5, FEW_SCALAR));
  few_node c = few_max(g, few_cos(g, t), few_fill(g, 1e-4, FEW_SCALAR)), tan = few_div(g, s, c);
  return few_scale(g, few_log(g, few_scale(g, tan, sigma_d)), 0.25);
}

/* c^2 + sigma_d^2 s^2 */
static few_node size(few_graph *g, double sigma_d, few_node t) {
  return few_add(g, few_square(g, few_cos(g, t)),
                 few_square(g, few_scale(g, few_sin(g, t), sigma_d)));
}

/* By half the angle: arctan(y/x) = 2 arctan(y/(sqrt(x^2 + y^2) + x)). */
static few_node vp(few_graph *g, double sigma_d, few_node t) {
  few_node n = few_add(g, few_sqrt(g, size(g, sigma_d, t)), few_cos(g, t));
  few_node half = few_atan(g, few_div(g, few_scale(g, few_sin(g, t), sigma_d), n));
  return few_scale(g, half, 2 / FEW_PI_2);
}

static few_node vp_linear(few_graph *g, double sigma_d, few_node t) {
  const double b0 = 0.1, slope = 19.9;
  few_node B =
      few_sub(g, few_log(g, size(g, sigma_d, t)), few_log(g, few_square(g, few_cos(g, t))));
  few_node root = few_sqrt(g, few_affine(g, B, 2 * slope, b0 * b0));
  return few_div(g, few_scale(g, B, 2), few_affine(g, root, 1, b0));
}

static few_node flow(few_graph *g, double sigma_d, few_node t) {
  few_node noise = few_scale(g, few_sin(g, t), sigma_d);
  return few_div(g, noise, few_add(g, few_cos(g, t), noise));
}

few_node few__net_time(few_graph *g, int transform, double sigma_d, few_node t) {
  static few_node (*const table[])(few_graph *, double, few_node) = {identity, edm, vp, vp_linear,
                                                                     flow};
  assert(transform >= 0 && transform < FEW_COUNT(table));
  return table[transform](g, sigma_d, t);
}
