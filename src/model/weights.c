/* weights.c - see weights.h.
 *
 * INT8 is symmetric, with a scale for each output: for the last dimension of an array, which is the
 * output channel of a layer's weight,
 *
 *   w = scale[k] q,   q in -127 .. 127,   scale[k] = max |w[.., k]| / 127.
 *
 * Only arrays of two dimensions or more are quantised; biases, norms and other small arrays are
 * F32. A scale has 17 significant bits, rounded up, so that scale q is exact in single precision:
 * a file that is loaded and saved again has the same bytes.
 */
#include "weights.h"

#include <math.h>
#include <stdio.h>

enum { MOST = 127, SCALE_BITS = 17 };

static enum few_store store_of(enum few_weight_type type, const struct few_param_row *row) {
  switch (type) {
    case FEW_WEIGHTS_F16:
      return FEW_STORE_F16;
    case FEW_WEIGHTS_BF16:
      return FEW_STORE_BF16;
    case FEW_WEIGHTS_INT8:
      return row->shape.rank >= 2 ? FEW_STORE_I8 : FEW_STORE_F32;
    case FEW_WEIGHTS_F32:
      break;
  }
  return FEW_STORE_F32;
}

/* The smallest number of SCALE_BITS significant bits that is not below x. */
static float rounded_up(double x) {
  int exponent;
  const double part = frexp(x, &exponent);
  return (float)ldexp(ceil(ldexp(part, SCALE_BITS)), exponent - SCALE_BITS);
}

static void quantise(const struct few_param_row *row, const float *w, float *scale, int8_t *q) {
  const int64_t outputs = row->shape.dim[row->shape.rank - 1];
  const int64_t inputs = few_shape_count(row->shape) / outputs;
  for (int64_t k = 0; k < outputs; k++) {
    double most = 0;
    for (int64_t i = 0; i < inputs; i++) most = fmax(most, fabs((double)w[i * outputs + k]));
    scale[k] = most > 0 ? rounded_up(most / MOST) : 0;
    for (int64_t i = 0; i < inputs; i++)
      q[i * outputs + k] =
          (int8_t)(scale[k] > 0 ? rint((double)w[i * outputs + k] / (double)scale[k]) : 0);
  }
}

/* Bytes of room for a parameter, a multiple of 8: its values, then its scales. */
static size_t values_room(enum few_store store, int64_t n) {
  return (few__store_size(store) * (size_t)n + 7) / 8 * 8;
}

static size_t room_of(enum few_weight_type type, const struct few_param_row *row) {
  const enum few_store store = store_of(type, row);
  if (store == FEW_STORE_F32) return 0;
  size_t room = values_room(store, few_shape_count(row->shape));
  if (store == FEW_STORE_I8)
    room += values_room(FEW_STORE_F32, row->shape.dim[row->shape.rank - 1]);
  return room;
}

static void add(struct few_weight_file *f, const struct few_param_row *row, enum few_store store,
                const void *data) {
  struct few_st_tensor *t = &f->at[f->n++];
  *t = (struct few_st_tensor){.name = row->name, .store = store, .rank = row->shape.rank};
  t->data = data;
  for (int k = 0; k < t->rank; k++) t->dim[k] = row->shape.dim[k];
}

static void add_scale(struct few_weight_file *f, const struct few_param_row *row,
                      const float *scale) {
  char *name = f->scale_name[f->n];
  snprintf(name, sizeof f->scale_name[0], "%s/scale", row->name);
  f->at[f->n++] = (struct few_st_tensor){.name = name,
                                         .store = FEW_STORE_F32,
                                         .rank = 1,
                                         .dim = {row->shape.dim[row->shape.rank - 1]},
                                         .data = scale};
}

/* Converts a parameter into `room`, and adds the tensors that are F32 or, later, those that are
 * not: wide types come first in a file, so that all data are aligned. */
static void convert(struct few_weight_file *f, const struct few_param_row *row, const float *values,
                    enum few_store store, char *room, bool wide) {
  const int64_t n = few_shape_count(row->shape);
  float *scale = (float *)(void *)(room + values_room(store, n));
  if (store == FEW_STORE_F32) {
    if (wide) add(f, row, store, values);
  } else if (store == FEW_STORE_I8 && wide) {
    quantise(row, values, scale, (int8_t *)room);
    add_scale(f, row, scale);
  } else if (!wide) {
    if (store != FEW_STORE_I8) few__store_from_f32(store, values, n, room);
    add(f, row, store, room);
  }
}

few_status few__model_weights_store(struct few_weight_file *out, const few_model *m,
                                    enum few_weight_type type) {
  few_ctx *ctx = m->ctx;
  size_t room = 0;
  few_status st;
  *out = (struct few_weight_file){0};
  for (int i = 0; i < m->params.n; i++) room += room_of(type, &m->params.at[i]);
  FEW_GOTO(FEW_NEW(ctx, &out->at, 2 * (int64_t)m->params.n));
  FEW_GOTO(FEW_NEW(ctx, &out->scale_name, 2 * (int64_t)m->params.n));
  FEW_GOTO(FEW_NEW(ctx, &out->room, (int64_t)room));
  for (int pass = 0; pass < 2; pass++) {
    char *at = out->room;
    for (int i = 0; i < m->params.n; i++) {
      const struct few_param_row *row = &m->params.at[i];
      convert(out, row, m->values + row->offset, store_of(type, row), at, pass == 0);
      at += room_of(type, row);
    }
  }
out:
  if (st) few__model_weights_free(ctx, out);
  return st;
}

void few__model_weights_free(few_ctx *ctx, struct few_weight_file *w) {
  few__free(ctx, w->at);
  few__free(ctx, w->scale_name);
  few__free(ctx, w->room);
  *w = (struct few_weight_file){0};
}

/* ---- Loading ---- */

static const struct few_st_tensor *scale_of(const struct few_st *file,
                                            const struct few_st_tensor *t) {
  char name[112];
  snprintf(name, sizeof name, "%s/scale", t->name);
  const struct few_st_tensor *s = few__st_find(file, name);
  const bool fits = s && s->store == FEW_STORE_F32 && s->rank == 1 && t->rank >= 2 &&
                    s->count == t->dim[t->rank - 1];
  return fits ? s : NULL;
}

bool few__model_weights_readable(const struct few_st *file, const struct few_st_tensor *t) {
  if (t->store == FEW_STORE_I8) return scale_of(file, t) != NULL;
  return t->store == FEW_STORE_F32 || t->store == FEW_STORE_F16 || t->store == FEW_STORE_BF16;
}

enum few_weight_type few__model_weights_type(const struct few_st_tensor *t) {
  return t->store == FEW_STORE_F16    ? FEW_WEIGHTS_F16
         : t->store == FEW_STORE_BF16 ? FEW_WEIGHTS_BF16
         : t->store == FEW_STORE_I8   ? FEW_WEIGHTS_INT8
                                      : FEW_WEIGHTS_F32;
}

void few__model_weights_load(const struct few_st *file, const struct few_st_tensor *t, float *out) {
  few__store_to_f32(t->store, t->data, t->count, out);
  if (t->store != FEW_STORE_I8) return;
  const struct few_st_tensor *s = scale_of(file, t);
  assert(s);
  for (int64_t i = 0; i < t->count; i++) {
    float scale;
    memcpy(&scale, (const char *)s->data + sizeof scale * (size_t)(i % s->count), sizeof scale);
    out[i] *= scale;
  }
}
