/* inception - Inception-v3 of 2015-12-05 (Szegedy et al., arXiv 1512.00567), the network of the FID
 * (Heusel et al., arXiv 1706.08500). Tensors have the names of pytorch-fid's file of weights.
 *
 * It differs from the Inception-v3 of torchvision in its weights and in three more ways: it has
 * 1008 classes; its average pools divide by the number of pixels inside the image; its last block
 * has a max pool. A row is pool_3, 2048 values. Logits are W row without the bias, as the Inception
 * score uses them. sFID uses the first 7 channels of mixed_6/conv (here Mixed_6d.branch1x1), 17 x
 * 17 x 7.
 *
 * Two ways of resizing images to 299 x 299 are in use, and they give different numbers:
 *   inception      as pytorch-fid: pixel centres are aligned (half-pixel), then x / 127.5 - 1
 *   inception-tf   as the TensorFlow graph: corners are aligned, then (x - 128) / 128
 *
 * An average pool and the 1x1 kernel after it commute. Here the kernel comes first, so that the
 * pool averages fewer channels.
 */
#include <math.h>
#include <stdio.h>

#include "net.h"

static const struct few_bn_names names = {".bn.weight", ".bn.bias", ".bn.running_mean",
                                          ".bn.running_var"};

/* A unit: convolution, norm, ReLU. It is padded to keep the side, or not padded. */
struct unit {
  const char *name;
  int64_t out;
  int kh, kw, stride;
  bool same, average;
};

static few_node unit(struct few_feature_net *net, const char *block, few_node x,
                     const struct unit *u) {
  char bn[64], kernel[80];
  const int v = u->same ? u->kh / 2 : 0, h = u->same ? u->kw / 2 : 0;
  snprintf(bn, sizeof bn, "%s%s%s", block, *block ? "." : "", u->name);
  snprintf(kernel, sizeof kernel, "%s.conv.weight", bn);
  return few__feature_conv(net, x,
                           &(struct few_feature_conv){.kernel = kernel,
                                                      .bn = bn,
                                                      .names = &names,
                                                      .eps = 1e-3,
                                                      .out = u->out,
                                                      .kh = u->kh,
                                                      .kw = u->kw,
                                                      .stride = u->stride,
                                                      .top = v,
                                                      .bottom = v,
                                                      .left = h,
                                                      .right = h,
                                                      .average = u->average,
                                                      .most = INFINITY});
}

/* Units one after the other. */
static few_node chain(struct few_feature_net *net, const char *block, few_node x, int n,
                      const struct unit *u) {
  for (int i = 0; i < n; i++) x = unit(net, block, x, &u[i]);
  return x;
}
#define CHAIN(net, block, x, ...)                                                         \
  chain(net, block, x, (int)(sizeof((struct unit[]){__VA_ARGS__}) / sizeof(struct unit)), \
        (struct unit[]){__VA_ARGS__})
#define UNIT(name, out, kh, kw) \
  { name, out, kh, kw, 1, true, false }
#define VALID(name, out, k, stride) \
  { name, out, k, k, stride, false, false }

static few_node pool_unit(struct few_feature_net *net, const char *block, few_node x, int64_t out) {
  return unit(net, block, x, &(struct unit){"branch_pool", out, 1, 1, 1, true, true});
}

/* 35 x 35 */
static few_node block_a(struct few_feature_net *net, const char *b, few_node x, int64_t pool) {
  few_node y[4];
  y[0] = CHAIN(net, b, x, UNIT("branch1x1", 64, 1, 1));
  y[1] = CHAIN(net, b, x, UNIT("branch5x5_1", 48, 1, 1), UNIT("branch5x5_2", 64, 5, 5));
  y[2] = CHAIN(net, b, x, UNIT("branch3x3dbl_1", 64, 1, 1), UNIT("branch3x3dbl_2", 96, 3, 3),
               UNIT("branch3x3dbl_3", 96, 3, 3));
  y[3] = pool_unit(net, b, x, pool);
  return few_concat(net->g, 3, 4, y);
}

/* 35 to 17 */
static few_node block_b(struct few_feature_net *net, const char *b, few_node x) {
  few_node y[3];
  y[0] = CHAIN(net, b, x, VALID("branch3x3", 384, 3, 2));
  y[1] = CHAIN(net, b, x, UNIT("branch3x3dbl_1", 64, 1, 1), UNIT("branch3x3dbl_2", 96, 3, 3),
               VALID("branch3x3dbl_3", 96, 3, 2));
  y[2] = few__feature_max3(net->g, x, 2);
  return few_concat(net->g, 3, 3, y);
}

/* 17 x 17, of inner width c; *first is the 1x1 branch */
static few_node block_c(struct few_feature_net *net, const char *b, few_node x, int64_t c,
                        few_node *first) {
  few_node y[4];
  y[0] = *first = CHAIN(net, b, x, UNIT("branch1x1", 192, 1, 1));
  y[1] = CHAIN(net, b, x, UNIT("branch7x7_1", c, 1, 1), UNIT("branch7x7_2", c, 1, 7),
               UNIT("branch7x7_3", 192, 7, 1));
  y[2] = CHAIN(net, b, x, UNIT("branch7x7dbl_1", c, 1, 1), UNIT("branch7x7dbl_2", c, 7, 1),
               UNIT("branch7x7dbl_3", c, 1, 7), UNIT("branch7x7dbl_4", c, 7, 1),
               UNIT("branch7x7dbl_5", 192, 1, 7));
  y[3] = pool_unit(net, b, x, 192);
  return few_concat(net->g, 3, 4, y);
}

