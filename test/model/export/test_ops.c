/* Every op of few as operators of ONNX: the examples of the table of ops, in both layouts, and
 * graphs with a batch of any size, compared with the reference backend by ONNX Runtime and by
 * ONNX's own reference implementation. */
#include "cases.h"

#include "base/rng.h"
#include "few/plan.h"
#include "model/export/translate.h"

enum { ROWS = 8, MOST = 8 };

/* Each op has a row that says one thing, and only derivatives and random numbers are refused. */
static void test_table(void **state) {
  (void)state;
  static const few_op refused[] = {FEW_OP_RANDN,          FEW_OP_RANDU,
                                   FEW_OP_CONV_DW,        FEW_OP_NORM_TANGENT,
                                   FEW_OP_ATTENTION_DUAL, FEW_OP_ATTENTION_GRAD};
  for (few_op op = 0; op < FEW_OP_COUNT; op++) {
    const struct few_onnx_row *row = &few__onnx_rows[op];
    bool expected = false;
    for (int i = 0; i < FEW_COUNT(refused); i++) expected = expected || refused[i] == op;
    if ((row->same != NULL) + (row->write != NULL) + (row->refused != NULL) != 1)
      fail_msg("op %s: give it a row in src/model/export/rows.c", few__op_def(op)->name);
    if (expected != (row->refused != NULL)) fail_msg("op %s", few__op_def(op)->name);
    if (row->same) assert_true(few__op_def(op)->flags & FEW_OP_POINTWISE);
  }
}

/* ---- Graphs as cases ---- */

typedef few_node (*build_fn)(few_graph *g, int64_t rows);

struct operand {
  const char *name;
  struct few_shape shape;
  few_dtype type;
  float *x;
  int32_t *label;
};

/* Values of the arrays: normal numbers, and labels -1, 0, 1 .. */
static int operands(const few_graph *g, few_node y, struct operand *out) {
  int n = 0;
  for (few_node v = 0; v <= y; v++) {
    const struct few_node_data *d = few__node(g, v);
    if (d->op != FEW_OP_INPUT && d->op != FEW_OP_PARAM) continue;
    const size_t count = (size_t)few_shape_count(d->shape);
    struct operand *o = &out[n];
    *o = (struct operand){d->name, d->shape, d->type, malloc(count * sizeof *o->x),
                          malloc(count * sizeof *o->label)};
    const struct few_rng r = {.seed = 7, .row = (uint64_t)n++, .purpose = FEW_RNG_CHECK};
    assert_true(o->x && o->label && n < MOST);
    few__rng_normal_f32(&r, (int64_t)count, o->x);
    for (size_t i = 0; i < count; i++) o->label[i] = (int32_t)(i % 5) - 1;
  }
  return n;
}

static void run_reference(few_ctx *ctx, const few_graph *g, few_node y, int n,
                          const struct operand *in, float *out) {
  struct few_plan_opts o = FEW_PLAN_OPTS_INIT;
  struct few_plan_binding b[MOST + 1];
  few_plan *plan;
  int bound = 0;
  o.backend = "ref";
  assert_ok(ctx, few_plan_create(&plan, g, 1, (struct few_plan_output[]){{"y", y}}, &o));
  for (int i = 0; i < few_plan_array_count(plan); i++) {
    struct few_plan_array a;
    assert_true(few_plan_array_at(&a, sizeof a, plan, i));
    for (int k = 0; k < n; k++)
      if (!strcmp(in[k].name, a.name))
        b[bound++] = (struct few_plan_binding){
            a.name, in[k].type == FEW_INDEX ? (const void *)in[k].label : in[k].x, NULL};
  }
  b[bound++] = (struct few_plan_binding){"y", NULL, out};
  assert_ok(ctx, few_plan_run(ctx, plan, bound, b, NULL));
  few_plan_free(plan);
}

struct given {
  int n;
  const struct operand *in;
};

static const float *parameter(void *user, const char *name) {
  const struct given *given = user;
  for (int k = 0; k < given->n; k++)
    if (!strcmp(given->in[k].name, name)) return given->in[k].x;
  fail_msg("%s: no such parameter", name);
  return NULL;
}

