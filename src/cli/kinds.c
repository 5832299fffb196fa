/* kinds.c - see kinds.h. */
#include "kinds.h"

#include <string.h>

#include "recipes.h"

static const struct cli_kind kinds[] = {
    {"nets", "networks", "NETWORK", FEW_COMPONENT_NETWORK},
    {"objectives", "losses with which networks are trained", NULL, FEW_COMPONENT_OBJECTIVE},
    {"samplers", "algorithms that turn noise into images", "SAMPLER", FEW_COMPONENT_SAMPLER},
    {"schedules", "where sampling times come from", "SCHEDULE", FEW_COMPONENT_SCHEDULE},
    {"optimizers", "update rules of training", NULL, FEW_COMPONENT_OPTIMIZER},
    {"processes", "how an image turns into noise", NULL, FEW_COMPONENT_PROCESS},
    {"predictions", "what a raw network predicts", NULL, FEW_COMPONENT_PREDICTION},
    {"weights", "weights of times in a loss", NULL, FEW_COMPONENT_WEIGHT},
    {"balancers", "how losses are added", NULL, FEW_COMPONENT_BALANCER},
    {"data", "data sets", NULL, FEW_COMPONENT_READER},
    {"metrics", "what few eval measures", "METRICS", FEW_COMPONENT_METRIC},
    {"features", "networks whose outputs few eval compares", "FEATURES", FEW_COMPONENT_FEATURES},
    {"backends", "what computes: see few backend list for those that work here", "BACKEND",
     FEW_COMPONENT_BACKEND},
    {"layouts", "networks of other programs that few import knows", NULL, FEW_COMPONENT_LAYOUT},
    {"recipes", "recipes that few train takes by name", NULL, FEW_COMPONENT_KINDS},
    {"train", "the trainer's own keys", NULL, FEW_COMPONENT_TRAINER},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

const struct cli_kind *cli_kind(int i) { return i >= 0 && i < N_KINDS ? &kinds[i] : NULL; }

const struct cli_kind *cli_find_kind(const char *word) {
  const size_t length = strlen(word);
  for (int i = 0; i < N_KINDS; i++) {
    const char *name = kinds[i].name;
    if (!strcmp(word, name)) return &kinds[i];
    if (!strncmp(word, name, length) &&
        (!strcmp(name + length, "s") || !strcmp(name + length, "es")))
      return &kinds[i];
  }
  return NULL;
}

bool cli_component(struct few_component *out, const struct cli_kind *k, int i) {
  if (k->kind != FEW_COMPONENT_KINDS) return few_component(out, sizeof *out, NULL, k->kind, i);
  if (i < 0 || i >= cli_recipe_count()) return false;
  const struct recipe_row *r = cli_recipe(i);
  *out = (struct few_component){.name = r->name, .usage = r->name, .help = r->help, .source = ""};
  return true;
}
