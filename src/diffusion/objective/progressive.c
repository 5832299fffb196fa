/* progressive - progressive distillation (Salimans and Ho, arXiv 2202.00512, algorithm 2; guided
 * and as an encoder: Meng et al., arXiv 2210.03142).
 *
 * A student of N steps learns to make one DDIM step that equals two of its teacher's. On the grid u
 * = i/N of the cosine process, i = 1 .. N:
 *
 *   z_m  = DDIM(z_t, t -> m),   z_s = DDIM(z_m, m -> s),     of the teacher, m = u - 1/(2N),
 *   x~   = (z_s - (sigma_s/sigma_t) z_t) / (alpha_s - (sigma_s/sigma_t) alpha_t),    s = u - 1/N,
 *   L    = E max(SNR_t, 1) |x~ - x^(z_t, t)|^2.
 *
 *   paper                  here
 *   t, t', t''             the process's u, m, s; TrigFlow's times of them are k.t, k.m, k.s
 *   z_t                    d.x alpha_t/cos(k.t)
 *   x~                     two_steps, which returns its F~
 *   x^_eta, x^_theta       FEW_TARGET (of this stage), FEW_STUDENT
 *   w(lambda_t)            weight (snr.h)
 *   N                      scalar[0], from `start` to `end`
 *
 * x~ is the image with which one DDIM step goes from z_t to z_s. Training has stages. In the first,
 * the student starts with the weights of the recipe's teacher and learns from it. After each stage
 * the student becomes the teacher, and N is halved. With lr_shape = linear the rate of each stage
 * falls to zero, as in the paper.
 *
 * In TrigFlow's time DDIM is a rotation, x_s = cos(t-s) x_t - sin(t-s) sigma_d F. So x~ has an F~
 * with which this rotation maps x_t to x_s. With p = t - m, q = m - s and the teacher's F_t at t
 * and F_m at m,
 *
 *   F~ = (cos(q) sin(p) F_t + sin(q) (F_m - sin(p) x_t/sigma_d)) / sin(p + q).
 *
 * It has no terms that cancel, so no digits are lost for any N. u = 0 is taken as t = 0, as in the
 * sampler. The paper's exception for i = 1, where x~ is the teacher's last x^, therefore needs no
 * code: a step from m to t = 0 gives x^(x_m, m).
 *
 * direction = encode goes the other way, u -> u + 1/N from i = 0 .. N-1, for few encode.
 * grid = double is for the stochastic sampler (2210.03142, section 3): a jump of 2/N from every
 * i/N. From i = 1 only a jump of 1/N is possible; there the target is the teacher's own step.
 * joint = yes distils each row with its label and without. It is the baseline of 2210.03142, which
 * fails if the student is sampled with classifier-free guidance.
 */
#include "base/rng.h"
#include "diffusion/process/vp.h"
#include "snr.h"

struct progressive_opts {
  struct few_snr_opts snr;
  int64_t start, end;
  enum { DECODE, ENCODE } direction;
  enum { OWN, DOUBLE } grid;
  bool joint;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct progressive_opts, start, "128", 1, 65536, "steps of the first student"),
    FEW_OPT_INT(struct progressive_opts, end, "1", 1, 65536,
                "steps of the last student; each stage halves them"),
    FEW_OPT_CHOICE(struct progressive_opts, direction, "decode", "decode|encode",
                   "decode: noise to image; encode: image to noise"),
    FEW_OPT_CHOICE(struct progressive_opts, grid, "own", "own|double",
                   "own: jumps of 1/N; double: jumps of 2/N, for the sampler stochastic"),
    FEW_OPT_BOOL(struct progressive_opts, joint, "no",
                 "distil each row both with its label and without it"),
    FEW_SNR_OPTIONS(struct progressive_opts),
    FEW_OPT_END};

static int stages(const void *opts) {
  const struct progressive_opts *o = opts;
  int n = 1;
  for (int64_t N = o->start; N > o->end; N /= 2) n++;
  return n;
}

static int64_t steps_of(const struct progressive_opts *o, const struct few_clock *at) {
  return o->start >> at->stage;
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct progressive_opts *o = opts;
  FEW_TRY(few__snr_check(ctx, "progressive", &o->snr));
  if (o->end << (stages(opts) - 1) != o->start)
    return few__fail(ctx, FEW_E_INVALID,
                     "progressive: start = %lld cannot be halved to end = %lld: start must be end "
                     "times a power of two",
                     (long long)o->start, (long long)o->end);
  if (o->grid == DOUBLE && o->direction == ENCODE)
    return few__fail(
        ctx, FEW_E_INVALID,
        "progressive: grid = double is for the stochastic sampler, which makes images: "
        "use grid = own with direction = encode");
  if (o->joint && (!fit->teacher->classes || fit->teacher->guidance))
    return few__fail(ctx, FEW_E_INVALID,
                     "progressive: joint = yes is for a teacher with labels and without a guidance "
                     "input: leave it out");
  if (o->joint)
    return few_net_check_unconditional(ctx, fit->teacher, "the teacher",
                                       "progressive: joint = yes");
  return FEW_OK;
}

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  scalar[0] = (double)steps_of(opts, at);
}

