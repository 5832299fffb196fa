/* translate.c - see translate.h. */
#include "translate.h"

#include <stdio.h>

#include "model/model.h"

/* ---- Names ---- */

static const char *refuse(struct few_translation *t, few_status st) {
  if (!t->status) t->status = st;
  return "";
}

FEW_PRINTF(2, 3) static const char *name_of(struct few_translation *t, const char *fmt, ...) {
  char text[240];
  va_list args;
  va_start(args, fmt);
  few__vprint(text, sizeof text, fmt, args);
  va_end(args);
  if (FEW_GROW(t->ctx, &t->names, t->names.n + 1)) return refuse(t, FEW_E_MEMORY);
  char *copy = few__strdup(t->ctx, text);
  if (!copy) return refuse(t, few__fail(t->ctx, FEW_E_MEMORY, "out of memory: a name"));
  return t->names.at[t->names.n++] = copy;
}

/* A name for a value of the current node: "/enc.0/conv/Conv.12". */
static const char *new_name(struct few_translation *t, const char *op) {
  const char *scope = t->node == FEW_NONE ? "" : few__node(t->at[0].g, t->node)->scope;
  return name_of(t, "%.160s/%s.%d", scope, op, t->names.n);
}

/* A constant with this name, which stands for its value; *old: it has been written. */
static const char *constant(struct few_translation *t, const char *name, bool *old) {
  *old = true;
  for (int i = 0; i < t->constants.n; i++)
    if (!strcmp(t->constants.at[i], name)) return t->constants.at[i];
  *old = false;
  if (FEW_GROW(t->ctx, &t->constants, t->constants.n + 1)) return refuse(t, FEW_E_MEMORY);
  const char *copy = name_of(t, "%s", name);
  if (t->status) return "";
  t->constants.at[t->constants.n++] = t->names.at[t->names.n - 1];
  return copy;
}

void few__translate_reserve(struct few_translation *t, const char *name) {
  bool old;
  constant(t, name, &old);
}

/* ---- Operators ---- */

const char *few__onnx_op(struct few_translation *t, const char *op, int n_in, const char *const *in,
                         int n_attrs, const struct few_onnx_attr *attr) {
  const char *out = new_name(t, op);
  if (t->status) return "";
  few__onnx_node(t->out, op, out, n_in, in, n_attrs, attr);
  return out;
}

const char *few__onnx_op1(struct few_translation *t, const char *op, const char *a) {
  return few__onnx_op(t, op, 1, &a, 0, NULL);
}

const char *few__onnx_op2(struct few_translation *t, const char *op, const char *a, const char *b) {
  return few__onnx_op(t, op, 2, (const char *[]){a, b}, 0, NULL);
}

const char *few__onnx_cast(struct few_translation *t, const char *a, enum few_onnx_type type) {
  return few__onnx_op(t, "Cast", 1, &a, 1, &FEW_ONNX_ATTR_INT("to", type));
}

const char *few__onnx_reshape(struct few_translation *t, const char *a, int rank,
                              const int64_t *dim) {
  return few__onnx_op2(t, "Reshape", a, few__onnx_ints(t, rank, dim));
}

const char *few__onnx_transpose(struct few_translation *t, const char *a, int rank,
                                const int64_t *perm) {
  return few__onnx_op(t, "Transpose", 1, &a, 1, &FEW_ONNX_ATTR_INTS("perm", rank, perm));
}

const char *few__onnx_array(struct few_translation *t, const char *name, int rank,
                            const int64_t *dim, const float *values) {
  bool old;
  name = constant(t, name, &old);
  if (!old) few__onnx_tensor(t->out, name, FEW_ONNX_FLOAT, rank, dim, values);
  return name;
}

const char *few__onnx_real(struct few_translation *t, double x) {
  char name[40];
  const float value = (float)x;
  few__print(name, sizeof name, "/real_%.9g", (double)value);
  return few__onnx_array(t, name, 0, NULL, &value);
}

const char *few__onnx_fill(struct few_translation *t, int64_t n, float x) {
  char name[64];
  float *values;
  few__print(name, sizeof name, "/%lld_times_%.9g", (long long)n, (double)x);
  few_status st = FEW_NEW(t->ctx, &values, n);
  if (st) return refuse(t, st);
  for (int64_t i = 0; i < n; i++) values[i] = x;
  const char *made = few__onnx_array(t, name, 1, &n, values);
  few__free(t->ctx, values);
  return made;
}

