/* onnx.c - see onnx.h. */
#include "onnx.h"

typedef struct onnx_array array;

struct node {
  struct wire w;
  int n_in;
  const array *in[8]; /* NULL: left out */
};

static int64_t count(const array *a) {
  int64_t n = 1;
  for (int k = 0; k < a->rank; k++) n *= a->dim[k];
  return n;
}

static array make(int rank, const int64_t *dim) {
  array a = {.rank = rank};
  assert_in_range(rank, 0, ONNX_RANK);
  for (int k = 0; k < rank; k++) a.dim[k] = dim[k];
  a.x = calloc((size_t)count(&a) + 1, sizeof *a.x);
  assert_non_null(a.x);
  return a;
}

/* Element i of `a` as an index for each dim. */
static void unravel(const array *a, int64_t i, int64_t *index) {
  for (int k = a->rank - 1; k >= 0; k--) {
    index[k] = i % a->dim[k];
    i /= a->dim[k];
  }
}

static int64_t ravel(const array *a, const int64_t *index) {
  int64_t i = 0;
  for (int k = 0; k < a->rank; k++) i = i * a->dim[k] + index[k];
  return i;
}

/* ---- Attributes ---- */

static bool attribute(const struct node *n, const char *name, struct wire *out) {
  struct wire_field f;
  for (int k = 0; wire_find(n->w, 5, k, &f); k++)
    if (wire_is(wire_part(f.inside, 1, 0), name)) {
      *out = f.inside;
      return true;
    }
  return false;
}

static int64_t int_of(const struct node *n, const char *name, int64_t otherwise) {
  struct wire a;
  return attribute(n, name, &a) ? (int64_t)wire_number(a, 3, 0) : otherwise;
}

static int64_t int_at(const struct node *n, const char *name, int k, int64_t otherwise) {
  struct wire a;
  return attribute(n, name, &a) ? (int64_t)wire_number(a, 8, k) : otherwise;
}

static double real_of(const struct node *n, const char *name) {
  struct wire a;
  struct wire_field f;
  assert_true(attribute(n, name, &a) && wire_find(a, 2, 0, &f));
  return (double)f.real;
}

static int64_t axis_of(const struct node *n, int rank) {
  const int64_t axis = int_of(n, "axis", 0);
  return axis < 0 ? axis + rank : axis;
}

/* ---- Pointwise ---- */

/* The value of operand `a` at an index of the result, to which it is broadcast. */
static double at(const array *a, int rank, const int64_t *index) {
  int64_t own[ONNX_RANK];
  for (int k = 0; k < a->rank; k++) own[k] = a->dim[k] == 1 ? 0 : index[rank - a->rank + k];
  return a->x[ravel(a, own)];
}

static array broadcast_shape(int n, const array *const *in) {
  int64_t dim[ONNX_RANK];
  int rank = 0;
  for (int j = 0; j < n; j++) rank = in[j]->rank > rank ? in[j]->rank : rank;
  for (int k = 0; k < rank; k++) {
    dim[k] = 1;
    for (int j = 0; j < n; j++) {
      const int own = k - (rank - in[j]->rank);
      if (own < 0 || in[j]->dim[own] == 1) continue;
      assert_true(dim[k] == 1 || dim[k] == in[j]->dim[own]);
      dim[k] = in[j]->dim[own];
    }
  }
  return make(rank, dim);
}

typedef double (*pointwise)(double, double, double);

static array map(const struct node *n, pointwise f) {
  array out = broadcast_shape(n->n_in, n->in);
  int64_t index[ONNX_RANK] = {0};
  for (int64_t i = 0; i < count(&out); i++) {
    double x[3] = {0};
    unravel(&out, i, index);
    for (int j = 0; j < n->n_in; j++) x[j] = at(n->in[j], out.rank, index);
    out.x[i] = f(x[0], x[1], x[2]);
  }
  return out;
}

#define POINTWISE(name, expression)                       \
  static double name##_of(double x, double y, double z) { \
    (void)x, (void)y, (void)z;                            \
    return expression;                                    \
  }                                                       \
  static array name##_run(const struct node *n) { return map(n, name##_of); }
