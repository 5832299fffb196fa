/* answer.c - F of a model and its tangent, for inputs from a file: few's side of bench/accuracy.py.
 *
 *   few_answer MODEL INPUTS PRECISION OUT     PRECISION: fp32, bf16, or f64 (the reference backend)
 *
 * INPUTS is a safetensors file with x [N,h,w,c] (x_t / sigma_data) and t [N], their tangents dx and
 * dt, and label [N] if the model takes one. OUT gets y = F and its tangent dy, in F32 or F64, and
 * the constants of the network as const/0, const/1 ... (the first is the frequencies of its time
 * embedding). bench/torch_model.py computes the same in PyTorch.
 */
#include <stdio.h>
#include <string.h>

#include "engine/plan/plan.h"
#include "few/run.h"
#include "io/safetensors.h"
#include "model/model.h"

enum { MAX_SLOTS = 4096, MAX_CONSTS = 16, DY = 0, Y = 1, OUTS };

struct question {
  few_ctx *ctx;
  few_model *model;
  struct few_st in;
  few_graph *graph;
  few_node out[OUTS];
  struct few_planning_opts how;
  few_plan *plan;
  void *slot[MAX_SLOTS], *answer[OUTS], *arena;
};

static few_status read_precision(few_ctx *ctx, struct few_planning_opts *o, const char *word) {
  o->backend = few__backend_cpu();
  o->real = FEW_F32;
  if (strcmp(word, "f64") == 0) {
    o->backend = few__backend_ref();
    o->real = FEW_F64;
  } else if (strcmp(word, "bf16") == 0)
    o->precision = FEW_BF16;
  else if (strcmp(word, "fp32") != 0)
    return few__fail(ctx, FEW_E_INVALID, "'%s' is no precision: fp32, bf16, f64", word);
  return FEW_OK;
}

static few_status trace(struct question *q) {
  const struct few_st_tensor *t = few__st_find(&q->in, "t");
  if (!t) return few__fail(q->ctx, FEW_E_INVALID, "the inputs have no t");
  FEW_TRY(few_graph_create(&q->graph, q->ctx));
  few_graph *g = q->graph;
  FEW_TRY(few_model_graph(&q->out[Y], q->model, g, t->count));
  const struct few_shape s = few_node_shape(g, q->out[Y]), rows = FEW_SHAPE(t->count);
  const few_node x[2] = {few_input(g, "x", FEW_REAL, s), few_input(g, "t", FEW_REAL, rows)};
  const few_node d[2] = {few_input(g, "dx", FEW_REAL, s), few_input(g, "dt", FEW_REAL, rows)};
  FEW_TRY(few_jvp(&q->out[DY], g, 1, &q->out[Y], 2, x, d));
  return few__plan_create(q->ctx, &q->plan, g, &q->how, OUTS, q->out);
}

/* The array of a slot: a parameter of the model, or a tensor of the inputs. */
static few_status bind(struct question *q, int k) {
  const struct few_slot *s = few__plan_slot(q->plan, k);
  const int64_t n = few_shape_count(s->shape);
  const struct few_st_tensor *t = s->param ? NULL : few__st_find(&q->in, s->name);
  if (!s->param && (!t || t->count != n))
    return few__fail(q->ctx, FEW_E_INVALID, "the inputs need %s with %lld values", s->name,
                     (long long)n);
  const int row = s->param ? few__params_find(&q->model->params, s->name) : 0;
  const void *from =
      t ? t->data : (const void *)(q->model->values + q->model->params.at[row].offset);
  const enum few_store store = t ? t->store : FEW_STORE_F32;
  q->slot[k] = few__alloc(q->ctx, (size_t)n * sizeof(double));
  if (!q->slot[k]) return few__fail(q->ctx, FEW_E_MEMORY, "out of memory: %s", s->name);
  if (s->type == FEW_INDEX)
    memcpy(q->slot[k], from, (size_t)n * sizeof(int32_t));
  else if (q->how.real == FEW_F64)
    few__store_to_f64(store, from, n, q->slot[k]);
  else
    few__store_to_f32(store, from, n, q->slot[k]);
  return FEW_OK;
}

