/* rows.h - the rows of a batch: items of the data, or the teacher's pairs, with the labels that the
 * student is trained with.
 */
#ifndef FEW_SRC_TRAIN_ROWS_H
#define FEW_SRC_TRAIN_ROWS_H

#include "pairs.h"
#include "shard.h"

struct few_row_source {
  const struct few_setup *setup;
  const few_model *model;        /* the student, for the scale of the data */
  const struct few_pairs *pairs; /* NULL: rows are items of the data */
};

/* few_shards_opts.fill; `source` is a few_row_source. Any worker may call it. */
void few__rows_fill(void *source, const struct few_rows *rows);

#endif