POINTWISE(Exp, exp(x))
POINTWISE(Log, log(x))
POINTWISE(Sin, sin(x))
POINTWISE(Cos, cos(x))
POINTWISE(Tanh, tanh(x))
POINTWISE(Atan, atan(x))
POINTWISE(Sqrt, sqrt(x))
POINTWISE(Reciprocal, 1 / x)
POINTWISE(Abs, fabs(x))
POINTWISE(Floor, floor(x))
POINTWISE(Sigmoid, 1 / (1 + exp(-x)))
POINTWISE(Identity, x)
POINTWISE(Add, x + y)
POINTWISE(Sub, x - y)
POINTWISE(Mul, x *y)
POINTWISE(Div, x / y)
POINTWISE(Max, fmax(x, y))
POINTWISE(Min, fmin(x, y))
POINTWISE(Less, x < y ? 1 : 0)
POINTWISE(Equal, x == y ? 1 : 0)
POINTWISE(Where, x != 0 ? y : z)
POINTWISE(Clip, fmin(fmax(x, y), z))

static array Cast_run(const struct node *n) {
  const int64_t to = int_of(n, "to", 0); /* 1: float, 2: uint8, 9: bool */
  array out = make(n->in[0]->rank, n->in[0]->dim);
  for (int64_t i = 0; i < count(&out); i++) {
    const double x = n->in[0]->x[i];
    out.x[i] = to == 9 ? x != 0 : to == 2 ? floor(x) : x;
  }
  return out;
}

/* ---- Shape ---- */

static array Reshape_run(const struct node *n) {
  int64_t dim[ONNX_RANK], known = 1;
  const int rank = (int)count(n->in[1]);
  for (int k = 0; k < rank; k++) {
    dim[k] = (int64_t)n->in[1]->x[k];
    assert_true(dim[k] != 0);
    if (dim[k] > 0) known *= dim[k];
  }
  for (int k = 0; k < rank; k++)
    if (dim[k] < 0) dim[k] = count(n->in[0]) / known;
  array out = make(rank, dim);
  assert_int_equal(count(&out), count(n->in[0]));
  memcpy(out.x, n->in[0]->x, (size_t)count(&out) * sizeof *out.x);
  return out;
}

static array Transpose_run(const struct node *n) {
  const array *a = n->in[0];
  int64_t dim[ONNX_RANK], perm[ONNX_RANK] = {0}, index[ONNX_RANK] = {0}, own[ONNX_RANK] = {0};
  for (int k = 0; k < a->rank; k++) dim[k] = a->dim[perm[k] = int_at(n, "perm", k, 0)];
  array out = make(a->rank, dim);
  for (int64_t i = 0; i < count(&out); i++) {
    unravel(&out, i, index);
    for (int k = 0; k < a->rank; k++) own[perm[k]] = index[k];
    out.x[i] = a->x[ravel(a, own)];
  }
  return out;
}

/* Element of the operand at index - shift, or 0 outside. */
static array shifted(const array *a, const int64_t *dim, const int64_t *shift) {
  array out = make(a->rank, dim);
  int64_t index[ONNX_RANK] = {0};
  for (int64_t i = 0; i < count(&out); i++) {
    bool inside = true;
    unravel(&out, i, index);
    for (int k = 0; k < a->rank; k++) {
      index[k] -= shift[k];
      inside = inside && index[k] >= 0 && index[k] < a->dim[k];
    }
    if (inside) out.x[i] = a->x[ravel(a, index)];
  }
  return out;
}

static array Slice_run(const struct node *n) {
  int64_t dim[ONNX_RANK], shift[ONNX_RANK] = {0};
  const int axis = (int)n->in[3]->x[0];
  memcpy(dim, n->in[0]->dim, sizeof dim);
  dim[axis] = (int64_t)(n->in[2]->x[0] - n->in[1]->x[0]);
  shift[axis] = -(int64_t)n->in[1]->x[0];
  return shifted(n->in[0], dim, shift);
}

static array Pad_run(const struct node *n) {
  int64_t dim[ONNX_RANK], shift[ONNX_RANK];
  const int rank = n->in[0]->rank;
  for (int k = 0; k < rank; k++) {
    shift[k] = (int64_t)n->in[1]->x[k];
    dim[k] = n->in[0]->dim[k] + shift[k] + (int64_t)n->in[1]->x[rank + k];
  }
  return shifted(n->in[0], dim, shift);
}

