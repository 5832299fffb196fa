/* tally.h - what the steps since the last line of the log gave. */
#ifndef FEW_SRC_TRAIN_TALLY_H
#define FEW_SRC_TRAIN_TALLY_H

#include "journal.h"
#include "shard.h"

struct few_tally {
  int64_t n[FEW_PHASES]; /* updates */
  struct few_step_report sum[FEW_PHASES];
  double norm[FEW_PHASES];
  double factor[FEW_MAX_TERMS]; /* of the balancer, where it has any */
  bool balanced;
  double logged_at;
  bool gauged;
  double to_teacher; /* where gauged: few__gauge_read */
};

void few__tally_add(struct few_tally *t, enum few_phase_id phase,
                    const struct few_step_report *report, double norm);
void few__tally_balance(struct few_tally *t, int n, const double *factor);
/* Append the line of `step` to the journal; nothing where there was no step. */
few_status few__tally_write(few_ctx *ctx, const struct few_tally *t, struct few_journal *journal,
                            int64_t step, int64_t batch, double lr, double seconds);
void few__tally_clear(struct few_tally *t);

#endif
