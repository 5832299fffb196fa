/* meter.h - sums of losses, gradient norms and metrics over the steps since the last line of the
 * run log. */
#ifndef FEW_SRC_TRAIN_METER_H
#define FEW_SRC_TRAIN_METER_H

#include "run_log.h"
#include "shard.h"

struct few_meter {
  int64_t n[FEW_PHASES]; /* updates */
  struct few_step_report sum[FEW_PHASES];
  double norm[FEW_PHASES];
  double factor[FEW_MAX_TERMS]; /* the balancer's; valid when `balanced` */
  bool balanced;
  double logged_at;
  bool gauged;
  double to_teacher; /* few__gauge_read; valid when `gauged` */
};

void few__meter_add(struct few_meter *m, enum few_phase_id phase,
                    const struct few_step_report *report, double norm);
void few__meter_balance(struct few_meter *m, int n, const double *factor);
/* Appends the line of `step` to the log. Writes nothing if no step was added. */
few_status few__meter_write(few_ctx *ctx, const struct few_meter *m, struct few_run_log *log,
                            int64_t step, int64_t batch, double lr, double seconds);
void few__meter_clear(struct few_meter *m);

#endif
