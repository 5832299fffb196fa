/* direct - regression on the teacher's images (Luhman and Luhman, arXiv 2101.02388). The student
 * maps noise to an image in one step. The target is the image that the teacher's deterministic
 * sampler makes from the same noise:
 *
 *   L = E d( f(x, t_max), x_teacher ),   x = sigma_d eps,   (eps, x_teacher) a pair,
 *   f(x, t) = cos(t) x - sin(t) sigma_d F(x, t),   t_max = arctan(80/sigma_d).
 *
 *   paper                           here
 *   student(x_T), one step          f
 *   x_T, DDIM's image of it         l->pair (eps), l->x0 (x_teacher)
 *   squared distance                distance = l2
 *
 * Sampling begins at t_max. d is |r|^2 per value (l2), |r| per value (l1), or pseudo-Huber on the
 * whole image of D values (Song and Dhariwal, arXiv 2310.14189):
 * (sqrt(|r|^2 + c^2 D) - c sqrt(D))/sqrt(D), which is quadratic near zero and linear far from it.
 * The student learns only from the pairs, so its quality depends on their number.
 */
#include <math.h>

#include "diffusion/process/process.h"
#include "objective.h"

struct direct_opts {
  enum { L2, L1, HUBER } distance;
  double huber_c;
};

static const struct few_option options[] = {
    FEW_OPT_CHOICE(struct direct_opts, distance, "l2", "l2|l1|huber",
                   "distance of the student's image from the teacher's: l2: mean square; l1: mean "
                   "absolute value; huber: between the two"),
    FEW_OPT_REAL(struct direct_opts, huber_c, "0.03", 1e-6, 100,
                 "distance huber: root mean square at which it turns from square to linear"),
    FEW_OPT_END};

/* [rows] */
static few_node distance(struct few_loss *l, const struct direct_opts *o, few_node r) {
  few_graph *g = l->g;
  const double D = (double)few_shape_count(few_node_shape(g, r)) / (double)l->rows;
  few_node each = o->distance == L1 ? few_abs(g, r) : few_square(g, r);
  few_node mean = few_scale(g, few_loss_row_sum(l, each), 1 / D);
  mean = few_reshape(g, mean, FEW_SHAPE(l->rows));
  if (o->distance != HUBER) return mean;
  const double c = o->huber_c;
  return few_affine(g, few_sqrt(g, few_affine(g, mean, 1, c * c)), 1, -c);
}

static void build(struct few_loss *l, const void *opts) {
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data, t = few__t_max(sigma);
  few_node x = few_scale(g, l->pair, sigma), times = few_fill(g, t, FEW_SHAPE(l->rows));
  few_node F = few_loss_F(l, FEW_STUDENT, x, times, l->label, few_loss_guidance_scale(l));
  few_node f = few_sub(g, few_scale(g, x, cos(t)), few_scale(g, F, sin(t) * sigma));
  few_node d = distance(l, opts, few_sub(g, f, l->x0));
  l->t = times;
  few_loss_log(l, "distance", d);
  few_loss_add(l, "direct", few_mean_all(g, d), 1);
}

static void use(struct few_use *out, const void *opts, const struct few_clock *at, double sigma_d) {
  FEW_UNUSED(opts);
  FEW_UNUSED(at);
  out->one_way = true;
  out->n_times = 1;
  out->times[0] = few__t_max(sigma_d);
}

const struct few_objective_def few__objective_direct = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "direct",
    .source = "Luhman and Luhman, arXiv 2101.02388",
    .help = "regression: one step from noise to the image that the teacher made from that noise",
    .options = options,
    .options_size = sizeof(struct direct_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .pairs = true,
    .sampler = "consistency",
    .use = use,
    .build = build,
};