const char *few__onnx_int(struct few_translation *t, int64_t x) {
  char name[40];
  bool old;
  snprintf(name, sizeof name, "/int_%lld", (long long)x);
  const char *made = constant(t, name, &old);
  if (!old) few__onnx_tensor(t->out, made, FEW_ONNX_INT64, 0, NULL, &x);
  return made;
}

const char *few__onnx_ints(struct few_translation *t, int n, const int64_t *x) {
  char name[200] = "/ints";
  size_t end = strlen(name);
  bool old;
  for (int k = 0; k < n && end < sizeof name; k++)
    end += (size_t)snprintf(name + end, sizeof name - end, "_%lld", (long long)x[k]);
  assert(end < sizeof name); /* at most 12 numbers */
  const char *made = constant(t, name, &old);
  if (!old) few__onnx_tensor(t->out, made, FEW_ONNX_INT64, 1, (int64_t[]){n}, x);
  return made;
}

/* ---- Shapes ---- */

static const struct few_node_data *node(const struct few_translation *t, few_node v) {
  return few__node(t->at[0].g, v);
}

static bool depends_on_rows(const struct few_translation *t, few_node v) {
  for (int k = 0; k < FEW_MAX_RANK; k++)
    if (t->value[v].rows[k]) return true;
  return false;
}

/* The order of the dims in a layout: dim k of ONNX is dim perm[k] of few. */
static void order(int rank, enum few_onnx_layout layout, int64_t perm[FEW_MAX_RANK]) {
  static const int64_t fixed[FEW_ONNX_LAYOUTS][4] = {
      [FEW_ONNX_IMAGES] = {0, 3, 1, 2}, [FEW_ONNX_KERNEL] = {3, 2, 0, 1}};
  for (int k = 0; k < FEW_MAX_RANK; k++) perm[k] = k;
  if (layout == FEW_ONNX_KERNEL || (layout == FEW_ONNX_IMAGES && rank == 4))
    memcpy(perm, fixed[layout], sizeof fixed[layout]);
  if ((layout == FEW_ONNX_TURNED || layout == FEW_ONNX_POINT) && rank >= 2) {
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
  }
}

int64_t few__onnx_axis(const struct few_node_data *n, enum few_onnx_layout layout, int64_t axis) {
  int64_t perm[FEW_MAX_RANK];
  order(n->shape.rank, layout, perm);
  for (int k = 0; k < n->shape.rank; k++)
    if (perm[k] == axis) return k;
  return axis;
}

/* Does the node that is being written compute one row for all? */
static bool one_row(const struct few_translation *t) {
  return t->node != FEW_NONE && t->value[t->node].extent == FEW_ONNX_ONE_ROW;
}

int few__onnx_dims(const struct few_translation *t, few_node v, enum few_onnx_layout layout,
                   int64_t *dim) {
  const struct few_shape s = node(t, v)->shape;
  int64_t perm[FEW_MAX_RANK];
  order(s.rank, layout, perm);
  for (int k = 0; k < s.rank; k++) {
    const int64_t rows = t->value[v].rows[perm[k]];
    dim[k] = !rows ? s.dim[perm[k]] : one_row(t) ? rows : -1;
  }
  return s.rank;
}

const char *few__onnx_batch(struct few_translation *t) {
  if (!t->batch) {
    const few_node current = t->node;
    t->node = FEW_NONE; /* it belongs to no part of the network */
    t->batch = few__onnx_op(
        t, "Shape", 1, &t->first_input, 2,
        (struct few_onnx_attr[]){FEW_ONNX_ATTR_INT("start", 0), FEW_ONNX_ATTR_INT("end", 1)});
    t->node = current;
  }
  return t->batch;
}

/* k N */
static const char *batch_times(struct few_translation *t, int64_t k) {
  const char *batch = few__onnx_batch(t);
  return k == 1 ? batch : few__onnx_op2(t, "Mul", batch, few__onnx_ints(t, 1, &k));
}

