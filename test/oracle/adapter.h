/* adapter.h - converts the output of a network of any process to TrigFlow's F, for sampling. */
#ifndef FEW_TEST_ADAPTER_H
#define FEW_TEST_ADAPTER_H

#include "oracle/convert.h"

struct adapter {
  const struct few_process *process;
  enum few_prediction predicts;
  double sigma_d;
  int64_t n;      /* rows x dims */
  float *scratch; /* [n] */
  /* The network as its process defines it, with its scaled input and its time (c_in x',
   * c_noise). */
  few_status (*net)(void *user, const float *in, double time, float *out);
  void *user;
};

/* Can be the member `eval` of struct few_sampling. `user` is a struct adapter. */
few_status adapter_eval(void *user, const float *x, double t, double to, float *F);

#endif
