/* option.h - options as tables: one description of a struct's fields feeds the parser, the recipe
 * reader, --help and the documentation.
 *
 *   struct unet_opts { int64_t channels; double dropout; int norm; struct few_int_list mults; };
 *   static const struct few_option options[] = {
 *       FEW_OPT_INT(struct unet_opts, channels, "64", 1, 4096, "width of the first level"),
 *       FEW_OPT_REAL(struct unet_opts, dropout, "0", 0, 1, "chance of dropping a value"),
 *       FEW_OPT_CHOICE(struct unet_opts, norm, "group", "group|layer|none", "normalisation"),
 *       FEW_OPT_INTS(struct unet_opts, mults, "1, 2, 4", 1, 64, "width of each level"),
 *       FEW_OPT_END};
 */
#ifndef FEW_SRC_IO_OPTION_H
#define FEW_SRC_IO_OPTION_H

#include "base.h"

enum { FEW_INT_LIST_MAX = 16 };
struct few_int_list {
  int n;
  int64_t at[FEW_INT_LIST_MAX];
};

enum few_option_type {
  FEW_OPTION_INT,     /* int64_t */
  FEW_OPTION_REAL,    /* double; never NaN */
  FEW_OPTION_BOOL,    /* bool; yes no true false on off 1 0 */
  FEW_OPTION_STRING,  /* char[size]: UTF-8, at most size - 1 bytes */
  FEW_OPTION_CHOICE,  /* int: index into choices */
  FEW_OPTION_INT_LIST /* struct few_int_list; "1, 2, 4" */
};

struct few_option {
  const char *key; /* NULL ends a table */
  enum few_option_type type;
  size_t offset, size;
  const char *deflt;
  double min, max;     /* of a number or of each of a list, inclusive; both 0: no limits */
  const char *choices; /* "a|b|c" */
  const char *help;    /* one line: what it is, in which unit */
};

#define FEW_OPT_(S, field, type, deflt, min, max, choices, help) \
  { #field, type, offsetof(S, field), sizeof(((S *)0)->field), deflt, min, max, choices, help }
#define FEW_OPT_INT(S, field, deflt, min, max, help) \
  FEW_OPT_(S, field, FEW_OPTION_INT, deflt, min, max, NULL, help)
#define FEW_OPT_REAL(S, field, deflt, min, max, help) \
  FEW_OPT_(S, field, FEW_OPTION_REAL, deflt, min, max, NULL, help)
#define FEW_OPT_BOOL(S, field, deflt, help) \
  FEW_OPT_(S, field, FEW_OPTION_BOOL, deflt, 0, 0, NULL, help)
#define FEW_OPT_STRING(S, field, deflt, help) \
  FEW_OPT_(S, field, FEW_OPTION_STRING, deflt, 0, 0, NULL, help)
#define FEW_OPT_CHOICE(S, field, deflt, choices, help) \
  FEW_OPT_(S, field, FEW_OPTION_CHOICE, deflt, 0, 0, choices, help)
#define FEW_OPT_INTS(S, field, deflt, min, max, help) \
  FEW_OPT_(S, field, FEW_OPTION_INT_LIST, deflt, min, max, NULL, help)
#define FEW_OPT_END \
  { NULL, FEW_OPTION_INT, 0, 0, NULL, 0, 0, NULL, NULL }

/* Every field of the table at its default. A default that does not parse is our own mistake: it
 * fails like a bad value does, and a test of each table catches it. */
few_status few__options_default(few_ctx *ctx, const struct few_option *table, void *object);

/* Set one field from text. The error names the key, the value and what is allowed; for an unknown
 * key the nearest known one. After an error the object is as it was. */
few_status few__option_set(few_ctx *ctx, const struct few_option *table, void *object,
                           const char *key, const char *value);

/* Append the text of a field: few__option_set of that text gives the same field, to the bit. */
void few__option_format(few_ctx *ctx, const struct few_option *o, const void *object,
                        struct few_text *out);

/* Append the lines that --help shows: key, what it takes, default, help. */
void few__options_help(few_ctx *ctx, const struct few_option *table, struct few_text *out);
/* Append what a value may be: "an integer from 1 to 64", "one of a, b, c". */
void few__option_allowed(few_ctx *ctx, const struct few_option *o, struct few_text *out);

/* NULL if there is none. */
const struct few_option *few__option_find(const struct few_option *table, const char *key);
/* The nearest key of n tables by edit distance; NULL if none is near enough to be a slip. */
const char *few__option_nearest(const struct few_option *const *tables, int n, const char *key);

/* The i-th of "a|b|c" and its length, NULL past the end. Not NUL-terminated. */
const char *few__choice_name(const char *choices, int i, int *length);

/* A double as the shortest text that reads back to the same bits; '.' in any locale. Reading takes
 * all of the text or fails. NaN is refused, inf is not. */
void few__real_format(double x, char out[32]);
bool few__real_parse(const char *text, double *out);

#endif
