/* sampler.c - samplers.def as a table, and functions for all samplers: times, noise, linear
 * combinations. */
#include "sampler.h"

#include "base/added.h"
#include "base/rng.h"

static const struct few_sampler_def *const table[] = {
#define FEW_SAMPLER(name) &few__sampler_##name,
#include "samplers.def"
#undef FEW_SAMPLER
};

int few__sampler_count(const few_ctx *ctx) {
  return FEW_COUNT(table) + few__added_count(ctx, FEW_ADDED_SAMPLER);
}

const struct few_sampler_def *few__sampler_at(const few_ctx *ctx, int i) {
  assert(i >= 0 && i < few__sampler_count(ctx));
  if (i < FEW_COUNT(table)) return table[i];
  return few__added_at(ctx, FEW_ADDED_SAMPLER, i - FEW_COUNT(table));
}

static const struct few_sampler_def *find(const few_ctx *ctx, const char *name) {
  for (int i = 0; i < few__sampler_count(ctx); i++)
    if (!strcmp(few__sampler_at(ctx, i)->name, name)) return few__sampler_at(ctx, i);
  return NULL;
}

few_status few__sampler_find(few_ctx *ctx, const struct few_sampler_def **out, const char *name) {
  struct few_text names = {0};
  *out = find(ctx, name);
  if (*out) return FEW_OK;
  for (int i = 0; i < few__sampler_count(ctx); i++)
    few__text_add(ctx, &names, " %s", few__sampler_at(ctx, i)->name);
  few_status st = few__fail(ctx, FEW_E_INVALID, "there is no sampler \"%s\": choose one of%s", name,
                            names.at && !names.failed ? names.at : " others");
  few__text_free(ctx, &names);
  return st;
}

few_status few_ctx_add_sampler(few_ctx *ctx, const struct few_sampler_def *def) {
  static const char type[] = "few_sampler_def";
  FEW_TRY(few__added_version(ctx, type, def, FEW_SAMPLER_DEF_VERSION));
  const struct few_addition a = {.kind = FEW_ADDED_SAMPLER,
                                 .type = type,
                                 .def = def,
                                 .name = def->name,
                                 .missing = !def->help  ? "help"
                                            : !def->run ? "run"
                                                        : NULL,
                                 .taken = def->name && find(ctx, def->name),
                                 .options = def->options,
                                 .options_size = def->options_size};
  if (def->steps < 1 || def->evals_per_step < 1 || def->order < 0)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s %.60s: steps and evals_per_step must be at least 1, and order at least 0",
                     type, def->name ? def->name : "");
  enum few_schedule schedule = FEW_SCHEDULE_DEFAULT;
  if (def->schedule) few__schedule_lookup(&schedule, def->schedule);
  if (schedule == FEW_SCHEDULE_DEFAULT || def->fitted)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s %.60s: choose a schedule, such as \"karras\", and leave `fitted` false",
                     type, def->name ? def->name : "");
  return few__added_add(ctx, &a);
}

enum few_schedule few__sampler_schedule(const struct few_sampler_def *sampler) {
  enum few_schedule s = FEW_SCHEDULE_DEFAULT;
  const bool known = few__schedule_lookup(&s, sampler->schedule);
  assert(known && s != FEW_SCHEDULE_DEFAULT); /* few_ctx_add_sampler */
  FEW_UNUSED(known);
  return s;
}

int few__sampler_evals(const struct few_sampler_def *sampler, int steps) {
  return sampler->evals_per_step * (steps - 1) + 1;
}

void few_sampling_noise(float *z, const struct few_sampling *s, int draw) {
  assert(draw >= 0);
  if (s->noise) {
    s->noise(s->user, draw, z);
    return;
  }
  struct few_rng r = {.seed = s->seed, .step = (uint64_t)draw, .purpose = FEW_RNG_SAMPLE};
  for (int64_t i = 0; i < s->rows; i++) {
    r.row = (uint64_t)(s->first_row + i);
    few__rng_normal_f32(&r, s->dims, z + i * s->dims);
  }
}