/* The dims of an array in the file: -1 for the first of many rows. */
static void port(struct few_onnx *o, const struct few_translation *t, few_node v, const char *name,
                 enum few_onnx_layout layout, bool output) {
  int64_t dim[FEW_MAX_RANK];
  const int rank = few__onnx_dims(t, v, layout, dim);
  const bool label = few__node(t->at[0].g, v)->type == FEW_INDEX;
  (output ? few__onnx_output : few__onnx_input)(o, name, label ? FEW_ONNX_INT64 : FEW_ONNX_FLOAT,
                                                rank, dim);
}

static few_status write_graph(few_ctx *ctx, const struct few_onnx_trace at[2],
                              const struct given *given, enum few_onnx_layout layout,
                              const char *path) {
  struct few_translation t = {
      .ctx = ctx, .at = {at[0], at[1]}, .parameter = parameter, .user = (void *)given};
  const char *y = "";
  few_status st = few__onnx_create(ctx, &t.out);
  if (!st) st = few__translate_begin(&t);
  if (!st) few__translate_reserve(&t, "out");
  for (few_node v = 0; !st && v <= at[0].y; v++) {
    const struct few_node_data *d = few__node(at[0].g, v);
    if (d->op != FEW_OP_INPUT || !few__translate_needs(&t, d->name)) continue;
    port(t.out, &t, v, d->name, layout, false);
    few__translate_input(&t, d->name, layout, d->name);
  }
  if (!st) st = few__translate(&t, &y);
  if (!st) {
    port(t.out, &t, at[0].y, "out", FEW_ONNX_IMAGES, true);
    few__onnx_node(t.out, "Identity", "out", 1, &y, 0, NULL);
    st = few__onnx_write(t.out, path, "case", "");
  }
  few__translate_end(&t);
  few__onnx_free(t.out);
  return st;
}

/* Adds a case: the graph g of y, also at another size of the batch. */
static void add_case(struct cases *c, const char *name, const struct few_onnx_trace at[2],
                     const few_graph *g, few_node y, bool images) {
  struct operand in[MOST];
  char path[200], end[40];
  const int n = operands(g, y, in);
  const struct given given = {n, in};
  const struct few_shape s = few_node_shape(g, y);
  float *out = malloc((size_t)few_shape_count(s) * sizeof *out);
  assert_non_null(out);
  run_reference(c->ctx, g, y, n, in, out);
  assert_ok(c->ctx, write_graph(c->ctx, at, &given, images ? FEW_ONNX_IMAGES : FEW_ONNX_PLAIN,
                                case_path(c, path, name, ".onnx")));
  for (int k = 0; k < n; k++) {
    snprintf(end, sizeof end, ".in.%s", in[k].name);
    case_array(c, end, in[k].shape.rank, in[k].shape.dim, in[k].type == FEW_INDEX ? NULL : in[k].x,
               in[k].label, images && in[k].shape.rank == 4);
    free(in[k].x);
    free(in[k].label);
  }
  case_array(c, ".out", s.rank, s.dim, out, NULL, s.rank == 4);
  case_add(c, name, 1e-5, "own,ort,reference");
  free(out);
}

/* ---- The examples of all ops, of static shape ---- */

static few_node example_of(few_graph *g, few_op op, int k) {
  const struct few_op_def *def = few__op_def(op);
  if (def->n_examples > k) return def->example(g, k);
  few_node a = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3));
  switch ((int)op) { /* ops whose derivative is zero, and sources */
    case FEW_OP_PARAM:
      return few_mul(g, a, few_param(g, "p", FEW_SHAPE(1, 3)));
    case FEW_OP_CONST:
      return few_mul(g, a, few_const(g, FEW_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6}));
    case FEW_OP_STOP:
      return few_stop(g, few_sin(g, a));
    case FEW_OP_FLOOR:
      return few_floor(g, few_scale(g, a, 3));
    case FEW_OP_LESS:
      return few_less(g, a, few_fill(g, 0.1, FEW_SHAPE(2, 3)));
    case FEW_OP_SELECT:
      return few_select(g, few_less(g, a, few_fill(g, 0, FEW_SCALAR)), a, few_square(g, a));
    case FEW_OP_ONEHOT:
      return few_onehot(g, few_input(g, "label", FEW_INDEX, FEW_SHAPE(6)), 4);
    default:
      return FEW_NONE;
  }
}

