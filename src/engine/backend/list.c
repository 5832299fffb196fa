/* list.c - the list of backends, and which ops they have kernels for. */
#include "few/backend.h"

#include "backend.h"
#include "engine/op/op.h"

/* Sources and views need no kernel, except for sources of random numbers. */
static bool needs_kernel(few_op op) {
  const unsigned flags = few__op_def(op)->flags;
  return !(flags & FEW_OP_VIEW) && (!(flags & FEW_OP_SOURCE) || flags & FEW_OP_RANDOM);
}

static const struct few_backend *find(const char *name) {
  const struct few_backend *b = NULL;
  for (int i = 0; (b = few__backend_at(i)) && strcmp(b->name, name) != 0;) i++;
  return b;
}

bool few_backend_info(struct few_backend_info *out, size_t size, const char *name) {
  const struct few_backend *b = find(name);
  if (!b) return false;
  struct few_backend_info info = {
      .name = b->name, .help = b->help, .missing = b->missing, .device = b->device != NULL};
  for (few_op op = 0; op < FEW_OP_COUNT; op++) {
    if (!needs_kernel(op)) continue;
    info.ops++;
    for (int real = 0; real < 2; real++) info.kernels[real] += b->kernel[real][op].run != NULL;
  }
  few__give(out, size, &info, sizeof info);
  return true;
}

const char *few_backend_lacks(const char *name, bool f64, int k) {
  const struct few_backend *b = find(name);
  if (!b || k < 0) return NULL;
  for (few_op op = 0; op < FEW_OP_COUNT; op++)
    if (needs_kernel(op) && !b->kernel[f64 ? FEW_F64 : FEW_F32][op].run && k-- == 0)
      return few__op_def(op)->name;
  return NULL;
}
