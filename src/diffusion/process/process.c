/* process.c - the table of processes, and what follows from alpha and sigma for all of them. */
#include "process.h"

#include <math.h>
#include <stdio.h>

static const struct few_process *const table[] = {
#define FEW_PROCESS(name) &few__process_##name,
#include "processes.def"
#undef FEW_PROCESS
};

int few__process_count(void) { return FEW_COUNT(table); }

const struct few_process *few__process_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i];
}

few_status few__process_find(few_ctx *ctx, const struct few_process **out, const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name)) {
      *out = table[i];
      return FEW_OK;
    }
  char names[128] = "";
  for (int i = 0; i < FEW_COUNT(table); i++) {
    size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, " %s", table[i]->name);
  }
  return few__fail(ctx, FEW_E_INVALID, "no process is called \"%s\"; there are%s", name, names);
}

double few__process_logsnr(const struct few_process *p, double sigma_d, double t) {
  struct few_mix s = p->at(sigma_d, t);
  return 2 * (log(s.x0) - log(s.eps));
}

double few__process_time_of_logsnr(const struct few_process *p, double sigma_d, double lambda) {
  /* (e^(lambda/2), 1) divided by whichever is larger: no overflow at either end. */
  double small = exp(-fabs(lambda) / 2);
  return p->time(sigma_d, lambda > 0 ? (struct few_mix){1, small} : (struct few_mix){small, 1});
}

struct few_precond few__process_precond(const struct few_process *p, enum few_prediction predicts,
                                        double sigma_d, double t) {
  struct few_mix state = p->at(sigma_d, t);
  struct few_line d = few__predict_convert(state, few__predict_mix(predicts, sigma_d, state),
                                           few__predict_mix(FEW_PREDICT_X, sigma_d, state));
  return (struct few_precond){p->net_scale(sigma_d, t), p->net_time(sigma_d, t), d.x, d.y};
}

void few__process_denoise(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                          double t, int64_t n, const double *x, const double *net, double *D) {
  struct few_precond c = few__process_precond(p, predicts, sigma_d, t);
  few__line_apply((struct few_line){c.skip, c.out}, n, x, net, D);
}

void few__process_undenoise(const struct few_process *p, enum few_prediction predicts,
                            double sigma_d, double t, int64_t n, const double *x, const double *D,
                            double *net) {
  struct few_mix state = p->at(sigma_d, t);
  struct few_line line =
      few__predict_convert(state, few__predict_mix(FEW_PREDICT_X, sigma_d, state),
                           few__predict_mix(predicts, sigma_d, state));
  few__line_apply(line, n, x, D, net);
}