const char *few__onnx_shape(struct few_translation *t, few_node v, enum few_onnx_layout layout,
                            few_node than) {
  int64_t dim[FEW_MAX_RANK] = {0}, perm[FEW_MAX_RANK];
  const char *part[FEW_MAX_RANK];
  const int rank = few__onnx_dims(t, v, layout, dim);
  bool known = true;
  order(rank, layout, perm);
  for (int k = 0; k < rank; k++) {
    if (than != FEW_NONE && node(t, than)->shape.dim[perm[k]] == node(t, v)->shape.dim[perm[k]])
      dim[k] = 1;
    known = known && dim[k] >= 0;
  }
  if (known) return few__onnx_ints(t, rank, dim);
  for (int k = 0; k < rank; k++)
    part[k] =
        dim[k] < 0 ? batch_times(t, t->value[v].rows[perm[k]]) : few__onnx_ints(t, 1, &dim[k]);
  return few__onnx_op(t, "Concat", rank, part, 1, &FEW_ONNX_ATTR_INT("axis", 0));
}

/* ---- Values ---- */

static enum few_onnx_layout layout_for(const struct few_translation *t, few_node v,
                                       enum few_onnx_layout layout) {
  return layout == FEW_ONNX_IMAGES && node(t, v)->shape.rank != 4 ? FEW_ONNX_PLAIN : layout;
}

/* Element i of an array with dims dim[perm[0]], dim[perm[1]] .. is element at[i] of the original:
 * copies it in that order. */
static void permute(float *to, const float *from, int rank, const int64_t *dim,
                    const int64_t *perm) {
  int64_t stride[FEW_MAX_RANK] = {0}, index[FEW_MAX_RANK] = {0}, count = 1, at = 0;
  for (int k = rank - 1; k >= 0; k--) {
    stride[k] = count;
    count *= dim[k];
  }
  for (int64_t i = 0; i < count; i++) {
    to[i] = from[at];
    for (int k = rank - 1; k >= 0; k--) {
      at += stride[perm[k]];
      if (++index[k] < dim[perm[k]]) break;
      at -= index[k] * stride[perm[k]];
      index[k] = 0;
    }
  }
}

/* The dims of a stored array in a layout. */
static int stored_dims(struct few_shape s, enum few_onnx_layout layout, const int64_t *perm,
                       int64_t *dim) {
  for (int k = 0; k < s.rank; k++) dim[k] = s.dim[perm[k]];
  if (layout != FEW_ONNX_POINT) return s.rank;
  dim[2] = dim[3] = 1;
  return 4;
}

static const char *store(struct few_translation *t, few_node v, enum few_onnx_layout layout) {
  const struct few_onnx_value *value = &t->value[v];
  const struct few_shape s = node(t, v)->shape;
  int64_t perm[FEW_MAX_RANK], dim[FEW_MAX_RANK];
  bool old = true;
  order(s.rank, layout, perm);
  const int rank = stored_dims(s, layout, perm, dim);
  float *values;
  const few_status st = FEW_NEW(t->ctx, &values, few_shape_count(s));
  if (st) return refuse(t, st);
  permute(values, value->stored, s.rank, s.dim, perm);
  const char *name = constant(t, value->stored_name, &old);
  for (int i = 2; old && !t->status; i++) { /* the same array in another form */
    char other[200];
    snprintf(other, sizeof other, "%.160s.%d", value->stored_name, i);
    name = constant(t, other, &old);
  }
  if (!t->status) few__onnx_tensor(t->out, name, FEW_ONNX_FLOAT, rank, dim, values);
  few__free(t->ctx, values);
  return name;
}

/* A computed value in another layout than that of `name`. */
static const char *turn(struct few_translation *t, few_node v, enum few_onnx_layout layout,
                        const char *name) {
  const struct few_shape s = node(t, v)->shape;
  int64_t perm[FEW_MAX_RANK];
  order(s.rank, layout, perm);
  name = few__onnx_transpose(t, name, s.rank, perm);
  if (layout != FEW_ONNX_POINT) return name;
  return few__onnx_reshape(t, name, 4, (int64_t[]){s.dim[1], s.dim[0], 1, 1});
}

