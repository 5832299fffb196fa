/* Each check of verify.c accepts a correct plan, and refuses a plan with a planted mistake. */
#include "testing.h"

#include "engine/op/op.h"
#include "engine/plan/plan_internal.h"

struct subject {
  few_ctx *ctx;
  few_graph *g;
  few_node out[3];
  few_plan *plan;
};

/* Two products with pointwise work between them, a gradient, a view and a random mask. */
static void build(struct subject *s) {
  few_node dw;
  *s = (struct subject){.ctx = test_ctx()};
  assert_ok(s->ctx, few_graph_create(&s->g, s->ctx));
  few_graph *g = s->g;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(8, 16));
  few_node w = few_param(g, "w", FEW_SHAPE(16, 16));
  few_node h = few_silu(g, few_matmul(g, x, w, false, false));
  h = few_mul(g, h, few_less(g, few_randu(g, 3, FEW_SHAPE(8, 16)), few_fill(g, 0.9, FEW_SCALAR)));
  h = few_tanh(g, few_matmul(g, h, w, false, true));
  few_node loss = few_mean_all(g, few_square(g, h));
  assert_ok(s->ctx, few_grad(&dw, g, loss, 1, &w));
  s->out[0] = loss;
  s->out[1] = dw;
  s->out[2] = few_slice(g, h, 0, 2, 3);
  const struct few_planning_opts o = {
      .backend = few__backend_find("cpu"), .real = FEW_F32, .verify = true};
  assert_ok(s->ctx, few__plan_create(s->ctx, &s->plan, g, &o, 3, s->out));
}

static void end(struct subject *s) {
  few__plan_free(s->plan);
  few_graph_free(s->g);
  few_ctx_free(s->ctx);
}

static void assert_refused(few_ctx *ctx, few_status st, const char *word) {
  assert_int_equal(st, FEW_E_UNSUPPORTED);
  if (!strstr(few_error(ctx), word) || !strstr(few_error(ctx), "bug in few"))
    fail_msg("the sentence lacks `%s`: %s", word, few_error(ctx));
}

static void test_read_before_written(void **state) {
  (void)state;
  struct subject s;
  build(&s);
  few_plan *p = s.plan;
  assert_true(p->code.n > 3);
  const struct instruction last = p->code.at[p->code.n - 1];
  memmove(p->code.at + 1, p->code.at, (size_t)(p->code.n - 1) * sizeof *p->code.at);
  p->code.at[0] = last;
  assert_refused(s.ctx, few__plan_verify_code(p), "before it is written");
  memmove(p->code.at, p->code.at + 1, (size_t)(p->code.n - 1) * sizeof *p->code.at);
  p->code.at[p->code.n - 1] = last;
  assert_ok(s.ctx, few__plan_verify_code(p));
  end(&s);
}

static void test_locations(void **state) {
  (void)state;
  struct subject s;
  build(&s);
  int i = 0;
  while (s.plan->code.at[i].call.n_in == 0) i++; /* random numbers have no operands */
  struct instruction *code = &s.plan->code.at[i];
  struct location *in = &code->in[0];
  const struct location right = *in;
  in->storage = -1;
  assert_refused(s.ctx, few__plan_verify_code(s.plan), "no storage");
  *in = right;
  in->offset += s.plan->storages.at[in->storage].bytes;
  assert_refused(s.ctx, few__plan_verify_code(s.plan), "outside storage");
  *in = right;
  const int result = code->out[0].storage;
  code->out[0].storage = right.storage; /* an input */
  const enum where where = s.plan->storages.at[right.storage].where;
  s.plan->storages.at[right.storage].bytes += 1 << 20;
  assert_int_equal(where, IN_SLOT);
  assert_refused(s.ctx, few__plan_verify_code(s.plan), "writes an input");
  s.plan->storages.at[right.storage].bytes -= 1 << 20;
  code->out[0].storage = result;
  assert_ok(s.ctx, few__plan_verify_code(s.plan));
  end(&s);
}

/* Two storages share bytes although they are live at the same time, by their first and last
 * instructions. */
static void test_shared_bytes(void **state) {
  (void)state;
  struct subject s;
  build(&s);
  few_plan *p = s.plan;
  int planted = 0;
  for (int a = 0; a < p->storages.n; a++)
    for (int b = 0; b < a; b++) {
      struct storage *x = &p->storages.at[a], *y = &p->storages.at[b];
      if (x->where != IN_ARENA || y->where != IN_ARENA || x->shares >= 0 || y->shares >= 0 ||
          x->first >= y->last || y->first >= x->last)
        continue;
      const size_t right = x->offset;
      x->offset = y->offset;
      const few_status st = few__plan_verify_memory(p);
      x->offset = right;
      assert_refused(s.ctx, st, "memory:");
      planted++;
    }
  assert_true(planted > 0);
  for (int a = 0; a < p->storages.n; a++)
    if (p->storages.at[a].where == IN_ARENA && p->storages.at[a].first >= 0) {
      p->storages.at[a].offset += p->arena_bytes;
      assert_refused(s.ctx, few__plan_verify_memory(p), "outside the arena");
      p->storages.at[a].offset -= p->arena_bytes;
    }
  assert_ok(s.ctx, few__plan_verify_memory(p));
  end(&s);
}

