/* few/option.h - option tables: one description of a struct's fields.
 *
 * A table has one row per field: its key, type, place in the struct, default, range and help text.
 * The command line, recipes, help, the manual pages and shell completion all read the same tables.
 *
 *   struct opts { int64_t channels; double dropout; int norm; };
 *   static const struct few_option table[] = {
 *       FEW_OPT_INT(struct opts, channels, "64", 1, 4096, "width of the first level"),
 *       FEW_OPT_REAL(struct opts, dropout, "0", 0, 1, "probability of dropping a value"),
 *       FEW_OPT_CHOICE(struct opts, norm, "group", "group|layer|none", "normalisation"),
 *       FEW_OPT_END};
 *
 *   struct opts o;
 *   few_status st = few_options_default(&o, ctx, table);
 *   if (!st) st = few_option_set(&o, ctx, table, "channels", "128");
 *
 * Calls read tables and never write them: any number of threads may share one.
 */
#ifndef FEW_OPTION_H
#define FEW_OPTION_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The C type of a field, and the text that sets it. Blanks around a number do not matter. */
enum few_option_type {
  FEW_OPTION_INT,      /* int64_t or int: "64" */
  FEW_OPTION_REAL,     /* double, never NaN: "0.5", "1e-3" */
  FEW_OPTION_BOOL,     /* bool: yes no true false on off 1 0 */
  FEW_OPTION_STRING,   /* char[size]: a copy of the text, at most size - 1 bytes */
  FEW_OPTION_CHOICE,   /* an enum or int: the index of one of `choices` */
  FEW_OPTION_INT_LIST, /* struct few_int_list: "1, 2, 4" */
  FEW_OPTION_SEED,     /* uint64_t: "18446744073709551615" */
  FEW_OPTION_TEXT,     /* const char *: the text itself, not empty; it must outlive the struct */
  FEW_OPTION_TEXTS,    /* struct few_text_list: each setting adds a text, kept as FEW_OPTION_TEXT */
  FEW_OPTION_REALS,    /* struct few_real_list: "1.5,0.8" */
  FEW_OPTION_SET,      /* unsigned: bit i stands for choice i: "infer,train" */
  FEW_OPTION_COLOUR    /* int64_t: 0 .. 255, a grey level, or FEW_RGB: "128", "black", "ff8000" */
};

/* The colour of three bytes, as a value of FEW_OPTION_COLOUR. */
#define FEW_RGB(r, g, b) ((int64_t)1 << 24 | (int64_t)(r) << 16 | (int64_t)(g) << 8 | (int64_t)(b))

enum { FEW_INT_LIST_MAX = 16, FEW_TEXT_LIST_MAX = 64, FEW_REAL_LIST_MAX = 1024 };
struct few_int_list {
  int n;
  int64_t at[FEW_INT_LIST_MAX];
};
struct few_text_list {
  int n;
  const char *at[FEW_TEXT_LIST_MAX];
};
struct few_real_list {
  int n;
  double at[FEW_REAL_LIST_MAX];
};

struct few_option {
  const char *key; /* NULL ends a table */
  enum few_option_type type;
  size_t offset, size;
  const char *deflt;   /* as text; NULL: few_options_default leaves the field as it is */
  double min, max;     /* of a number, or of each number of a list; both 0: no limits */
  const char *choices; /* "a|b|c" */
  const char *help;    /* one line: what it is, and in which unit */
  const char *value;   /* what help calls the value: "FILE"; NULL: nothing in particular */
  bool needed;         /* has no default: the user must give it */
};

/* Rows whose key is the name of the field. S is the struct. */
#define FEW_OPT_(S, field, type, deflt, min, max, choices, help)                               \
  {                                                                                            \
#field, type, offsetof(S, field), sizeof(((S *)0)->field), deflt, min, max, choices, help, \
        NULL, false                                                                            \
  }
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
/* A field of a member of S that is a struct. */
#define FEW_OPT_IN(S, member, field, type, deflt, min, max, choices, help) \
  FEW_OPT_ROW(S, member.field, #field, type, NULL, deflt, min, max, choices, help, false)
/* Any row: with a key, a name for the value, and any type. */
#define FEW_OPT_ROW(S, field, key, type, value, deflt, min, max, choices, help, needed)            \
  {                                                                                                \
    key, type, offsetof(S, field), sizeof(((S *)0)->field), deflt, min, max, choices, help, value, \
        needed                                                                                     \
  }
#define FEW_OPT_END \
  { NULL, FEW_OPTION_INT, 0, 0, NULL, 0, 0, NULL, NULL, NULL, false }

/* Sets every field that has a default. FEW_E_INVALID for a default that is not allowed, which is a
 * mistake in the table. */
FEW_API FEW_MUST_USE few_status few_options_default(void *object, few_ctx *ctx,
                                                    const struct few_option *table);

/* Sets one field from text. FEW_E_INVALID for an unknown key or a value that is not allowed: the
 * error names the nearest known key, or what is allowed. The object is then unchanged. */
FEW_API FEW_MUST_USE few_status few_option_set(void *object, few_ctx *ctx,
                                               const struct few_option *table, const char *key,
                                               const char *value);

/* The row of a key; NULL if there is none. */
FEW_API const struct few_option *few_option_find(const struct few_option *table, const char *key);

/* The text of a field. few_option_set of that text gives the same field, to the bit. FEW_E_MEMORY.
 * *out is yours: few_text_free. */
FEW_API FEW_MUST_USE few_status few_option_text(char **out, few_ctx *ctx,
                                                const struct few_option *o, const void *object);

/* What the value may be: "an integer from 1 to 64", "one of a, b, c". FEW_E_MEMORY. *out is yours:
 * few_text_free. */
FEW_API FEW_MUST_USE few_status few_option_allowed(char **out, few_ctx *ctx,
                                                   const struct few_option *o);

#ifdef __cplusplus
}
#endif
#endif