/* The value in a layout, as much of it as there is. */
static const char *as_is(struct few_translation *t, few_node v, enum few_onnx_layout layout) {
  struct few_onnx_value *value = &t->value[v];
  layout = value->extent == FEW_ONNX_SCALAR ? FEW_ONNX_PLAIN : layout_for(t, v, layout);
  if (value->name[layout]) return value->name[layout];
  if (value->stored) return value->name[layout] = store(t, v, layout);
  if (!value->name[FEW_ONNX_PLAIN]) {
    assert(value->name[FEW_ONNX_IMAGES] || t->status);
    value->name[FEW_ONNX_PLAIN] =
        few__onnx_transpose(t, value->name[FEW_ONNX_IMAGES], 4, (int64_t[]){0, 2, 3, 1});
  }
  if (layout == FEW_ONNX_PLAIN) return value->name[layout];
  return value->name[layout] = turn(t, v, layout, value->name[FEW_ONNX_PLAIN]);
}

/* One row, repeated for all. */
static const char *tile(struct few_translation *t, few_node v, enum few_onnx_layout layout) {
  const int rank = node(t, v)->shape.rank;
  const int64_t ones[FEW_MAX_RANK] = {1, 1, 1, 1, 1, 1};
  const char *times = batch_times(t, 1);
  assert(t->value[v].rows[0] && !one_row(t));
  if (rank > 1)
    times = few__onnx_op(t, "Concat", 2, (const char *[]){times, few__onnx_ints(t, rank - 1, ones)},
                         1, &FEW_ONNX_ATTR_INT("axis", 0));
  return few__onnx_op2(t, "Tile", as_is(t, v, layout), times);
}

/* All of the value that the current node reads. */
static const char *whole(struct few_translation *t, few_node v, enum few_onnx_layout layout) {
  struct few_onnx_value *value = &t->value[v];
  layout = layout_for(t, v, layout);
  if (value->extent == FEW_ONNX_ALL || (value->extent == FEW_ONNX_ONE_ROW && one_row(t)))
    return as_is(t, v, layout);
  if (layout > FEW_ONNX_IMAGES) return turn(t, v, layout, whole(t, v, FEW_ONNX_PLAIN));
  const bool keep = !one_row(t) || !depends_on_rows(t, v);
  if (keep && value->whole[layout]) return value->whole[layout];
  const char *name =
      value->extent == FEW_ONNX_SCALAR
          ? few__onnx_op2(t, "Expand", as_is(t, v, layout), few__onnx_shape(t, v, layout, FEW_NONE))
          : tile(t, v, layout);
  if (keep) value->whole[layout] = name;
  return name;
}

const char *few__onnx_in(struct few_translation *t, int k, enum few_onnx_layout layout) {
  assert(k < node(t, t->node)->n_in);
  return whole(t, node(t, t->node)->in[k], layout);
}

enum few_onnx_layout few__onnx_layout_of(const struct few_translation *t, int k) {
  const few_node v = node(t, t->node)->in[k];
  return node(t, v)->shape.rank == 4 && t->value[v].name[FEW_ONNX_IMAGES] && !t->value[v].stored
             ? FEW_ONNX_IMAGES
             : FEW_ONNX_PLAIN;
}

enum few_onnx_layout few__onnx_layout(const struct few_translation *t) {
  for (int k = 0; k < node(t, t->node)->n_in; k++)
    if (few__onnx_layout_of(t, k) == FEW_ONNX_IMAGES) return FEW_ONNX_IMAGES;
  return FEW_ONNX_PLAIN;
}

void few__onnx_set(struct few_translation *t, enum few_onnx_layout layout, const char *name) {
  t->value[t->node].name[layout_for(t, t->node, layout)] = name;
}

void few__onnx_set_stored(struct few_translation *t, const char *name, const float *values) {
  t->value[t->node].stored = values;
  t->value[t->node].stored_name = name;
}

void few__onnx_set_scalar(struct few_translation *t, double x) {
  t->value[t->node].extent = FEW_ONNX_SCALAR;
  t->value[t->node].name[FEW_ONNX_PLAIN] = few__onnx_real(t, x);
}

/* ---- Extents ---- */

static bool same_in_all_rows(const struct few_translation *t, few_node v) {
  return !depends_on_rows(t, v) || t->value[v].extent != FEW_ONNX_ALL;
}

