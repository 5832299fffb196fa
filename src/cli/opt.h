/* opt.h - parses the words of a command by its option table (few/option.h).
 *
 *   struct sample_opts { struct common common; int64_t n; const char *out; };
 *   static const struct few_option options[] = {
 *       OPT_INT(struct sample_opts, n, "n", "N", "64", 1, 1000000, "how many images"),
 *       OPT_NEEDED(struct sample_opts, out, "out", "FILE", "where to write them"),
 *       FEW_OPT_END};
 *
 * An option is --key VALUE or --key=VALUE; a bool is --key. "--" ends the options. Options and
 * operands may come in any order. Dashes and underscores in a key are the same.
 */
#ifndef FEW_SRC_CLI_OPT_H
#define FEW_SRC_CLI_OPT_H

#include <stdio.h>

#include "few/option.h"

/* S is the struct; `value` is the name of the value in help. */
#define OPT_FLAG(S, field, key, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_BOOL, NULL, NULL, 0, 0, NULL, help, false)
#define OPT_INT(S, field, key, value, deflt, min, max, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_INT, value, deflt, min, max, NULL, help, false)
#define OPT_SEED(S, field, key, value, deflt, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_SEED, value, deflt, 0, 0, NULL, help, false)
#define OPT_REAL(S, field, key, value, deflt, min, max, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_REAL, value, deflt, min, max, NULL, help, false)
#define OPT_TEXT(S, field, key, value, deflt, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_TEXT, value, deflt, 0, 0, NULL, help, false)
#define OPT_NEEDED(S, field, key, value, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_TEXT, value, NULL, 0, 0, NULL, help, true)
#define OPT_TEXTS(S, field, key, value, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_TEXTS, value, NULL, 0, 0, NULL, help, false)
#define OPT_REALS(S, field, key, value, min, max, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_REALS, value, NULL, min, max, NULL, help, false)
#define OPT_CHOICE(S, field, key, deflt, choices, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_CHOICE, choices, deflt, 0, 0, choices, help, false)
#define OPT_SET(S, field, key, value, deflt, choices, help) \
  FEW_OPT_ROW(S, field, key, FEW_OPTION_SET, value, deflt, 0, 0, choices, help, false)

enum { OPT_ERROR_MAX = 400 };

/* Sets *object to the defaults, and then by the options among the words. Operands are moved to the
 * start of `words`, in order; returns their number. On a mistake returns -1 and sets `error`. */
int opt_parse(few_ctx *ctx, const struct few_option *table, void *object, int n, char **words,
              char error[OPT_ERROR_MAX]);

/* The key as it is written on the command line: with dashes. */
void opt_key(char out[64], const struct few_option *o);

/* The name of an option's value in help; "" for an option without a value. */
const char *opt_value(const struct few_option *o);

/* Prints one entry per option, wrapped to 80 columns. */
void opt_help(FILE *out, const struct few_option *table);

/* Prints the words of `text` from column `indent` on, wrapped to 80 columns, with a newline at the
 * end. The cursor is in column `at`. */
void opt_wrap(FILE *out, int at, int indent, const char *text);

/* The candidate that was probably meant by `word`: one that begins with it, or differs from it in a
 * few letters. NULL if there is none. candidate(user, i) gives the i-th, NULL past the end. */
const char *opt_nearest(const char *word, const char *(*candidate)(const void *user, int i),
                        const void *user);

#endif
