/* scm.h - the loss of sCM, which sCD and sCT use with different dx_t/dt. Each technique that
 * stabilises it is an option. */
#ifndef FEW_SRC_SCM_H
#define FEW_SRC_SCM_H

#include "objective.h"

struct few_scm_opts {
  double p_mean, p_std;
  enum { FEW_TANGENT_NORMALIZE, FEW_TANGENT_CLIP, FEW_TANGENT_RAW } tangent; /* its limit */
  double tangent_c;
  int64_t tangent_warmup; /* steps */
  bool prior_weight, adaptive, rearrange;
};
#define FEW_SCM_(S, field, type, deflt, min, max, choices, help) \
  FEW_OPT_IN(S, scm, field, type, deflt, min, max, choices, help)
/* clang-format off */
#define FEW_SCM_OPTIONS(S) \
  FEW_SCM_(S, p_mean, FEW_OPTION_REAL, "-1", -20, 20, NULL, "mean of ln(sigma_d tan t)"), \
  FEW_SCM_(S, p_std, FEW_OPTION_REAL, "1.4", 0.01, 20, NULL, \
           "standard deviation of ln(sigma_d tan t)"), \
  FEW_SCM_(S, tangent, FEW_OPTION_CHOICE, "normalize", 0, 0, "normalize|clip|raw", \
           "limit of the tangent g: normalize: g / (|g| + c); clip: every element of df/dt to" \
           " [-1, 1]; raw: none"), \
  FEW_SCM_(S, tangent_c, FEW_OPTION_REAL, "0.1", 1e-6, 100, NULL, \
           "c of tangent normalization, g / (|g| + c)"), \
  FEW_SCM_(S, tangent_warmup, FEW_OPTION_INT, "10000", 0, 1e9, NULL, \
           "steps in which the part of the tangent with dF/dt grows from none to all"), \
  FEW_SCM_(S, prior_weight, FEW_OPTION_BOOL, "yes", 0, 0, NULL, \
           "prior weight 1/(sigma_d tan t), besides the learned one; no: 1"), \
  FEW_SCM_(S, adaptive, FEW_OPTION_BOOL, "yes", 0, 0, NULL, "learn a weight for each time")
/* Options of objectives whose tangent is a derivative. */
#define FEW_SCM_JVP_OPTIONS(S) \
  FEW_SCM_(S, rearrange, FEW_OPTION_BOOL, "yes", 0, 0, NULL, \
           "yes: compute cos t sin t dF/dt as one tangent; no: compute dF/dt, then multiply")
/* clang-format on */

/* r = min(1, step / warmup). */
void few__scm_schedule(double *scalar, const struct few_scm_opts *o, const struct few_clock *at);
/* The loss for velocity dx_t/dt = v, and a guidance input s or FEW_NONE. */
void few__scm_build(struct few_loss *l, const struct few_scm_opts *o,
                    const struct few_trig_state *d, few_node v, few_node guidance);
/* The same for a map from t to `end` [rows], which is held fixed, instead of to the image: the
 * student takes the step size t - end as an input, and this angle is in place of t. */
void few__scm_build_map(struct few_loss *l, const struct few_scm_opts *o, struct few_trig_state d,
                        few_node v, few_node guidance, few_node end);

/* ---- Parts of the loss; scalar[0] is r ---- */

/* a(t): cos t with the prior weight, sigma_d sin t without it; [rows, 1, ..]. */
few_node few__scm_factor(const struct few_loss *l, const struct few_scm_opts *o,
                         const struct few_trig_state *d);
/* a(t) df/dt of the student along v. F is its value at d. */
few_node few__scm_tangent(struct few_loss *l, const struct few_scm_opts *o,
                          const struct few_trig_state *d, few_node F, few_node v);
/* Adds the loss for such a tangent, limited as the options say. */
void few__scm_add(struct few_loss *l, const struct few_scm_opts *o, const struct few_trig_state *d,
                  few_node F, few_node tangent);

#endif
