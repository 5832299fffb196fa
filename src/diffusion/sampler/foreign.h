/* foreign.h - sample from any network: an EDM, VP or flow network behind TrigFlow's question. */
#ifndef FEW_SRC_FOREIGN_H
#define FEW_SRC_FOREIGN_H

#include "diffusion/process/convert.h"

struct few_foreign {
  const struct few_process *process;
  enum few_prediction predicts;
  double sigma_d;
  int64_t n;      /* rows x dims */
  float *scratch; /* [n] */
  /* The network as it was trained: fed its own scaled input and its own time (c_in x', c_noise). */
  few_status (*net)(void *user, const float *in, double time, float *out);
  void *user;
};

/* few_sampling's eval; `user` is a struct few_foreign. */
few_status few__foreign_eval(void *user, const float *x, double t, double to, float *F);

#endif
