/* process.c - processes.def as a table. */
#include "process.h"

static const struct few_process *const table[] = {
#define FEW_PROCESS(name) &few__process_##name,
#include "processes.def"
#undef FEW_PROCESS
};

int few__process_count(void) { return FEW_COUNT(table); }

const struct few_process *few__process_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i];
}
