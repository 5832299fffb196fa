/* discrete.h - the grid and the metric of consistency objectives between two times.
 *
 * All of them compare f at a time t with f at a time s < t on one path of the flow. The state is
 * the same x_t = cos(t) x0 + sin(t) z in every paper's coordinate c of time,
 *
 *   path = edm       c = sigma = sigma_d tan t
 *   path = trigflow  c = t
 *   path = flow      c = u = sigma / (1 + sigma), the share of noise on the straight path
 *
 * and so is f(x, t) = cos(t) x - sin(t) sigma_d F, which is x at t = 0. The path changes the points
 * of the grid, and the weight 1 / (c(t) - c(s)). EDM's epsilon, at which its f is the identity, is
 * the grid's first point here. There f differs from x by sin(t_min), 0.004 at sigma_min = 0.002.
 */
#ifndef FEW_SRC_DISCRETE_H
#define FEW_SRC_DISCRETE_H

#include "objective.h"

enum few_path { FEW_PATH_EDM, FEW_PATH_TRIGFLOW, FEW_PATH_FLOW };

struct few_grid_opts {
  enum few_path path;
  double rho, sigma_min, sigma_max;
};
struct few_distance_opts {
  enum { FEW_METRIC_L2, FEW_METRIC_L1, FEW_METRIC_HUBER } metric;
  double huber_c;
};

#define FEW_DISCRETE_(S, member, field, type, deflt, min, max, choices, help) \
  FEW_OPT_IN(S, member, field, type, deflt, min, max, choices, help)
/* clang-format off */
#define FEW_PATH_OPTION(S) \
  FEW_DISCRETE_(S, grid, path, FEW_OPTION_CHOICE, "edm", 0, 0, "edm|trigflow|flow", \
                "coordinate c of time: sigma_d tan t (edm), t, or the share of noise (flow)")
#define FEW_GRID_OPTIONS(S) \
  FEW_PATH_OPTION(S), \
  FEW_DISCRETE_(S, grid, rho, FEW_OPTION_REAL, "0", 0, 100, NULL, \
                "the grid has even steps in c^(1/rho), c the coordinate of path; " \
                "0: 7 for edm, else 1"), \
  FEW_DISCRETE_(S, grid, sigma_min, FEW_OPTION_REAL, "0.002", 1e-6, 1, NULL, \
                "sigma_d tan t of the grid's first point"), \
  FEW_DISCRETE_(S, grid, sigma_max, FEW_OPTION_REAL, "80", 1.001, 1e5, NULL, \
                "sigma_d tan t of the grid's last point")
#define FEW_METRIC_OPTIONS(S, kind, c) \
  FEW_DISCRETE_(S, metric, metric, FEW_OPTION_CHOICE, kind, 0, 0, "l2|l1|huber", \
                "distance: mean square, mean size, or sqrt(|.|^2 + c^2) - c of a sample"), \
  FEW_DISCRETE_(S, metric, huber_c, FEW_OPTION_REAL, c, 0, 1e3, NULL, \
                "metric huber: c / sqrt(D), D values per sample; 0: the plain norm")
/* clang-format on */

/* A row's two times. */
struct few_hop {
  few_node t, s;  /* [rows] radians, t > s */
  few_node width; /* [rows] c(t) - c(s) > 0 */
};

/* c of sigma = sigma_d tan t, t of c; [rows]. */
few_node few__path_coordinate(const struct few_loss *l, enum few_path path, few_node sigma);
few_node few__path_time(const struct few_loss *l, enum few_path path, few_node c);

/* Karras' grid (arXiv 2206.00364, eq. 5) counted from the clean end:
 *   c_i = (c_min^(1/rho) + i/(N-1) (c_max^(1/rho) - c_min^(1/rho)))^rho,   i = 0 .. N-1.
 * N is `points` [], a scalar that may change with the step: the graph does not. The hop of row i is
 * from point i+1 down to point i. */
struct few_hop few__grid_hop(const struct few_loss *l, const struct few_grid_opts *o,
                             few_node points, few_node i);
/* i [rows], uniform on 0 .. N-2. */
few_node few__grid_uniform(const struct few_loss *l, few_node points);
/* i [rows] with iCT's p(i) ~ Phi(ln sigma_i+1) - Phi(ln sigma_i) of the normal distribution, which
 * the paper writes with erf. ln sigma ~ N(p_mean, p_std^2) is sampled, and i is the interval that
 * it falls in; that is exactly this p if values outside of the grid are sampled again. A static
 * graph has a fixed number of samples, three. If all three are outside (one row in 10^6 with iCT's
 * numbers), i is the nearest end. */
few_node few__grid_lognormal(const struct few_loss *l, const struct few_grid_opts *o,
                             few_node points, double p_mean, double p_std);

/* Add the loss d(f(x_t, t), target) of the student at the state `at`, times `weight` [rows]
 * (FEW_NONE: 1), and log mse. The target has no gradient. */
void few__discrete_add(struct few_loss *l, const struct few_distance_opts *o,
                       const struct few_trig_state *at, few_node guidance, few_node target,
                       few_node weight);
/* f of a network at the state. */
few_node few__discrete_f(struct few_loss *l, enum few_role who, const struct few_trig_state *at,
                         few_node guidance);

/* ---- How close two times may be ----
 * The loss depends on the difference of two values of f, each rounded to 24 bits. Relative errors
 * of a small mlp's gradient, f32 against f64 (ect, times 1/n apart; ict, n points): 7e-5 at n
 * = 256 and 2e-5 at 1281, 1e-3 at 8192 and at 100,000, 9e-3 at 65,536 of ect; they grow while
 * a student becomes consistent. */
#define FEW_NEAR_SHARES 8192  /* 1/n of c apart */
#define FEW_NEAR_POINTS 32768 /* n points of a grid */
/* Warn if n, the value of the option `what`, is more than `most`. */
void few__discrete_warn(few_ctx *ctx, const char *name, const char *what, double n, double most);

#endif
