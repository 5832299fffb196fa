/* fashion-judge - a second classifier of Fashion-MNIST (recipes/fashion-judge.ini). Its widths,
 * depth, groups and seed differ from those of `fashion`.
 *
 * A setting that was chosen with the features of one network may be better only by the features of
 * that network. Lengths of training, times and recipes were chosen with `fashion`. No setting was
 * chosen with this network, so a result is credible if both networks show it.
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
