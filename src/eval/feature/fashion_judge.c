/* fashion-judge - a second classifier of Fashion-MNIST (recipes/fashion-judge.ini), with other
 * widths, depth, groups and seed than `fashion`: a second opinion.
 *
 * What is chosen by the features of one network fits its blind spots. Lengths of training, times and
 * recipes were chosen by `fashion`. Nothing is chosen by this one, so a result that both show counts.
 */
#include "net.h"

const struct few_feature_def few__feature_fashion_judge = {
    .name = "fashion-judge",
    .help = "a second classifier of Fashion-MNIST, by which nothing is chosen",
    .resize = "as they are, 28x28x1",
    .trained_on = "fashion-mnist",
    .weights = "models/fashion-judge.safetensors",
    .fixed = true,
    .rows = 8,
    .open = few__classifier_open,
    .prepare = few__classifier_prepare,
    .build = few__classifier_build,
};
