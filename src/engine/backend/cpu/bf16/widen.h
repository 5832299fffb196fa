/* widen.h - run a kernel of f32 on operands in bf16: they are copied to scratch in f32. */
#ifndef FEW_SRC_CPU_BF16_WIDEN_H
#define FEW_SRC_CPU_BF16_WIDEN_H

#include "../../shape.h"
#include "pack.h"

VF_INLINE size_t widened_bytes(struct few_shape s) { return bf16_part(count_of(s) * 4); }

/* The call for the f32 kernel. *bytes: size of the copies, which precede its own scratch. */
VF_INLINE struct few_call widened(const struct few_call *c, size_t *bytes) {
  struct few_call w = *c;
  char *at = c->scratch;
  *bytes = 0;
  for (int i = 0; i < c->n_in; i++) {
    if (!c->in[i].bf16) continue;
    if (at) w.in[i].data = at + *bytes;
    w.in[i].bf16 = false;
    *bytes += widened_bytes(c->in[i].shape);
  }
  if (c->bf16[0]) {
    if (at) w.out = at + *bytes;
    w.bf16[0] = false;
    *bytes += widened_bytes(c->shape);
  }
  if (at) w.scratch = at + *bytes;
  return w;
}

VF_INLINE size_t widened_scratch(const struct few_call *c,
                                 size_t (*scratch)(const struct few_call *c)) {
  struct few_call sizes = *c;
  sizes.scratch = NULL;
  size_t bytes;
  const struct few_call w = widened(&sizes, &bytes);
  return bytes + scratch(&w);
}

VF_INLINE void widened_run(const struct few_call *c, void (*run)(const struct few_call *c)) {
  size_t bytes;
  const struct few_call w = widened(c, &bytes);
  for (int i = 0; i < c->n_in; i++)
    if (c->in[i].bf16)
      num_floats((float *)(uintptr_t)w.in[i].data, num_operand(c, i), count_of(c->in[i].shape));
  run(&w);
  if (c->bf16[0])
    num_copy((struct to){c->out, true}, (struct from){w.out, false}, count_of(c->shape));
}

#endif
