/* diffusion - trains a teacher, for any process (Lu and Song, arXiv 2410.11081, section 3):
 *
 *   x_t = cos(t) x0 + sin(t) z,   v_t = dx_t/dt = cos(t) z - sin(t) x0,
 *   L = E e^{w(t)} w_F(t)/D |F(x_t/sigma_d, t) - v_t/sigma_d|^2 - w(t).
 *
 *   paper                       here
 *   F_theta                     F, by few_loss_F
 *   x_t, z, v_t                 d.x, d.z, d.v of struct few_trig_state
 *   |sigma_d F - v_t|^2         sigma_d^2 |residual|^2; the constant factor only shifts w
 *   w_phi(t)                    the learned head of few_loss_mean; 0 with adaptive = no
 *   proposal of t               few_timestep_sample
 *   weights of other papers     w_F, weight/weight.h
 *
 * The distribution of times (timestep_sampling.h), the weight w_F and the network's prediction
 * (net.h) can be those of any paper, which gives that paper's teacher. By default they are
 * TrigFlow's, with a learned w(t). If labels are dropped with probability `label_dropout`, the
 * network can be used with classifier-free guidance.
 *
 * `scales` is the multi-scale loss of simple diffusion (Hoogeboom et al., arXiv 2301.11093, section
 * 3.2): on large images the residual is dominated by fine detail, so
 *
 *   L = sum_s (1/s) L_s,   L_s = the loss of the residual averaged down to s x s pixels.
 *
 * The paper uses the residual of eps, which is weight = snr.
 */
#include "base/rng.h"
#include "diffusion/weight/weight.h"
#include "objective.h"

struct diffusion_opts {
  struct few_timestep_opts timestep;
  bool adaptive;
  char weight[16];
  double gamma;
  struct few_int_list scales;
};

static const struct few_option options[] = {
    FEW_TIMESTEP_OPTIONS(struct diffusion_opts, "-0.8", "1.6"),
    FEW_OPT_BOOL(struct diffusion_opts, adaptive, "yes",
                 "learn a weight for each time, which compensates for the fixed one (key weight)"),
    FEW_OPT_STRING(struct diffusion_opts, weight, "trigflow",
                   "weight of each time: see few list weights"),
    FEW_OPT_REAL(struct diffusion_opts, gamma, "5", 1e-6, 1e6, "min-snr: the limit of SNR"),
    FEW_OPT_INTS(struct diffusion_opts, scales, "0", 0, 4096,
                 "sides of the multi-scale loss; 0: the image as it is"),
    FEW_OPT_END};

/* How often the height must be halved to become s. -1 if that is impossible for the height or the
 * width. */
static int halvings(const struct few_net_spec *spec, int64_t s) {
  int n = 0;
  int64_t h = spec->h, w = spec->w;
  for (; h > s && h % 2 == 0 && w % 2 == 0; n++) h /= 2, w /= 2;
  return h == s && !spec->points ? n : -1;
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct diffusion_opts *o = opts;
  const struct few_weight *weight;
  FEW_TRY(few_timestep_check(ctx, "diffusion", &o->timestep, fit->student));
  for (int i = 0; i < o->scales.n; i++)
    if ((o->scales.at[i] || o->scales.n > 1) && halvings(fit->student, o->scales.at[i]) < 0)
      return few__fail(ctx, FEW_E_INVALID,
                       "diffusion: scales: data of %lldx%lld cannot be halved to a height of %lld",
                       (long long)fit->student->h, (long long)fit->student->w,
                       (long long)o->scales.at[i]);
  few_status st = few__weight_find(ctx, &weight, o->weight);
  return st ? few__fail_in(ctx, st, "diffusion") : FEW_OK;
}

/* sum_s (1/s) times the mean square of r averaged down to s x s, [rows]. */
static few_node multi_scale(const struct few_loss *l, const struct few_int_list *scales,
                            few_node r) {
  static const double box[] = {1, 1};
  few_graph *g = l->g;
  few_node sum = FEW_NONE;
  for (int i = 0; i < scales->n; i++) {
    few_node at = r;
    for (int k = halvings(l->spec, scales->at[i]); k > 0; k--) at = few_down(g, at, 2, box);
    few_node L = few_scale(g, few_loss_square(l, at), 1 / (double)scales->at[i]);
    sum = sum == FEW_NONE ? L : few_add(g, sum, L);
  }
  return sum;
}

static void build(struct few_loss *l, const void *opts) {
  const struct diffusion_opts *o = opts;
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  const struct few_weight *weight = NULL;
  few_status st = few__weight_find(few__graph_ctx(g), &weight, o->weight);
  assert(!st); /* checked */
  FEW_UNUSED(st);
  l->t = few_timestep_sample(l, &o->timestep);
  struct few_trig_state d = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
  few_node F = few_loss_F(l, FEW_STUDENT, d.x, d.t, l->label, FEW_NONE);
  few_node residual = few_sub(g, F, few_scale(g, d.v, 1 / sigma));
  few_node square = few_loss_square(l, residual);
  few_loss_log(l, "mse", square);
  if (o->scales.at[0] > 0) square = multi_scale(l, &o->scales, residual);
  square = few_mul(g, few__weight_factor(g, weight, o->gamma, sigma, d.t), square);
  few_loss_add(l, "diffusion", few_loss_mean(l, square, d.t, o->adaptive), 1);
}

const struct few_objective_def few__objective_diffusion = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "diffusion",
    .source = "arXiv 2410.11081",
    .help = "diffusion or flow matching: a teacher, sampled in many steps",
    .options = options,
    .options_size = sizeof(struct diffusion_opts),
    .starts_as_teacher = true,
    .drops_labels = true,
    .augments = true,
    .sampler = "heun",
    .check = check,
    .build = build,
};