static array Concat_run(const struct node *n) {
  int64_t dim[ONNX_RANK], shift[ONNX_RANK] = {0};
  const int64_t axis = axis_of(n, n->in[0]->rank);
  memcpy(dim, n->in[0]->dim, sizeof dim);
  for (int j = 1; j < n->n_in; j++) dim[axis] += n->in[j]->dim[axis];
  array out = make(n->in[0]->rank, dim);
  for (int j = 0; j < n->n_in; j++) {
    array part = shifted(n->in[j], dim, shift);
    for (int64_t i = 0; i < count(&out); i++) out.x[i] += part.x[i];
    shift[axis] += n->in[j]->dim[axis];
    free(part.x);
  }
  return out;
}

static array Expand_run(const struct node *n) {
  int64_t dim[ONNX_RANK];
  const int rank = (int)count(n->in[1]);
  for (int k = 0; k < rank; k++) dim[k] = (int64_t)n->in[1]->x[k];
  array like = make(rank, dim);
  const array *in[2] = {n->in[0], &like};
  array out = broadcast_shape(2, in);
  int64_t index[ONNX_RANK] = {0};
  for (int64_t i = 0; i < count(&out); i++) {
    unravel(&out, i, index);
    out.x[i] = at(n->in[0], out.rank, index);
  }
  free(like.x);
  return out;
}

static array Tile_run(const struct node *n) {
  const array *a = n->in[0];
  int64_t dim[ONNX_RANK], index[ONNX_RANK] = {0};
  for (int k = 0; k < a->rank; k++) dim[k] = a->dim[k] * (int64_t)n->in[1]->x[k];
  array out = make(a->rank, dim);
  for (int64_t i = 0; i < count(&out); i++) {
    unravel(&out, i, index);
    for (int k = 0; k < a->rank; k++) index[k] %= a->dim[k];
    out.x[i] = a->x[ravel(a, index)];
  }
  return out;
}

static array Shape_run(const struct node *n) {
  const int64_t start = int_of(n, "start", 0), end = int_of(n, "end", n->in[0]->rank);
  array out = make(1, (int64_t[]){end - start});
  for (int64_t k = start; k < end; k++) out.x[k - start] = (double)n->in[0]->dim[k];
  return out;
}

static array Unsqueeze_run(const struct node *n) { /* a dim of 1 at the end of a list */
  assert_true(n->in[0]->rank == 1 && n->in[1]->x[0] == 1);
  array out = make(2, (int64_t[]){n->in[0]->dim[0], 1});
  memcpy(out.x, n->in[0]->x, (size_t)count(&out) * sizeof *out.x);
  return out;
}

static array Range_run(const struct node *n) {
  array out = make(1, (int64_t[]){(int64_t)(n->in[1]->x[0] - n->in[0]->x[0])});
  assert_true(n->in[2]->x[0] == 1);
  for (int64_t i = 0; i < out.dim[0]; i++) out.x[i] = n->in[0]->x[0] + (double)i;
  return out;
}

static array Gather_run(const struct node *n) { /* one index: the axis goes */
  const array *a = n->in[0];
  const int64_t axis = axis_of(n, a->rank);
  int64_t dim[ONNX_RANK], index[ONNX_RANK] = {0}, own[ONNX_RANK] = {0};
  assert_int_equal(n->in[1]->rank, 0);
  for (int k = 0; k < a->rank - 1; k++) dim[k] = a->dim[k < axis ? k : k + 1];
  array out = make(a->rank - 1, dim);
  for (int64_t i = 0; i < count(&out); i++) {
    unravel(&out, i, index);
    for (int k = 0; k < a->rank; k++)
      own[k] = k == axis ? (int64_t)n->in[1]->x[0] : index[k < axis ? k : k - 1];
    out.x[i] = a->x[ravel(a, own)];
  }
  return out;
}