/* Wrong orders: two dependent nodes are exchanged, a node occurs twice, a node is missing. */
static void test_order(void **state) {
  (void)state;
  struct subject s;
  build(&s);
  struct planning p = {.plan = s.plan, .g = s.g, .n_out = 3, .out = s.out};
  assert_ok(s.ctx, few__plan_order(&p));
  assert_ok(s.ctx, few__plan_verify_order(&p));
  assert_true(p.n_order > 3);
  const few_node first = p.order[0], last = p.order[p.n_order - 1];
  p.order[0] = last;
  p.order[p.n_order - 1] = first;
  assert_refused(s.ctx, few__plan_verify_order(&p), "order:");
  p.order[0] = first;
  assert_refused(s.ctx, few__plan_verify_order(&p), "twice");
  p.order[p.n_order - 1] = last;
  p.n_order--;
  assert_refused(s.ctx, few__plan_verify_order(&p), "missing");
  few__plan_planning_free(&p);
  end(&s);
}

/* Wrong units: a value is not stored, and the last unit comes first. */
static void test_units(void **state) {
  (void)state;
  struct subject s;
  build(&s);
  struct planning p = {.plan = s.plan, .g = s.g, .n_out = 3, .out = s.out};
  assert_ok(s.ctx, few__plan_order(&p));
  assert_ok(s.ctx, few__plan_recompute(&p));
  assert_ok(s.ctx, few__plan_fuse(&p));
  assert_ok(s.ctx, few__plan_verify_units(&p));
  const few_node operand =
      few__node(s.g, few__plan_member(&p, &p.units.at[p.units.n - 1], 0))->in[0];
  const few_node root = p.root[few__plan_canon(s.g, operand)];
  assert_true(p.stored[root]);
  p.stored[root] = false;
  assert_refused(s.ctx, few__plan_verify_units(&p), "no unit stores");
  p.stored[root] = true;
  const struct unit first = p.units.at[0];
  p.units.at[0] = p.units.at[p.units.n - 1];
  assert_refused(s.ctx, few__plan_verify_units(&p), "fusion:");
  p.units.at[0] = first;
  p.units.n--;
  assert_refused(s.ctx, few__plan_verify_units(&p), "no unit computes");
  few__plan_planning_free(&p);
  end(&s);
}

/* ---- recomputed values, bf16 storage, programs ---- */

/* The planning of a graph with images, pass by pass. */
struct passes {
  struct subject s;
  struct few_backend backend;
  struct planning p;
};

/* Plans a graph of modulated values between convolutions, with the gradients of the kernels. Its
 * backward pass recomputes the modulation. bf16: for a backend with programs and convolutions in
 * bf16. */
static void run(struct passes *t, bool bf16) {
  struct subject *s = &t->s;
  few_node grad[2], v[2];
  *s = (struct subject){.ctx = test_ctx()};
  assert_ok(s->ctx, few_graph_create(&s->g, s->ctx));
  few_graph *g = s->g;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(4, 8, 8, 16));
  few_node m = few_input(g, "m", FEW_REAL, FEW_SHAPE(4, 1, 1, 16));
  v[0] = few_param(g, "v", FEW_SHAPE(3, 3, 16, 16));
  v[1] = few_param(g, "w", FEW_SHAPE(3, 3, 16, 16));
  few_node h = few_conv(g, x, v[0], 1, 1), a = few_silu(g, few_mul(g, h, m));
  few_node sum = few_add(g, few_conv(g, a, v[1], 1, 1), few_conv(g, h, v[1], 1, 1));
  few_node loss = few_mean_all(g, few_square(g, sum));
  assert_ok(s->ctx, few_grad(grad, g, loss, 2, v));
  s->out[0] = loss;
  s->out[1] = grad[0];
  s->out[2] = grad[1];
  t->backend = *few__backend_find("cpu");
  if (bf16) t->backend.precision[FEW_BF16] = t->backend.bf16[FEW_OP_COUNT] = true;
  for (int op = FEW_OP_CONV; bf16 && op <= FEW_OP_CONV_DW; op++) t->backend.bf16[op] = true;
  const struct few_planning_opts o = {.backend = &t->backend,
                                      .real = FEW_F32,
                                      .precision = bf16 ? FEW_BF16 : FEW_FP32,
                                      .verify = true};
  assert_ok(s->ctx, few__plan_create(s->ctx, &s->plan, g, &o, 3, s->out));
  few__plan_free(s->plan);
  assert_ok(s->ctx, FEW_NEW(s->ctx, &s->plan, 1)); /* an empty one to plan again */
  s->plan->ctx = s->ctx;
  s->plan->opts = o;
  t->p = (struct planning){.plan = s->plan, .g = g, .n_out = 3, .out = s->out};
  assert_ok(s->ctx, few__plan_order(&t->p));
  assert_ok(s->ctx, few__plan_recompute(&t->p));
}

