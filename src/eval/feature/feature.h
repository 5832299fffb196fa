/* feature.h - networks that turn images into vectors, which distances between sets compare.
 *
 * They run in few's own graph, plan and backends. What a distance means depends on the network, its
 * weights and the rule by which images are resized, so a report has all three. A Fréchet distance
 * is called FID only with the weights of inception-2015-12-05.
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
  double flops;             /* of one image; 2 a multiply-add */
};

/* spec: a name of features.def ("pixels", "fashion" ...), or "NAME=FILE" with the weights: a
 * safetensors file or PyTorch's. The context must outlive it. On failure *out is NULL. */
few_status few__features_open(few_ctx *ctx, few_features **out, const char *spec);
void few__features_free(few_features *f); /* NULL is fine */
/* Borrowed; few__features_fit may change dim. */
const struct few_features_info *few__features_info(const few_features *f);

/* Set the size of the images. FEW_E_INVALID if the network does not take them. run calls it too. */
few_status few__features_fit(few_features *f, int64_t h, int64_t w, int64_t c);

/* uint8 NHWC images of one size to rows[n][dim], logits[n][classes], spatial[n][spatial]; the
 * last two may be NULL. Any n. The bits of an image's row do not depend on the other images, on how
 * images are grouped into calls, nor on the number of workers. */
few_status few__features_run(few_features *f, int64_t n, int64_t h, int64_t w, int64_t c,
                             const uint8_t *pixels, float *rows, float *logits, float *spatial);

/* How many images a call needs at least to keep every worker, or the device, busy. */
int64_t few__features_portion(const few_features *f);

/* Network i of 0 .. count - 1, for lists. */
int few__features_count(void);
const char *few__features_name(int i);
const char *few__features_help(int i);
/* The file of weights that comes with few for the network of this name, relative to where few is
 * run or installed; NULL: none. */
const char *few__features_file(const char *name);

#endif
