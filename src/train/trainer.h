/* trainer.h - the inside of a trainer: a run that is open, between two of its steps. */
#ifndef FEW_SRC_TRAIN_TRAINER_H
#define FEW_SRC_TRAIN_TRAINER_H

#include "evaluate.h"
#include "gauge.h"
#include "meter.h"
#include "rows.h"
#include "run_files.h"

/* What few_trainer_report gives out: the strings and metrics belong to it. */
enum { FEW_REPORT_METRICS = FEW_PHASES * (1 + FEW_MAX_TERMS + FEW_MAX_LOGS) };
struct few_trainer_report {
  struct few_train_report public;
  struct few_train_metric metric[FEW_REPORT_METRICS];
  char name[FEW_REPORT_METRICS][FEW_LOG_NAME + 16];
  char why[64];
};

/* What the run does beside its steps. */
struct few_trainer_views {
  few_evaluation *evaluation; /* NULL: none on the schedule */
  few_gauge *gauge;           /* NULL: none */
  struct few_meter meter;
};

struct few_trainer {
  few_ctx *ctx;
  const struct few_backend *backend; /* of the run: the context has it during calls */
  struct few_setup setup;
  few_workers *workers;
  struct few_arrays arrays;
  few_model *model;   /* the student; its values are overwritten where a model is needed */
  few_runner *runner; /* of it, for previews and measurements */
  struct few_params head, fake_head;
  struct few_pairs *pairs; /* NULL: rows are items of the data */
  struct few_row_source rows;
  few_shards *shards;
  struct few_run_state state;
  struct few_run_files files;
  struct few_trainer_views views;
  struct few_trainer_report report;
  struct few_progress reported; /* to the context, last */
  char note[64], distance[32];  /* its note; how far the student is from its teacher */
  double began, saved;          /* few__now() */
  double pairs_seconds;         /* that making the pairs took */
};

/* ---- for estimate.c: the parts of few_trainer_step, one at a time ---- */

/* A step, without what the recipe schedules after it. */
few_status few__trainer_update(few_trainer *t);
/* A line of the log, now. */
few_status few__trainer_log(few_trainer *t);
/* A preview by these keys, now. */
few_status few__trainer_preview(few_trainer *t, const struct few_train_keys *keys);

#endif
