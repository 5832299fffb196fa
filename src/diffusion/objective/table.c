/* table.c - objectives.def as a table. */
#include "objective.h"

#define FEW_OBJECTIVE(name) extern const struct few_objective_def few__objective_##name;
#include "objectives.def"
#undef FEW_OBJECTIVE

static const struct few_objective_def *const table[] = {
#define FEW_OBJECTIVE(name) &few__objective_##name,
#include "objectives.def"
#undef FEW_OBJECTIVE
};

int few__objective_count(void) { return FEW_COUNT(table); }
const struct few_objective_def *few__objective_at(int i) { return table[i]; }

const struct few_objective_def *few__objective_find(const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name)) return table[i];
  return NULL;
}
