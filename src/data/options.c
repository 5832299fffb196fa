/* options.c - the options of a data set, once, for the parser, the help and the recipes. The seed
 * is not among them: it is the run's. */
#include "options.h"

#include "few/data.h"

/* The choices are in the order of enum few_data_split and enum few_data_on_error. */
const struct few_option few__data_options[] = {
    FEW_OPT_CHOICE(struct few_data_opts, split, "train", "train|test", "part of the set"),
    FEW_OPT_CHOICE(struct few_data_opts, on_error, "refuse", "refuse|skip",
                   "what to do with a broken item"),
    FEW_OPT_INT(struct few_data_opts, limit, "0", 0, 1099511627775.0,
                "use so many items, of all classes in proportion; 0: all"),
    FEW_OPT_INT(struct few_data_opts, size, "0", 0, 32768,
                "folder: crop to the central square and shrink to this many pixels; 0: as it is"),
    FEW_OPT_INT(struct few_data_opts, channels, "0", 0, 3,
                "folder: 1 grey, 3 RGB, 0: grey if all images are"),
    FEW_OPT_INT(struct few_data_opts, background, "255", 0, 255,
                "folder: grey level behind transparent pixels"),
    FEW_OPT_INT(struct few_data_opts, classes, "0", 0, 65536,
                "idx, npy, npz: labels are 0 .. classes - 1; 0: those that occur"),
    FEW_OPT_REAL(struct few_data_opts, holdout, "0", 0, 0.9,
                 "share that is kept out of the training part and becomes the test part"),
    FEW_OPT_CHOICE(struct few_data_opts, cache, "auto", "auto|no|yes",
                   "folder: keep decoded images for the next run; auto: where it took seconds"),
    FEW_OPT_END};

few_status few_data_set_option(few_ctx *ctx, struct few_data_opts *opts, const char *key,
                               const char *value) {
  return few_option_set(ctx, few__data_options, opts, key, value);
}
