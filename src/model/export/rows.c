/* rows.c - the operators of ONNX for each op of few: a new op needs a row of the table at the end.
 *
 * Only operators of the standard are used, of opset 18 (onnx.ai, Operators.md), so any runtime can
 * read the file. A norm of images is an InstanceNormalization of its groups, one of rows a
 * LayerNormalization, because runtimes have fast kernels for these.
 */
#include <stdio.h>

#include "translate.h"

typedef struct few_translation tr;
typedef const struct few_node_data data;

/* ---- Sources ---- */

static void input(tr *t, data *n) {
  assert(t->value[t->node].name[0] || t->value[t->node].name[1]); /* few__translate_input */
  FEW_UNUSED(t);
  FEW_UNUSED(n);
}

static void param(tr *t, data *n) {
  few__onnx_set_stored(t, n->name, t->parameter(t->user, n->name));
}

static void fill(tr *t, data *n) { few__onnx_set_scalar(t, n->attr.fill.value); }

static void constant(tr *t, data *n) {
  char name[32];
  int64_t dim[FEW_MAX_RANK];
  const int64_t count = few_shape_count(n->shape);
  float *values;
  t->status = FEW_NEW(t->ctx, &values, count);
  if (t->status) return;
  for (int64_t i = 0; i < count; i++) values[i] = (float)n->values[i];
  snprintf(name, sizeof name, "/table.%d", (int)t->node);
  const int rank = few__onnx_dims(t, t->node, FEW_ONNX_PLAIN, dim);
  few__onnx_set(t, FEW_ONNX_PLAIN, few__onnx_array(t, name, rank, dim, values));
  few__free(t->ctx, values);
}

/* ---- Pointwise ---- */

static void set(tr *t, const char *name) { few__onnx_set(t, few__onnx_layout(t), name); }

static void square(tr *t, data *n) {
  FEW_UNUSED(n);
  set(t, few__onnx_op2(t, "Mul", t->arg[0], t->arg[0]));
}

static void silu(tr *t, data *n) {
  FEW_UNUSED(n);
  set(t, few__onnx_op2(t, "Mul", t->arg[0], few__onnx_op1(t, "Sigmoid", t->arg[0])));
}

static const char *times(tr *t, const char *x, double a) {
  return a == 1 ? x : few__onnx_op2(t, "Mul", x, few__onnx_real(t, a));
}

