/* net.h - a feature network: one file, one row in features.def.
 *
 * A network describes itself in a few_feature_def and builds its graph from layers whose weights
 * are looked up in the file by name. Batch norms are folded into the convolution before them as
 * they are read; the graph then has convolutions, biases and ReLUs.
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
  const char *weights; /* the file where none is given; "": one must be; NULL: there is none */
  int64_t h, w, c;     /* what the network is fed; 0: the image's own */
  bool fixed;          /* images must be h x w already */
  int rows;            /* of a replay */
  /* Read `path` into `net`; NULL: few__weights_read. */
  few_status (*open)(struct few_feature_net *net, const char *path);
  /* One image of h x w x c bytes to what the network is fed; NULL: `build` is NULL too. */
  void (*prepare)(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                  const uint8_t *image, float *x);
  /* out: rows [R,d], logits [R,classes] or FEW_NONE, spatial [R,..] or FEW_NONE. */
  void (*build)(struct few_feature_net *net, few_node x, few_node out[3]);
};

/* An array that the graph reads by name, as the kernels want it. */
struct few_feature_array {
  char name[96];
  float *at; /* owned */
};

struct few_feature_net {
  few_ctx *ctx;
  const struct few_feature_def *def;
  struct few_weights weights; /* gone once the graph is built */
  few_model *model;           /* or the weights are a model of few's */
  few_graph *g;               /* while it is being built */
  struct {
    struct few_feature_array *at;
    int n, cap;
  } arrays;
  int64_t h, w, c; /* what is fed */
  /* Where `open` knows better than the row. */
  char hash[FEW_SHA256_TEXT], resize[64], trained_on[160];
};

/* Open with weights that were read already; they are taken over, on failure too. */
few_status few__features_open_weights(few_ctx *ctx, few_features **out, const char *name,
                                      struct few_weights *weights);

/* ---- A classifier of few's (classifier.c), under any name ---- */
few_status few__classifier_open(struct few_feature_net *net, const char *path);
void few__classifier_prepare(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                             const uint8_t *image, float *x);
void few__classifier_build(struct few_feature_net *net, few_node x, few_node out[3]);

/* ---- Layers ---- failures stick to the graph. x is [N,H,W,C]. */

/* How a file names the parts of a batch norm, after the norm's own name. */
struct few_bn_names {
  const char *scale, *shift, *mean, *var;
};
struct few_feature_conv {
  const char *kernel; /* tensor, OIHW */
  const char *bn;     /* the norm that follows it, or NULL: then `shift` may name a bias */
  const char *shift;
  const struct few_bn_names *names;
  double eps;
  int64_t out;
  int kh, kw, stride;
  int top, bottom, left, right; /* zero padding */
  bool depthwise;               /* one filter a channel: out is the number of channels */
  double most;                  /* values are held to 0 .. most; 0: no ReLU */
  bool average; /* between the kernel and the shift, few__feature_average3: it commutes */
};
few_node few__feature_conv(struct few_feature_net *net, few_node x,
                           const struct few_feature_conv *v);
/* x [N,I] W^T + b for a weight [O,I]; bias NULL: none. */
few_node few__feature_linear(struct few_feature_net *net, few_node x, const char *weight,
                             const char *bias, int64_t out);
few_node few__feature_relu(few_graph *g, few_node x);
/* Largest of 3x3: stride 2 without padding, or stride 1 with one pixel of padding (of x >= 0). */
few_node few__feature_max3(few_graph *g, few_node x, int stride);
/* Mean of 3x3, stride 1: of the pixels inside the image alone. */
few_node few__feature_average3(few_graph *g, few_node x);
/* [N,H,W,C] to [N,C]. */
few_node few__feature_mean(few_graph *g, few_node x);

/* ---- Preparing ---- */

/* to[th][tw][3] = a (bilinear sample of the image) + b; grey becomes three equal channels. A
 * target's centre is at (i + 1/2) h/th - 1/2 with half_pixel, at i h/th without; no antialiasing.
 */
struct few_bilinear {
  int64_t th, tw;
  bool half_pixel;
  float a, b;
};
void few__feature_bilinear(const struct few_bilinear *r, int64_t h, int64_t w, int64_t c,
                           const uint8_t *image, float *to);

#endif
