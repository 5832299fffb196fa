/* net.h - a feature network: one file and one row in features.def.
 *
 * A network is described by a few_feature_def. It builds its graph from layers, whose weights are
 * looked up in the file by name. Each batch norm is folded into the convolution before it when the
 * weights are read, so the graph has convolutions, biases and ReLUs only.
 */
#ifndef FEW_SRC_FEATURE_NET_H
#define FEW_SRC_FEATURE_NET_H

#include "engine/plan/plan.h"
#include "feature.h"
#include "model/model.h"
#include "weights.h"

struct few_feature_net;

struct few_feature_def {
  const char *name, *help;
  const char *resize, *trained_on;
  const char *weights; /* the default file; "": the user must give one; NULL: no weights */
  int64_t h, w, c;     /* size of the network's input; 0: that of the image */
  bool fixed;          /* images must have this size: they are not resized */
  int rows;            /* images per replay */
  /* Reads `path` into `net`; NULL: few__weights_read. */
  few_status (*open)(struct few_feature_net *net, const char *path);
  /* Turns one image of h x w x c bytes into the network's input x. NULL if `build` is NULL. */
  void (*prepare)(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                  const uint8_t *image, float *x);
  /* out: rows [R,d], logits [R,classes] or FEW_NONE, spatial [R,..] or FEW_NONE. */
  void (*build)(struct few_feature_net *net, few_node x, few_node out[3]);
};

/* An array that the graph reads by name, in the layout of the kernels. */
struct few_feature_array {
  char name[96];
  float *at; /* owned */
};

struct few_feature_net {
  few_ctx *ctx;
  const struct few_feature_def *def;
  struct few_weights weights; /* freed once the graph is built */
  few_model *model;           /* the classifier, if the file is a model of few */
  few_graph *g;               /* while it is being built */
  struct {
    struct few_feature_array *at;
    int n, cap;
  } arrays;
  int64_t h, w, c; /* size of the input */
  /* Set by `open` where they differ from the definition; "" otherwise. */
  char hash[FEW_SHA256_TEXT], resize[64], trained_on[160];
};

/* Opens with weights that were read already. Takes ownership of them, also on failure. */
few_status few__features_open_weights(few_ctx *ctx, few_features **out, const char *name,
                                      struct few_weights *weights);

/* ---- A classifier that few trained (classifier.c), under any name ---- */
few_status few__classifier_open(struct few_feature_net *net, const char *path);
void few__classifier_prepare(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                             const uint8_t *image, float *x);
void few__classifier_build(struct few_feature_net *net, few_node x, few_node out[3]);

/* ---- Layers: errors are recorded in the graph. x is [N,H,W,C]. ---- */

/* Suffixes by which a file names the parts of a batch norm. */
struct few_bn_names {
  const char *scale, *shift, *mean, *var;
};
struct few_feature_conv {
  const char *kernel; /* tensor, OIHW */
  const char *bn;     /* the norm that follows; NULL: none, and `shift` may name a bias */
  const char *shift;
  const struct few_bn_names *names;
  double eps;
  int64_t out;
  int kh, kw, stride;
  int top, bottom, left, right; /* zero padding */
  bool depthwise;               /* one filter per channel: out is the number of channels */
  double most;                  /* values are clipped to 0 .. most; 0: no ReLU */
  bool average; /* few__feature_average3 between the kernel and the shift, which commute */
};
few_node few__feature_conv(struct few_feature_net *net, few_node x,
                           const struct few_feature_conv *v);
/* x [N,I] W^T + b for a weight [O,I]; bias NULL: none. */
few_node few__feature_linear(struct few_feature_net *net, few_node x, const char *weight,
                             const char *bias, int64_t out);
few_node few__feature_relu(few_graph *g, few_node x);
/* Largest of 3x3: stride 2 without padding, or stride 1 with one pixel of padding (of x >= 0). */
few_node few__feature_max3(few_graph *g, few_node x, int stride);
/* Mean of 3x3, stride 1, of the pixels inside the image only. */
few_node few__feature_average3(few_graph *g, few_node x);
/* [N,H,W,C] to [N,C]. */
few_node few__feature_mean(few_graph *g, few_node x);

/* ---- Preparing ---- */

/* to[th][tw][3] = a (bilinear sample of the image) + b, without antialiasing; a grey image becomes
 * three equal channels. Row i of the target is sampled at (i + 1/2) h/th - 1/2 with half_pixel, and
 * at i h/th without; columns likewise. */
struct few_bilinear {
  int64_t th, tw;
  bool half_pixel;
  float a, b;
};
void few__feature_bilinear(const struct few_bilinear *r, int64_t h, int64_t w, int64_t c,
                           const uint8_t *image, float *to);

#endif
