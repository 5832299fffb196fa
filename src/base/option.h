/* option.h - what the library itself needs of option tables beyond few/option.h. */
#ifndef FEW_SRC_BASE_OPTION_H
#define FEW_SRC_BASE_OPTION_H

#include "base.h"
#include "few/option.h"

/* Append the text of a field: few_option_set of that text gives the same field, to the bit. */
void few__option_format(few_ctx *ctx, const struct few_option *o, const void *object,
                        struct few_text *out);

/* Append what a value may be: "an integer from 1 to 64", "one of a, b, c". */
void few__option_allowed(few_ctx *ctx, const struct few_option *o, struct few_text *out);

/* The nearest key of n tables by edit distance; NULL if none is near enough to be a typo. */
const char *few__option_nearest(const struct few_option *const *tables, int n, const char *key);

/* The i-th of "a|b|c" and its length, NULL past the end. Not NUL-terminated. */
const char *few__choice_name(const char *choices, int i, int *length);

/* A double as the shortest text that reads back to the same bits; '.' in any locale. Reading takes
 * the whole text or fails. NaN is refused, infinity is not. */
void few__real_format(double x, char out[32]);
bool few__real_parse(const char *text, double *out);

#endif
