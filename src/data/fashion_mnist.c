/* fashion_mnist.c - Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747): 60,000
 * training and 10,000 test images. It is the set of our recipes because a Debian package installs
 * it.
 */
#include <unistd.h>

#include "reader.h"

#define FOLDER "/usr/share/datasets/fashion-mnist/"

static const char *const names[] = {"T-shirt/top", "trouser", "pullover", "dress", "coat",
                                    "sandal",      "shirt",   "sneaker",  "bag",   "ankle boot"};

static const char *const files[][2] = {
    [FEW_DATA_TRAIN] = {FOLDER "train-images-idx3-ubyte.gz", FOLDER "train-labels-idx1-ubyte.gz"},
    [FEW_DATA_TEST] = {FOLDER "t10k-images-idx3-ubyte.gz", FOLDER "t10k-labels-idx1-ubyte.gz"},
};

few_status few__data_open_fashion_mnist(few_data *d, const char *where,
                                        const struct few_data_opts *o) {
  int split = o->split;
  if (!strcmp(where, "test"))
    split = FEW_DATA_TEST;
  else if (*where)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: write fashion-mnist or fashion-mnist:test, or %s",
                     d->spec, "idx:IMAGES,LABELS for other files");
  const char *const *f = files[split];
  for (int i = 0; i < 2; i++)
    if (access(f[i], R_OK))
      return few__fail(d->ctx, FEW_E_IO, "%s cannot be read; apt install dataset-fashion-mnist",
                       f[i]);
  FEW_TRY(few__data_read_idx(d, f[0], f[1], FEW_COUNT(names), o));
  return few__data_name_classes(d, names);
}