/* Sets the grid as the student's sampling times. */
static void use(struct few_use *out, const void *opts, const struct few_clock *at, double sigma_d) {
  const struct progressive_opts *o = opts;
  const struct few_cosine c = few__cosine(o->snr.logsnr_min, o->snr.logsnr_max);
  const int64_t N = steps_of(o, at);
  out->one_way = true;
  out->encodes = o->direction == ENCODE;
  out->unlabelled = o->joint;
  if (o->grid == DOUBLE) out->sampler = "stochastic";
  if (N > FEW_USE_MAX_TIMES) return;
  for (int64_t i = N; i >= 1; i--)
    out->times[out->n_times++] = few__cosine_time(c, sigma_d, (double)i / (double)N);
}

/* Times of a row's step: from t over m to s. All [rows]. */
struct step {
  few_node t, m, s;
};

/* The time t of u = place/N. For a decoder it is exactly 0 if place <= 0. */
static few_node time_at(const struct few_loss *l, const struct progressive_opts *o,
                        few_node place) {
  few_graph *g = l->g;
  few_node u = few_div(g, place, l->scalar[0]);
  few_node zero = few_fill(g, 0, FEW_SCALAR);
  few_node t = few__snr_time(l, &o->snr, few_max(g, u, zero));
  return o->direction == ENCODE ? t : few_select(g, few_less(g, zero, u), t, zero);
}

static struct step sample_step(const struct few_loss *l, const struct progressive_opts *o) {
  few_graph *g = l->g;
  const double jump = o->grid == DOUBLE ? 2 : 1, way = o->direction == ENCODE ? 1 : -1;
  few_node N = l->scalar[0];
  few_node r = few_mul(g, few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows)), N);
  few_node i = few_min(g, few_floor(g, r), few_affine(g, N, 1, -1)); /* r may round to N */
  if (o->direction == DECODE) i = few_affine(g, i, 1, 1);
  return (struct step){time_at(l, o, i), time_at(l, o, few_affine(g, i, 1, way * jump / 2)),
                       time_at(l, o, few_affine(g, i, 1, way * jump))};
}

/* If the second step has length zero, at the end of grid = double, its network is evaluated at t
 * instead of m = 0, where some networks are not defined. */
static few_node defined_time(few_graph *g, const struct step *k) {
  return few_select(g, few_less(g, few_fill(g, 0, FEW_SCALAR), k->m), k->m, k->t);
}

/* F~ of two steps of the teacher. */
static few_node two_steps(struct few_loss *l, const struct step *k, few_node x, few_node label,
                          few_node guidance) {
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  few_node p = few_loss_rows(l, few_sub(g, k->t, k->m));
  few_node q = few_loss_rows(l, few_sub(g, k->m, k->s));
  few_node sin_p = few_sin(g, p), sin_q = few_sin(g, q);
  few_node F_t = few_loss_F(l, FEW_TARGET, x, k->t, label, guidance);
  few_node x_m =
      few_sub(g, few_mul(g, few_cos(g, p), x), few_mul(g, few_scale(g, sin_p, sigma), F_t));
  few_node F_m = few_loss_F(l, FEW_TARGET, x_m, defined_time(g, k), label, guidance);
  few_node first = few_mul(g, few_mul(g, few_cos(g, q), sin_p), F_t);
  few_node turn = few_sub(g, F_m, few_mul(g, few_scale(g, sin_p, 1 / sigma), x));
  few_node sum = few_add(g, first, few_mul(g, sin_q, turn));
  return few_div(g, sum, few_sin(g, few_add(g, p, q)));
}

static void add(struct few_loss *l, const struct progressive_opts *o, const struct step *k,
                const struct few_trig_state *d, few_node label, const char *name, double weight) {
  few_node s = few_loss_guidance_scale(l);
  few_node target = two_steps(l, k, d->x, label, s);
  few_node F = few_loss_F(l, FEW_STUDENT, d->x, d->t, label, s);
  few__snr_add(l, &o->snr, d->t, F, target, name, weight);
}

static void build(struct few_loss *l, const void *opts) {
  const struct progressive_opts *o = opts;
  const struct step k = sample_step(l, o);
  const struct few_trig_state d = few_trig_state_at(l, l->x0, k.t, FEW_RNG_NOISE);
  l->t = k.t;
  add(l, o, &k, &d, l->label, o->joint ? "labelled" : "progressive", o->joint ? 0.5 : 1);
  if (o->joint) add(l, o, &k, &d, FEW_NONE, "unlabelled", 0.5);
}

const struct few_objective_def few__objective_progressive = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "progressive",
    .source = "Salimans and Ho, arXiv 2202.00512; Meng et al., arXiv 2210.03142",
    .help = "halve the teacher's steps, from noise to image or the reverse, stage by stage",
    .options = options,
    .options_size = sizeof(struct progressive_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .target = FEW_TARGET_STAGE,
    .sampler = "progressive",
    .use = use,
    .check = check,
    .n_scalars = 1,
    .schedule = schedule,
    .stages = stages,
    .build = build,
};
