/* layers.c - the layers of feature networks, built from primitive ops.
 *
 * Pools are pointwise ops of shifted slices, one axis after the other. A stride of 2 is a slice of
 * a reshape. A depthwise convolution is a sum of shifted slices, each multiplied by a vector. With
 * one image per replay a slice along the rows is a view, so only the shifts along columns are
 * copied.
 */
#include <math.h>
#include <stdio.h>

#include "net.h"

enum { NAME = sizeof((struct few_feature_array){0}.name), TAPS = 9 };

/* ---- arrays ---- */

/* Keeps `values` under this name, and returns the node that reads them. Takes ownership of them. */
static few_node array(struct few_feature_net *net, const char *name, struct few_shape shape,
                      float *values) {
  few_status st = FEW_GROW(net->ctx, &net->arrays, net->arrays.n + 1);
  if (st) {
    few__free(net->ctx, values);
    return few__graph_fail(net->g, st, "out of memory: weights");
  }
  struct few_feature_array *a = &net->arrays.at[net->arrays.n++];
  snprintf(a->name, NAME, "%s", name);
  a->at = values;
  return few_param(net->g, a->name, shape);
}

static few_node fail(struct few_feature_net *net, few_status st) {
  char why[600]; /* a copy, since few__graph_fail overwrites the recorded error */
  snprintf(why, sizeof why, "%s", few_error(net->ctx));
  return few__graph_fail(net->g, st, "%s", why);
}

/* scale[o] and shift[o] of the norm; 1 and 0 without a norm. */
static few_status fold(struct few_feature_net *net, const struct few_feature_conv *v, double *scale,
                       float *shift) {
  const struct few_bn_names *n = v->names;
  const char *const parts[4] = {v->bn ? n->scale : "", v->bn ? n->shift : "", v->bn ? n->mean : "",
                                v->bn ? n->var : ""};
  float *p[4] = {0};
  few_status st = FEW_OK;
  for (int k = 0; v->bn && k < 4 && !st; k++) {
    char name[2 * NAME];
    snprintf(name, sizeof name, "%s%s", v->bn, parts[k]);
    st = few__weights_take(net->ctx, &net->weights, name, 1, &v->out, &p[k]);
  }
  if (!v->bn && v->shift)
    st = few__weights_take(net->ctx, &net->weights, v->shift, 1, &v->out, &p[1]);
  for (int64_t o = 0; !st && o < v->out; o++) {
    scale[o] = v->bn ? (double)p[0][o] / sqrt((double)p[3][o] + v->eps) : 1;
    shift[o] = v->bn ? (float)((double)p[1][o] - (double)p[2][o] * scale[o]) : p[1] ? p[1][o] : 0;
    if (!isfinite(scale[o]) || !isfinite(shift[o]))
      st = few__fail(net->ctx, FEW_E_FORMAT,
                     "%s: batch norm `%s` has an invalid variance (channel %lld)",
                     net->weights.path, v->bn, (long long)o);
  }
  for (int k = 0; k < 4; k++) few__free(net->ctx, p[k]);
  return st;
}

/* Reads the kernel, OIHW, as HWIO times scale[o], and the shift. */
static few_status read_conv(struct few_feature_net *net, const struct few_feature_conv *v,
                            int64_t in, float **kernel, float **shift) {
  const int64_t dim[4] = {v->out, in, v->kh, v->kw}, taps = (int64_t)v->kh * v->kw;
  float *raw = NULL;
  double *scale = NULL;
  few_status st;
  *kernel = *shift = NULL;
  FEW_GOTO(few__weights_take(net->ctx, &net->weights, v->kernel, 4, dim, &raw));
  FEW_GOTO(FEW_NEW(net->ctx, kernel, taps * in * v->out));
  FEW_GOTO(FEW_NEW(net->ctx, shift, v->out));
  FEW_GOTO(FEW_NEW(net->ctx, &scale, v->out));
  FEW_GOTO(fold(net, v, scale, *shift));
  for (int64_t o = 0; o < v->out; o++)
    for (int64_t i = 0; i < in; i++)
      for (int64_t t = 0; t < taps; t++)
        (*kernel)[(t * in + i) * v->out + o] =
            (float)(scale[o] * (double)raw[(o * in + i) * taps + t]);
out:
  few__free(net->ctx, raw);
  few__free(net->ctx, scale);
  if (st) {
    few__free(net->ctx, *kernel);
    few__free(net->ctx, *shift);
  }
  return st;
}

/* ---- slices ---- */

/* Elements start, start + stride, .. of an axis (1 or 2 of four), n of them. */
static few_node strided(few_graph *g, few_node x, int axis, int64_t start, int64_t n, int stride) {
  struct few_shape s = few_node_shape(g, x), pairs = {.rank = 5};
  if (s.rank != 4) return FEW_NONE;
  if (stride == 1) return few_slice(g, x, axis, start, n);
  /* if the last pair would be incomplete, begin one element earlier and take second elements */
  const int64_t shift = start + 2 * n > s.dim[axis] ? 1 : 0;
  x = few_slice(g, x, axis, start - shift, 2 * n);
  for (int k = 0, j = 0; k < 4; k++) {
    pairs.dim[j++] = k == axis ? n : s.dim[k];
    if (k == axis) pairs.dim[j++] = 2;
  }
  x = few_slice(g, few_reshape(g, x, pairs), axis + 1, shift, 1);
  s.dim[axis] = n;
  return few_reshape(g, x, s);
}

static few_node pad(few_graph *g, few_node x, const struct few_feature_conv *v) {
  if (v->top || v->bottom) x = few_pad(g, x, 1, v->top, v->bottom);
  return v->left || v->right ? few_pad(g, x, 2, v->left, v->right) : x;
}