/* Is row i of the result computed from row i of the operands, as in row 0? */
static bool by_rows(const struct few_translation *t, const struct few_node_data *n) {
  const struct few_onnx_value *out = &t->value[t->node];
  if (!out->rows[0]) return false;
  for (int k = 1; k < FEW_MAX_RANK; k++)
    if (out->rows[k]) return false;
  for (int j = 0; j < n->n_in; j++)
    for (int k = 1; k < FEW_MAX_RANK; k++)
      if (t->value[n->in[j]].rows[k]) return false;
  if (n->op == FEW_OP_SLICE) return n->attr.slice.axis != 0;
  if (n->op == FEW_OP_PAD) return n->attr.pad.axis != 0;
  if (n->op == FEW_OP_CONCAT) return n->attr.concat.axis != 0;
  return true;
}

static enum few_onnx_extent extent_of(const struct few_translation *t,
                                      const struct few_node_data *n) {
  bool scalar = n->n_in > 0 && few__op_def(n->op)->flags & FEW_OP_POINTWISE, same = n->n_in > 0;
  for (int k = 0; k < n->n_in; k++) {
    scalar = scalar && t->value[n->in[k]].extent == FEW_ONNX_SCALAR;
    same = same && same_in_all_rows(t, n->in[k]);
  }
  if (scalar) return FEW_ONNX_SCALAR;
  return same && by_rows(t, n) ? FEW_ONNX_ONE_ROW : FEW_ONNX_ALL;
}

/* What the current node needs of dim d. */
static int64_t needed(const struct few_translation *t, const struct few_node_data *n, int d) {
  const int64_t rows = t->value[t->node].rows[d];
  return rows && one_row(t) ? rows : n->shape.dim[d];
}

/* Does operand v, as much of it as there is, have the whole dim d? */
static bool has_dim(const struct few_translation *t, few_node v, const struct few_node_data *n,
                    int d) {
  const struct few_onnx_value *in = &t->value[v];
  const struct few_shape s = node(t, v)->shape;
  if (in->extent == FEW_ONNX_SCALAR || s.rank != n->shape.rank) return false;
  const int64_t dim = in->rows[d] && in->extent == FEW_ONNX_ONE_ROW ? in->rows[d] : s.dim[d];
  return dim == needed(t, n, d);
}

/* Is the result as large as it should be, if operands of which there is less are broadcast? */
static bool broadcasts(const struct few_translation *t, const struct few_node_data *n) {
  for (int d = 0; d < n->shape.rank; d++) {
    bool given = needed(t, n, d) == 1;
    for (int k = 0; k < n->n_in; k++) given = given || has_dim(t, n->in[k], n, d);
    if (!given) return false;
  }
  for (int k = 0; k < n->n_in; k++) /* a row of several dims, beside many */
    if (t->value[n->in[k]].extent == FEW_ONNX_ONE_ROW && t->value[n->in[k]].rows[0] > 1 &&
        !one_row(t))
      return false;
  return true;
}

static void pointwise_operands(struct few_translation *t, const struct few_node_data *n) {
  const enum few_onnx_layout layout = few__onnx_layout(t);
  const bool scalar = t->value[t->node].extent == FEW_ONNX_SCALAR;
  const bool enough = scalar || broadcasts(t, n);
  for (int k = 0; k < n->n_in; k++) t->arg[k] = (enough ? as_is : whole)(t, n->in[k], layout);
}

/* ---- The two traces ---- */

static few_status no_batch(struct few_translation *t, few_node v) {
  const struct few_node_data *n = node(t, v);
  return few__fail(t->ctx, FEW_E_UNSUPPORTED,
                   "%s%s: its graph depends on the size of the batch in more than the first dim of "
                   "its arrays, which ONNX cannot express: build the network from layers of "
                   "few/ext/net.h",
                   *n->scope ? n->scope : "the network", few__op_def(n->op)->name);
}

/* Attributes that hold a shape are compared as shapes. */
static bool same_attr(const struct few_node_data *a, const struct few_node_data *b) {
  if (a->op == FEW_OP_RESHAPE || a->op == FEW_OP_BROADCAST || a->op == FEW_OP_SUM) return true;
  return !memcmp(a->attr.bytes, b->attr.bytes, sizeof a->attr.bytes);
}

