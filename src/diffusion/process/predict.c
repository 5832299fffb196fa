/* predict.c - the predictions as mixes of image and noise, with their names. */
#include "predict.h"

#include <math.h>

static struct few_mix mix_x(double sigma_d, struct few_mix s) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(s);
  return (struct few_mix){1, 0};
}

static struct few_mix mix_eps(double sigma_d, struct few_mix s) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(s);
  return (struct few_mix){0, 1};
}

static struct few_mix mix_v(double sigma_d, struct few_mix s) {
  FEW_UNUSED(sigma_d);
  double n = hypot(s.x0, s.eps);
  return (struct few_mix){-s.eps / n, s.x0 / n};
}

static struct few_mix mix_flow(double sigma_d, struct few_mix s) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(s);
  return (struct few_mix){-1, 1};
}

static struct few_mix mix_f(double sigma_d, struct few_mix s) {
  double n = hypot(sigma_d * s.x0, s.eps); /* cos = sigma_d alpha/n, sin = sigma/n */
  return (struct few_mix){-s.eps / (n * sigma_d), sigma_d * s.x0 / n};
}

static struct few_mix mix_edm(double sigma_d, struct few_mix s) {
  struct few_mix f = mix_f(sigma_d, s);
  return (struct few_mix){-f.x0, -f.eps};
}

static const struct {
  const char *name, *source, *help;
  struct few_mix (*mix)(double sigma_d, struct few_mix state);
} predictions[FEW_PREDICTIONS] = {
    [FEW_PREDICT_F] = {"F", "Lu and Song, arXiv 2410.11081", "TrigFlow's velocity over sigma_d",
                       mix_f},
    [FEW_PREDICT_EDM] = {"edm", "Karras et al., arXiv 2206.00364", "the raw network of EDM: -F",
                         mix_edm},
    [FEW_PREDICT_X] = {"x", "Salimans and Ho, arXiv 2202.00512", "the clean image", mix_x},
    [FEW_PREDICT_EPS] = {"eps", "Ho et al., arXiv 2006.11239", "the noise, of unit variance",
                         mix_eps},
    [FEW_PREDICT_V] = {"v", "Salimans and Ho, arXiv 2202.00512", "alpha eps - sigma x0", mix_v},
    [FEW_PREDICT_FLOW] = {"flow", "Lipman et al., arXiv 2210.02747", "eps - x0 of flow matching",
                          mix_flow},
    [FEW_PREDICT_BOTH] = {"both", "Salimans and Ho, arXiv 2202.00512", "x and eps, two heads",
                          NULL},
};

static bool known(enum few_prediction p) { return (int)p >= 0 && p < FEW_PREDICTIONS; }

const char *few__predict_name(enum few_prediction p) {
  assert(known(p));
  return predictions[p].name;
}

const char *few__predict_source(enum few_prediction p) {
  assert(known(p));
  return predictions[p].source;
}

const char *few__predict_help(enum few_prediction p) {
  assert(known(p));
  return predictions[p].help;
}

few_status few__predict_find(few_ctx *ctx, enum few_prediction *out, const char *name) {
  for (int i = 0; i < FEW_PREDICTIONS; i++)
    if (!strcmp(predictions[i].name, name)) {
      *out = (enum few_prediction)i;
      return FEW_OK;
    }
  return few__fail(ctx, FEW_E_INVALID,
                   "there is no prediction \"%s\": choose F, edm, x, eps, v, flow or both", name);
}

struct few_mix few__predict_mix(enum few_prediction p, double sigma_d, struct few_mix state) {
  assert((int)p >= 0 && p < FEW_PREDICT_MIXES && sigma_d > 0);
  return predictions[p].mix(sigma_d, state);
}
