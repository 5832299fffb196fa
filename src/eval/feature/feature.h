/* feature.h - networks that turn images into vectors. Metrics compare sets of these vectors.
 *
 * They run as graphs and plans on few's backends. The value of a distance depends on the network,
 * its weights and the way images are resized, so a report names all three. A Fréchet distance is
 * called FID only with the weights of inception-2015-12-05.
 */
#ifndef FEW_SRC_FEATURE_H
#define FEW_SRC_FEATURE_H

#include "base/base.h"
#include "data/classes.h"

typedef struct few_features few_features;

struct few_features_info {
  const char *name;
  char hash[65];            /* sha256 of the file of weights, hex; "" none */
  int64_t dim;              /* values per row; 0: as many as an image has (few__features_fit) */
  int64_t classes;          /* logits per image (Inception's: without the bias); 0: none */
  struct few_classes names; /* of a classifier that few trained; n 0: not known */
  int64_t spatial;          /* values per image for sFID; 0: none */
  const char *resize;       /* the rule in words, e.g. "as they are, 28x28x1" */
  const char *trained_on;   /* data set its weights were trained on, "" none */
  double flops;             /* of one image; a multiply-add counts 2 */
};

/* spec: a name of features.def ("pixels", "fashion" ...), or "NAME=FILE" with the weights: a
 * safetensors file or PyTorch's. The context must outlive it. On failure *out is NULL. */
few_status few__features_open(few_ctx *ctx, few_features **out, const char *spec);
void few__features_free(few_features *f); /* NULL is fine */
/* Borrowed; few__features_fit may change dim. */
const struct few_features_info *few__features_info(const few_features *f);

/* Sets the size of the images. FEW_E_INVALID if the network does not take them. run calls it
 * too. */
few_status few__features_fit(few_features *f, int64_t h, int64_t w, int64_t c);

/* Computes rows[n][dim], logits[n][classes] and spatial[n][spatial] of n uint8 NHWC images of one
 * size; the last two may be NULL. The bits of a row depend only on its image, not on other images,
 * the grouping into calls, or the number of workers. */
few_status few__features_run(few_features *f, int64_t n, int64_t h, int64_t w, int64_t c,
                             const uint8_t *pixels, float *rows, float *logits, float *spatial);

/* The fewest images of a call that keep all workers, or the device, busy. */
int64_t few__features_portion(const few_features *f);

/* Network i of 0 .. count - 1, for lists. */
int few__features_count(void);
const char *few__features_name(int i);
const char *few__features_help(int i);
/* The weights that come with few for the network of this name, as a path relative to the current
 * folder or the installation; NULL: none. */
const char *few__features_file(const char *name);

#endif