static bool same_node(const struct few_node_data *a, const struct few_node_data *b) {
  if (a->op != b->op || a->type != b->type || a->n_in != b->n_in ||
      a->shape.rank != b->shape.rank || !same_attr(a, b))
    return false;
  for (int k = 0; k < a->n_in; k++)
    if (a->in[k] != b->in[k]) return false;
  if (a->name && strcmp(a->name, b->name) != 0) return false;
  return !a->values ||
         (few_shape_equal(a->shape, b->shape) &&
          !memcmp(a->values, b->values, (size_t)few_shape_count(a->shape) * sizeof *a->values));
}

static few_status compare(struct few_translation *t, few_node v) {
  const struct few_node_data *a = node(t, v), *b = few__node(t->at[1].g, v);
  const int64_t rows = t->at[0].rows, other = t->at[1].rows;
  if (!same_node(a, b)) return no_batch(t, v);
  for (int k = 0; k < a->shape.rank; k++) {
    const int64_t x = a->shape.dim[k], y = b->shape.dim[k];
    if (x == y) continue;
    if (x % rows || y % other || x / rows != y / other) return no_batch(t, v);
    t->value[v].rows[k] = x / rows;
  }
  int batch = 0; /* a reshape can leave out one dim */
  for (int k = 0; k < a->shape.rank; k++) batch += t->value[v].rows[k] > 0;
  return batch > 1 ? no_batch(t, v) : FEW_OK;
}

few_status few__translate_begin(struct few_translation *t) {
  const int n = few_graph_size(t->at[0].g);
  assert(t->out && t->parameter && !t->value);
  t->node = FEW_NONE;
  FEW_TRY(FEW_NEW(t->ctx, &t->value, n));
  FEW_TRY(FEW_NEW(t->ctx, &t->live, n));
  few__model_reach(t->at[0].g, t->at[0].y, t->live);
  if (n != few_graph_size(t->at[1].g) || t->at[0].y != t->at[1].y) return no_batch(t, t->at[0].y);
  for (few_node v = 0; v < n; v++)
    if (t->live[v]) FEW_TRY(compare(t, v));
  return FEW_OK;
}

void few__translate_end(struct few_translation *t) {
  for (int i = 0; i < t->names.n; i++) few__free(t->ctx, t->names.at[i]);
  few__free(t->ctx, t->names.at);
  few__free(t->ctx, t->constants.at);
  few__free(t->ctx, t->value);
  few__free(t->ctx, t->live);
}

static few_node find_input(const struct few_translation *t, const char *input) {
  for (few_node v = 0; v < few_graph_size(t->at[0].g); v++)
    if (t->live[v] && node(t, v)->op == FEW_OP_INPUT && !strcmp(node(t, v)->name, input)) return v;
  return FEW_NONE;
}

bool few__translate_needs(const struct few_translation *t, const char *input) {
  return find_input(t, input) != FEW_NONE;
}

void few__translate_input(struct few_translation *t, const char *input, enum few_onnx_layout layout,
                          const char *name) {
  const few_node v = find_input(t, input);
  if (!t->first_input) t->first_input = name;
  if (v != FEW_NONE) t->value[v].name[layout_for(t, v, layout)] = name;
}

/* ---- All nodes ---- */

static few_status write_node(struct few_translation *t, few_node v) {
  const struct few_node_data *n = node(t, v);
  const struct few_onnx_row *row = &few__onnx_rows[n->op];
  t->node = v;
  if (row->refused)
    return few__fail(t->ctx, FEW_E_UNSUPPORTED, "%s: ONNX export has no operator for `%s`: %s",
                     *n->scope ? n->scope : "the network", few__op_def(n->op)->name, row->refused);
  t->value[v].extent = extent_of(t, n);
  if (few__op_def(n->op)->flags & FEW_OP_POINTWISE) pointwise_operands(t, n);
  if (row->same)
    few__onnx_set(t, few__onnx_layout(t), few__onnx_op(t, row->same, n->n_in, t->arg, 0, NULL));
  else
    row->write(t, n);
  return t->status;
}

few_status few__translate(struct few_translation *t, const char **y) {
  for (few_node v = 0; v <= t->at[0].y; v++)
    if (t->live[v]) FEW_TRY(write_node(t, v));
  t->node = FEW_NONE;
  *y = whole(t, t->at[0].y, FEW_ONNX_IMAGES);
  return t->status;
}