void few_sampling_line(float *out, const struct few_sampling *s, struct few_line line,
                       const float *x, const float *y) {
  int64_t n = s->rows * s->dims;
  if (s->sum) {
    s->sum(s->user, out, 2, (double[]){line.x, line.y}, (const float *[]){x, y});
    return;
  }
  for (int64_t i = 0; i < n; i++) out[i] = (float)(line.x * (double)x[i] + line.y * (double)y[i]);
}

void few_sampling_sum(float *out, const struct few_sampling *s, int n, const double *weight,
                      const float *const *x) {
  if (s->sum) {
    s->sum(s->user, out, n, weight, x);
    return;
  }
  for (int64_t i = 0; i < s->rows * s->dims; i++) {
    double sum = 0;
    for (int k = 0; k < n; k++) sum += weight[k] * (double)x[k][i];
    out[i] = (float)sum;
  }
}

few_status few_sampling_ddim(few_ctx *ctx, struct few_sampling *s) {
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], s->t[k + 1], F));
    few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, s->t[k], s->t[k + 1]), s->x, F);
  }
out:
  few__free(ctx, F);
  return st;
}

/* ---- running ---- */

static few_status make_times(few_ctx *ctx, const struct few_sampler_def *sampler,
                             const struct few_times_opts *times, struct few_sampling *s) {
  struct few_times_opts o = *times;
  if (o.schedule == FEW_SCHEDULE_DEFAULT) o.schedule = few__sampler_schedule(sampler);
  if (o.steps > FEW_STEPS_MAX)
    return few__fail(ctx, FEW_E_INVALID, "%d steps: give 1 to %d", o.steps, (int)FEW_STEPS_MAX);
  s->steps = o.steps;
  FEW_TRY(FEW_NEW(ctx, &s->t, o.steps < 1 ? 2 : o.steps + 1));
  return few__times(ctx, &o, s->sigma_d, s->t);
}

static few_status run(few_ctx *ctx, const struct few_sampler_def *sampler, struct few_sampling *s) {
  char *opts = NULL;
  few_status st = FEW_OK;
  if (s->opts || !sampler->options) return sampler->run(ctx, s);
  FEW_TRY(FEW_NEW(ctx, &opts, sampler->options_size));
  FEW_GOTO(few_options_default(opts, ctx, sampler->options));
  s->opts = opts;
  st = sampler->run(ctx, s);
  s->opts = NULL;
out:
  few__free(ctx, opts);
  return st;
}

static void reverse(int n, double *t) {
  for (int i = 0; i < n - 1 - i; i++) {
    double swap = t[i];
    t[i] = t[n - 1 - i];
    t[n - 1 - i] = swap;
  }
}

few_status few__sample(few_ctx *ctx, const struct few_sampler_def *sampler,
                       const struct few_times_opts *times, struct few_sampling *s) {
  few_status st;
  assert(s->rows >= 0 && s->dims >= 0 && s->sigma_d > 0 && s->eval);
  s->t = NULL;
  FEW_GOTO(make_times(ctx, sampler, times, s));
  if (!s->started) {
    few_sampling_noise(s->x, s, 0);
    few_sampling_line(s->x, s, (struct few_line){s->sigma_d, 0}, s->x, s->x);
  }
  st = run(ctx, sampler, s);
out:
  few__free(ctx, s->t);
  s->t = NULL;
  return st;
}

few_status few__encode(few_ctx *ctx, const struct few_sampler_def *sampler,
                       const struct few_times_opts *times, struct few_sampling *s) {
  few_status st;
  assert(s->rows >= 0 && s->dims >= 0 && s->sigma_d > 0 && s->eval);
  if (!sampler->both_ways)
    return few__fail(ctx, FEW_E_INVALID, "%s cannot encode images as noise: use ddim",
                     sampler->name);
  s->t = NULL;
  FEW_GOTO(make_times(ctx, sampler, times, s));
  reverse(s->steps + 1, s->t);
  st = run(ctx, sampler, s);
out:
  few__free(ctx, s->t);
  s->t = NULL;
  return st;
}
