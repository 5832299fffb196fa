/* reflow - rectified flow on the teacher's pairs (Liu, Gong and Liu, arXiv 2209.03003): flow
 * matching in which noise and image are not independent but a pair, the image being what the
 * teacher makes from the noise. Paths that would cross are rewired, so the new model's paths are
 * straighter; a straight path needs only one Euler step. The result can be the teacher of the next
 * run (k-reflow).
 *
 *   y_u = (1-u) x0 + u eps,   L = E |v(y_u, u) - (eps - x0)|^2,   u ~ U(0, 1),  (eps, x0) a pair.
 *
 *   paper (time from noise, 0)    here
 *   X_0, X_1, a coupling          l->pair (eps), l->x0, one pair
 *   t                             1 - u
 *   v(X_t, t)                     -(v), as n F + m x_t (flow.h)
 *
 * On TrigFlow's circle the same state is x_t = cos(t) x0 + sin(t) sigma_d eps at
 * tan(t) = u/((1-u) sigma_d), longer than y_u by the factor n = cos(t) + sigma_d sin(t). The
 * target for F is cos(t) eps - sin(t) x0/sigma_d, and v - (eps - x0) = n (F - target). So with the
 * weight n^2 the loss is that of flow matching.
 *
 * few check --straightness measures how straight the result is. `flow` in the log is the loss per
 * value; if the student maps noise to images exactly as the pairs do, the two numbers are the same.
 */
#include <math.h>

#include "base/rng.h"
#include "objective.h"

static const struct few_option options[] = {FEW_OPT_END};

struct line {
  few_node t;         /* [rows] */
  few_node x, target; /* input and target of the network */
  few_node n;         /* [rows, 1, ..]: cos(t) + sigma_d sin(t) */
};

static struct line sample_line(struct few_loss *l) {
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  struct line s;
  /* keep u below 1, to which single precision may round it */
  few_node u = few_scale(g, few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows)), 1 - 1e-6);
  s.t = few_atan(g, few_div(g, u, few_scale(g, few_affine(g, u, -1, 1), sigma)));
  few_node c = few_loss_rows(l, few_cos(g, s.t)), d = few_loss_rows(l, few_sin(g, s.t));
  s.x = few_add(g, few_mul(g, c, l->x0), few_mul(g, d, few_scale(g, l->pair, sigma)));
  s.target = few_sub(g, few_mul(g, c, l->pair), few_mul(g, d, few_scale(g, l->x0, 1 / sigma)));
  s.n = few_add(g, c, few_scale(g, d, sigma));
  l->t = s.t;
  return s;
}

static void build(struct few_loss *l, const void *opts) {
  FEW_UNUSED(opts);
  few_graph *g = l->g;
  struct line s = sample_line(l);
  few_node F = few_loss_F(l, FEW_STUDENT, s.x, s.t, l->label, few_loss_guidance_scale(l));
  few_node residual = few_mul(g, s.n, few_sub(g, F, s.target));
  few_loss_add(l, "reflow", few_loss_weighted(l, residual, s.t, false, "flow"), 1);
}

const struct few_objective_def few__objective_reflow = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "reflow",
    .source = "Liu et al., arXiv 2209.03003",
    .help = "flow matching on the teacher's own pairs of noise and image: straighter paths",
    .options = options,
    .options_size = 1, /* none */
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .pairs = true,
    .sampler = "ddim",
    .build = build,
};
