/* schedule.c - schedules of sampling times.
 *
 * The file of each process (process/) has a grid: uniform, karras, cosine, linear-beta, flow,
 * ddpm, geometric. This file has two more, with sigma = sigma_d tan t:
 *
 *   logsnr   N levels, equal steps in ln sigma from sigma_max to sigma_min, and then 0, so that the
 *            last step is a denoising one. If sampling stops early at t_end > 0, the last level is
 *            t_end.
 *   middle   the start, then equal steps from t = `middle`. All published sCM results use it with
 *            two steps and 1.1.
 */
#include "schedule.h"

#include <math.h>
#include <stdio.h>

#include "diffusion/process/process.h"

static double logsnr(const struct few_times_opts *o, double sigma_d, int i) {
  const double first = log(o->sigma_max), last = log(few__grid_last_sigma(o, sigma_d));
  return atan(exp(few__grid_point(first, last, i, few__grid_levels(o))) / sigma_d);
}

static double middle(const struct few_times_opts *o, double sigma_d, int i) {
  if (i == 0) return atan(o->sigma_max / sigma_d);
  return few__grid_point(o->middle, o->t_end, i - 1, o->steps - 1);
}

struct schedule {
  const char *name, *help;
};

/* The process whose grid the schedule is, or NULL. */
static const struct few_process *process_of(enum few_schedule s) {
  assert((int)s >= 0 && s < FEW_SCHEDULES);
  const int i = (int)s - (FEW_SCHEDULE_DEFAULT + 1);
  return i >= 0 && i < few__process_count() ? few__process_at(i) : NULL;
}

static struct schedule schedule_of(enum few_schedule s) {
  const struct few_process *p = process_of(s);
  if (p) return (struct schedule){p->schedule, p->schedule_help};
  if (s == FEW_SCHEDULE_LOGSNR)
    return (struct schedule){"logsnr", "equal steps in ln sigma from 80 to 0.002"};
  if (s == FEW_SCHEDULE_MIDDLE)
    return (struct schedule){"middle", "the start, then equal steps from t = 1.1"};
  return (struct schedule){"default", "the sampler's own"};
}

/* Time i of o->steps. */
static double point(const struct few_times_opts *o, double sigma_d, int i) {
  const struct few_process *p = process_of(o->schedule);
  if (p) return few__process_grid(p, o, sigma_d, i);
  return o->schedule == FEW_SCHEDULE_LOGSNR ? logsnr(o, sigma_d, i) : middle(o, sigma_d, i);
}

const char *few__schedule_name(enum few_schedule s) { return schedule_of(s).name; }
const char *few__schedule_help(enum few_schedule s) { return schedule_of(s).help; }

bool few__schedule_lookup(enum few_schedule *out, const char *name) {
  assert(name);
  for (int i = 0; i < FEW_SCHEDULES; i++)
    if (!strcmp(few__schedule_name((enum few_schedule)i), name)) {
      *out = (enum few_schedule)i;
      return true;
    }
  return false;
}

few_status few__schedule_find(few_ctx *ctx, enum few_schedule *out, const char *name) {
  char names[256] = "";
  if (few__schedule_lookup(out, name)) return FEW_OK;
  for (int i = 0; i < FEW_SCHEDULES; i++) {
    const size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
             few__schedule_name((enum few_schedule)i));
  }
  return few__fail(ctx, FEW_E_INVALID, "there is no schedule \"%s\": choose one of %s", name,
                   names);
}

static few_status check(few_ctx *ctx, const struct few_times_opts *o) {
  if (o->version != FEW_TIMES_OPTS_VERSION)
    return few__fail(ctx, FEW_E_INVALID, "few_times_opts has version %d, but this library has %d",
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
  for (int i = 0; i < o->steps; i++) t[i] = o->times ? o->times[i] : point(o, sigma_d, i);
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
