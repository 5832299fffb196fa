/* kinds.h - the kinds of components that few list shows, with their names. */
#ifndef FEW_SRC_CLI_KINDS_H
#define FEW_SRC_CLI_KINDS_H

#include <few.h>

struct cli_kind {
  const char *name;  /* "samplers" */
  const char *title; /* one line */
  const char *value; /* name of a value of this kind in help, "SAMPLER"; NULL: no option has one */
  enum few_component_kind kind; /* FEW_COMPONENT_KINDS: recipes, which are files (recipes.h) */
};

/* Kind i; NULL past the last. */
const struct cli_kind *cli_kind(int i);
/* The kind of this name, singular or plural: "objective", "objectives". NULL if there is none. */
const struct cli_kind *cli_find_kind(const char *word);
/* Component i of the kind, also of recipes, as few_component gives it. False past the last. */
bool cli_component(struct few_component *out, const struct cli_kind *k, int i);

#endif
