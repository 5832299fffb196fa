/* fashion - the classifier of Fashion-MNIST that comes with few (recipes/fashion-features.ini).
 *
 * It was trained on the training split only, so that the test split distinguishes memorisation from
 * generalisation. fashion=FILE is an older form of classifier=FILE and accepts any classifier too.
 */
#include "net.h"

const struct few_feature_def few__feature_fashion = {
    .name = "fashion",
    .help = "few's own classifier of Fashion-MNIST",
    .resize = "as they are, 28x28x1",
    .trained_on = "fashion-mnist",
    .weights = "models/fashion-features.safetensors",
    .fixed = true,
    .rows = 8,
    .open = few__classifier_open,
    .prepare = few__classifier_prepare,
    .build = few__classifier_build,
};
