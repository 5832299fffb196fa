/* sid - score identity distillation (Zhou et al., arXiv 2404.04057). It minimises the Fisher
 * divergence between the student's noisy images and the teacher's, without data.
 *
 *   x = f(sigma_d z', t_1),   x_t = cos(t) x + sin(t) z,   D = cos(t) x_t - sin(t) sigma_d F
 *   L = 1/D sum (D_real - D_fake) [ (D_real - x) - alpha (D_real - D_fake) ] / w,
 *   w = mean|x - D_real| (stopped),   tan t = sigma/sigma_d,
 *   sigma = (a + u (b - a))^rho,  u ~ U[0, u_max],  a = sigma_min^(1/rho), b = sigma_max^(1/rho).
 *
 *   paper                      here
 *   x_g = G_theta(sigma_init z)  x, by few__generate
 *   f_phi, f_psi               real (D_real), fake (D_fake), the denoised images
 *   alpha                      alpha
 *   t, t_max                   u of sigma, u_max
 *   omega(t)                   1/w, by few__mean_distance
 *
 * If D_fake were exact, that is E[x | x_t], then E L = (1 - alpha) E |D_real - D_fake|^2 / w, which
 * for alpha = 0 is the divergence. alpha = 1 to 1.2 gives a better gradient while D_fake lags
 * behind the student. The gradient passes through x, and through x_t into both networks, whose
 * weights are fixed; without this path it would be another method. The paper starts from sigma_init
 * = 2.5 and sums over pixels, which only changes the scale. `sid + adversarial` is SiDA (arXiv
 * 2410.14919).
 */
#include <math.h>

#include "base/rng.h"
#include "generator.h"

struct sid_opts {
  struct few_generator_opts gen;
  double weight, alpha, u_max, sigma_min, sigma_max, rho;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct sid_opts, weight, "1", 0, 1e9, "weight of this loss in a sum"),
    FEW_OPT_REAL(struct sid_opts, alpha, "1.2", -10, 10,
                 "alpha, the factor of D_real - D_fake in the loss"),
    FEW_OPT_REAL(struct sid_opts, u_max, "0.8", 0.001, 1,
                 "largest noise level, from 0 (sigma_min) to 1 (sigma_max)"),
    FEW_OPT_REAL(struct sid_opts, sigma_min, "0.002", 1e-6, 1e4,
                 "smallest of Karras' noise levels"),
    FEW_OPT_REAL(struct sid_opts, sigma_max, "80", 1e-6, 1e6, "largest of Karras' noise levels"),
    FEW_OPT_REAL(struct sid_opts, rho, "7", 0.1, 100,
                 "spacing of the noise levels: even in sigma^(1/rho)"),
    FEW_GENERATOR_SCORE_OPTIONS(struct sid_opts),
    FEW_OPT_END};

static void use(struct few_use *out, const void *opts, const struct few_clock *at, double sigma_d) {
  FEW_UNUSED(at);
  few__generator_use(out, &((const struct sid_opts *)opts)->gen, sigma_d);
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct sid_opts *o = opts;
  if (o->sigma_min >= o->sigma_max)
    return few__fail(ctx, FEW_E_INVALID, "sid: sigma_min %g is not below sigma_max %g",
                     o->sigma_min, o->sigma_max);
  return few__generator_check(ctx, "sid", &o->gen, fit);
}

/* t of sigma = (a + u (b - a))^rho. */
static few_node karras_time(const struct few_loss *l, const struct sid_opts *o) {
  few_graph *g = l->g;
  const double a = pow(o->sigma_min, 1 / o->rho), b = pow(o->sigma_max, 1 / o->rho);
  few_node u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  few_node root = few_affine(g, u, o->u_max * (b - a), a);
  few_node sigma = few_exp(g, few_scale(g, few_log(g, root), o->rho));
  return few_atan(g, few_scale(g, sigma, 1 / l->spec->sigma_data));
}

static void build(struct few_loss *l, const void *opts) {
  const struct sid_opts *o = opts;
  few_graph *g = l->g;
  few_node s = few_loss_guidance_scale(l), x = few__generate(l, &o->gen);
  const double dims = (double)few_shape_count(few_node_shape(g, x)) / (double)l->rows;
  l->t = karras_time(l, o);
  const struct few_trig_state d = few_trig_state_at(l, x, l->t, FEW_RNG_NOISE);
  few_node real = few_trig_denoised(l, &d, few_loss_teacher(l, d.x, d.t, s));
  few_node fake = few_trig_denoised(l, &d, few_loss_F(l, FEW_FAKE, d.x, d.t, l->label, s));
  few_node gap = few_sub(g, real, fake);
  few_node other = few_sub(g, few_sub(g, real, x), few_scale(g, gap, o->alpha));
  few_node rows = few_scale(g, few_loss_row_sum(l, few_mul(g, gap, other)), 1 / dims);
  few_loss_log(l, "identity", rows);
  few_loss_log(l, "fisher", few_scale(g, few_loss_row_sum(l, few_square(g, gap)), 1 / dims));
  rows = few_mul(g, rows, few_recip(g, few__mean_distance(l, x, real)));
  few_loss_add(l, "sid", few_mean_all(g, rows), o->weight);
}

static void build_fake(struct few_loss *l, const void *opts) {
  few__fake_diffusion(l, &((const struct sid_opts *)opts)->gen);
}

const struct few_objective_def few__objective_sid = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "sid",
    .source = "arXiv 2404.04057",
    .help = "score identity distillation, without data",
    .options = options,
    .options_size = sizeof(struct sid_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .sampler = "consistency",
    .use = use,
    .check = check,
    .guides = true,
    .build = build,
    .build_fake = build_fake,
    .generates = true,
};
