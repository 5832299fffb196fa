/* feature.h - networks that turn images into the vectors that distances between sets compare.
 *
 * All run in our own graph, plan and backend. What a distance means depends on the network, its
 * weights and the rule by which images are brought to its size, so all three are told: a Fréchet
 * distance is called FID only with the weights of inception-2015-12-05.
 */
#ifndef FEW_SRC_FEATURE_H
#define FEW_SRC_FEATURE_H

#include "base/base.h"
#include "data/classes.h"

typedef struct few_features few_features;

struct few_features_info {
  const char *name;
  char hash[65];            /* sha256 of the file of weights, hex; "" none */
  int64_t dim;              /* values a row; 0: as many as an image has (few__features_fit tells) */
  int64_t classes;          /* logits an image (Inception's: without the bias); 0: none */
  struct few_classes names; /* of a classifier of few's: what they are; n 0: not known */
  int64_t spatial;          /* values an image for sFID; 0: none */
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

/* What images will come: FEW_E_INVALID if the network does not take them. run does it too. */
few_status few__features_fit(few_features *f, int64_t h, int64_t w, int64_t c);

/* uint8 NHWC images of one size to rows[n][dim], logits[n][classes], spatial[n][spatial]; the
 * last two may be NULL. Any n. An image's row is the same bits whatever stands beside it, however
 * images are grouped into calls, and with any number of workers. */
few_status few__features_run(few_features *f, int64_t n, int64_t h, int64_t w, int64_t c,
                             const uint8_t *pixels, float *rows, float *logits, float *spatial);

/* The least images of a call that keep every worker, or the device, busy. */
int64_t few__features_portion(const few_features *f);

/* Network i of 0 .. count - 1, for lists. */
int few__features_count(void);
const char *few__features_name(int i);
const char *few__features_help(int i);
/* Of a network by its name: the file of weights that comes with few, to be found where it is run or
 * installed; NULL: none. */
const char *few__features_file(const char *name);

#endif
