/* list.c - what each backend can do, before anything is planned. */
#include "few/backend.h"

#include "backend.h"
#include "engine/op/op.h"

/* Sources and views need no kernel: the plan gives them their memory. */
static bool wants_kernel(few_op op) {
  const unsigned flags = few__op_def(op)->flags;
  return !(flags & FEW_OP_VIEW) && (!(flags & FEW_OP_SOURCE) || flags & FEW_OP_RANDOM);
}

int few_backend_list_count(void) {
  int n = 0;
  while (few__backend_at(n)) n++;
  return n;
}

struct few_backend_info few_backend_list(int i) {
  const struct few_backend *b = few__backend_at(i);
  if (!b) return (struct few_backend_info){.name = NULL};
  struct few_backend_info info = {
      .name = b->name, .help = b->help, .missing = b->missing, .device = b->device != NULL};
  for (few_op op = 0; op < FEW_OP_COUNT; op++) {
    if (!wants_kernel(op)) continue;
    info.ops++;
    for (int real = 0; real < 2; real++) info.kernels[real] += b->kernel[real][op].run != NULL;
  }
  return info;
}

const char *few_backend_lacks(int i, bool f64, int k) {
  const struct few_backend *b = few__backend_at(i);
  if (!b || k < 0) return NULL;
  for (few_op op = 0; op < FEW_OP_COUNT; op++)
    if (wants_kernel(op) && !b->kernel[f64 ? FEW_F64 : FEW_F32][op].run && k-- == 0)
      return few__op_def(op)->name;
  return NULL;
}
