/* table.c - nets.def as a table. */
#include "net.h"

#define FEW_NET(name) extern const struct few_net_def few__net_##name;
#include "nets.def"
#undef FEW_NET

static const struct few_net_def *const table[] = {
#define FEW_NET(name) &few__net_##name,
#include "nets.def"
#undef FEW_NET
};

int few__net_count(void) { return FEW_COUNT(table); }
const struct few_net_def *few__net_at(int i) { return table[i]; }

const struct few_net_def *few__net_find(const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name)) return table[i];
  return NULL;
}