static array reduce(const struct node *n, bool mean) { /* dims of 1 stay */
  const array *a = n->in[0];
  int64_t dim[ONNX_RANK], index[ONNX_RANK] = {0};
  memcpy(dim, a->dim, sizeof dim);
  for (int64_t k = 0; k < count(n->in[1]); k++) dim[(int)n->in[1]->x[k]] = 1;
  array out = make(a->rank, dim);
  for (int64_t i = 0; i < count(a); i++) {
    unravel(a, i, index);
    for (int k = 0; k < a->rank; k++) index[k] = out.dim[k] == 1 ? 0 : index[k];
    out.x[ravel(&out, index)] += a->x[i];
  }
  for (int64_t i = 0; mean && i < count(&out); i++) out.x[i] /= (double)(count(a) / count(&out));
  return out;
}
static array ReduceSum_run(const struct node *n) { return reduce(n, false); }
static array ReduceMean_run(const struct node *n) { return reduce(n, true); }

/* ---- Products, images, norms ---- */

static array MatMul_run(const struct node *n) {
  array a = *n->in[0], b = *n->in[1];
  const int64_t M = a.dim[a.rank - 2], K = a.dim[a.rank - 1], N = b.dim[b.rank - 1];
  assert_int_equal(b.dim[b.rank - 2], K);
  assert_true(b.rank == 2 || b.rank == a.rank);
  int64_t dim[ONNX_RANK];
  memcpy(dim, a.dim, sizeof dim);
  dim[a.rank - 1] = N;
  array out = make(a.rank, dim);
  const int64_t leading = count(&out) / (M * N), step = b.rank == 2 ? 0 : K * N;
  for (int64_t l = 0; l < leading; l++)
    for (int64_t i = 0; i < M; i++)
      for (int64_t k = 0; k < K; k++)
        for (int64_t j = 0; j < N; j++)
          out.x[(l * M + i) * N + j] += a.x[(l * M + i) * K + k] * b.x[l * step + k * N + j];
  return out;
}

/* The sum over pixels of both images that a tap joins: large pixel = small * stride + tap - pad.
 * w is [.., .., kh, kw]; its first dim belongs to `small`, its second to `large`, by groups. */
static void join(const struct node *n, array *small, array *large, bool down) {
  const array *w = n->in[1];
  const int64_t s = int_at(n, "strides", 0, 1), p = int_at(n, "pads", 0, 0);
  const int64_t group = int_of(n, "group", 1);
  const int64_t A = small->dim[1] / group, B = large->dim[1] / group;
  const int64_t H = large->dim[2], W = large->dim[3];
  const int64_t kh = w->dim[2], kw = w->dim[3];
  for (int64_t i = 0; i < count(small); i++) {
    int64_t at_small[4] = {0};
    unravel(small, i, at_small);
    const int64_t a = at_small[1];
    for (int64_t j = 0; j < B * kh * kw; j++) {
      const int64_t b = j / (kh * kw), y = at_small[2] * s + j / kw % kh - p,
                    x = at_small[3] * s + j % kw - p;
      if (y < 0 || y >= H || x < 0 || x >= W) continue;
      const int64_t to = ((at_small[0] * large->dim[1] + a / A * B + b) * H + y) * W + x;
      const double tap = w->x[(a * B + b) * kh * kw + j % (kh * kw)];
      if (down)
        small->x[i] += tap * large->x[to];
      else
        large->x[to] += tap * small->x[i];
    }
  }
}

static array Conv_run(const struct node *n) {
  const array *w = n->in[1];
  array x = *n->in[0];
  const int64_t s = int_at(n, "strides", 0, 1), p = int_at(n, "pads", 0, 0);
  array out = make(4, (int64_t[]){x.dim[0], w->dim[0], (x.dim[2] + 2 * p - w->dim[2]) / s + 1,
                                  (x.dim[3] + 2 * p - w->dim[3]) / s + 1});
  join(n, &out, &x, true);
  return out;
}

static array ConvTranspose_run(const struct node *n) {
  const array *w = n->in[1];
  array x = *n->in[0];
  const int64_t s = int_at(n, "strides", 0, 1), p = int_at(n, "pads", 0, 0);
  int64_t dim[4] = {x.dim[0], w->dim[1] * int_of(n, "group", 1)};
  for (int k = 0; k < 2; k++)
    dim[2 + k] = (x.dim[2 + k] - 1) * s + w->dim[2 + k] - 2 * p + int_at(n, "output_padding", k, 0);
  array out = make(4, dim);
  join(n, &x, &out, false);
  return out;
}

