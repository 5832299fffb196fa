/* recipe.h - a recipe: the INI file that describes a run.
 *
 *   # CIFAR-10, a teacher
 *   [network]
 *   net = unet
 *   channels = 128          ; comments may follow a blank
 *   note = "kept as written: # and all"
 *
 * Section headings are for the reader: they group and do not qualify, so a key stands once in a
 * file. A value in double quotes may hold anything; \" \\ \n \t are its escapes.
 *
 * The keys belong to option tables (option.h). Each part of the program applies its own table; at
 * the end few__recipe_check reports any key that no table took.
 */
#ifndef FEW_SRC_IO_RECIPE_H
#define FEW_SRC_IO_RECIPE_H

#include "option.h"

struct few_recipe_pair {
  char *key, *value;
  int line;   /* 0: from the command line */
  bool taken; /* by a table */
};

struct few_recipe {
  char *place; /* the file's name, for messages */
  struct few_recipe_pair *at;
  int n, cap;
  struct {
    const struct few_option **at;
    int n, cap;
  } tables; /* those consulted so far */
};

/* *out is zeroed on failure; free with few__recipe_free, which is fine on a zeroed one. */
enum { FEW_RECIPE_MAX = 1 << 20 }; /* bytes of text */
few_status few__recipe_parse(few_ctx *ctx, struct few_recipe *out, const char *place,
                             const char *text, size_t n);
void few__recipe_free(few_ctx *ctx, struct few_recipe *r);

/* "key=value" from the command line: replaces the file's value or adds a pair. */
few_status few__recipe_override(few_ctx *ctx, struct few_recipe *r, const char *pair);

/* The value of a key, NULL if it is not given. Does not mark it as taken. */
const char *few__recipe_value(const struct few_recipe *r, const char *key);

/* Set the fields that the recipe names and the table knows, in the order of the recipe, and mark
 * them as taken. Fields that are not named stay: call few_options_default first. An error says
 * file and line. The table must outlive the recipe. */
few_status few__recipe_apply(few_ctx *ctx, struct few_recipe *r, const struct few_option *table,
                             void *object);
/* The same for keys that have `prefix` before those of the table: "vsd.p_mean". */
few_status few__recipe_apply_prefixed(few_ctx *ctx, struct few_recipe *r, const char *prefix,
                                      const struct few_option *table, void *object);

/* FEW_E_INVALID for the first key that no applied table took, with the nearest known one. */
few_status few__recipe_check(few_ctx *ctx, const struct few_recipe *r);

/* Append a recipe's text: a heading, a `key = value` line, all the options of an object. */
void few__recipe_put_section(few_ctx *ctx, struct few_text *out, const char *name);
void few__recipe_put(few_ctx *ctx, struct few_text *out, const char *key, const char *value);
few_status few__recipe_put_options(few_ctx *ctx, struct few_text *out, const char *prefix,
                                   const struct few_option *table, const void *object);

#endif
