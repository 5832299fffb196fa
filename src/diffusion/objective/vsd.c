/* vsd - variational score distillation, or distribution matching: a generator whose images, with
 * noise at any t, are distributed as the teacher's.
 *
 *   x = f(sigma_d z', t_1),   x_t = cos(t) x + sin(t) z,   ln(sigma_d tan t) ~ N(p_mean, p_std^2)
 *   grad KL(p_t of the student | p_t of the teacher) = E cos(t) (s_fake - s_real) dx/dtheta,
 *   s = -(cos(t) sigma_d F + sin(t) x_t) / (sigma_d^2 sin(t)).
 *
 * s_real is the teacher's score, with guidance. s_fake is that of a network trained together with
 * the student on its images (VSD, arXiv 2305.16213; Diff-Instruct, 2305.18455). The scores differ
 * by cos(t)/(sigma_d sin t) (F_real - F_fake). There are two ways to weight times:
 *
 *   adaptive (sCM, arXiv 2410.11081, appendix C, with the F of networks in place of sigma_d F)
 *     L = e^{w(t)}/D |x - x^- + F_real^- - F_fake^-|^2 - w(t)
 *   dmd (DMD, arXiv 2311.18828; DMD2, 2405.14867)
 *     L = 1/(2D) |x - x^- + G|^2,   G = (D_fake - D_real) / mean|x - D_real|   (all but x stopped)
 *
 *   sCM, appendix C         DMD                here
 *   g_theta(z')             G_theta(z)         x, by few__generate
 *   F_pretrain, F_phi       mu_base, mu_fake   real, fake
 *   g_theta^-               stop-gradient      still
 *   w_psi(t)                -                  few_loss_weighted
 *   lambda_VSD              -                  weight
 *
 * Only x is differentiated, not the networks. This KL is mode-seeking: modes that the student has
 * lost give no gradient, and diversity falls as guidance rises. `scd + vsd` (sCD+VSD) keeps
 * diversity. `vsd + adversarial` is DMD2.
 */
#include "base/rng.h"
#include "generator.h"

struct vsd_opts {
  struct few_generator_opts gen;
  double weight, p_mean, p_std;
  enum { ADAPTIVE, DMD } weighting;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct vsd_opts, weight, "1", 0, 1e9, "weight of this loss in a sum"),
    FEW_OPT_CHOICE(
        struct vsd_opts, weighting, "adaptive", "adaptive|dmd",
        "weight of times: adaptive: learned; dmd: one over the distance to the teacher's image"),
    FEW_OPT_REAL(struct vsd_opts, p_mean, "0.4", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct vsd_opts, p_std, "2", 0.01, 20, "standard deviation of ln(sigma_d tan t)"),
    FEW_GENERATOR_SCORE_OPTIONS(struct vsd_opts),
    FEW_OPT_END};

static void use(struct few_use *out, const void *opts, const struct few_clock *at, double sigma_d) {
  FEW_UNUSED(at);
  few__generator_use(out, &((const struct vsd_opts *)opts)->gen, sigma_d);
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  return few__generator_check(ctx, "vsd", &((const struct vsd_opts *)opts)->gen, fit);
}

static void build(struct few_loss *l, const void *opts) {
  const struct vsd_opts *o = opts;
  few_graph *g = l->g;
  few_node s = few_loss_guidance_scale(l), x = few__generate(l, &o->gen), still = few_stop(g, x);
  l->t = few_timestep_lognormal(l, o->p_mean, o->p_std);
  const struct few_trig_state d = few_trig_state_at(l, still, l->t, FEW_RNG_NOISE);
  few_node real = few_loss_teacher(l, d.x, d.t, s);
  few_node fake = few_loss_F(l, FEW_FAKE, d.x, d.t, l->label, s);
  few_node pull = few_sub(g, real, fake);
  if (o->weighting == DMD) { /* D_fake - D_real = sin(t) sigma_d (F_real - F_fake) */
    few_node D = few_trig_denoised(l, &d, real);
    pull = few_mul(g, few_mul(g, d.sin, few_scale(g, pull, l->spec->sigma_data)),
                   few_recip(g, few__mean_distance(l, still, D)));
  }
  few_node residual = few_add(g, few_sub(g, x, still), few_stop(g, pull));
  few_node value = few_loss_weighted(l, residual, d.t, o->weighting == ADAPTIVE, "score_gap");
  few_loss_add(l, "vsd", o->weighting == DMD ? few_scale(g, value, 0.5) : value, o->weight);
}

static void build_fake(struct few_loss *l, const void *opts) {
  few__fake_diffusion(l, &((const struct vsd_opts *)opts)->gen);
}

const struct few_objective_def few__objective_vsd = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "vsd",
    .source = "arXiv 2305.16213, 2311.18828",
    .help = "variational score distillation (distribution matching, DMD)",
    .options = options,
    .options_size = sizeof(struct vsd_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .sampler = "consistency",
    .use = use,
    .check = check,
    .guides = true,
    .build = build,
    .build_fake = build_fake,
};