static void finish(struct passes *t) {
  few__plan_planning_free(&t->p);
  end(&t->s);
}

static few_node first(const struct planning *p, const bool *is) {
  for (few_node v = 0; v < few_graph_size(p->g); v++)
    if (is[v]) return v;
  fail_msg("no such node");
  return -1;
}

static void refuse_recomputed(struct passes *t, few_node v, const char *word) {
  const bool was = t->p.recomputed[v];
  assert_false(was);
  t->p.recomputed[v] = true;
  assert_refused(t->s.ctx, few__plan_verify_recompute(&t->p), word);
  t->p.recomputed[v] = was;
}

static void test_recomputed(void **state) {
  (void)state;
  struct passes t;
  run(&t, false);
  struct planning *p = &t.p;
  const few_node again = first(p, p->recomputed), late = first(p, p->late);
  assert_ok(t.s.ctx, few__plan_verify_recompute(p));
  refuse_recomputed(&t, late, "no value of the forward pass");
  for (few_node v = 0; v < few_graph_size(t.s.g); v++) {
    const few_op op = few__op(t.s.g, v);
    if (op == FEW_OP_PARAM) refuse_recomputed(&t, v, "no value of the forward pass");
    if (op == FEW_OP_CONV && p->live[v] && !p->late[v]) refuse_recomputed(&t, v, "no program");
  }
  p->late[again] = true;
  assert_refused(t.s.ctx, few__plan_verify_recompute(p), "recompute:");
  p->late[again] = false;
  p->late[late] = false;
  assert_refused(t.s.ctx, few__plan_verify_recompute(p), "wrong side");
  p->late[late] = true;
  assert_ok(t.s.ctx, few__plan_verify_recompute(p));
  finish(&t);
}

/* Wrongly recomputed: the operand of a convolution of the backward pass, which must be in memory,
 * and an output. */
static void test_recomputed_readers(void **state) {
  (void)state;
  struct passes t;
  run(&t, false);
  struct planning *p = &t.p;
  int planted = 0;
  for (int i = 0; i < p->n_order; i++) {
    const few_node v = p->order[i];
    const struct few_node_data *d = few__node(t.s.g, v);
    for (int k = 0; k < d->n_in; k++) {
      const few_node u = few__plan_canon(t.s.g, d->in[k]);
      if (!p->late[v] || few__plan_is_pointwise(t.s.g, v) || p->late[u] || p->root[u] != u ||
          !few__plan_joins(p, u) || p->recomputed[u])
        continue;
      refuse_recomputed(&t, u, "in memory");
      planted++;
    }
  }
  assert_true(planted > 0);
  p->out = (few_node[]){t.s.out[0], t.s.out[1], first(p, p->recomputed)};
  assert_refused(t.s.ctx, few__plan_verify_recompute(p), "output 2");
  p->out = t.s.out;
  finish(&t);
}

/* Wrong: a node in two units without being marked as recomputed; a node twice in one unit. */
static void test_computed_twice(void **state) {
  (void)state;
  struct passes t;
  run(&t, false);
  struct planning *p = &t.p;
  assert_ok(t.s.ctx, few__plan_fuse(p));
  assert_ok(t.s.ctx, few__plan_verify_units(p));
  const few_node again = first(p, p->recomputed);
  int n = 0;
  for (int i = 0; i < p->members.n; i++) n += p->members.at[i] == again;
  assert_int_equal(n, 2);
  p->recomputed[again] = false;
  assert_refused(t.s.ctx, few__plan_verify_units(p), "for no reader");
  p->recomputed[again] = true;
  int i = 0;
  while (p->units.at[i].n < 2) i++;
  few_node *second = &p->members.at[p->units.at[i].first + 1];
  const few_node right = *second;
  *second = second[-1];
  assert_refused(t.s.ctx, few__plan_verify_units(p), "fusion:");
  *second = right;
  assert_ok(t.s.ctx, few__plan_verify_units(p));
  finish(&t);
}