/* ---- convolutions ---- */

static few_node depthwise(few_graph *g, few_node x, few_node w, const struct few_feature_conv *v) {
  struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4) return FEW_NONE;
  const int64_t c = s.dim[3], h = (s.dim[1] - v->kh) / v->stride + 1;
  const int64_t wd = (s.dim[2] - v->kw) / v->stride + 1;
  few_node y = FEW_NONE;
  for (int b = 0; b < v->kw; b++) {
    few_node columns = strided(g, x, 2, b, wd, v->stride);
    for (int a = 0; a < v->kh; a++) {
      few_node tap = few_reshape(g, few_slice(g, w, 0, a * v->kw + b, 1), FEW_SHAPE(1, 1, 1, c));
      few_node term = few_mul(g, strided(g, columns, 1, a, h, v->stride), tap);
      y = y == FEW_NONE ? term : few_add(g, y, term);
    }
  }
  return y;
}

few_node few__feature_conv(struct few_feature_net *net, few_node x,
                           const struct few_feature_conv *v) {
  few_graph *g = net->g;
  struct few_shape s = few_node_shape(g, x);
  float *kernel, *shift;
  char name[2 * NAME];
  if (s.rank != 4) return FEW_NONE;
  const int64_t in = v->depthwise ? 1 : s.dim[3];
  few_status st = read_conv(net, v, in, &kernel, &shift);
  if (st) return fail(net, st);
  struct few_shape shape = v->depthwise ? FEW_SHAPE((int64_t)v->kh * v->kw, v->out)
                                        : FEW_SHAPE(v->kh, v->kw, in, v->out);
  few_node w = array(net, v->kernel, shape, kernel);
  snprintf(name, sizeof name, "%s+", v->kernel);
  few_node b = array(net, name, FEW_SHAPE(1, 1, 1, v->out), shift);
  const bool even = v->top == v->bottom && v->left == v->right && v->top == v->left;
  if (!even || v->depthwise) x = pad(g, x, v);
  x = v->depthwise ? depthwise(g, x, w, v) : few_conv(g, x, w, v->stride, even ? v->top : 0);
  if (v->average) x = few__feature_average3(g, x);
  x = few_add(g, x, b);
  if (v->most > 0) x = few__feature_relu(g, x);
  return v->most > 0 && isfinite(v->most) ? few_min(g, x, few_fill(g, v->most, FEW_SCALAR)) : x;
}

few_node few__feature_linear(struct few_feature_net *net, few_node x, const char *weight,
                             const char *bias, int64_t out) {
  struct few_shape s = few_node_shape(net->g, x);
  float *w, *b;
  if (s.rank != 2) return FEW_NONE;
  few_status st =
      few__weights_take(net->ctx, &net->weights, weight, 2, (int64_t[]){out, s.dim[1]}, &w);
  if (st) return fail(net, st);
  few_node m = array(net, weight, FEW_SHAPE(out, s.dim[1]), w);
  x = few_matmul(net->g, x, m, false, true);
  if (!bias) return x;
  st = few__weights_take(net->ctx, &net->weights, bias, 1, &out, &b);
  return st ? fail(net, st) : few_add(net->g, x, array(net, bias, FEW_SHAPE(1, out), b));
}

/* ---- pools ---- */

few_node few__feature_relu(few_graph *g, few_node x) {
  return few_max(g, x, few_fill(g, 0, FEW_SCALAR));
}

few_node few__feature_max3(few_graph *g, few_node x, int stride) {
  assert(stride == 1 || stride == 2);
  for (int axis = 2; axis >= 1; axis--) {
    if (stride == 1) x = few_pad(g, x, axis, 1, 1);
    struct few_shape s = few_node_shape(g, x);
    if (s.rank != 4) return FEW_NONE;
    const int64_t n = (s.dim[axis] - 3) / stride + 1;
    few_node a = strided(g, x, axis, 0, n, stride), b = strided(g, x, axis, 1, n, stride);
    x = few_max(g, few_max(g, a, b), strided(g, x, axis, 2, n, stride));
  }
  return x;
}

/* [1,h,w,1]: 1 / the number of pixels of the 3x3 around each pixel that are inside the image. */
static few_node shares(few_graph *g, int64_t h, int64_t w) {
  double *at;
  few_status st = FEW_NEW(few__graph_ctx(g), &at, h * w);
  if (st) return few__graph_fail(g, st, "out of memory: a pool");
  for (int64_t y = 0; y < h; y++)
    for (int64_t x = 0; x < w; x++) {
      const int64_t rows = 1 + (y > 0) + (y < h - 1), columns = 1 + (x > 0) + (x < w - 1);
      at[y * w + x] = 1 / (double)(rows * columns);
    }
  few_node n = few_const(g, FEW_SHAPE(1, h, w, 1), at);
  few__free(few__graph_ctx(g), at);
  return n;
}

few_node few__feature_average3(few_graph *g, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4) return FEW_NONE;
  for (int axis = 2; axis >= 1; axis--) {
    few_node p = few_pad(g, x, axis, 1, 1);
    few_node a = few_slice(g, p, axis, 0, s.dim[axis]), b = few_slice(g, p, axis, 2, s.dim[axis]);
    x = few_add(g, few_add(g, a, x), b);
  }
  return few_mul(g, x, shares(g, s.dim[1], s.dim[2]));
}

few_node few__feature_mean(few_graph *g, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  if (s.rank != 4) return FEW_NONE;
  x = few_sum(g, x, FEW_SHAPE(s.dim[0], 1, 1, s.dim[3]));
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], s.dim[3]));
  return few_scale(g, x, 1 / (double)(s.dim[1] * s.dim[2]));
}