static const char *plus(tr *t, const char *x, double b) {
  return b == 0 ? x : few__onnx_op2(t, "Add", x, few__onnx_real(t, b));
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
static void gelu(tr *t, data *n) {
  const char *x = t->arg[0];
  FEW_UNUSED(n);
  const char *cube = few__onnx_op2(t, "Mul", few__onnx_op2(t, "Mul", x, x), x);
  const char *inner = few__onnx_op2(t, "Add", x, times(t, cube, 0.044715));
  inner = few__onnx_op1(t, "Tanh", times(t, inner, 0.79788456080286536));
  set(t, few__onnx_op2(t, "Mul", times(t, x, 0.5), plus(t, inner, 1)));
}

static void affine(tr *t, data *n) {
  set(t, plus(t, times(t, t->arg[0], n->attr.affine.a), n->attr.affine.b));
}

static void less(tr *t, data *n) {
  FEW_UNUSED(n);
  set(t, few__onnx_cast(t, few__onnx_op2(t, "Less", t->arg[0], t->arg[1]), FEW_ONNX_FLOAT));
}

static void choose(tr *t, data *n) {
  FEW_UNUSED(n);
  const char *in[3] = {few__onnx_cast(t, t->arg[0], FEW_ONNX_BOOL), t->arg[1], t->arg[2]};
  set(t, few__onnx_op(t, "Where", 3, in, 0, NULL));
}

/* ---- Shape ---- */

static void stop(tr *t, data *n) {
  const enum few_onnx_layout layout = few__onnx_layout(t);
  FEW_UNUSED(n);
  few__onnx_set(t, layout, few__onnx_in(t, 0, layout));
}

/* An image of one pixel has the same elements in both layouts. */
static bool one_pixel(struct few_shape s) { return s.rank == 4 && s.dim[1] == 1 && s.dim[2] == 1; }

static void reshape(tr *t, data *n) {
  const struct few_onnx_value *from = &t->value[n->in[0]];
  int64_t dim[FEW_MAX_RANK];
  if (from->stored) {
    few__onnx_set_stored(t, from->stored_name, from->stored);
    return;
  }
  const enum few_onnx_layout out = one_pixel(n->shape) ? FEW_ONNX_IMAGES : FEW_ONNX_PLAIN;
  const enum few_onnx_layout in =
      one_pixel(few_node_shape(t->at[0].g, n->in[0])) ? few__onnx_layout_of(t, 0) : FEW_ONNX_PLAIN;
  const int rank = few__onnx_dims(t, t->node, out, dim);
  few__onnx_set(t, out, few__onnx_reshape(t, few__onnx_in(t, 0, in), rank, dim));
}

/* Only a row that stands for all can need nothing. */
static void broadcast(tr *t, data *n) {
  const struct few_shape from = few_node_shape(t->at[0].g, n->in[0]);
  const enum few_onnx_layout layout = few__onnx_layout(t);
  const char *x = few__onnx_in(t, 0, layout);
  int64_t dim[FEW_MAX_RANK];
  bool larger = false;
  few__onnx_dims(t, t->node, FEW_ONNX_PLAIN, dim);
  for (int k = 0; k < from.rank; k++)
    larger = larger || (from.dim[k] != n->shape.dim[k] && dim[k] != 1);
  if (larger) x = few__onnx_op2(t, "Expand", x, few__onnx_shape(t, t->node, layout, n->in[0]));
  few__onnx_set(t, layout, x);
}

static void sum(tr *t, data *n) {
  const enum few_onnx_layout layout = few__onnx_layout(t);
  const struct few_shape from = few_node_shape(t->at[0].g, n->in[0]);
  int64_t axes[FEW_MAX_RANK];
  int count = 0;
  for (int k = 0; k < from.rank; k++)
    if (n->shape.dim[k] != from.dim[k]) axes[count++] = few__onnx_axis(n, layout, k);
  set(t, few__onnx_op2(t, "ReduceSum", few__onnx_in(t, 0, layout), few__onnx_ints(t, count, axes)));
}

static void transpose(tr *t, data *n) {
  few__onnx_set(t, FEW_ONNX_PLAIN,
                few__onnx_transpose(t, few__onnx_in(t, 0, FEW_ONNX_PLAIN), n->shape.rank,
                                    n->attr.transpose.perm));
}

static void slice(tr *t, data *n) {
  const enum few_onnx_layout layout = few__onnx_layout(t);
  const int64_t start = n->attr.slice.start, end = start + n->attr.slice.len;
  const int64_t axis = few__onnx_axis(n, layout, n->attr.slice.axis);
  const char *in[4] = {few__onnx_in(t, 0, layout), few__onnx_ints(t, 1, &start),
                       few__onnx_ints(t, 1, &end), few__onnx_ints(t, 1, &axis)};
  set(t, few__onnx_op(t, "Slice", 4, in, 0, NULL));
}

static void pad(tr *t, data *n) {
  const enum few_onnx_layout layout = few__onnx_layout(t);
  const int64_t axis = few__onnx_axis(n, layout, n->attr.pad.axis);
  int64_t pads[2 * FEW_MAX_RANK] = {0};
  pads[axis] = n->attr.pad.before;
  pads[n->shape.rank + axis] = n->attr.pad.after;
  set(t, few__onnx_op2(t, "Pad", few__onnx_in(t, 0, layout),
                       few__onnx_ints(t, 2 * n->shape.rank, pads)));
}

static void concat(tr *t, data *n) {
  const enum few_onnx_layout layout = few__onnx_layout(t);
  const int64_t axis = few__onnx_axis(n, layout, n->attr.concat.axis);
  const char *in[FEW_MAX_IN];
  for (int k = 0; k < n->n_in; k++) in[k] = few__onnx_in(t, k, layout);
  set(t, few__onnx_op(t, "Concat", n->n_in, in, 1, &FEW_ONNX_ATTR_INT("axis", axis)));
}

/* A label that is no class gives zeros, which ONNX's OneHot does not for -1. */
static void onehot(tr *t, data *n) {
  const int64_t one = 1, classes = n->attr.onehot.classes;
  const char *column =
      few__onnx_op2(t, "Unsqueeze", few__onnx_in(t, 0, FEW_ONNX_PLAIN), few__onnx_ints(t, 1, &one));
  const char *range[3] = {few__onnx_int(t, 0), few__onnx_int(t, classes), few__onnx_int(t, 1)};
  const char *equal =
      few__onnx_op2(t, "Equal", column, few__onnx_op(t, "Range", 3, range, 0, NULL));
  few__onnx_set(t, FEW_ONNX_PLAIN, few__onnx_cast(t, equal, FEW_ONNX_FLOAT));
}

/* ---- Linear algebra and images ---- */

static void matmul(tr *t, data *n) {
  const few_graph *g = t->at[0].g;
  const bool ta = n->attr.matmul.ta, tb = n->attr.matmul.tb;
  const bool point = few_node_shape(g, n->in[0]).rank == 4 && !ta && !tb &&
                     few_node_shape(g, n->in[1]).rank == 2 &&
                     few__onnx_layout_of(t, 0) == FEW_ONNX_IMAGES;
  if (point) { /* a convolution of 1x1 */
    few__onnx_set(t, FEW_ONNX_IMAGES,
                  few__onnx_op2(t, "Conv", few__onnx_in(t, 0, FEW_ONNX_IMAGES),
                                few__onnx_in(t, 1, FEW_ONNX_POINT)));
    return;
  }
  few__onnx_set(
      t, FEW_ONNX_PLAIN,
      few__onnx_op2(t, "MatMul", few__onnx_in(t, 0, ta ? FEW_ONNX_TURNED : FEW_ONNX_PLAIN),
                    few__onnx_in(t, 1, tb ? FEW_ONNX_TURNED : FEW_ONNX_PLAIN)));
}

/* A convolution or its transpose, of square steps and padding. */
struct window {
  int64_t stride, pad;
  int64_t group;   /* of channels */
  int64_t more[2]; /* rows and columns that a transpose adds at the end */
  const char *x, *w;
};

static const char *convolve(tr *t, const char *op, const struct window *v) {
  const int64_t strides[2] = {v->stride, v->stride}, pads[4] = {v->pad, v->pad, v->pad, v->pad};
  const struct few_onnx_attr attr[4] = {
      FEW_ONNX_ATTR_INTS("strides", 2, strides), FEW_ONNX_ATTR_INTS("pads", 4, pads),
      FEW_ONNX_ATTR_INT("group", v->group), FEW_ONNX_ATTR_INTS("output_padding", 2, v->more)};
  const int n = v->more[0] || v->more[1] ? 4 : 3;
  return few__onnx_op(t, op, 2, (const char *[]){v->x, v->w}, n, attr);
}

static void conv(tr *t, data *n) {
  const struct window v = {.stride = n->attr.conv.stride,
                           .pad = n->attr.conv.pad,
                           .group = 1,
                           .x = few__onnx_in(t, 0, FEW_ONNX_IMAGES),
                           .w = few__onnx_in(t, 1, FEW_ONNX_KERNEL)};
  few__onnx_set(t, FEW_ONNX_IMAGES, convolve(t, "Conv", &v));
}

static void conv_dx(tr *t, data *n) {
  const struct few_shape dy = few_node_shape(t->at[0].g, n->in[0]);
  const struct few_shape w = few_node_shape(t->at[0].g, n->in[1]);
  const int64_t stride = n->attr.conv.stride, p = n->attr.conv.pad;
  const struct window v = {
      .stride = stride,
      .pad = p,
      .group = 1,
      .more = {n->shape.dim[1] - ((dy.dim[1] - 1) * stride + w.dim[0] - 2 * p),
               n->shape.dim[2] - ((dy.dim[2] - 1) * stride + w.dim[1] - 2 * p)},
      .x = few__onnx_in(t, 0, FEW_ONNX_IMAGES),
      .w = few__onnx_in(t, 1, FEW_ONNX_KERNEL)};
  few__onnx_set(t, FEW_ONNX_IMAGES, convolve(t, "ConvTranspose", &v));
}

/* The mean of 2x2 pixels, and its transpose. */
static bool box(data *n) {
  const struct few_attr_resample *f = &n->attr.resample;
  return f->n == 2 && f->tap[0] == f->tap[1];
}

/* The filter for each of the channels, [C,1,n,n], times a gain. */
static const char *filter(tr *t, data *n, double gain) {
  const struct few_attr_resample *f = &n->attr.resample;
  const int64_t C = n->shape.dim[3], side = f->n, dim[4] = {C, 1, side, side};
  char name[64];
  float *values;
  const uint64_t hash = few__hash(f, sizeof *f, (uint64_t)gain);
  snprintf(name, sizeof name, "/filter.%lld.%016llx", (long long)C, (unsigned long long)hash);
  t->status = FEW_NEW(t->ctx, &values, C * side * side);
  if (t->status) return "";
  for (int64_t i = 0; i < C * side * side; i++)
    values[i] = (float)(gain * f->tap[i / side % side] * f->tap[i % side]);
  const char *made = few__onnx_array(t, name, 4, dim, values);
  few__free(t->ctx, values);
  return made;
}

static void resample(tr *t, data *n, const char *op, double gain) {
  const struct window v = {.stride = 2,
                           .pad = n->attr.resample.n / 2 - 1,
                           .group = n->shape.dim[3],
                           .x = few__onnx_in(t, 0, FEW_ONNX_IMAGES),
                           .w = filter(t, n, gain)};
  few__onnx_set(t, FEW_ONNX_IMAGES, convolve(t, op, &v));
}

static void down(tr *t, data *n) {
  static const int64_t two[2] = {2, 2};
  if (!box(n)) {
    resample(t, n, "Conv", 1);
    return;
  }
  const char *x = few__onnx_in(t, 0, FEW_ONNX_IMAGES);
  const struct few_onnx_attr attr[2] = {FEW_ONNX_ATTR_INTS("kernel_shape", 2, two),
                                        FEW_ONNX_ATTR_INTS("strides", 2, two)};
  few__onnx_set(t, FEW_ONNX_IMAGES, few__onnx_op(t, "AveragePool", 1, &x, 2, attr));
}

static void up(tr *t, data *n) {
  static const float scales[4] = {1, 1, 2, 2};
  if (!box(n)) {
    resample(t, n, "ConvTranspose", 4);
    return;
  }
  const char *in[3] = {few__onnx_in(t, 0, FEW_ONNX_IMAGES), "",
                       few__onnx_array(t, "/twice", 1, (int64_t[]){4}, scales)};
  const struct few_onnx_attr attr[3] = {
      FEW_ONNX_ATTR_TEXT("mode", "nearest"), FEW_ONNX_ATTR_TEXT("nearest_mode", "floor"),
      FEW_ONNX_ATTR_TEXT("coordinate_transformation_mode", "asymmetric")};
  few__onnx_set(t, FEW_ONNX_IMAGES, few__onnx_op(t, "Resize", 3, in, 3, attr));
}

/* ---- Normalisation and attention ---- */

/* Of each group: x is [N,groups,M]. */
static const char *norm_groups(tr *t, data *n, const char *x) {
  const struct few_attr_norm *a = &n->attr.norm;
  if (a->center) {
    const char *in[3] = {x, few__onnx_fill(t, a->groups, 1), few__onnx_fill(t, a->groups, 0)};
    return few__onnx_op(t, "InstanceNormalization", 3, in, 1,
                        &FEW_ONNX_ATTR_REAL("epsilon", a->eps));
  }
  const int64_t axis = 2;
  const char *mean =
      few__onnx_op2(t, "ReduceMean", few__onnx_op2(t, "Mul", x, x), few__onnx_ints(t, 1, &axis));
  return few__onnx_op2(t, "Div", x, few__onnx_op1(t, "Sqrt", plus(t, mean, a->eps)));
}

/* x [rows,C] with one group. */
static void norm_rows(tr *t, data *n) {
  const struct few_attr_norm *a = &n->attr.norm;
  const char *x = few__onnx_in(t, 0, FEW_ONNX_PLAIN), *y;
  if (a->center) {
    const char *in[2] = {x, few__onnx_fill(t, n->shape.dim[1], 1)};
    y = few__onnx_op(t, "LayerNormalization", 2, in, 1, &FEW_ONNX_ATTR_REAL("epsilon", a->eps));
  } else {
    const int64_t axis = 1;
    const char *mean =
        few__onnx_op2(t, "ReduceMean", few__onnx_op2(t, "Mul", x, x), few__onnx_ints(t, 1, &axis));
    y = few__onnx_op2(t, "Div", x, few__onnx_op1(t, "Sqrt", plus(t, mean, a->eps)));
  }
  few__onnx_set(t, FEW_ONNX_PLAIN, y);
}

/* Channels come second while it is divided into groups. */
static void norm(tr *t, data *n) {
  const int rank = n->shape.rank;
  const int64_t groups = n->attr.norm.groups, C = n->shape.dim[rank - 1];
  int64_t dim[FEW_MAX_RANK], perm[3] = {0, 2, 1};
  if (rank == 2 && groups == 1) {
    norm_rows(t, n);
    return;
  }
  const bool swap = rank != 4 && rank != 2;
  const enum few_onnx_layout layout = rank == 4 ? FEW_ONNX_IMAGES : FEW_ONNX_PLAIN;
  few__onnx_dims(t, t->node, layout, dim);
  const int64_t N = dim[0], P = few_shape_count(n->shape) / n->shape.dim[0] / C;
  const char *x = few__onnx_in(t, 0, layout);
  if (swap) x = few__onnx_transpose(t, few__onnx_reshape(t, x, 3, (int64_t[]){N, P, C}), 3, perm);
  x = norm_groups(t, n, few__onnx_reshape(t, x, 3, (int64_t[]){N, groups, P * C / groups}));
  if (swap) x = few__onnx_transpose(t, few__onnx_reshape(t, x, 3, (int64_t[]){N, C, P}), 3, perm);
  few__onnx_set(t, layout, few__onnx_reshape(t, x, rank, dim));
}

static const char *softmax_of(tr *t, const char *x) {
  return few__onnx_op(t, "Softmax", 1, &x, 1, &FEW_ONNX_ATTR_INT("axis", -1));
}

static void softmax(tr *t, data *n) {
  FEW_UNUSED(n);
  few__onnx_set(t, FEW_ONNX_PLAIN, softmax_of(t, few__onnx_in(t, 0, FEW_ONNX_PLAIN)));
}

/* Queries, keys or values of qkv [N,T,3,heads,D], with the dims 0, 1, 2, 3 of [N,T,heads,D] in
 * another order. */
static const char *part(tr *t, const char *qkv, int64_t which, const int64_t perm[4]) {
  const char *x = few__onnx_op(t, "Gather", 2, (const char *[]){qkv, few__onnx_int(t, which)}, 1,
                               &FEW_ONNX_ATTR_INT("axis", 2));
  return few__onnx_transpose(t, x, 4, perm);
}

static void attention(tr *t, data *n) {
  static const int64_t by_head[4] = {0, 2, 1, 3}, turned[4] = {0, 2, 3, 1};
  const char *qkv = few__onnx_in(t, 0, FEW_ONNX_PLAIN);
  const char *q = times(t, part(t, qkv, 0, by_head), n->attr.attention.scale);
  const char *p = softmax_of(t, few__onnx_op2(t, "MatMul", q, part(t, qkv, 1, turned)));
  const char *y = few__onnx_op2(t, "MatMul", p, part(t, qkv, 2, by_head));
  few__onnx_set(t, FEW_ONNX_PLAIN, few__onnx_transpose(t, y, 4, by_head));
}

/* ---- The table ---- */

static const char random[] = "it draws random numbers, as networks do only in training";
static const char derivative[] = "it is a derivative, which only training and inspection need";

const struct few_onnx_row few__onnx_rows[FEW_OP_COUNT] = {
    [FEW_OP_INPUT] = {.write = input},
    [FEW_OP_PARAM] = {.write = param},
    [FEW_OP_FILL] = {.write = fill},
    [FEW_OP_CONST] = {.write = constant},
    [FEW_OP_RANDN] = {.refused = random},
    [FEW_OP_RANDU] = {.refused = random},
    [FEW_OP_EXP] = {.same = "Exp"},
    [FEW_OP_LOG] = {.same = "Log"},
    [FEW_OP_SIN] = {.same = "Sin"},
    [FEW_OP_COS] = {.same = "Cos"},
    [FEW_OP_TANH] = {.same = "Tanh"},
    [FEW_OP_ATAN] = {.same = "Atan"},
    [FEW_OP_SQRT] = {.same = "Sqrt"},
    [FEW_OP_RECIP] = {.same = "Reciprocal"},
    [FEW_OP_SQUARE] = {.write = square},
    [FEW_OP_ABS] = {.same = "Abs"},
    [FEW_OP_FLOOR] = {.same = "Floor"},
    [FEW_OP_SIGMOID] = {.same = "Sigmoid"},
    [FEW_OP_SILU] = {.write = silu},
    [FEW_OP_GELU] = {.write = gelu},
    [FEW_OP_AFFINE] = {.write = affine},
    [FEW_OP_ADD] = {.same = "Add"},
    [FEW_OP_SUB] = {.same = "Sub"},
    [FEW_OP_MUL] = {.same = "Mul"},
    [FEW_OP_DIV] = {.same = "Div"},
    [FEW_OP_MAX] = {.same = "Max"},
    [FEW_OP_MIN] = {.same = "Min"},
    [FEW_OP_LESS] = {.write = less},
    [FEW_OP_SELECT] = {.write = choose},
    [FEW_OP_STOP] = {.write = stop},
    [FEW_OP_RESHAPE] = {.write = reshape},
    [FEW_OP_BROADCAST] = {.write = broadcast},
    [FEW_OP_SUM] = {.write = sum},
    [FEW_OP_TRANSPOSE] = {.write = transpose},
    [FEW_OP_SLICE] = {.write = slice},
    [FEW_OP_PAD] = {.write = pad},
    [FEW_OP_CONCAT] = {.write = concat},
    [FEW_OP_ONEHOT] = {.write = onehot},
    [FEW_OP_MATMUL] = {.write = matmul},
    [FEW_OP_CONV] = {.write = conv},
    [FEW_OP_CONV_DX] = {.write = conv_dx},
    [FEW_OP_CONV_DW] = {.refused = derivative},
    [FEW_OP_DOWN] = {.write = down},
    [FEW_OP_UP] = {.write = up},
    [FEW_OP_NORM] = {.write = norm},
    [FEW_OP_NORM_TANGENT] = {.refused = derivative},
    [FEW_OP_SOFTMAX] = {.write = softmax},
    [FEW_OP_ATTENTION] = {.write = attention},
    [FEW_OP_ATTENTION_DUAL] = {.refused = derivative},
    [FEW_OP_ATTENTION_GRAD] = {.refused = derivative},
};
