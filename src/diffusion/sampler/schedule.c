/* schedule.c - schedules of sampling times.
 *
 * karras is EDM's (arXiv 2206.00364, eq. 5): N levels from sigma_max to sigma_min and then 0, so
 * that the last step is a denoising one. Where sampling stops early at t_end > 0, that is the last
 * level instead and there is no such step. The same holds for logsnr. In TrigFlow's terms sigma_max
 * = 80 and sigma_d = 1/2 are t_max = 1.56455; uniform and middle start there too. `middle` with two
 * steps and 1.1 is what all published sCM results use.
 *
 * Three schedules are the uniform grids of other processes in their own time u = 1, 1 - 1/N,
 * 1 - 2/N ...; the step from u = 1/N ends in the clean image, t = 0:
 *
 *   cosine       Salimans and Ho's, log-SNR between two limits (process/cosine.c); progressive
 *                distillation trains on it
 *   flow         flow matching's (process/flow.c), from pure noise: t = pi/2
 *   linear-beta  DDPM's thousand steps of variance 1e-4 to 0.02, in the limit of more
 *                (process/vp_linear.c)
 */
#include "schedule.h"

#include <math.h>

#include "diffusion/process/cosine.h"
#include "diffusion/process/process.h"

/* Level i of n equal steps between two values of some function of sigma. */
static double between(double first, double last, int i, int n) {
  return n > 0 ? first + (last - first) * i / n : first;
}

static double last_sigma(const struct few_times_opts *o, double sigma_d) {
  return o->t_end > 0 ? sigma_d * tan(o->t_end) : o->sigma_min;
}

/* Intervals between levels above 0. */
static int levels(const struct few_times_opts *o) { return o->t_end > 0 ? o->steps : o->steps - 1; }

static double uniform(const struct few_times_opts *o, double sigma_d, int i) {
  return between(atan(o->sigma_max / sigma_d), o->t_end, i, o->steps);
}

static double karras(const struct few_times_opts *o, double sigma_d, int i) {
  double first = pow(o->sigma_max, 1 / o->rho), last = pow(last_sigma(o, sigma_d), 1 / o->rho);
  return atan(pow(between(first, last, i, levels(o)), o->rho) / sigma_d);
}

static double logsnr(const struct few_times_opts *o, double sigma_d, int i) {
  double first = log(o->sigma_max), last = log(last_sigma(o, sigma_d));
  return atan(exp(between(first, last, i, levels(o))) / sigma_d);
}

static double middle(const struct few_times_opts *o, double sigma_d, int i) {
  if (i == 0) return atan(o->sigma_max / sigma_d);
  return between(o->middle, o->t_end, i - 1, o->steps - 1);
}

/* u = 0, the clean image, stands for the end at t = 0 whatever noise the process has there. */
static double cosine(const struct few_times_opts *o, double sigma_d, int i) {
  const struct few_cosine c = few__cosine(o->logsnr_min, o->logsnr_max);
  double end = o->t_end > 0 ? (atan(sigma_d * tan(o->t_end)) - c.b) / c.a : 0;
  return few__cosine_time(c, sigma_d, between(1, end, i, o->steps));
}

/* Equal steps in the time of a process that runs from 0 to 1. */
static double own_time(const struct few_process *p, const struct few_times_opts *o, double sigma_d,
                       int i) {
  double end = p->time(sigma_d, few__process_trigflow.at(sigma_d, o->t_end));
  struct few_mix state = p->at(sigma_d, between(1, end, i, o->steps));
  return few__process_trigflow.time(sigma_d, state);
}

static double flow(const struct few_times_opts *o, double sigma_d, int i) {
  return own_time(&few__process_flow, o, sigma_d, i);
}

static double linear_beta(const struct few_times_opts *o, double sigma_d, int i) {
  return own_time(&few__process_vp_linear, o, sigma_d, i);
}

