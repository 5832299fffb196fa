/* options.h - the options of a data set as a table, for recipes. */
#ifndef FEW_SRC_DATA_OPTIONS_H
#define FEW_SRC_DATA_OPTIONS_H

#include "base/option.h"

/* Keys of struct few_data_opts: split, on_error, limit, size, channels, background. */
extern const struct few_option few__data_options[];

#endif
