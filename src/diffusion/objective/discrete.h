/* discrete.h - the grid and the metric of consistency objectives that compare two times.
 *
 * They compare f at a time t with f at a time s < t on the same path. Papers use different
 * coordinates c of time,
 *
 *   path = edm       c = sigma = sigma_d tan t
 *   path = trigflow  c = t
 *   path = flow      c = u = sigma / (1 + sigma), the share of noise on the straight path
 *
 * but the same state x_t = cos(t) x0 + sin(t) z and the same f(x, t) = cos(t) x - sin(t) sigma_d F,
 * which is x at t = 0. So the path only changes the points of the grid and the weight 1 / (c(t) -
 * c(s)). EDM's f is the identity at epsilon, which is the grid's first point here; there our f
 * differs from x by sin(t_min), 0.004 at sigma_min = 0.002.
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
                "coordinate c of time: edm: sigma_d tan t; trigflow: t; flow: the share of noise")
#define FEW_GRID_OPTIONS(S) \
  FEW_PATH_OPTION(S), \
  FEW_DISCRETE_(S, grid, rho, FEW_OPTION_REAL, "0", 0, 100, NULL, \
                "the grid has even steps in c^(1/rho), with c as in key path; 0: 7 for path " \
                "edm, otherwise 1"), \
  FEW_DISCRETE_(S, grid, sigma_min, FEW_OPTION_REAL, "0.002", 1e-6, 1, NULL, \
                "sigma_d tan t of the grid's first point"), \
  FEW_DISCRETE_(S, grid, sigma_max, FEW_OPTION_REAL, "80", 1.001, 1e5, NULL, \
                "sigma_d tan t of the grid's last point")
#define FEW_METRIC_OPTIONS(S, kind, c) \
  FEW_DISCRETE_(S, metric, metric, FEW_OPTION_CHOICE, kind, 0, 0, "l2|l1|huber", \
                "distance of each sample: l2: mean square; l1: mean absolute value; huber: " \
                "sqrt(|.|^2 + c^2) - c"), \
  FEW_DISCRETE_(S, metric, huber_c, FEW_OPTION_REAL, c, 0, 1e3, NULL, \
                "metric huber: c / sqrt(D), D values per sample; 0: the plain norm")
/* clang-format on */

/* A row's two times. */
struct few_hop {
  few_node t, s;  /* [rows] radians, t > s */
  few_node width; /* [rows] c(t) - c(s) > 0 */
};

/* The coordinate c of sigma = sigma_d tan t, and the time t of c; [rows]. */
few_node few__path_coordinate(const struct few_loss *l, enum few_path path, few_node sigma);
few_node few__path_time(const struct few_loss *l, enum few_path path, few_node c);

/* Karras' grid (arXiv 2206.00364, eq. 5) counted from the clean end:
 *   c_i = (c_min^(1/rho) + i/(N-1) (c_max^(1/rho) - c_min^(1/rho)))^rho,   i = 0 .. N-1.
 * N is `points`, a scalar node, so it may change from step to step without another graph. A row's
 * hop is from point i+1 down to point i. */
struct few_hop few__grid_hop(const struct few_loss *l, const struct few_grid_opts *o,
                             few_node points, few_node i);
/* Random i [rows], uniform on 0 .. N-2. */
few_node few__grid_uniform(const struct few_loss *l, few_node points);
/* Random i [rows] with iCT's p(i) ~ Phi(ln sigma_i+1) - Phi(ln sigma_i), where Phi is the
 * distribution N(p_mean, p_std^2); the paper writes it with erf. ln sigma is sampled from it, and i
 * is the interval that contains the sample. This p is exact if samples outside the grid are
 * replaced. A static graph can replace only a fixed number of times, so there are three samples. If
 * all are outside (one row in 10^6 with iCT's numbers), i is the nearest end. */
few_node few__grid_lognormal(const struct few_loss *l, const struct few_grid_opts *o,
                             few_node points, double p_mean, double p_std);

/* Adds the loss d(f(x_t, t), target) of the student at the state `at`, times `weight` [rows]
 * (FEW_NONE: 1), and log mse. No gradient passes to the target. */
void few__discrete_add(struct few_loss *l, const struct few_distance_opts *o,
                       const struct few_trig_state *at, few_node guidance, few_node target,
                       few_node weight);
/* f of a network at a state. */
few_node few__discrete_f(struct few_loss *l, enum few_role who, const struct few_trig_state *at,
                         few_node guidance);

/* ---- How close two times may be ----
 * The loss depends on the difference of two values of f, each rounded to 24 bits. Relative errors
 * of the gradient of a small mlp in f32, compared with f64:
 *   ect, times 1/n apart   7e-5 at n = 256, 1e-3 at 8192, 9e-3 at 65,536
 *   ict, n points          2e-5 at n = 1281, 1e-3 at 100,000
 * They grow as a student becomes consistent. */
#define FEW_NEAR_SHARES 8192  /* most n, where the times are c/n apart */
#define FEW_NEAR_POINTS 32768 /* most points of a grid */
/* Warns if n, the value of the option `what`, is more than `most`. */
void few__discrete_warn(few_ctx *ctx, const char *name, const char *what, double n, double most);

#endif
