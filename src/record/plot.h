/* plot.h - the curves of a drawing, chosen from records and sorted into panels. */
#ifndef FEW_SRC_RECORD_PLOT_H
#define FEW_SRC_RECORD_PLOT_H

#include "few/record.h"

#include "base/base.h"

struct few_curve {
  int panel, label; /* label: of its colour */
  int bucket;       /* the member of an array; -1: a plain number */
  int n, cap;
  double *x, *y, *error; /* owned; error NaN: none */
};
struct few_panel {
  char *id, *title, *about; /* owned; about: a second line, may be "" */
  int n_buckets;            /* 0: plain numbers */
  bool by_time;             /* buckets are equal parts of the times 0 to pi/2 */
};
struct few_plot {
  few_ctx *ctx;
  const struct few_curves_opts *o;
  struct {
    struct few_curve *at;
    int n, cap;
  } curves;
  struct {
    struct few_panel *at;
    int n, cap;
  } panels;
  struct {
    const char **at; /* borrowed from the records */
    int n, cap;
  } labels;
};

/* ---- choose.c ---- */
few_status few__plot_choose(struct few_plot *p);
void few__plot_free(struct few_plot *p);

#endif
