/* timestep_sampling.c - times of any process as TrigFlow's.
 *
 * There are three distributions of TrigFlow's t:
 *
 *   lognormal      ln(sigma_d tan t) ~ N(p_mean, p_std^2), which is EDM's ln(sigma) and sCM's tau
 *   uniform        u ~ U(0, 1), and t from the process's own time u
 *   logit-normal   u = sigmoid(N(logit_mean, logit_std^2)), likewise
 *                  (Esser et al., arXiv 2403.03206)
 *
 * trig_time in the file of each process (process/) gives t of u. times = own is the distribution of
 * the process's paper:
 *
 *   process     own          t of u
 *   trigflow    lognormal    t = u pi/2
 *   edm         lognormal    none: sigma has no end
 *   vp          uniform      tan t = tan(a u + b)/sigma_d, shifted by noise_d
 *   vp-linear   uniform      tan t = sqrt(e^B(u) - 1)/sigma_d, from u = 1e-5
 *   flow        uniform      tan t = u/((1 - u) sigma_d)
 *   ddpm        uniform      that of step floor(1000 u)
 *   ve          uniform      tan t = 0.02 5000^u/sigma_d
 */
#include "objective.h"

#include "base/rng.h"
#include "diffusion/process/process.h"

const char few_process_choices[] =
#define FEW_PROCESS(file, name, time_transform) "|" name
#include "diffusion/process/processes.def"
#undef FEW_PROCESS
    ;

static enum few_timestep_times times_of(const struct few_timestep_opts *o) {
  if (o->times != FEW_TIMESTEP_OWN) return o->times;
  return few__process_at(o->process)->uniform_times ? FEW_TIMESTEP_UNIFORM : FEW_TIMESTEP_LOGNORMAL;
}

few_status few_timestep_check(few_ctx *ctx, const char *name, const struct few_timestep_opts *o,
                              const struct few_net_spec *spec) {
  const struct few_process *p = few__process_at(o->process);
  if (!p->trig_time && times_of(o) != FEW_TIMESTEP_LOGNORMAL)
    return few__fail(
        ctx, FEW_E_INVALID,
        "%s: the times of %s have no upper end, so they cannot be uniform: give times = "
        "lognormal",
        name, p->name);
  if (!p->has_logsnr && (o->noise_d > 0 || o->noise_d_high > 0))
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: noise_d shifts the schedule of process = vp only, not that of %s", name,
                     p->name);
  if (o->noise_d > 0 && spec->points)
    return few__fail(ctx, FEW_E_INVALID, "%s: noise_d is a side of images, and these are points",
                     name);
  if (o->noise_d_high > 0 && o->noise_d <= 0)
    return few__fail(ctx, FEW_E_INVALID, "%s: noise_d_high is used with noise_d: give noise_d too",
                     name);
  if (o->logsnr_min < o->logsnr_max) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s: logsnr_min is not below logsnr_max", name);
}

few_node few_timestep_lognormal(const struct few_loss *l, double p_mean, double p_std) {
  few_graph *g = l->g;
  assert(p_std > 0);
  few_node tau = few_affine(g, few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows)), p_std, p_mean);
  return few_atan(g, few_scale(g, few_exp(g, tau), 1 / l->spec->sigma_data));
}

few_node few_timestep_sample(const struct few_loss *l, const struct few_timestep_opts *o) {
  few_graph *g = l->g;
  const enum few_timestep_times times = times_of(o);
  if (times == FEW_TIMESTEP_LOGNORMAL) return few_timestep_lognormal(l, o->p_mean, o->p_std);
  few_node u;
  if (times == FEW_TIMESTEP_UNIFORM)
    u = few_loss_randu(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  else
    u = few_sigmoid(g, few_affine(g, few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows)),
                                  o->logit_std, o->logit_mean));
  const struct few_process_opts opts = {.logsnr_min = o->logsnr_min,
                                        .logsnr_max = o->logsnr_max,
                                        .noise_d = o->noise_d,
                                        .noise_d_high = o->noise_d_high,
                                        .side = (double)l->spec->h};
  assert(few__process_at(o->process)->trig_time); /* few_timestep_check */
  return few__process_at(o->process)->trig_time(g, &opts, l->spec->sigma_data, u);
}

struct few_trig_state few_trig_sample(struct few_loss *l, double p_mean, double p_std) {
  l->t = few_timestep_lognormal(l, p_mean, p_std);
  return few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
}