/* Pixel (y, x) of plane i of an image; the planes are all rows and channels. */
static double *pixel(const array *a, int64_t i, int64_t y, int64_t x) {
  return &a->x[(i * a->dim[2] + y) * a->dim[3] + x];
}

static array AveragePool_run(const struct node *n) { /* 2x2 */
  const array *a = n->in[0];
  assert_true(int_at(n, "kernel_shape", 0, 0) == 2 && int_at(n, "strides", 1, 1) == 2);
  array out = make(4, (int64_t[]){a->dim[0], a->dim[1], a->dim[2] / 2, a->dim[3] / 2});
  for (int64_t i = 0; i < out.dim[0] * out.dim[1]; i++)
    for (int64_t y = 0; y < 2 * out.dim[2]; y++)
      for (int64_t x = 0; x < 2 * out.dim[3]; x++)
        *pixel(&out, i, y / 2, x / 2) += *pixel(a, i, y, x) / 4;
  return out;
}

static array Resize_run(const struct node *n) { /* nearest pixel, twice as large */
  const array *a = n->in[0];
  assert_true(n->in[2]->x[0] == 1 && n->in[2]->x[2] == 2 && n->in[2]->x[3] == 2);
  array out = make(4, (int64_t[]){a->dim[0], a->dim[1], 2 * a->dim[2], 2 * a->dim[3]});
  for (int64_t i = 0; i < out.dim[0] * out.dim[1]; i++)
    for (int64_t y = 0; y < out.dim[2]; y++)
      for (int64_t x = 0; x < out.dim[3]; x++) *pixel(&out, i, y, x) = *pixel(a, i, y / 2, x / 2);
  return out;
}

/* Each run of `each` elements, times the scale of its channel, or of its element. */
static array normalise(const struct node *n, int64_t each, bool by_channel) {
  const array *a = n->in[0];
  const double eps = real_of(n, "epsilon");
  array out = make(a->rank, a->dim);
  for (int64_t i = 0; i < count(a); i += each) {
    double mean = 0, var = 0;
    for (int64_t k = 0; k < each; k++) mean += a->x[i + k] / (double)each;
    for (int64_t k = 0; k < each; k++) var += pow(a->x[i + k] - mean, 2) / (double)each;
    for (int64_t k = 0; k < each; k++) {
      const int64_t c = by_channel ? i / each % a->dim[1] : k;
      out.x[i + k] = (a->x[i + k] - mean) / sqrt(var + eps) * n->in[1]->x[c];
      if (n->n_in > 2) out.x[i + k] += n->in[2]->x[c];
    }
  }
  return out;
}
static array InstanceNormalization_run(const struct node *n) {
  return normalise(n, count(n->in[0]) / n->in[0]->dim[0] / n->in[0]->dim[1], true);
}
static array LayerNormalization_run(const struct node *n) { /* over the last dim */
  assert_int_equal(int_of(n, "axis", -1), -1);
  return normalise(n, n->in[0]->dim[n->in[0]->rank - 1], false);
}

static array Softmax_run(const struct node *n) { /* over the last dim */
  const array *a = n->in[0];
  const int64_t each = a->dim[a->rank - 1];
  assert_int_equal(int_of(n, "axis", -1), -1);
  array out = make(a->rank, a->dim);
  for (int64_t i = 0; i < count(a); i += each) {
    double sum = 0, most = a->x[i];
    for (int64_t k = 0; k < each; k++) most = fmax(most, a->x[i + k]);
    for (int64_t k = 0; k < each; k++) sum += out.x[i + k] = exp(a->x[i + k] - most);
    for (int64_t k = 0; k < each; k++) out.x[i + k] /= sum;
  }
  return out;
}

/* ---- Graphs ---- */

