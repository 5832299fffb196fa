/* opt.h - a command's options as a table, which feeds the parser and --help.
 *
 *   struct sample_opts { struct common common; int64_t n; const char *out; };
 *   static const struct opt options[] = {
 *       OPT_INT(struct sample_opts, n, "n", "N", "64", 1, 1000000, "how many images"),
 *       OPT_TEXT(struct sample_opts, out, "out", "FILE", OPT_NEEDED, "where to write them"),
 *       OPT_END};
 *
 * An option is --name VALUE or --name=VALUE, a flag is --name; "--" ends them. Options and operands
 * may come in any order. Numbers are read strictly: the whole word, inside the limits.
 */
#ifndef FEW_SRC_CLI_OPT_H
#define FEW_SRC_CLI_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum opt_type {
  OPT_FLAG_T,   /* bool */
  OPT_INT_T,    /* int64_t */
  OPT_SEED_T,   /* uint64_t */
  OPT_REAL_T,   /* double, finite */
  OPT_TEXT_T,   /* const char *, not empty; NULL where not given */
  OPT_TEXTS_T,  /* struct opt_texts: the option may be repeated */
  OPT_REALS_T,  /* struct opt_reals: "1.5,0.8" */
  OPT_CHOICE_T, /* int: index into choices */
  OPT_SET_T     /* unsigned: bit i for choice i; "infer,train" */
};

enum { OPT_REALS_MAX = 1024, OPT_TEXTS_MAX = 64 };
struct opt_reals {
  int n;
  double at[OPT_REALS_MAX];
};
struct opt_texts {
  int n;
  const char *at[OPT_TEXTS_MAX];
};

struct opt {
  const char *name; /* without dashes; NULL ends a table */
  enum opt_type type;
  size_t offset, size;
  const char *value; /* what --help calls the value: "FILE" */
  const char *deflt; /* as text; NULL: nothing; OPT_NEEDED: must be given */
  double min, max;
  const char *choices; /* "a|b|c" */
  const char *help;
};

#define OPT_NEEDED "\001"
#define OPT_(S, field, name, type, value, deflt, min, max, choices, help) \
  { name, type, offsetof(S, field), sizeof(((S *)0)->field), value, deflt, min, max, choices, help }
#define OPT_FLAG(S, field, name, help) \
  OPT_(S, field, name, OPT_FLAG_T, NULL, NULL, 0, 0, NULL, help)
#define OPT_INT(S, field, name, value, deflt, min, max, help) \
  OPT_(S, field, name, OPT_INT_T, value, deflt, min, max, NULL, help)
#define OPT_SEED(S, field, name, value, deflt, help) \
  OPT_(S, field, name, OPT_SEED_T, value, deflt, 0, 0, NULL, help)
#define OPT_REAL(S, field, name, value, deflt, min, max, help) \
  OPT_(S, field, name, OPT_REAL_T, value, deflt, min, max, NULL, help)
#define OPT_TEXT(S, field, name, value, deflt, help) \
  OPT_(S, field, name, OPT_TEXT_T, value, deflt, 0, 0, NULL, help)
#define OPT_TEXTS(S, field, name, value, help) \
  OPT_(S, field, name, OPT_TEXTS_T, value, NULL, 0, 0, NULL, help)
#define OPT_REALS(S, field, name, value, min, max, help) \
  OPT_(S, field, name, OPT_REALS_T, value, NULL, min, max, NULL, help)
#define OPT_CHOICE(S, field, name, deflt, choices, help) \
  OPT_(S, field, name, OPT_CHOICE_T, choices, deflt, 0, 0, choices, help)
#define OPT_SET(S, field, name, value, deflt, choices, help) \
  OPT_(S, field, name, OPT_SET_T, value, deflt, 0, 0, choices, help)
#define OPT_END \
  { NULL, OPT_FLAG_T, 0, 0, NULL, NULL, 0, 0, NULL, NULL }

enum { OPT_ERROR_MAX = 400 };

/* Fill *object from the words: defaults, then options. Operands stay in words[0 .. return value),
 * in order. -1 on a mistake, with the sentence in error. */
int opt_parse(const struct opt *table, void *object, int n, char **words,
              char error[OPT_ERROR_MAX]);

/* One entry an option, wrapped to 80 columns. */
void opt_help(FILE *out, const struct opt *table);

/* Words of `text` from column `indent` on, wrapped to 80 columns, ending in a newline. The cursor
 * stands in column `at`. */
void opt_wrap(FILE *out, int at, int indent, const char *text);

/* The candidate that `word` may be a slip of: it begins with the word, or is a few letters away.
 * candidate(user, i) gives the i-th, NULL past the end. NULL if none is near. */
const char *opt_nearest(const char *word, const char *(*candidate)(const void *user, int i),
                        const void *user);

/* Strict numbers: the whole text, no blanks. */
bool opt_int(const char *text, int64_t *out);
bool opt_seed(const char *text, uint64_t *out);
bool opt_real(const char *text, double *out);

#endif
