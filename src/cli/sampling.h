/* sampling.h - sampling options, for every command that samples a model. Each row of the library's
 * table, few_sample_options(), is an option.
 */
#ifndef FEW_SRC_CLI_SAMPLING_H
#define FEW_SRC_CLI_SAMPLING_H

#include "cli.h"

/* How often samples have each class. */
enum class_shares { SHARES_OF_DATA, SHARES_EVEN };

/* Rows of few_sample_options() in a command's table, for a struct S with a member `sampling`. */
#define OPT_SAMPLING_KEY "*sampling"
#define OPT_SAMPLING(S) OPT_FLAG(S, sampling, OPT_SAMPLING_KEY, NULL)

/* The option --labels of commands that measure samples. */
/* clang-format off */
#define OPT_LABELS(S, field) \
  OPT_CHOICE(S, field, "labels", "shares", "shares|even", \
             "how often samples have each class: shares: as often as the reference or, if that " \
             "has no labels, the training data; even: all equally often")
/* clang-format on */

/* Completes args->opts (few_sample_args_open). Returns an exit code. Call few_sample_args_close
 * even after a failure. */
int sampling_open(struct cli *cli, struct few_sample_args *args);

#endif
