/* export_weights.h - the part of few export that writes few's own files. */
#ifndef FEW_SRC_CLI_EXPORT_WEIGHTS_H
#define FEW_SRC_CLI_EXPORT_WEIGHTS_H

#include "cli.h"

struct weights_export {
  const char *source, *out; /* files */
  enum few_weight_type type;
  struct few_eval_opts eval; /* reference NULL: nothing is measured */
  bool quiet;
};
/* Writes the model, measures both files, and prints a table. Returns an exit code. */
int cli_export_weights(struct cli *cli, const few_model *m, const struct weights_export *w);

#endif
