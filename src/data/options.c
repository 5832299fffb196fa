/* options.c - the options of a data set as a table. It has no seed, since that is the run's. */
#include "options.h"

#include "few/data.h"

struct holder {
  struct few_data_opts data;
};
const struct few_option few__data_options[] = {FEW_DATA_OPTIONS(struct holder, data), FEW_OPT_END};

few_status few_data_set_option(struct few_data_opts *opts, few_ctx *ctx, const char *key,
                               const char *value) {
  return few_option_set(opts, ctx, few__data_options, key, value);
}
