/* profile.c - name, shapes, FLOP and bytes of an instruction, for few bench. */
#include <stdio.h>

#include "plan_internal.h"

static void append(struct few_plan_kernel *k, const char *gap, const char *word) {
  size_t n = strlen(k->text);
  snprintf(k->text + n, sizeof k->text - n, "%s%s", gap, word);
}

struct few_plan_kernel few__plan_kernel(const few_plan *p, int i) {
  assert(0 <= i && i < p->code.n);
  const struct instruction *in = &p->code.at[i];
  bool fused = in->op == FEW_OP_COUNT;
  size_t size = few__real_size(p->opts.real);
  int64_t count = few_shape_count(in->call.shape) * in->n_out;
  struct few_plan_kernel k = {.name = fused ? "fused" : few__op_def(in->op)->name,
                              .flops = in->flops};
  append(&k, k.name, " ");
  append(&k, few__shape_text(in->call.shape).at, "");
  if (fused) {
    char counts[48];
    snprintf(counts, sizeof counts, " x %d, %d ops", in->n_out, in->program->n_code);
    append(&k, counts, "");
  }
  for (int o = 0; o < in->call.n_in; o++) {
    count += few_shape_count(in->call.in[o].shape);
    append(&k, o ? " " : " < ", few__shape_text(in->call.in[o].shape).at);
  }
  k.bytes = (double)count * (double)size;
  return k;
}