/* 17 to 8 */
static few_node block_d(struct few_feature_net *net, const char *b, few_node x) {
  few_node y[3];
  y[0] = CHAIN(net, b, x, UNIT("branch3x3_1", 192, 1, 1), VALID("branch3x3_2", 320, 3, 2));
  y[1] = CHAIN(net, b, x, UNIT("branch7x7x3_1", 192, 1, 1), UNIT("branch7x7x3_2", 192, 1, 7),
               UNIT("branch7x7x3_3", 192, 7, 1), VALID("branch7x7x3_4", 192, 3, 2));
  y[2] = few__feature_max3(net->g, x, 2);
  return few_concat(net->g, 3, 3, y);
}

/* 8 x 8 */
static few_node block_e(struct few_feature_net *net, const char *b, few_node x, bool last) {
  few_node y[6];
  y[0] = CHAIN(net, b, x, UNIT("branch1x1", 320, 1, 1));
  few_node h = CHAIN(net, b, x, UNIT("branch3x3_1", 384, 1, 1));
  y[1] = CHAIN(net, b, h, UNIT("branch3x3_2a", 384, 1, 3));
  y[2] = CHAIN(net, b, h, UNIT("branch3x3_2b", 384, 3, 1));
  h = CHAIN(net, b, x, UNIT("branch3x3dbl_1", 448, 1, 1), UNIT("branch3x3dbl_2", 384, 3, 3));
  y[3] = CHAIN(net, b, h, UNIT("branch3x3dbl_3a", 384, 1, 3));
  y[4] = CHAIN(net, b, h, UNIT("branch3x3dbl_3b", 384, 3, 1));
  if (last)
    y[5] = CHAIN(net, b, few__feature_max3(net->g, x, 1), UNIT("branch_pool", 192, 1, 1));
  else
    y[5] = pool_unit(net, b, x, 192);
  return few_concat(net->g, 3, 6, y);
}

static few_node stem(struct few_feature_net *net, few_node x) {
  x = CHAIN(net, "", x, VALID("Conv2d_1a_3x3", 32, 3, 2), VALID("Conv2d_2a_3x3", 32, 3, 1),
            UNIT("Conv2d_2b_3x3", 64, 3, 3));
  x = few__feature_max3(net->g, x, 2);
  x = CHAIN(net, "", x, VALID("Conv2d_3b_1x1", 80, 1, 1), VALID("Conv2d_4a_3x3", 192, 3, 1));
  return few__feature_max3(net->g, x, 2);
}

static void build(struct few_feature_net *net, few_node x, few_node out[3]) {
  few_graph *g = net->g;
  few_node first, sixth;
  x = stem(net, x);
  x = block_a(net, "Mixed_5b", x, 32);
  x = block_a(net, "Mixed_5c", x, 64);
  x = block_a(net, "Mixed_5d", x, 64);
  x = block_b(net, "Mixed_6a", x);
  x = block_c(net, "Mixed_6b", x, 128, &first);
  x = block_c(net, "Mixed_6c", x, 160, &first);
  x = block_c(net, "Mixed_6d", x, 160, &sixth);
  x = block_c(net, "Mixed_6e", x, 192, &first);
  x = block_d(net, "Mixed_7a", x);
  x = block_e(net, "Mixed_7b", x, false);
  x = block_e(net, "Mixed_7c", x, true);
  out[0] = few__feature_mean(g, x);
  out[1] = few__feature_linear(net, out[0], "fc.weight", NULL, 1008);
  out[2] = few_slice(g, sixth, 3, 0, 7);
}

static void prepare(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                    const uint8_t *image, float *x) {
  const struct few_bilinear r = {net->h, net->w, true, 1 / 127.5f, -1};
  few__feature_bilinear(&r, h, w, c, image, x);
}

static void prepare_tf(const struct few_feature_net *net, int64_t h, int64_t w, int64_t c,
                       const uint8_t *image, float *x) {
  const struct few_bilinear r = {net->h, net->w, false, 1 / 128.0f, -1};
  few__feature_bilinear(&r, h, w, c, image, x);
}

const struct few_feature_def few__feature_inception = {
    .name = "inception",
    .help = "Inception-v3 of the FID, resized as pytorch-fid does",
    .resize = "bilinear to 299x299x3, half-pixel centres, no antialiasing",
    .trained_on = "ImageNet",
    .weights = "",
    .h = 299,
    .w = 299,
    .c = 3,
    .rows = 1,
    .prepare = prepare,
    .build = build,
};

const struct few_feature_def few__feature_inception_tf = {
    .name = "inception-tf",
    .help = "Inception-v3 of the FID, resized as in the TensorFlow graph",
    .resize = "bilinear to 299x299x3, corners meet (TensorFlow 1), no antialiasing",
    .trained_on = "ImageNet",
    .weights = "",
    .h = 299,
    .w = 299,
    .c = 3,
    .rows = 1,
    .prepare = prepare_tf,
    .build = build,
};
