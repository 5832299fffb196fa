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
 * With `f` the divergence is another one (f-distill, arXiv 2502.15681): the gradient of
 *
 *   D_f = E_student f(r),   r = p_t of the teacher / p_t of the student,
 *
 * is that of the KL with each row's gap multiplied by h(r) = f''(r) r^2. The ratio is e^d, with the
 * logit d of a discriminator, so `adversarial` must be part of the sum. h is divided by its mean
 * over the rows of the shard, so that f does not change the size of a step.
 *
 *   f             f(r)                          h(r)
 *   reverse-kl    -ln r                         1: the loss above, mode-seeking
 *   softened-kl   (r + 1) ln((r + 1)/2r)        1/(r + 1)
 *   js            r ln r - (r + 1) ln((r+1)/2)  r/(r + 1)
 *   hellinger     1 - sqrt(r)                   sqrt(r)/4
 *   jeffreys      (r - 1) ln r                  r + 1
 *   forward-kl    r ln r                        r: mode-covering, of large variance
 *
 * Only x is differentiated, not the networks. This KL is mode-seeking: modes that the student has
 * lost give no gradient, and diversity falls as guidance rises. `scd + vsd` (sCD+VSD) keeps
 * diversity. `vsd + adversarial` is DMD2.
 */
#include "base/rng.h"
#include "generator.h"

#define MAX_LOGIT 8.0

struct vsd_opts {
  struct few_generator_opts gen;
  double weight, p_mean, p_std;
  enum { ADAPTIVE, DMD } weighting;
  enum few_divergence f;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct vsd_opts, weight, "1", 0, 1e9, "weight of this loss in a sum"),
    FEW_OPT_CHOICE(
        struct vsd_opts, weighting, "adaptive", "adaptive|dmd",
        "weight of times: adaptive: learned; dmd: one over the distance to the teacher's image"),
    FEW_OPT_CHOICE(struct vsd_opts, f, "reverse-kl",
                   "reverse-kl|softened-kl|js|hellinger|jeffreys|forward-kl",
                   "divergence of student and teacher; all but reverse-kl need adversarial in the "
                   "sum"),
    FEW_OPT_REAL(struct vsd_opts, p_mean, "0.4", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct vsd_opts, p_std, "2", 0.01, 20, "standard deviation of ln(sigma_d tan t)"),
    FEW_GENERATOR_SCORE_OPTIONS(struct vsd_opts),
    FEW_OPT_END};

static void use(struct few_use *out, const void *opts, const struct few_clock *at, double sigma_d) {
  FEW_UNUSED(at);
  few__generator_use(out, &((const struct vsd_opts *)opts)->gen, sigma_d);
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct vsd_opts *o = opts;
  if (o->f != FEW_REVERSE_KL && !fit->estimates_ratio)
    return few__fail(
        ctx, FEW_E_INVALID,
        "vsd: this f weights rows by a density ratio, which a discriminator estimates: "
        "train with objective = vsd + adversarial, and adversary = logistic");
  return few__generator_check(ctx, "vsd", &o->gen, fit);
}

few_node few__divergence_weight(few_graph *g, enum few_divergence f, few_node d) {
  few_node r = few_exp(g, d), r1 = few_affine(g, r, 1, 1);
  switch (f) {
    case FEW_REVERSE_KL:
      return few_fill(g, 1, few_node_shape(g, d));
    case FEW_SOFTENED_KL:
      return few_recip(g, r1);
    case FEW_JS:
      return few_div(g, r, r1);
    case FEW_HELLINGER:
      return few_scale(g, few_exp(g, few_scale(g, d, 0.5)), 0.25);
    case FEW_JEFFREYS:
      return r1;
    case FEW_FORWARD_KL:
      return r;
  }
  return FEW_NONE;
}

/* h(r) of each row over its mean, [rows, 1, ..], from the fake network that was evaluated last. The
 * limit of the logit keeps e^d finite while the discriminator is still wrong. */
static few_node row_weight(struct few_loss *l, enum few_divergence f) {
  few_graph *g = l->g;
  few_node d = few_stop(g, few__discriminator(l));
  d = few_max(g, few_min(g, d, few_fill(g, MAX_LOGIT, FEW_SCALAR)),
              few_fill(g, -MAX_LOGIT, FEW_SCALAR));
  few_node h = few__divergence_weight(g, f, d);
  few_loss_log(l, "ratio_weight", h);
  return few_loss_rows(l, few_div(g, h, few_mean_all(g, h)));
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
  if (o->f != FEW_REVERSE_KL) pull = few_mul(g, row_weight(l, o->f), pull);
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
    .source = "arXiv 2305.16213, 2311.18828, 2502.15681",
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
    .generates = true,
};