static const struct {
  const char *name, *help;
  double (*at)(const struct few_times_opts *o, double sigma_d, int i);
} schedules[FEW_SCHEDULES] = {
    [FEW_SCHEDULE_DEFAULT] = {"default", "the sampler's own", NULL},
    [FEW_SCHEDULE_UNIFORM] = {"uniform", "equal steps in t", uniform},
    [FEW_SCHEDULE_KARRAS] = {"karras", "EDM's: equal steps in sigma^(1/7) from 80 to 0.002",
                             karras},
    [FEW_SCHEDULE_LOGSNR] = {"logsnr", "equal steps in ln sigma from 80 to 0.002", logsnr},
    [FEW_SCHEDULE_MIDDLE] = {"middle", "the start, then equal steps from t = 1.1", middle},
    [FEW_SCHEDULE_COSINE] = {"cosine", "equal steps of the cosine process, log-SNR -20 to 20",
                             cosine},
    [FEW_SCHEDULE_FLOW] = {"flow", "equal steps of flow matching, from pure noise", flow},
    [FEW_SCHEDULE_LINEAR_BETA] = {"linear-beta", "equal steps of DDPM's own process", linear_beta},
};

const char *few__schedule_name(enum few_schedule s) { return schedules[s].name; }
const char *few__schedule_help(enum few_schedule s) { return schedules[s].help; }

few_status few__schedule_find(few_ctx *ctx, enum few_schedule *out, const char *name) {
  for (int i = 0; i < FEW_SCHEDULES; i++)
    if (!strcmp(schedules[i].name, name)) {
      *out = (enum few_schedule)i;
      return FEW_OK;
    }
  return few__fail(
      ctx, FEW_E_INVALID,
      "no schedule is called \"%s\"; there are default, uniform, karras, logsnr, middle, "
      "cosine, flow and linear-beta",
      name);
}

static few_status check(few_ctx *ctx, const struct few_times_opts *o) {
  if (o->version != FEW_TIMES_OPTS_VERSION)
    return few__fail(ctx, FEW_E_INVALID, "sampling times of version %d; this library has %d",
                     o->version, FEW_TIMES_OPTS_VERSION);
  if (o->steps < 1)
    return few__fail(ctx, FEW_E_INVALID, "%d sampling steps; at least 1 is needed", o->steps);
  if (!(o->sigma_min > 0 && o->sigma_max > o->sigma_min && o->sigma_max < 1e9))
    return few__fail(ctx, FEW_E_INVALID,
                     "sigma from %g to %g; it must fall and stay positive, as from 80 to 0.002",
                     o->sigma_max, o->sigma_min);
  if (!(o->logsnr_min < o->logsnr_max && o->logsnr_min > -60 && o->logsnr_max < 60))
    return few__fail(ctx, FEW_E_INVALID, "log-SNR from %g to %g; it must rise, as from -20 to 20",
                     o->logsnr_min, o->logsnr_max);
  if (!(o->rho > 0)) return few__fail(ctx, FEW_E_INVALID, "rho %g must be positive; try 7", o->rho);
  return FEW_OK;
}

few_status few__times(few_ctx *ctx, const struct few_times_opts *o, double sigma_d, double *t) {
  assert(sigma_d > 0 && (o->times || o->schedule != FEW_SCHEDULE_DEFAULT));
  FEW_TRY(check(ctx, o));
  for (int i = 0; i < o->steps; i++)
    t[i] = o->times ? o->times[i] : schedules[o->schedule].at(o, sigma_d, i);
  t[o->steps] = o->t_end;
  if (!(t[0] <= FEW_PI_2 && o->t_end >= 0))
    return few__fail(ctx, FEW_E_INVALID, "sampling times from %g to %g; they must lie in [0, pi/2]",
                     t[0], o->t_end);
  for (int i = 0; i < o->steps; i++)
    if (!(t[i] > t[i + 1]))
      return few__fail(ctx, FEW_E_INVALID,
                       "sampling time %d is %g and the next %g; times must fall strictly", i, t[i],
                       t[i + 1]);
  return FEW_OK;
}
