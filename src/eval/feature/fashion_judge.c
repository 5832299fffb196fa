/* fashion-judge - a second classifier of Fashion-MNIST (recipes/fashion-judge.ini), whose widths,
 * depth, groups and seed differ from those of `fashion`: a second opinion.
 *
 * A setting that is chosen by the features of one network fits that network's blind spots. Lengths
 * of training, times and recipes were chosen by `fashion`. No setting is chosen by this network, so
 * a result is credible if both show it.
 */
#include "net.h"

const struct few_feature_def few__feature_fashion_judge = {
    .name = "fashion-judge",
    .help =
        "a second classifier of Fashion-MNIST, for checks only: no recipe or setting was chosen "
        "with it",
    .resize = "as they are, 28x28x1",
    .trained_on = "fashion-mnist",
    .weights = "models/fashion-judge.safetensors",
    .fixed = true,
    .rows = 8,
    .open = few__classifier_open,
    .prepare = few__classifier_prepare,
    .build = few__classifier_build,
};
