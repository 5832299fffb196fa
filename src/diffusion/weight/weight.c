/* weight.c - weights.def as a table. */
#include "weight.h"

#include <stdio.h>

#define FEW_WEIGHT(name) extern const struct few_weight few__weight_##name;
#include "weights.def"
#undef FEW_WEIGHT

static const struct few_weight *const table[] = {
#define FEW_WEIGHT(name) &few__weight_##name,
#include "weights.def"
#undef FEW_WEIGHT
};

int few__weight_count(void) { return FEW_COUNT(table); }

const struct few_weight *few__weight_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i];
}

few_status few__weight_find(few_ctx *ctx, const struct few_weight **out, const char *name) {
  char names[128] = "";
  for (int i = 0; i < FEW_COUNT(table); i++) {
    if (!strcmp(table[i]->name, name)) {
      *out = table[i];
      return FEW_OK;
    }
    size_t n = strlen(names);
    snprintf(names + n, sizeof names - n, " %s", table[i]->name);
  }
  return few__fail(ctx, FEW_E_INVALID, "there is no weight \"%s\": choose one of%s", name, names);
}

few_node few__weight_factor(few_graph *g, const struct few_weight *weight, double gamma,
                            double sigma_d, few_node t) {
  assert(weight && sigma_d > 0);
  return weight->factor(&(struct few_weight_at){
      .g = g,
      .cos = few_cos(g, t),
      .noise = few_scale(g, few_sin(g, t), sigma_d),
      .gamma = gamma,
  });
}
