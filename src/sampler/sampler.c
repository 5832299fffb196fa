/* sampler.c - the table of samplers, and what they share: times, noise, lines. */
#include "sampler.h"

#include "base/rng.h"

static const struct few_sampler *const table[] = {
#define FEW_SAMPLER(name) &few__sampler_##name,
#include "samplers.def"
#undef FEW_SAMPLER
};

static const char names[] =
#define FEW_SAMPLER(name) " " #name
#include "samplers.def"
#undef FEW_SAMPLER
    ;

int few__sampler_count(void) { return FEW_COUNT(table); }

const struct few_sampler *few__sampler_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i];
}

few_status few__sampler_find(few_ctx *ctx, const struct few_sampler **out, const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name)) {
      *out = table[i];
      return FEW_OK;
    }
  return few__fail(ctx, FEW_E_INVALID, "no sampler is called \"%s\"; there are%s", name, names);
}

int few__sampler_evals(const struct few_sampler *sampler, int steps) {
  return sampler->evals_per_step * (steps - 1) + 1;
}

void few__sampling_noise(const struct few_sampling *s, int draw, float *z) {
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

void few__sampling_line(const struct few_sampling *s, struct few_line line, const float *x,
                        const float *y, float *out) {
  int64_t n = s->rows * s->dims;
  for (int64_t i = 0; i < n; i++) out[i] = (float)(line.x * (double)x[i] + line.y * (double)y[i]);
}

static few_status run(few_ctx *ctx, const struct few_sampler *sampler,
                      const struct few_times_opts *times, struct few_sampling *s) {
  struct few_times_opts o = *times;
  if (o.schedule == FEW_SCHEDULE_DEFAULT) o.schedule = sampler->schedule;
  FEW_TRY(few__times(ctx, &o, s->sigma_d, s->t));
  if (!s->started) {
    few__sampling_noise(s, 0, s->x);
    few__sampling_line(s, (struct few_line){s->sigma_d, 0}, s->x, s->x, s->x);
  }
  return sampler->run(ctx, s);
}

few_status few__sample(few_ctx *ctx, const struct few_sampler *sampler,
                       const struct few_times_opts *times, struct few_sampling *s) {
  assert(s->rows >= 0 && s->dims >= 0 && s->sigma_d > 0 && s->eval);
  s->steps = times->steps;
  s->t = NULL;
  FEW_TRY(FEW_NEW(ctx, &s->t, times->steps < 1 ? 2 : times->steps + 1));
  few_status st = run(ctx, sampler, times, s);
  few__free(ctx, s->t);
  s->t = NULL;
  return st;
}