static void refuse_bf16(struct passes *t, few_node v, const char *word) {
  const bool was = t->p.bf16[v];
  assert_false(was);
  t->p.bf16[v] = true;
  assert_refused(t->s.ctx, few__plan_verify_bf16(&t->p), word);
  t->p.bf16[v] = was;
}

static void test_bf16(void **state) {
  (void)state;
  struct passes t;
  run(&t, true);
  struct planning *p = &t.p;
  few_graph *g = t.s.g;
  assert_ok(t.s.ctx, few__plan_fuse(p));
  assert_ok(t.s.ctx, few__plan_bf16(p));
  assert_ok(t.s.ctx, few__plan_verify_bf16(p));
  first(p, p->bf16); /* something is stored in bf16 */
  for (few_node v = 0; v < few_graph_size(g); v++)
    if (few__op(g, v) == FEW_OP_PARAM || few__op(g, v) == FEW_OP_INPUT)
      refuse_bf16(&t, v, "an input");
  for (int i = 0; i < 3; i++) { /* outputs that are sums over the batch */
    const few_node root = p->root[few__plan_canon(g, t.s.out[i])];
    refuse_bf16(&t, root, "bf16:");
  }
  few_node conv = -1;
  for (few_node v = 0; v < few_graph_size(g); v++)
    if (p->live[v] && few__op(g, v) == FEW_OP_CONV && p->bf16[v]) conv = v;
  assert_true(conv >= 0);
  p->out = (few_node[]){t.s.out[0], t.s.out[1], conv};
  assert_refused(t.s.ctx, few__plan_verify_bf16(p), "output 2");
  p->out = t.s.out;
  t.backend.bf16[FEW_OP_CONV] = false;
  assert_refused(t.s.ctx, few__plan_verify_bf16(p), "the kernel of unit");
  t.backend.bf16[FEW_OP_CONV] = true;
  t.backend.bf16[FEW_OP_COUNT] = false;
  assert_refused(t.s.ctx, few__plan_verify_bf16(p), "the kernel of unit");
  t.backend.bf16[FEW_OP_COUNT] = true;
  p->plan->opts.precision = FEW_TF32;
  assert_refused(t.s.ctx, few__plan_verify_bf16(p), "does not allow");
  p->plan->opts.precision = FEW_BF16;
  assert_ok(t.s.ctx, few__plan_verify_bf16(p));
  finish(&t);
}

/* Wrong programs: another op, other attributes, an operand from another register. */
static void test_programs(void **state) {
  (void)state;
  struct passes t;
  run(&t, false);
  struct planning *p = &t.p;
  assert_ok(t.s.ctx, few__plan_fuse(p));
  assert_ok(t.s.ctx, few__plan_bf16(p));
  assert_ok(t.s.ctx, few__plan_emit(p));
  assert_ok(t.s.ctx, few__plan_verify_programs(p));
  int fused = 0, conv = 0;
  for (int i = 0; i < p->units.n; i++) {
    struct instruction *in = &p->plan->code.at[i];
    if (in->op == FEW_OP_CONV) {
      in->node.attr.conv.pad++;
      assert_refused(t.s.ctx, few__plan_verify_programs(p), "another op");
      in->node.attr.conv.pad--;
      const struct location right = in->in[0];
      in->in[0] = in->in[1];
      assert_refused(t.s.ctx, few__plan_verify_programs(p), "another value");
      in->in[0] = right;
      conv++;
    }
    for (int m = 0; in->program && m < in->program->n_code; m++) {
      struct few_instruction *c = &in->program->code[m];
      const struct few_instruction right = *c;
      c->op = c->op == FEW_OP_ADD ? FEW_OP_MUL : FEW_OP_ADD;
      assert_refused(t.s.ctx, few__plan_verify_programs(p), "another op");
      *c = right;
      c->in[0] = (int16_t)(in->program->n_leaves + m); /* its own result */
      assert_refused(t.s.ctx, few__plan_verify_programs(p), "another value");
      *c = right;
      fused++;
    }
  }
  assert_true(fused > 3 && conv > 1);
  assert_ok(t.s.ctx, few__plan_verify_programs(p));
  finish(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_before_written),
                                     cmocka_unit_test(test_locations),
                                     cmocka_unit_test(test_shared_bytes),
                                     cmocka_unit_test(test_order),
                                     cmocka_unit_test(test_units),
                                     cmocka_unit_test(test_recomputed),
                                     cmocka_unit_test(test_recomputed_readers),
                                     cmocka_unit_test(test_computed_twice),
                                     cmocka_unit_test(test_bf16),
                                     cmocka_unit_test(test_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
