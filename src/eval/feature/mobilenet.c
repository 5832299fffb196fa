/* mobilenet - MobileNet v1 (Howard et al., arXiv 1704.04861) of width 0.75 at 224, with weights
 * from Keras: thirteen pairs of a depthwise 3x3 and a 1x1 kernel, each with a norm and ReLU6. A row
 * is the mean over positions, 768 values. Padding is TensorFlow's SAME: with stride 2 on an even
 * side, one row below and one column to the right.
 */
#include <stdio.h>

#include "net.h"

static const struct few_bn_names names = {"/gamma", "/beta", "/moving_mean", "/moving_variance"};

static few_node conv(struct few_feature_net *net, few_node x, const char *name, const char *kernel,
                     int64_t out, int size, int stride) {
  char full[64], bn[64];
  snprintf(full, sizeof full, "%s/%s", name, kernel);
  snprintf(bn, sizeof bn, "%s_bn", name);
  const int first = size == 3 && stride == 1, last = size == 3;
  return few__feature_conv(
      net, x,
      &(struct few_feature_conv){.kernel = full,
                                 .bn = bn,
                                 .names = &names,
                                 .eps = 1e-3,
                                 .out = out,
                                 .kh = size,
                                 .kw = size,
                                 .stride = stride,
                                 .top = first,
                                 .bottom = last,
                                 .left = first,
                                 .right = last,
                                 .depthwise = strcmp(kernel, "depthwise_kernel") == 0,
                                 .most = 6});
}

/* Logits: a 1x1 kernel in the file is a matrix. */
static few_node predict(struct few_feature_net *net, few_node rows) {
  struct few_shape s = few_node_shape(net->g, rows);
  if (s.rank != 2) return FEW_NONE;
  few_node x = few_reshape(net->g, rows, FEW_SHAPE(s.dim[0], 1, 1, s.dim[1]));
  x = few__feature_conv(net, x,
                        &(struct few_feature_conv){.kernel = "conv_preds/kernel",
                                                   .shift = "conv_preds/bias",
                                                   .out = 1000,
                                                   .kh = 1,
                                                   .kw = 1,
                                                   .stride = 1});
  return few_reshape(net->g, x, FEW_SHAPE(s.dim[0], 1000));
}

static void build(struct few_feature_net *net, few_node x, few_node out[3]) {
  static const struct {
    int64_t out;
    int stride;
  } pairs[] = {{48, 1},  {96, 2},  {96, 1},  {192, 2}, {192, 1}, {384, 2}, {384, 1},
               {384, 1}, {384, 1}, {384, 1}, {384, 1}, {768, 2}, {768, 1}};
  int64_t in = 24;
  x = conv(net, x, "conv1", "kernel", in, 3, 2);
  for (int i = 0; i < FEW_COUNT(pairs); i++) {
    char dw[32], pw[32];
    snprintf(dw, sizeof dw, "conv_dw_%d", i + 1);
    snprintf(pw, sizeof pw, "conv_pw_%d", i + 1);
    x = conv(net, x, dw, "depthwise_kernel", in, 3, pairs[i].stride);
    x = conv(net, x, pw, "kernel", pairs[i].out, 1, 1);
    in = pairs[i].out;
  }
  out[0] = few__feature_mean(net->g, x);
  out[1] = predict(net, out[0]);
}

static void prepare(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                    const uint8_t *image, float *x) {
  const struct few_bilinear r = {net->h, net->w, true, 1 / 127.5f, -1};
  few__feature_bilinear(&r, h, w, c, image, x);
}

const struct few_feature_def few__feature_mobilenet = {
    .name = "mobilenet",
    .help = "MobileNet v1 0.75 of ImageNet, 768 values",
    .resize = "bilinear to 224x224x3, half-pixel centres, no antialiasing",
    .trained_on = "ImageNet",
    .weights = "",
    .h = 224,
    .w = 224,
    .c = 3,
    .rows = 1,
    .prepare = prepare,
    .build = build,
};