static int example_count(few_op op) {
  const int n = few__op_def(op)->n_examples;
  return n > 0 ? n : 1;
}

static void test_examples(void **state) {
  (void)state;
  struct cases c = cases_begin();
  for (few_op op = 0; op < FEW_OP_COUNT; op++) {
    if (few__onnx_rows[op].refused || op == FEW_OP_INPUT || op == FEW_OP_FILL) continue;
    for (int k = 0; k < example_count(op); k++)
      for (int images = 0; images < 2; images++) {
        few_graph *g;
        char name[64];
        assert_ok(c.ctx, few_graph_create(&g, c.ctx));
        const few_node y = example_of(g, op, k);
        if (y == FEW_NONE) fail_msg("op %s has no example", few__op_def(op)->name);
        const struct few_onnx_trace at = {g, y, 1};
        snprintf(name, sizeof name, "%s.%d.%d", few__op_def(op)->name, k, images);
        add_case(&c, name, (struct few_onnx_trace[]){at, at}, g, y, images);
        few_graph_free(g);
      }
  }
  cases_end(&c);
}

/* ---- Batches of any size ---- */

static few_node rows_of(few_graph *g, double x, struct few_shape s) { return few_fill(g, x, s); }

/* The embedding of a constant time is one row; a label has all rows. */
static few_node one_row(few_graph *g, int64_t n) {
  few_node t = few_mul(g, few_reshape(g, rows_of(g, 0.3, FEW_SHAPE(n)), FEW_SHAPE(n, 1)),
                       few_const(g, FEW_SHAPE(1, 3), (double[]){1, 2, 3}));
  few_node e = few_concat(g, 1, 2, (few_node[]){few_cos(g, t), few_sin(g, t)});
  e = few_matmul(g, e, few_param(g, "w", FEW_SHAPE(6, 4)), false, false);
  few_node label = few_input(g, "label", FEW_INDEX, FEW_SHAPE(n));
  return few_add(g, few_silu(g, e), few_onehot(g, label, 4));
}

/* One row that must be repeated: beside a batch in one array, and of several tokens. */
static few_node repeated(few_graph *g, int64_t n) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 2, 3));
  few_node one = few_mul(g, rows_of(g, 2, FEW_SHAPE(n, 1, 3)),
                         few_const(g, FEW_SHAPE(1, 1, 3), (double[]){1, 2, 4}));
  few_node y = few_concat(g, 1, 2, (few_node[]){x, few_sin(g, one)});
  few_node flat = few_reshape(g, y, FEW_SHAPE(n * 3, 3));
  few_node tokens =
      few_mul(g, few_reshape(g, few_broadcast(g, one, FEW_SHAPE(n, 3, 3)), FEW_SHAPE(n * 3, 3)),
              few_fill(g, 0.5, FEW_SHAPE(n * 3, 1)));
  y = few_add(g, few_norm(g, flat, 1, true, 1e-5), few_norm(g, tokens, 1, false, 1e-5));
  return few_reshape(g, y, FEW_SHAPE(n, 9));
}

/* Constants of one value where the whole array is needed; a parameter with the name of the output.
 */
static few_node filled(few_graph *g, int64_t n) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 4, 4, 2));
  few_node ones = rows_of(g, 1, FEW_SHAPE(n, 4, 4, 1));
  few_node y = few_concat(g, 3, 2, (few_node[]){x, ones});
  y = few_conv(g, y, few_param(g, "w", FEW_SHAPE(3, 3, 3, 4)), 1, 1);
  few_node table = few_add(g, few_param(g, "out", FEW_SHAPE(1, 1, 1, 4)),
                           rows_of(g, 0.5, FEW_SHAPE(n, 4, 4, 4)));
  return few_sub(g, few_concat(g, 1, 2, (few_node[]){y, table}),
                 few_slice(g, few_slice(g, few_pad(g, y, 2, 1, 0), 2, 1, 1), 1, 0, 1));
}

