/* ect - easy consistency tuning (Geng, Pokle, Luo, Lin and Kolter, arXiv 2406.14548). A diffusion
 * model becomes a consistency model while the second time r moves from 0, where the loss is that of
 * diffusion, towards the first time c. There is no grid:
 *
 *   ln sigma ~ N(P_mean, P_std^2),   c = c(sigma)
 *   r = c (1 - n(sigma) / q^(j+1)), at least 0,   n(sigma) = 1 + k sigmoid(-b sigma)
 *   L = E w(c) d(f(x_c), stop f(x_r)),   the same image and noise; d = |.|, the norm of a sample
 *   w = 1 / (c - r) (of CIFAR-10), or 1/sigma^2 + 1/sigma_d^2 (of ImageNet-64)
 *
 *   paper                   here
 *   t (EDM's sigma), r      hop.t and hop.s in radians; t - r is hop.width
 *   q, k, b, n(t)           q, k, b; n in second_time()
 *   stage j = floor(i/d)    floor(step doublings / steps); q^(j+1) is scalar[0]
 *   w(t)                    weight = gap or edm
 *   P_mean, P_std           p_mean, p_std
 *
 * The run is divided into `doublings` stages, each of which divides the gap c - r by q. At r = 0, f
 * is the clean image itself. In the paper c is EDM's sigma. On another path, r is the same share of
 * that path's coordinate, and n is still a function of sigma.
 */
#include <math.h>

#include "base/rng.h"
#include "discrete.h"

struct ect_opts {
  struct few_grid_opts grid; /* only its path */
  struct few_distance_opts metric;
  double p_mean, p_std, q, k, b;
  int64_t doublings;
  enum { GAP, EDM } weight;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct ect_opts, p_mean, "-1.1", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct ect_opts, p_std, "2", 0.01, 20, "standard deviation of ln(sigma_d tan t)"),
    FEW_OPT_REAL(
        struct ect_opts, q, "2", 1.001, 1e6,
        "factor by which each stage divides the gap between the two times; 4 for ImageNet-64, with "
        "doublings = 4"),
    FEW_OPT_INT(struct ect_opts, doublings, "8", 1, 100,
                "stages, equally long; q^doublings = 256 at the end"),
    FEW_OPT_REAL(struct ect_opts, k, "8", 0, 1e3,
                 "k of n(sigma) = 1 + k sigmoid(-b sigma), which widens steps at small sigma"),
    FEW_OPT_REAL(struct ect_opts, b, "1", 0, 1e3, "b of n(sigma) = 1 + k sigmoid(-b sigma)"),
    FEW_OPT_CHOICE(
        struct ect_opts, weight, "gap", "gap|edm",
        "weight of a row: gap: 1/(c - r), one over the gap; edm: 1/sigma^2 + 1/sigma_d^2"),
    FEW_METRIC_OPTIONS(struct ect_opts, "huber", "0"),
    FEW_PATH_OPTION(struct ect_opts),
    FEW_OPT_END};

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct ect_opts *o = opts;
  FEW_UNUSED(fit);
  few__discrete_warn(ctx, "ect", "q^doublings", pow(o->q, (double)o->doublings), FEW_NEAR_SHARES);
  return FEW_OK;
}

/* q^(j+1). */
static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  const struct ect_opts *o = opts;
  scalar[0] = pow(o->q, floor((double)at->step * (double)o->doublings / (double)at->steps) + 1);
}

/* c - r is computed as c min(1, n/q^(j+1)), because the difference of c and r would lose digits. */
static struct few_hop second_time(struct few_loss *l, const struct ect_opts *o, few_node sigma) {
  few_graph *g = l->g;
  few_node n = few_affine(g, few_sigmoid(g, few_scale(g, sigma, -o->b)), o->k, 1);
  few_node part = few_min(g, few_div(g, n, l->scalar[0]), few_fill(g, 1, FEW_SCALAR));
  few_node c = few__path_coordinate(l, o->grid.path, sigma), width = few_mul(g, c, part);
  return (struct few_hop){few__path_time(l, o->grid.path, c),
                          few__path_time(l, o->grid.path, few_sub(g, c, width)), width};
}

static void build(struct few_loss *l, const void *opts) {
  const struct ect_opts *o = opts;
  const double sigma_d = l->spec->sigma_data;
  few_graph *g = l->g;
  few_node normal = few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  few_node sigma = few_exp(g, few_affine(g, normal, o->p_std, o->p_mean));
  const struct few_hop hop = second_time(l, o, sigma);
  const struct few_trig_state from = few_trig_state_at(l, l->x0, hop.t, FEW_RNG_NOISE),
                              to = few_trig_state_at(l, l->x0, hop.s, FEW_RNG_NOISE);
  few_node target = few__discrete_f(l, FEW_STUDENT, &to, FEW_NONE);
  few_node weight = o->weight == GAP ? few_recip(g, hop.width)
                                     : few_affine(g, few_recip(g, few_square(g, sigma)), 1,
                                                  1 / (sigma_d * sigma_d));
  few__discrete_add(l, &o->metric, &from, FEW_NONE, target, weight);
}

const struct few_objective_def few__objective_ect = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "ect",
    .source = "arXiv 2406.14548",
    .help = "easy consistency tuning of a diffusion model",
    .options = options,
    .options_size = sizeof(struct ect_opts),
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .sampler = "consistency",
    .check = check,
    .n_scalars = 1,
    .schedule = schedule,
    .build = build,
};
