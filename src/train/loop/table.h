/* table.h - loop.csv: one row per generation, from its eval.json. */
#ifndef FEW_SRC_LOOP_TABLE_H
#define FEW_SRC_LOOP_TABLE_H

#include "mix.h"

struct few_loop_row {
  int generation; /* from 1; row 1 also writes the column names */
  struct few_loop_mix mix;
  double bias;
  const char *report; /* path of its eval.json */
};

/* Appends a row to the text. A number that is null in eval.json, because JSON has no NaN, becomes
 * nan. */
FEW_MUST_USE few_status few__loop_add_row(few_ctx *ctx, const struct few_loop_row *row,
                                          struct few_text *csv);

#endif