/* Pixels and tokens: the layouts meet, with matrices read in each way. */
static few_node layouts(few_graph *g, int64_t n) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 2, 3, 4));
  few_node w = few_param(g, "w", FEW_SHAPE(4, 4));
  few_node y = few_matmul(g, x, w, false, false);
  y = few_add(g, y, few_matmul(g, x, few_mul(g, w, w), false, true));
  few_node t = few_reshape(g, y, FEW_SHAPE(n, 6, 4));
  few_node a = few_softmax(g, few_matmul(g, t, t, false, true));
  a = few_matmul(g, few_matmul(g, a, t, true, false), w, false, true);
  a = few_norm(g, few_reshape(g, a, FEW_SHAPE(n, 2, 3, 1, 4)), 2, true, 1e-5);
  few_node mean = few_reshape(g, few_sum(g, y, FEW_SHAPE(n, 1, 1, 4)), FEW_SHAPE(n, 4));
  few_node gate = few_reshape(g, few_tanh(g, mean), FEW_SHAPE(n, 1, 1, 4));
  return few_mul(g, few_add(g, y, few_reshape(g, a, FEW_SHAPE(n, 2, 3, 4))), gate);
}

static void test_batches(void **state) {
  (void)state;
  static const struct {
    const char *name;
    build_fn build;
  } graphs[] = {
      {"one_row", one_row}, {"repeated", repeated}, {"filled", filled}, {"layouts", layouts}};
  struct cases c = cases_begin();
  for (int i = 0; i < FEW_COUNT(graphs); i++) {
    few_graph *g[3];
    struct few_onnx_trace at[3] = {{.rows = 101}, {.rows = 103}, {.rows = ROWS}};
    for (int k = 0; k < 3; k++) {
      assert_ok(c.ctx, few_graph_create(&g[k], c.ctx));
      at[k].y = graphs[i].build(g[k], at[k].rows);
      at[k].g = g[k];
      assert_ok(c.ctx, few_graph_status(g[k]));
    }
    add_case(&c, graphs[i].name, at, g[2], at[2].y, true);
    for (int k = 0; k < 3; k++) few_graph_free(g[k]);
  }
  cases_end(&c);
}

/* ---- What is refused ---- */

static few_node other_factor(few_graph *g, int64_t n) {
  return few_scale(g, few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 2)), 1 / (double)n);
}
static few_node other_number(few_graph *g, int64_t n) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 2));
  return n > 101 ? few_sin(g, x) : x;
}
static few_node squared(few_graph *g, int64_t n) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 2));
  return few_matmul(g, x, x, false, true);
}
static few_node padded(few_graph *g, int64_t n) {
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(n, 2));
  return few_pad(g, x, 0, 1, 0);
}
static few_node noisy(few_graph *g, int64_t n) { return few_randn(g, 3, FEW_SHAPE(n, 2)); }

static void test_refused(void **state) {
  (void)state;
  static const struct {
    build_fn build;
    const char *word;
  } graphs[] = {{other_factor, "size of the batch"},
                {other_number, "size of the batch"},
                {squared, "size of the batch"},
                {padded, "size of the batch"},
                {noisy, "`randn`: it draws random numbers"}};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(graphs); i++) {
    few_graph *g[2];
    struct few_onnx_trace at[2] = {{.rows = 101}, {.rows = 103}};
    for (int k = 0; k < 2; k++) {
      assert_ok(ctx, few_graph_create(&g[k], ctx));
      at[k].y = graphs[i].build(g[k], at[k].rows);
      at[k].g = g[k];
    }
    const struct given none = {0, NULL};
    assert_int_equal(write_graph(ctx, at, &none, FEW_ONNX_IMAGES, "/nowhere"), FEW_E_UNSUPPORTED);
    if (!strstr(few_error(ctx), graphs[i].word)) fail_msg("%s", few_error(ctx));
    for (int k = 0; k < 2; k++) few_graph_free(g[k]);
  }
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_examples),
                                     cmocka_unit_test(test_batches),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
