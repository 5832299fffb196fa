/* params.c - the parameter table (nn.h). */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "nn.h"

void few__params_free(few_ctx *ctx, struct few_params *p) {
  few__free(ctx, p->at);
  *p = (struct few_params){0};
}

int64_t few__params_count(const struct few_params *p) {
  int64_t n = 0;
  for (int i = 0; i < p->n; i++) n += few_shape_count(p->at[i].shape);
  return n;
}

int few__params_find(const struct few_params *p, const char *name) {
  for (int i = 0; i < p->n; i++)
    if (!strcmp(p->at[i].name, name)) return i;
  return -1;
}

static void init_row(const struct few_param_row *row, uint64_t seed, float *out) {
  int64_t n = few_shape_count(row->shape);
  uint64_t name = few__hash(row->name, strlen(row->name), 0);
  struct few_rng r = {.seed = seed, .row = name >> 24, .purpose = FEW_RNG_INIT};
  switch (row->init.kind) {
    case FEW_INIT_ZERO:
      memset(out, 0, (size_t)n * sizeof *out);
      return;
    case FEW_INIT_ONE:
      for (int64_t i = 0; i < n; i++) out[i] = 1;
      return;
    case FEW_INIT_NORMAL:
      few__rng_normal_f32(&r, n, out);
      for (int64_t i = 0; i < n; i++) out[i] *= (float)row->init.scale;
      return;
    case FEW_INIT_UNIFORM:
      few__rng_uniform_f32(&r, n, out);
      for (int64_t i = 0; i < n; i++) out[i] = (2 * out[i] - 1) * (float)row->init.scale;
      return;
  }
}

void few__params_init(const struct few_params *p, uint64_t seed, float *values) {
  memset(values, 0, (size_t)p->total * sizeof *values);
  for (int i = 0; i < p->n; i++) init_row(&p->at[i], seed, values + p->at[i].offset);
}

void few_nn_push(struct few_nn *nn, const char *fmt, ...) {
  char part[64];
  va_list args;
  va_start(args, fmt);
  few__vprint(part, sizeof part, fmt, args);
  va_end(args);
  size_t n = strlen(nn->path);
  assert(nn->depth < FEW_NN_DEPTH);
  nn->length[nn->depth++] = n;
  snprintf(nn->path + n, sizeof nn->path - n, "%s.", part);
  few_scope_push(nn->g, "%s", part);
}

void few_nn_pop(struct few_nn *nn) {
  assert(nn->depth > 0);
  nn->path[nn->length[--nn->depth]] = 0;
  few_scope_pop(nn->g);
}

few_node few_nn_param(struct few_nn *nn, const char *name, struct few_shape shape,
                      struct few_init init) {
  assert(name && *name);
  struct few_params *p = nn->params;
  char full[sizeof p->at->name], graph_name[160];
  if (few_graph_status(nn->g)) return FEW_NONE;
  int len = snprintf(full, sizeof full, "%s%s", nn->path, name);
  if (len < 0 || (size_t)len >= sizeof full)
    return few__graph_fail(nn->g, FEW_E_INVALID, "parameter name %s%s is too long", nn->path, name);
  int i = few__params_find(p, full);
  if (i < 0) {
    i = p->n;
    few_status st = FEW_GROW(few__graph_ctx(nn->g), p, i + 1);
    if (st) return few__graph_fail(nn->g, st, "out of memory: parameter table");
    struct few_param_row *row = &p->at[p->n++];
    *row = (struct few_param_row){.shape = shape, .init = init, .offset = p->total};
    p->total += (few_shape_count(shape) + 15) & ~(int64_t)15; /* rows begin on cache lines */
    memcpy(row->name, full, (size_t)len + 1);
  } else if (!few_shape_equal(p->at[i].shape, shape)) {
    return few__graph_fail(nn->g, FEW_E_INVALID, "parameter %s is %s here and %s elsewhere", full,
                           few__shape_text(shape).at, few__shape_text(p->at[i].shape).at);
  }
  snprintf(graph_name, sizeof graph_name, "%s%s", nn->prefix, full);
  return few_param(nn->g, graph_name, shape);
}
