/* pointwise.cu - runs pointwise programs, and single pointwise ops as programs of one instruction.
 *
 * The kernel of a program is compiled when it first runs (compile.h). It is kept until the process
 * ends, which is possible since networks use few shapes.
 */
#include "compile.h"
#include "program.h"

static bool aligned(const void *at, size_t bytes) { return (uintptr_t)at % bytes == 0; }

/* Whether the kernel can process four numbers at a time. All operands and results of the call's
 * shape must allow it. Smaller operands are read one number at a time in any case. */
static bool wide_enough(const struct few_call *c, int n_outs, size_t bytes) {
  const int64_t n = count_of(c->shape);
  if (n % 4) return false;
  for (int k = 0; k < c->n_in; k++)
    if (count_of(c->in[k].shape) == n && !aligned(c->in[k].data, c->in[k].bf16 ? 8 : bytes))
      return false;
  for (int k = 0; k < n_outs; k++)
    if (!aligned(c->outs[k], c->bf16[k] ? 8 : bytes)) return false;
  return true;
}

template <class real>
static void run(const struct few_call *c, const struct few_program *p) {
  const int64_t n = count_of(c->shape);
  const bool wide = wide_enough(c, p->n_stores, 16);
  struct few_pointers at = {};
  for (int k = 0; k < c->n_in; k++) at.in[k] = c->in[k].data;
  for (int k = 0; k < p->n_stores; k++) at.out[k] = c->outs[k];
  if (n == 0) return;
  few__compile_and_run(c->queue,
                       few__program_text(c, p, sizeof(real) == 8 ? "double" : "float", wide),
                       blocks_for(wide ? n / 4 : n), THREADS, &at);
}

template <class real>
static void fused(const struct few_call *c) {
  run<real>(c, c->program);
}
FEW_CUDA_KERNEL(fused)

template <class real>
static void pointwise(const struct few_call *c) {
  struct few_program p = {};
  p.n_leaves = c->n_in;
  p.n_code = p.n_stores = 1;
  p.code[0].op = c->node->op;
  p.code[0].attr = c->node->attr;
  for (int k = 0; k < c->n_in; k++) p.code[0].in[k] = (int16_t)k;
  p.store[0] = (int16_t)c->n_in;
  struct few_call one = *c;
  one.outs[0] = c->out;
  run<real>(&one, &p);
}
FEW_CUDA_KERNEL(pointwise)