static few_status replay(struct question *q) {
  const int n = few__plan_slots(q->plan);
  if (n > MAX_SLOTS) return few__fail(q->ctx, FEW_E_INVALID, "the network has too many arrays");
  for (int k = 0; k < n; k++) FEW_TRY(bind(q, k));
  const size_t bytes =
      (size_t)few_shape_count(few_node_shape(q->graph, q->out[Y])) * sizeof(double);
  for (int k = 0; k < OUTS; k++) q->answer[k] = few__alloc(q->ctx, bytes);
  q->arena = few__alloc(q->ctx, few__plan_arena(q->plan) + 64);
  if (!q->answer[DY] || !q->answer[Y] || !q->arena)
    return few__fail(q->ctx, FEW_E_MEMORY, "out of memory");
  few__plan_replay(q->plan, q->arena,
                   &(struct few_binding){.slots = (const void *const *)q->slot, .outs = q->answer});
  return FEW_OK;
}

static struct few_st_tensor tensor(const struct question *q, const char *name, few_node v,
                                   enum few_store store, const void *data) {
  const struct few_shape s = few_node_shape(q->graph, v);
  struct few_st_tensor t = {.name = name, .store = store, .rank = s.rank, .data = data};
  for (int i = 0; i < s.rank; i++) t.dim[i] = s.dim[i];
  return t;
}

static few_status save(const struct question *q, const char *path) {
  const enum few_store store = q->how.real == FEW_F64 ? FEW_STORE_F64 : FEW_STORE_F32;
  struct few_st_tensor all[MAX_CONSTS + OUTS];
  char name[MAX_CONSTS][24];
  int n = 0;
  for (few_node v = 0; v < few_graph_size(q->graph) && n < MAX_CONSTS; v++) {
    const struct few_node_data *d = few__node(q->graph, v);
    if (d->op != FEW_OP_CONST) continue;
    snprintf(name[n], sizeof name[n], "const/%d", n);
    all[n] = tensor(q, name[n], v, FEW_STORE_F64, d->values);
    n++;
  }
  all[n++] = tensor(q, "dy", q->out[DY], store, q->answer[DY]);
  all[n++] = tensor(q, "y", q->out[Y], store, q->answer[Y]);
  return few__st_write(q->ctx, path, all, n, NULL, 0);
}

static few_status answer(struct question *q, char *const *args) {
  FEW_TRY(few_model_load(&q->model, q->ctx, args[0]));
  FEW_TRY(few__st_read(q->ctx, &q->in, args[1], SIZE_MAX));
  FEW_TRY(read_precision(q->ctx, &q->how, args[2]));
  FEW_TRY(few__backend_check_precision(q->ctx, q->how.backend, q->how.precision));
  FEW_TRY(trace(q));
  FEW_TRY(replay(q));
  return save(q, args[3]);
}

static void free_question(struct question *q) {
  for (int k = 0; k < MAX_SLOTS; k++) few__free(q->ctx, q->slot[k]);
  for (int k = 0; k < OUTS; k++) few__free(q->ctx, q->answer[k]);
  few__free(q->ctx, q->arena);
  few__plan_free(q->plan);
  few_graph_free(q->graph);
  few__st_free(q->ctx, &q->in);
  few_model_free(q->model);
  few_ctx_free(q->ctx);
}

int main(int argc, char **argv) {
  struct question q = {.ctx = NULL};
  if (argc != 5) {
    fprintf(stderr, "usage: few_answer MODEL INPUTS fp32|bf16|f64 OUT\n");
    return 2;
  }
  if (few_ctx_create(&q.ctx, NULL)) return 1;
  const few_status st = answer(&q, argv + 1);
  if (st) fprintf(stderr, "few_answer: %s\n", few_error(q.ctx));
  free_question(&q);
  return st ? 1 : 0;
}
