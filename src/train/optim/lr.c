/* lr.c - shapes of the learning rate, as a table.
 *
 * invsqrt is EDM2's (Karras et al., CVPR 2024): constant for t_ref steps, then proportional to
 * 1/sqrt(step). It suits the power-function average of ema.c. The warm-up multiplies any shape. It
 * counts the current step, so that the rate of the first update is not 0.
 */
#include "lr.h"

#include <math.h>

static double progress(const struct few_lr_opts *o, int64_t step) {
  return step < o->total ? (double)step / (double)o->total : 1;
}

static double constant(const struct few_lr_opts *o, int64_t step) {
  FEW_UNUSED(o);
  FEW_UNUSED(step);
  return 1;
}

static double linear(const struct few_lr_opts *o, int64_t step) {
  return o->floor + (1 - o->floor) * (1 - progress(o, step));
}

static double cosine(const struct few_lr_opts *o, int64_t step) {
  /* (1 + cos(pi u))/2 = cos^2(pi u/2), which rounding cannot make negative */
  double c = cos(FEW_PI_2 * progress(o, step));
  return o->floor + (1 - o->floor) * c * c;
}

static double invsqrt(const struct few_lr_opts *o, int64_t step) {
  return step <= o->reference ? 1 : sqrt((double)o->reference / (double)step);
}

static const struct {
  const char *name;
  double (*at)(const struct few_lr_opts *o, int64_t step);
  bool needs_total, needs_reference;
} shapes[FEW_LR_SHAPES] = {
    [FEW_LR_CONSTANT] = {"constant", constant, false, false},
    [FEW_LR_LINEAR] = {"linear", linear, true, false},
    [FEW_LR_COSINE] = {"cosine", cosine, true, false},
    [FEW_LR_INVSQRT] = {"invsqrt", invsqrt, false, true},
};

const char *few__lr_name(enum few_lr_shape shape) { return shapes[shape].name; }

few_status few__lr_find(few_ctx *ctx, enum few_lr_shape *out, const char *name) {
  for (int i = 0; i < FEW_LR_SHAPES; i++)
    if (!strcmp(shapes[i].name, name)) {
      *out = (enum few_lr_shape)i;
      return FEW_OK;
    }
  return few__fail(ctx, FEW_E_INVALID,
                   "there is no learning-rate shape \"%s\"; give constant, linear, cosine or "
                   "invsqrt",
                   name);
}

few_status few__lr_check(few_ctx *ctx, const struct few_lr_opts *o) {
  if (o->version != FEW_LR_OPTS_VERSION)
    return few__fail(ctx, FEW_E_INVALID, "learning-rate options of version %d; this library has %d",
                     o->version, FEW_LR_OPTS_VERSION);
  if (!(o->base >= 0 && o->base < 1e6))
    return few__fail(ctx, FEW_E_INVALID, "learning rate %g is invalid; try 1e-4", o->base);
  if (!(o->floor >= 0 && o->floor <= 1))
    return few__fail(ctx, FEW_E_INVALID, "learning-rate floor %g must lie in [0, 1]", o->floor);
  if (o->warmup < 0) return few__fail(ctx, FEW_E_INVALID, "warm-up is negative; 0 means none");
  if (shapes[o->shape].needs_total && o->total <= 0)
    return few__fail(ctx, FEW_E_INVALID, "shape %s needs the number of steps of the run",
                     shapes[o->shape].name);
  if (shapes[o->shape].needs_reference && o->reference <= 0)
    return few__fail(ctx, FEW_E_INVALID, "shape %s needs its reference step; EDM2 uses 35000-70000",
                     shapes[o->shape].name);
  return FEW_OK;
}

double few__lr(const struct few_lr_opts *o, int64_t step) {
  assert(step >= 0);
  double rate = o->base * shapes[o->shape].at(o, step);
  if (step + 1 < o->warmup) rate *= (double)(step + 1) / (double)o->warmup;
  return rate;
}
