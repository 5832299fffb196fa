/* recipe.h - a recipe: the INI file that describes a run.
 *
 *   # CIFAR-10, a teacher
 *   [network]
 *   net = unet
 *   channels = 128          ; comments may follow a blank
 *   note = "kept as written: # and all"
 *
 * Section headings only help the reader: they do not qualify keys, so each key may occur once in a
 * file. A value in double quotes may contain anything; \" \\ \n \t are its escapes.
 *
 * The keys belong to option tables (few/option.h). Each module applies its own table; at the end
 * few__recipe_check reports any key that is in no table.
 */
#ifndef FEW_SRC_IO_RECIPE_H
#define FEW_SRC_IO_RECIPE_H

#include "option.h"

struct few_recipe_pair {
  char *key, *value;
  int line;   /* 0 if from the command line */
  bool taken; /* a table has this key */
};

struct few_recipe {
  char *place; /* the file's name, for error sentences */
  struct few_recipe_pair *at;
  int n, cap;
  struct {
    const struct few_option **at;
    int n, cap;
  } tables; /* those applied so far */
};

/* *out is zeroed on failure. Free it with few__recipe_free, which accepts a zeroed one. */
enum { FEW_RECIPE_MAX = 1 << 20 }; /* bytes of text */
few_status few__recipe_parse(few_ctx *ctx, struct few_recipe *out, const char *place,
                             const char *text, size_t n);
void few__recipe_free(few_ctx *ctx, struct few_recipe *r);

/* Reads "key=value" from the command line. It replaces the file's value, or adds a pair. */
few_status few__recipe_override(few_ctx *ctx, struct few_recipe *r, const char *pair);

/* The value of a key, or NULL. Does not mark the key as taken. */
const char *few__recipe_value(const struct few_recipe *r, const char *key);

/* Sets the fields whose keys are both in the recipe and in the table, in the order of the recipe,
 * and marks the keys as taken. Other fields are unchanged, so call few_options_default first.
 * Errors name file and line. The table must outlive the recipe. */
few_status few__recipe_apply(few_ctx *ctx, struct few_recipe *r, const struct few_option *table,
                             void *object);
/* As few__recipe_apply, for keys of the table with `prefix` in front: "vsd.p_mean". */
few_status few__recipe_apply_prefixed(few_ctx *ctx, struct few_recipe *r, const char *prefix,
                                      const struct few_option *table, void *object);

/* FEW_E_INVALID for the first key that is in no applied table, with the most similar known key. */
few_status few__recipe_check(few_ctx *ctx, const struct few_recipe *r);

/* Appends to a recipe's text: a heading, a `key = value` line, all options of an object. */
void few__recipe_put_section(few_ctx *ctx, struct few_text *out, const char *name);
void few__recipe_put(few_ctx *ctx, struct few_text *out, const char *key, const char *value);
few_status few__recipe_put_options(few_ctx *ctx, struct few_text *out, const char *prefix,
                                   const struct few_option *table, const void *object);

#endif
