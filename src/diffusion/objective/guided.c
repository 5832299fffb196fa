/* guided - stage one of the distillation of guided diffusion (Meng et al., arXiv 2210.03142,
 * section 3.1). One evaluation of a network with the guidance scale as an input replaces the two
 * evaluations of classifier-free guidance (Ho and Salimans, arXiv 2207.12598):
 *
 *   x^w(z_t) = (1 + w) x^(z_t, c) - w x^(z_t),    w ~ U[w_min, w_max],   u ~ U[0, 1],
 *   L = E weight(lambda_u) |x^w - x^_student(z_t, c, w)|^2.
 *
 *   paper                 here
 *   w                     s - 1; s = 1 is no guidance
 *   w_min, w_max (0, 4)   guidance_min - 1, guidance_max - 1
 *   t in [0, 1]           u; l->t is TrigFlow's time of it (process/vp.h)
 *   x^_eta1               the student: F, with s as an input beside time
 *   omega(lambda_t)       weight (snr.h)
 *
 * x^ is linear in F at a given state, so the target is F_none + s (F_c - F_none). If guidance_min =
 * guidance_max, there is one scale and it is not an input.
 *
 * The result is again a teacher, sampled in many steps by any solver, at half the cost of guidance.
 * Stage two is `progressive` with this teacher; the students inherit its guidance input.
 */
#include "base/rng.h"
#include "snr.h"

struct guided_opts {
  struct few_guidance_opts guidance;
  struct few_snr_opts snr;
};

static const struct few_option options[] = {FEW_GUIDANCE_OPTIONS("5"),
                                            FEW_SNR_OPTIONS(struct guided_opts), FEW_OPT_END};

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct guided_opts *o = opts;
  FEW_TRY(few__snr_check(ctx, "guided", &o->snr));
  if (!fit->teacher->classes || fit->teacher->guidance)
    return few__fail(ctx, FEW_E_INVALID,
                     "guided: the teacher %s: give one that was trained with labels, some of them "
                     "dropped",
                     fit->teacher->classes ? "has a guidance input already" : "has no labels");
  return FEW_OK;
}

static void build(struct few_loss *l, const void *opts) {
  const struct guided_opts *o = opts;
  few_node u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  l->t = few__snr_time(l, &o->snr, u);
  const struct few_trig_state d = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
  few_node s = few_loss_guidance_scale(l);
  few_node target = few_loss_teacher(l, d.x, d.t, s);
  few_node F = few_loss_F(l, FEW_STUDENT, d.x, d.t, l->label, s);
  few__snr_add(l, &o->snr, d.t, F, target, "guided", 1);
}

const struct few_objective_def few__objective_guided = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "guided",
    .source = "Meng et al., arXiv 2210.03142",
    .help = "distil a guided teacher into one network that takes the guidance scale as an input",
    .options = options,
    .options_size = sizeof(struct guided_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .augments = true,
    .sampler = "heun",
    .check = check,
    .guides = true,
    .build = build,
};
