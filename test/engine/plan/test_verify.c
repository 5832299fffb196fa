/* Wrong plans are refused: each check of verify.c sees the mistake that is planted for it, and passes
 * the plan before that. */
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
  assert_ok(s->ctx, few_graph_create(s->ctx, &s->g));
  few_graph *g = s->g;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(8, 16));
  few_node w = few_param(g, "w", FEW_SHAPE(16, 16));
  few_node h = few_silu(g, few_matmul(g, x, w, false, false));
  h = few_mul(g, h, few_less(g, few_randu(g, 3, FEW_SHAPE(8, 16)), few_fill(g, 0.9, FEW_SCALAR)));
  h = few_tanh(g, few_matmul(g, h, w, false, true));
  few_node loss = few_mean_all(g, few_square(g, h));
  assert_ok(s->ctx, few_grad(g, loss, 1, &w, &dw));
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

/* Two storages of the arena that are live at the same time, by their first and last instructions. */
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

/* The order, with two dependent nodes exchanged, one of them twice, and without one. */
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

/* Units: a value that nobody stores, and the last unit first. */
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_before_written),
                                     cmocka_unit_test(test_locations),
                                     cmocka_unit_test(test_shared_bytes),
                                     cmocka_unit_test(test_order), cmocka_unit_test(test_units)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