#define ROW(name) \
  { #name, name##_run }
static const struct {
  const char *op;
  array (*run)(const struct node *n);
} table[] = {ROW(Exp),
             ROW(Log),
             ROW(Sin),
             ROW(Cos),
             ROW(Tanh),
             ROW(Atan),
             ROW(Sqrt),
             ROW(Reciprocal),
             ROW(Abs),
             ROW(Floor),
             ROW(Sigmoid),
             ROW(Identity),
             ROW(Add),
             ROW(Sub),
             ROW(Mul),
             ROW(Div),
             ROW(Max),
             ROW(Min),
             ROW(Less),
             ROW(Equal),
             ROW(Where),
             ROW(Clip),
             ROW(Cast),
             ROW(Reshape),
             ROW(Transpose),
             ROW(Slice),
             ROW(Pad),
             ROW(Concat),
             ROW(Expand),
             ROW(Tile),
             ROW(Shape),
             ROW(Unsqueeze),
             ROW(Range),
             ROW(Gather),
             ROW(ReduceSum),
             ROW(ReduceMean),
             ROW(MatMul),
             ROW(Conv),
             ROW(ConvTranspose),
             ROW(AveragePool),
             ROW(Resize),
             ROW(InstanceNormalization),
             ROW(LayerNormalization),
             ROW(Softmax)};

struct values {
  array *at;
  int n, cap;
};

static bool same_name(struct wire a, struct wire b) {
  return a.end - a.at == b.end - b.at && !memcmp(a.at, b.at, (size_t)(a.end - a.at));
}

static const array *find(const struct values *v, struct wire name) {
  for (int i = v->n - 1; i >= 0; i--)
    if (same_name(v->at[i].name, name)) return &v->at[i];
  fail_msg("%.*s: no such value", (int)(name.end - name.at), name.at);
  return NULL;
}

static void add(struct values *v, array a, struct wire name) {
  if (v->n == v->cap) {
    v->cap = 2 * v->cap + 64;
    v->at = realloc(v->at, (size_t)v->cap * sizeof *v->at);
    assert_non_null(v->at);
  }
  a.name = name;
  v->at[v->n++] = a;
}

static array tensor(struct wire w) {
  int64_t dim[ONNX_RANK];
  const int rank = wire_count(w, 1);
  assert_in_range(rank, 0, ONNX_RANK);
  for (int k = 0; k < rank; k++) dim[k] = (int64_t)wire_number(w, 1, k);
  array a = make(rank, dim);
  const unsigned char *raw = wire_part(w, 9, 0).at;
  const bool whole_numbers = wire_number(w, 2, 0) == 7;
  for (int64_t i = 0; i < count(&a); i++) {
    float real;
    int64_t whole = 0;
    memcpy(&real, raw + 4 * i, sizeof real);
    if (whole_numbers) memcpy(&whole, raw + 8 * i, sizeof whole);
    a.x[i] = whole_numbers ? (double)whole : (double)real;
  }
  return a;
}

static array run_node(const struct values *v, struct wire w) {
  struct node n = {.w = w, .n_in = wire_count(w, 1)};
  const struct wire op = wire_part(w, 4, 0);
  assert_in_range(n.n_in, 1, 8);
  for (int k = 0; k < n.n_in; k++) {
    const struct wire name = wire_part(w, 1, k);
    n.in[k] = name.at < name.end ? find(v, name) : NULL;
  }
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (wire_is(op, table[i].op)) return table[i].run(&n);
  fail_msg("%.*s: no such operator", (int)(op.end - op.at), op.at);
  return (array){.rank = 0};
}

struct onnx_array onnx_run(struct wire model, int n, const struct onnx_array *in) {
  const struct wire graph = wire_part(model, 7, 0);
  struct values v = {0};
  struct wire_field f;
  for (struct wire w = graph; wire_next(&w, &f);)
    if (f.number == 5) add(&v, tensor(f.inside), wire_part(f.inside, 8, 0));
  for (int i = 0; i < n; i++) {
    array a = make(in[i].rank, in[i].dim);
    memcpy(a.x, in[i].x, (size_t)count(&a) * sizeof *a.x);
    add(&v, a, in[i].name);
  }
  for (struct wire w = graph; wire_next(&w, &f);)
    if (f.number == 1) add(&v, run_node(&v, f.inside), wire_part(f.inside, 2, 0));
  const array *last = find(&v, wire_part(wire_part(graph, 12, 0), 1, 0));
  array out = make(last->rank, last->dim);
  memcpy(out.x, last->x, (size_t)count(&out) * sizeof *out.x);
  for (int i = 0; i < v.n; i++) free(v.at[i].x);
  free(v.at);
  return out;
}
