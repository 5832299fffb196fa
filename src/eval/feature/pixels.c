/* pixels - no network: a row is the image itself, 0 .. 1. Distances of pixels depend on colours and
 * positions and not on what an image shows, but they need no network and no weights. */
#include "net.h"

const struct few_feature_def few__feature_pixels = {
    .name = "pixels",
    .help = "the image itself, 0 to 1",
    .resize = "as they are",
    .trained_on = "",
};
