/* report.h - a report while it is filled in. */
#ifndef FEW_SRC_EVAL_REPORT_H
#define FEW_SRC_EVAL_REPORT_H

#include "eval/metric/metric.h"
#include "few/eval.h"

enum { FEW_REPORT_TEXTS = 20 };
struct few_report_inside {
  struct few_eval_report public; /* its `inside` points back here */
  few_ctx *ctx;
  int seeds, n_texts;
  char *text[FEW_REPORT_TEXTS];
  struct few_eval_number *number; /* [room] */
  int room;
  double *each;          /* [room][seeds] */
  int64_t *label_counts; /* [public.classes] */
};

few_status few__report_create(few_ctx *ctx, struct few_report_inside **out, int seeds);
/* Copies a text into the report. */
few_status few__report_text(struct few_report_inside *r, const char **out, const char *text);
/* Adds a value of seed number `seed`. Each seed has the same values in the same order. */
void few__report_add(struct few_report_inside *r, int seed, const struct few_metric_value *v);
/* Computes means and errors over seeds, and renames fd and sfd if the features are Inception's. */
void few__report_end(struct few_report_inside *r);

#endif
