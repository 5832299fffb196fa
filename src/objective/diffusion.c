/* diffusion - a TrigFlow teacher (Lu and Song, arXiv 2410.11081, section 3):
 *
 *   x_t = cos(t) x0 + sin(t) z,   L = E e^{w(t)}/D |F(x_t/sigma_d, t) - v_t/sigma_d|^2 - w(t),
 *   v_t = dx_t/dt = cos(t) z - sin(t) x0,   ln(sigma_d tan t) ~ N(p_mean, p_std^2).
 *
 * The paper writes the residual as sigma_d F - v_t: the factor sigma_d only shifts w. With labels
 * dropped at `label_dropout` one network serves classifier-free guidance.
 */
#include "objective.h"

struct diffusion_opts {
  double p_mean, p_std;
  bool adaptive;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct diffusion_opts, p_mean, "-0.8", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct diffusion_opts, p_std, "1.6", 0.01, 20, "its standard deviation"),
    FEW_OPT_BOOL(struct diffusion_opts, adaptive, "yes", "learn the weight of each time"),
    FEW_OPT_END};

static void build(struct few_loss *l, const void *opts) {
  const struct diffusion_opts *o = opts;
  few_graph *g = l->g;
  double sigma = l->spec->sigma_data;
  struct few_trig_draw d = few__trig_draw(l, o->p_mean, o->p_std);
  few_node F = few__loss_F(l, FEW_STUDENT, d.x, d.t, l->label, FEW_NONE);
  few_node residual = few_sub(g, F, few_scale(g, d.v, 1 / sigma));
  few__loss_add(l, "diffusion", few__loss_weighted(l, residual, d.t, o->adaptive, "mse"), 1);
}

const struct few_objective_def few__objective_diffusion = {
    .name = "diffusion",
    .source = "arXiv 2410.11081",
    .help = "TrigFlow diffusion: a teacher, sampled in many steps",
    .options = options,
    .options_size = sizeof(struct diffusion_opts),
    .starts_as_teacher = true,
    .sampler = "heun",
    .build = build,
};
