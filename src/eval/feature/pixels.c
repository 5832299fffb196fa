/* pixels - no network: a row is the image itself, 0 .. 1. Distances in it see colours and places
 * and no meaning; it is the ruler that is always there. */
#include "net.h"

const struct few_feature_def few__feature_pixels = {
    .name = "pixels",
    .help = "the image itself, 0 to 1",
    .resize = "as they are",
    .trained_on = "",
};
