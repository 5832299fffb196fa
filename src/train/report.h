/* report.h - the report of a trainer's last step, with the texts that it points to. */
#ifndef FEW_SRC_TRAIN_REPORT_H
#define FEW_SRC_TRAIN_REPORT_H

#include "few/train.h"
#include "stepper.h"

enum { FEW_REPORT_METRICS = FEW_PHASES * (1 + FEW_MAX_TERMS + FEW_MAX_LOGS) };
struct few_trainer_report {
  struct few_train_report public;
  struct few_train_metric metric[FEW_REPORT_METRICS];
  char name[FEW_REPORT_METRICS][FEW_LOG_NAME + 16];
  char why[64];
};

/* Begins a report that has no step yet. `r` must not move while it is read. */
void few__report_begin(struct few_trainer_report *r, int64_t step, int64_t steps, double seconds);
/* Adds the numbers of a step. */
void few__report_step(struct few_trainer_report *r, const struct few_step *step);
/* Sets the event. `event` is a static string; `why` is copied. */
void few__report_event(struct few_trainer_report *r, const char *event, const char *why);

#endif
