/* trainer.h - the members of a trainer: an open run, between two steps. */
#ifndef FEW_SRC_TRAIN_TRAINER_H
#define FEW_SRC_TRAIN_TRAINER_H

#include "evaluate.h"
#include "gauge.h"
#include "report.h"
#include "run_files.h"
#include "stepper.h"
#include "student.h"

/* Where the run computes. */
struct few_machine {
  const struct few_backend *backend; /* of the run; the context's backend only during calls */
  few_workers *workers;
  struct few_arrays arrays;
};

/* Evaluations, measurements and the log of a run. */
struct few_trainer_views {
  few_evaluation *evaluation; /* NULL: the run has no evaluations */
  few_gauge *gauge;           /* NULL: none */
  struct few_meter meter;
  char distance[32]; /* distance of student and teacher as text; "": not measured */
};

/* Progress of the run for the context's callback. */
struct few_trainer_progress {
  double began; /* few__now() after the run was opened */
  struct few_progress last;
  char note[64]; /* of `last` */
};

struct few_trainer {
  few_ctx *ctx;
  struct few_setup setup; /* the recipe, and the open data and models that it names */
  struct few_machine machine;
  struct few_student student;
  struct few_stepper stepper;
  struct few_run_state state; /* changed by each step */
  struct few_run_files files;
  struct few_trainer_views views;
  struct few_trainer_report report;
  struct few_trainer_progress progress;
};

/* ---- for estimate.c: the parts of few_trainer_step, one at a time ---- */

/* A step, without what the recipe schedules after it. */
few_status few__trainer_update(few_trainer *t);
/* A line of the log, now. */
few_status few__trainer_log(few_trainer *t);
/* A preview by these keys, now. */
few_status few__trainer_preview(few_trainer *t, const struct few_train_keys *keys);

#endif
