/* recipes.h - the recipes that come with few: in recipes/ of the current folder, or in folders
 * beside the program. */
#ifndef FEW_SRC_CLI_RECIPES_H
#define FEW_SRC_CLI_RECIPES_H

#include <stddef.h>

#include "cli.h"

enum { RECIPE_PATH = 4096 };

/* The file of the recipe NAME: in recipes/ of the current folder; in PREFIX/share/few/recipes if
 * this program is PREFIX/bin/few; or, in a build, in the sources. Otherwise the word itself. */
const char *cli_find_recipe(char path[RECIPE_PATH], const char *word);

/* Values that the command line gives to keys of a recipe: words KEY=VALUE after the recipe, then
 * --workers and --backend. */
enum { RECIPE_OPERANDS = 256 };
struct recipe_overrides {
  char workers[32], backend[64];
  int n;
  const char *at[RECIPE_OPERANDS + 1];
};
void cli_overrides(struct recipe_overrides *out, const struct cli *cli, const struct common *c);

/* Features by name, for few_eval_opts.features: NAME=FILE if their weights come with few (they are
 * found as recipes are, in models/); otherwise the word itself, which may be NULL. */
const char *cli_find_features(char spec[RECIPE_PATH], const char *word);

/* Recipes in the order of their names; i is below cli_recipe_count(). help is the first sentence of
 * the comment at the top of the file. */
struct recipe_row {
  char name[64], help[240];
};
int cli_recipe_count(void);
const struct recipe_row *cli_recipe(int i);
void cli_recipe_places(char *out, size_t size); /* the folders that are searched */

#endif
