/* scm.h - what sCD and sCT share: all of sCM but where dx_t/dt comes from. */
#ifndef FEW_SRC_SCM_H
#define FEW_SRC_SCM_H

#include "objective.h"

struct few_scm_opts {
  double p_mean, p_std;
  int tangent; /* 0 normalize, 1 clip, 2 raw */
  double tangent_c;
  int64_t tangent_warmup; /* steps */
  bool adaptive;
};
#define FEW_SCM_(S, field, type, deflt, min, max, choices, help)                                 \
  {                                                                                              \
#field, type, offsetof(S, scm.field), sizeof(((S *)0)->scm.field), deflt, min, max, choices, \
        help                                                                                     \
  }
/* clang-format off */
#define FEW_SCM_OPTIONS(S) \
  FEW_SCM_(S, p_mean, FEW_OPTION_REAL, "-1", -20, 20, NULL, "mean of ln(sigma_d tan t)"), \
  FEW_SCM_(S, p_std, FEW_OPTION_REAL, "1.4", 0.01, 20, NULL, "its standard deviation"), \
  FEW_SCM_(S, tangent, FEW_OPTION_CHOICE, "normalize", 0, 0, "normalize|clip|raw", \
           "g / (|g| + c), each element to [-1,1], or as it is"), \
  FEW_SCM_(S, tangent_c, FEW_OPTION_REAL, "0.1", 0, 100, NULL, "c of the normalization"), \
  FEW_SCM_(S, tangent_warmup, FEW_OPTION_INT, "10000", 0, 1e9, NULL, \
           "steps until the tangent counts in full"), \
  FEW_SCM_(S, adaptive, FEW_OPTION_BOOL, "yes", 0, 0, NULL, "learn the weight of each time")
/* clang-format on */

/* r = min(1, step / warmup). */
void few__scm_schedule(const struct few_scm_opts *o, const struct few_clock *at, double *scalar);
/* The loss for velocity dx_t/dt = v, and a guidance input s or FEW_NONE. */
void few__scm_build(struct few_loss *l, const struct few_scm_opts *o, const struct few_trig_draw *d,
                    few_node v, few_node guidance);

#endif
