/* option.h - functions on option tables for the library, beyond those of few/option.h. */
#ifndef FEW_SRC_BASE_OPTION_H
#define FEW_SRC_BASE_OPTION_H

#include "base.h"
#include "few/option.h"

/* Appends the text of a field. few_option_set with that text gives the same bits. */
void few__option_format(few_ctx *ctx, const struct few_option *o, const void *object,
                        struct few_text *out);

/* Appends the allowed values in words: "an integer from 1 to 64", "one of a, b, c". */
void few__option_allowed(few_ctx *ctx, const struct few_option *o, struct few_text *out);

/* The key of n tables with the smallest edit distance; NULL if none is close enough to be a
 * typo. */
const char *few__option_nearest(const struct few_option *const *tables, int n, const char *key);

/* The i-th of "a|b|c" and its length, NULL past the end. Not NUL-terminated. */
const char *few__choice_name(const char *choices, int i, int *length);

/* Prints a double as the shortest text that reads back to the same bits, and reads it, with '.' in
 * any locale. Reading fails unless the whole text is a number. It refuses NaN but not infinity. */
void few__real_format(double x, char out[32]);
bool few__real_parse(const char *text, double *out);

#endif
