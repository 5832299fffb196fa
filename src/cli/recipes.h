/* recipes.h - the recipes that come with few: in recipes/ here, or where the program is. */
#ifndef FEW_SRC_CLI_RECIPES_H
#define FEW_SRC_CLI_RECIPES_H

#include <stddef.h>

#include "cli.h"

enum { RECIPE_PATH = 4096 };

/* The file of the recipe NAME: in recipes/ here, or PREFIX/share/few/recipes where this program is
 * PREFIX/bin/few, or, where it was built, the recipes of its sources. Otherwise the word itself. */
const char *cli_find_recipe(char path[RECIPE_PATH], const char *word);

/* What a command says of a recipe's keys: words KEY=VALUE after the recipe, then --workers and
 * --backend, which stand before its own. */
enum { RECIPE_OPERANDS = 256 };
struct recipe_overrides {
  char workers[32], backend[64];
  int n;
  const char *at[RECIPE_OPERANDS + 1];
};
void cli_overrides(struct recipe_overrides *out, const struct cli *cli, const struct common *c);

/* Features by name, as few_eval_opts.features: NAME=FILE where their weights come with few, found
 * as recipes are but in models/; otherwise the word itself, also NULL. */
const char *cli_find_features(char spec[RECIPE_PATH], const char *word);

/* Recipe i by name: false past the last. help is the first sentence of its remark. */
struct recipe_row {
  char name[64], help[240];
};
int cli_recipe_count(void);
const struct recipe_row *cli_recipe(int i);
void cli_recipe_places(char *out, size_t size); /* the folders that were looked in */

#endif
