/* adversarial - the student against a discriminator of noisy images (Diffusion-GAN, arXiv
 * 2206.02262), built on the features of a diffusion network (DMD2, arXiv 2405.14867).
 *
 *   d(x_t, t) = head(middle activations of the fake network at x_t, t, label)
 *   fake network's phase:   softplus(-d(x0 with noise)) + softplus(d(x with noise))
 *   student's phase:        softplus(-d(x with noise))              (non-saturating)
 *   with hinge:             max(0, 1 - d(x0)) + max(0, 1 + d(x));   -d(x)
 *
 *   papers                  here
 *   D_phi, the classifier   logit(): FEW_FAKE up to its middle, then few__discriminator
 *   G_theta(z)              x, by few__generate
 *   t of the noise          ln(sigma_d tan t) ~ N(p_mean, p_std^2)
 *   weights of the losses   weight, fake_weight
 *
 * x = f(sigma_d z', t_1) is the student's image and x0 an image of the data; both get noise of the
 * same t. The fake network begins as the teacher, so its features are good from the start. Its own
 * phase trains its lower half and the head. In `vsd + adversarial` (DMD2) and `sid + adversarial`
 * (SiDA, arXiv 2410.14919) its diffusion loss is added. The head begins at d = 0. In the student's
 * phase both are fixed, and the gradient passes through them to x.
 */
#include "base/rng.h"
#include "generator.h"

struct adversarial_opts {
  struct few_generator_opts gen;
  double weight, fake_weight, p_mean, p_std;
  enum { LOGISTIC, HINGE } adversary;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct adversarial_opts, weight, "1", 0, 1e9, "weight of this loss in a sum"),
    FEW_OPT_REAL(struct adversarial_opts, fake_weight, "1", 0, 1e9,
                 "weight of the discriminator's loss when it is added to the fake network's"),
    FEW_OPT_CHOICE(struct adversarial_opts, adversary, "logistic", "logistic|hinge",
                   "loss of the discriminator: logistic: non-saturating; hinge: with margins"),
    FEW_OPT_REAL(struct adversarial_opts, p_mean, "-0.8", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct adversarial_opts, p_std, "1.6", 0.01, 20,
                 "standard deviation of ln(sigma_d tan t)"),
    FEW_GENERATOR_OPTIONS(struct adversarial_opts),
    FEW_OPT_END};

static void use(struct few_use *out, const void *opts, const struct few_clock *at, double sigma_d) {
  FEW_UNUSED(at);
  few__generator_use(out, &((const struct adversarial_opts *)opts)->gen, sigma_d);
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  return few__generator_check(ctx, "adversarial", &((const struct adversarial_opts *)opts)->gen,
                              fit);
}

static few_node above_zero(few_graph *g, few_node x) {
  return few_max(g, x, few_fill(g, 0, FEW_SCALAR));
}

/* ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which cannot overflow. At x = 0, where the head begins,
 * max and abs have their slopes from the right, so the slope is 1 - 1/2, which is exact. */
static few_node softplus(few_graph *g, few_node x) {
  few_node small = few_exp(g, few_neg(g, few_abs(g, x)));
  return few_add(g, above_zero(g, x), few_log(g, few_affine(g, small, 1, 1)));
}

static few_node logit(struct few_loss *l, const struct few_trig_state *d) {
  few_loss_F(l, FEW_FAKE, d->x, d->t, l->label, few_loss_guidance_scale(l));
  return few__discriminator(l);
}

static void build(struct few_loss *l, const void *opts) {
  const struct adversarial_opts *o = opts;
  few_graph *g = l->g;
  l->t = few_timestep_lognormal(l, o->p_mean, o->p_std);
  const struct few_trig_state d =
      few_trig_state_at(l, few__generate(l, &o->gen), l->t, FEW_RNG_NOISE);
  few_node fake = few_neg(g, logit(l, &d));
  few_node rows = o->adversary == HINGE ? fake : softplus(g, fake);
  few_loss_log(l, "fooled", rows);
  few_loss_add(l, "adversarial", few_mean_all(g, rows), o->weight);
}

static void build_fake(struct few_loss *l, const void *opts) {
  const struct adversarial_opts *o = opts;
  few_graph *g = l->g;
  l->t = few_timestep_lognormal(l, o->p_mean, o->p_std);
  few_node x = few_stop(g, few__generate(l, &o->gen));
  const struct few_trig_state made = few_trig_state_at(l, x, l->t, FEW_RNG_NOISE);
  const struct few_trig_state real = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE_REAL);
  few_node d_made = logit(l, &made), d_real = logit(l, &real);
  few_loss_log(l, "logit_real", d_real);
  few_loss_log(l, "logit_made", d_made);
  few_node rows = o->adversary == HINGE
                      ? few_add(g, above_zero(g, few_affine(g, d_real, -1, 1)),
                                above_zero(g, few_affine(g, d_made, 1, 1)))
                      : few_add(g, softplus(g, few_neg(g, d_real)), softplus(g, d_made));
  few_loss_add(l, "discriminator", few_mean_all(g, rows), o->fake_weight);
}

/* Only the logistic loss has the log of the density ratio as its best logit. */
static bool estimates_ratio(const void *opts) {
  return ((const struct adversarial_opts *)opts)->adversary == LOGISTIC;
}

const struct few_objective_def few__objective_adversarial = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "adversarial",
    .source = "arXiv 2206.02262, 2405.14867",
    .help = "generator trained against a discriminator on a diffusion network's features",
    .options = options,
    .options_size = sizeof(struct adversarial_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .sampler = "consistency",
    .use = use,
    .check = check,
    .build = build,
    .build_fake = build_fake,
    .generates = true,
    .estimates_ratio = estimates_ratio,
};
