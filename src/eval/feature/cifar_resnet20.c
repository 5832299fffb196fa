/* cifar-resnet20 - the residual network of He et al. (arXiv 1512.03385, section 4.2) for CIFAR-10,
 * with 0.27 million parameters: 3x3 kernels, widths 16, 32 and 64 with three blocks each, shortcuts
 * without parameters. A row is the mean over positions, 64 values. Tensors are named as in
 * github.com/akamaster/pytorch_resnet_cifar10.
 */
#include <math.h>
#include <stdio.h>

#include "net.h"

static const struct few_bn_names names = {".weight", ".bias", ".running_mean", ".running_var"};

static few_node conv(struct few_feature_net *net, few_node x, const char *block, const char *number,
                     int64_t out, int stride, bool relu) {
  char kernel[64], bn[64];
  snprintf(kernel, sizeof kernel, "%sconv%s.weight", block, number);
  snprintf(bn, sizeof bn, "%sbn%s", block, number);
  return few__feature_conv(net, x,
                           &(struct few_feature_conv){.kernel = kernel,
                                                      .bn = bn,
                                                      .names = &names,
                                                      .eps = 1e-5,
                                                      .out = out,
                                                      .kh = 3,
                                                      .kw = 3,
                                                      .stride = stride,
                                                      .top = 1,
                                                      .bottom = 1,
                                                      .left = 1,
                                                      .right = 1,
                                                      .most = relu ? INFINITY : 0});
}

/* A shortcut without parameters: every second pixel, and zeros in the new channels. */
static few_node shortcut(few_graph *g, few_node x, int64_t out) {
  struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4 || s.dim[3] == out) return x;
  const int64_t new = (out - s.dim[3]) / 2, h = s.dim[1] / 2, w = s.dim[2] / 2;
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0] * h, 2, w, 2 * s.dim[3]));
  x = few_slice(g, few_slice(g, x, 1, 0, 1), 3, 0, s.dim[3]);
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], h, w, s.dim[3]));
  return few_pad(g, x, 3, new, new);
}

static few_node block(struct few_feature_net *net, few_node x, const char *name, int64_t out,
                      int stride) {
  few_node h = conv(net, x, name, "1", out, stride, true);
  h = conv(net, h, name, "2", out, 1, false);
  return few__feature_relu(net->g, few_add(net->g, h, shortcut(net->g, x, out)));
}

static void build(struct few_feature_net *net, few_node x, few_node out[3]) {
  x = conv(net, x, "", "1", 16, 1, true);
  for (int l = 1; l <= 3; l++)
    for (int b = 0; b < 3; b++) {
      char name[32];
      snprintf(name, sizeof name, "layer%d.%d.", l, b);
      x = block(net, x, name, 8 << l, l > 1 && b == 0 ? 2 : 1);
    }
  out[0] = few__feature_mean(net->g, x);
  out[1] = few__feature_linear(net, out[0], "linear.weight", "linear.bias", 10);
}

/* ImageNet's mean and standard deviation, which its training used. */
static void prepare(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                    const uint8_t *image, float *x) {
  static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
  FEW_UNUSED(net);
  for (int64_t i = 0; i < h * w; i++)
    for (int64_t k = 0; k < 3; k++)
      x[3 * i + k] = ((float)image[i * c + (c == 3 ? k : 0)] / 255 - mean[k]) / std[k];
}

const struct few_feature_def few__feature_cifar_resnet20 = {
    .name = "cifar-resnet20",
    .help = "ResNet-20 of CIFAR-10, 64 values",
    .resize = "as they are, 32x32x3",
    .trained_on = "CIFAR-10, training split",
    .weights = "",
    .h = 32,
    .w = 32,
    .c = 3,
    .fixed = true,
    .rows = 8,
    .prepare = prepare,
    .build = build,
};
