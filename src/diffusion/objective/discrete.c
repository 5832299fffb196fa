/* discrete.c - see discrete.h. */
#include "discrete.h"

#include <math.h>

#include "base/rng.h"

void few__discrete_warn(few_ctx *ctx, const char *name, const char *what, double n, double most) {
  if (n > most)
    few__log(ctx, FEW_LOG_WARN,
             "%s: %s = %g puts two times so close together that single precision leaves few "
             "digits of their difference: give at most %g",
             name, what, n, most);
}

/* ---- coordinates ---- */

few_node few__path_coordinate(const struct few_loss *l, enum few_path path, few_node sigma) {
  few_graph *g = l->g;
  assert(path <= FEW_PATH_FLOW);
  if (path == FEW_PATH_EDM) return sigma;
  if (path == FEW_PATH_FLOW) return few_div(g, sigma, few_affine(g, sigma, 1, 1));
  return few_atan(g, few_scale(g, sigma, 1 / l->spec->sigma_data));
}

few_node few__path_time(const struct few_loss *l, enum few_path path, few_node c) {
  few_graph *g = l->g;
  assert(path <= FEW_PATH_FLOW);
  if (path == FEW_PATH_TRIGFLOW) return c;
  few_node sigma = path == FEW_PATH_EDM ? c : few_div(g, c, few_affine(g, c, -1, 1));
  return few_atan(g, few_scale(g, sigma, 1 / l->spec->sigma_data));
}

static double coordinate(enum few_path path, double sigma_d, double sigma) {
  return path == FEW_PATH_EDM    ? sigma
         : path == FEW_PATH_FLOW ? sigma / (1 + sigma)
                                 : atan(sigma / sigma_d);
}

/* ---- the grid ---- */

/* c^(1/rho) at both ends of the grid. */
struct ends {
  double rho, low, high;
};

static struct ends ends_of(const struct few_loss *l, const struct few_grid_opts *o) {
  const double sigma_d = l->spec->sigma_data;
  assert(o->sigma_min > 0 && o->sigma_min < o->sigma_max);
  const double rho = o->rho > 0 ? o->rho : o->path == FEW_PATH_EDM ? 7 : 1;
  return (struct ends){rho, pow(coordinate(o->path, sigma_d, o->sigma_min), 1 / rho),
                       pow(coordinate(o->path, sigma_d, o->sigma_max), 1 / rho)};
}

static few_node power(few_graph *g, few_node x, double p) {
  return p == 1 ? x : few_exp(g, few_scale(g, few_log(g, x), p));
}

/* c_i of the grid, with last = N - 1. */
static few_node point(few_graph *g, struct ends e, few_node i, few_node last) {
  return power(g, few_affine(g, few_div(g, i, last), e.high - e.low, e.low), e.rho);
}

struct few_hop few__grid_hop(const struct few_loss *l, const struct few_grid_opts *o,
                             few_node points, few_node i) {
  few_graph *g = l->g;
  const struct ends e = ends_of(l, o);
  few_node last = few_affine(g, points, 1, -1);
  few_node from = point(g, e, few_affine(g, i, 1, 1), last), to = point(g, e, i, last);
  return (struct few_hop){few__path_time(l, o->path, from), few__path_time(l, o->path, to),
                          few_sub(g, from, to)};
}

/* floor(x), limited to 0 .. N-2: single precision may round u up to 1. */
static few_node interval(few_graph *g, few_node x, few_node points) {
  few_node most = few_affine(g, points, 1, -2);
  return few_max(g, few_min(g, few_floor(g, x), most), few_fill(g, 0, FEW_SCALAR));
}

few_node few__grid_uniform(const struct few_loss *l, few_node points) {
  few_graph *g = l->g;
  few_node u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  return interval(g, few_mul(g, u, few_affine(g, points, 1, -1)), points);
}

few_node few__grid_lognormal(const struct few_loss *l, const struct few_grid_opts *o,
                             few_node points, double p_mean, double p_std) {
  enum { TRIES = 3 };
  few_graph *g = l->g;
  const struct ends e = ends_of(l, o);
  const double low = log(o->sigma_min), high = log(o->sigma_max);
  few_node draws = few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows, TRIES));
  few_node ln_sigma = FEW_NONE;
  for (int k = TRIES - 1; k >= 0; k--) {
    few_node one = few_reshape(g, few_slice(g, draws, 1, k, 1), FEW_SHAPE(l->rows));
    one = few_affine(g, one, p_std, p_mean);
    few_node from_middle = few_abs(g, few_affine(g, one, 1, -(low + high) / 2));
    few_node inside = few_less(g, from_middle, few_fill(g, (high - low) / 2, FEW_SCALAR));
    ln_sigma = ln_sigma == FEW_NONE ? one : few_select(g, inside, one, ln_sigma);
  }
  few_node c = few__path_coordinate(l, o->path, few_exp(g, ln_sigma));
  few_node part = few_affine(g, power(g, c, 1 / e.rho), 1 / (e.high - e.low),
                             -e.low / (e.high - e.low)); /* share of the way from c_0 to c_N-1 */
  return interval(g, few_mul(g, part, few_affine(g, points, 1, -1)), points);
}

/* ---- the loss ---- */

/* f(x, 0) = x for any F. Some networks have no F at t = 0, so such rows are evaluated at t = 1. */
few_node few__discrete_f(struct few_loss *l, enum few_role who, const struct few_trig_state *at,
                         few_node guidance) {
  few_graph *g = l->g;
  few_node zero = few_fill(g, 0, FEW_SCALAR), one = few_fill(g, 1, few_node_shape(g, at->t));
  few_node t = few_select(g, few_less(g, zero, at->t), at->t, one);
  return few_trig_denoised(l, at, few_loss_F(l, who, at->x, t, l->label, guidance));
}

/* The distance of each row, [rows]. Adding 1e-24 avoids the infinite slope of sqrt at 0, and is too
 * small to matter otherwise. */
static few_node distance(struct few_loss *l, const struct few_distance_opts *o,
                         few_node difference) {
  few_graph *g = l->g;
  const double d = (double)few_shape_count(few_node_shape(g, difference)) / (double)l->rows;
  few_node sum = few_loss_row_sum(
      l, o->metric == FEW_METRIC_L1 ? few_abs(g, difference) : few_square(g, difference));
  sum = few_reshape(g, sum, FEW_SHAPE(l->rows));
  if (o->metric != FEW_METRIC_HUBER) return few_scale(g, sum, 1 / d);
  const double c = o->huber_c * sqrt(d);
  return few_affine(g, few_sqrt(g, few_affine(g, sum, 1, fmax(c * c, 1e-24))), 1, -c);
}

void few__discrete_add(struct few_loss *l, const struct few_distance_opts *o,
                       const struct few_trig_state *at, few_node guidance, few_node target,
                       few_node weight) {
  static const struct few_distance_opts square = {0, 0};
  few_graph *g = l->g;
  l->t = at->t;
  few_node f = few__discrete_f(l, FEW_STUDENT, at, guidance);
  few_node difference = few_sub(g, f, few_stop(g, target));
  few_loss_log(l, "mse", distance(l, &square, difference));
  few_node loss = distance(l, o, difference);
  if (weight != FEW_NONE) loss = few_mul(g, few_stop(g, weight), loss);
  few_loss_add(l, "consistency", few_mean_all(g, loss), 1);
}
