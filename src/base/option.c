/* option.c - options as tables (few/option.h describes the tables).
 *
 * A row of a table has the offset of a field in a plain struct. So setting, printing and explaining
 * options are loops over rows, and a network or an objective adds an option by adding a row.
 * Options are set from text only: recipes, the command line and a model's metadata all go through
 * few_option_set and its checks.
 *
 * Printed values read back to the same bits, since the recipe stored in a model must repeat the
 * same run. Reals are printed with as many digits as that needs, at most 17.
 */
#include "option.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- numbers as text ---- */

static bool is_space(char c) { return c == ' ' || c == '\t'; }

static const char *skip_space(const char *s) {
  while (is_space(*s)) s++;
  return s;
}

void few__real_format(double x, char out[32]) {
  for (int digits = 1; digits <= 17; digits++) {
    few__print(out, 32, "%.*g", digits, x);
    if (few__strtod(out, NULL) == x) break;
  }
}

bool few__real_parse(const char *text, double *out) {
  char *end;
  text = skip_space(text);
  if (strlen(text) >= 128 || strpbrk(text, ",xX\r\n\v\f")) return false;
  double x = few__strtod(text, &end);
  if (end == text || *skip_space(end) || isnan(x)) return false;
  if (isinf(x) && !strpbrk(text, "iI")) return false; /* 1e999 is a mistake, not infinity */
  *out = x;
  return true;
}

/* Reads an integer; *rest points past it and the blanks that follow. */
static bool parse_int(const char *text, int64_t *out, const char **rest) {
  char *end;
  text = skip_space(text);
  const char *digit = *text == '-' || *text == '+' ? text + 1 : text;
  if (*digit < '0' || *digit > '9') return false;
  errno = 0;
  long long x = strtoll(text, &end, 10);
  if (errno) return false;
  *out = x;
  *rest = skip_space(end);
  return true;
}

/* ---- one parser per type: false if the text is not a value of the option ---- */

static bool in_range(const struct few_option *o, double x) {
  return (o->min == 0 && o->max == 0) || (x >= o->min && x <= o->max);
}

static bool set_int(const struct few_option *o, void *field, const char *text) {
  int64_t x;
  const char *rest;
  if (!parse_int(text, &x, &rest) || *rest || !in_range(o, (double)x)) return false;
  if (o->size == sizeof(int64_t)) {
    memcpy(field, &x, sizeof x);
    return true;
  }
  const int narrow = (int)x;
  if (narrow != x) return false;
  memcpy(field, &narrow, sizeof narrow);
  return true;
}

static bool set_seed(const struct few_option *o, void *field, const char *text) {
  FEW_UNUSED(o);
  const char *digits = skip_space(text);
  const size_t n = strspn(digits, "0123456789");
  if (!n || *skip_space(digits + n)) return false;
  errno = 0;
  const uint64_t x = strtoull(digits, NULL, 10);
  if (errno) return false;
  memcpy(field, &x, sizeof x);
  return true;
}

static bool set_real(const struct few_option *o, void *field, const char *text) {
  double x;
  if (!few__real_parse(text, &x) || !in_range(o, x)) return false;
  memcpy(field, &x, sizeof x);
  return true;
}

static bool set_bool(const struct few_option *o, void *field, const char *text) {
  static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};
  FEW_UNUSED(o);
  for (int i = 0; i < FEW_COUNT(words); i++) {
    if (strcmp(text, words[i]) != 0) continue;
    bool x = i % 2;
    memcpy(field, &x, sizeof x);
    return true;
  }
  return false;
}

static bool set_string(const struct few_option *o, void *field, const char *text) {
  size_t n = strlen(text);
  if (n >= o->size) return false;
  memset(field, 0, o->size); /* so that equal options have equal bytes */
  memcpy(field, text, n);
  return true;
}

static bool set_text(const struct few_option *o, void *field, const char *text) {
  FEW_UNUSED(o);
  if (!*text) return false;
  memcpy(field, &text, sizeof text);
  return true;
}

static bool set_texts(const struct few_option *o, void *field, const char *text) {
  FEW_UNUSED(o);
  struct few_text_list *list = field;
  if (!*text || list->n == FEW_TEXT_LIST_MAX) return false;
  list->at[list->n++] = text;
  return true;
}

/* The index of the choice text[0 .. n), or -1. */
static int choice_index(const char *choices, const char *text, size_t n) {
  int length;
  const char *name;
  for (int i = 0; (name = few__choice_name(choices, i, &length)); i++)
    if (n == (size_t)length && memcmp(text, name, n) == 0) return i;
  return -1;
}

static bool set_choice(const struct few_option *o, void *field, const char *text) {
  const int i = choice_index(o->choices, text, strlen(text));
  if (i < 0) return false;
  memcpy(field, &i, sizeof i);
  return true;
}

static bool set_set(const struct few_option *o, void *field, const char *text) {
  unsigned bits = 0;
  for (const char *word = text;;) {
    const size_t n = strcspn(word, ",");
    const int i = choice_index(o->choices, word, n);
    if (i < 0) return false;
    bits |= 1u << i;
    if (!word[n]) break;
    word += n + 1;
  }
  memcpy(field, &bits, sizeof bits);
  return true;
}

static bool set_reals(const struct few_option *o, void *field, const char *text) {
  struct few_real_list list = {0};
  for (const char *word = text;;) {
    char copy[64];
    const size_t n = strcspn(word, ",");
    if (n >= sizeof copy || list.n == FEW_REAL_LIST_MAX) return false;
    memcpy(copy, word, n);
    copy[n] = '\0';
    double *x = &list.at[list.n++];
    if (!few__real_parse(copy, x) || !in_range(o, *x)) return false;
    if (!word[n]) break;
    word += n + 1;
  }
  memcpy(field, &list, sizeof list);
  return true;
}

static bool set_int_list(const struct few_option *o, void *field, const char *text) {
  struct few_int_list list = {0};
  const char *rest = skip_space(text);
  while (*rest) {
    if (list.n == FEW_INT_LIST_MAX) return false;
    int64_t *x = &list.at[list.n++];
    if (!parse_int(rest, x, &rest) || !in_range(o, (double)*x)) return false;
    if (!*rest) break;
    if (*rest++ != ',') return false;
    if (!*skip_space(rest)) return false;
  }
  memcpy(field, &list, sizeof list);
  return true;
}

/* Six hexadecimal digits are a colour, fewer decimal ones a grey level. */
static bool set_colour(const struct few_option *o, void *field, const char *text) {
  const size_t n = strlen(text);
  int64_t x = -1;
  FEW_UNUSED(o);
  if (!strcmp(text, "black")) x = 0;
  if (!strcmp(text, "white")) x = 255;
  if (n == 6 && strspn(text, "0123456789abcdefABCDEF") == n)
    x = (int64_t)1 << 24 | strtoll(text, NULL, 16);
  if (n && n <= 3 && strspn(text, "0123456789") == n) x = strtoll(text, NULL, 10);
  if (x < 0 || (n <= 3 && x > 255)) return false;
  memcpy(field, &x, sizeof x);
  return true;
}

/* ---- one printer per type ---- */

static void put_int(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  int64_t x;
  int narrow;
  if (o->size == sizeof x) {
    memcpy(&x, f, sizeof x);
  } else {
    memcpy(&narrow, f, sizeof narrow);
    x = narrow;
  }
  few__text_add(ctx, t, "%" PRId64, x);
}

static void put_colour(few_ctx *ctx, const struct few_option *o, const void *f,
                       struct few_text *t) {
  int64_t x;
  FEW_UNUSED(o);
  memcpy(&x, f, sizeof x);
  if (x >> 24)
    few__text_add(ctx, t, "%06x", (unsigned)(x & 0xffffff));
  else
    few__text_add(ctx, t, "%" PRId64, x);
}

static void put_seed(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  uint64_t x;
  FEW_UNUSED(o);
  memcpy(&x, f, sizeof x);
  few__text_add(ctx, t, "%" PRIu64, x);
}

static void put_real(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  double x;
  char text[32];
  FEW_UNUSED(o);
  memcpy(&x, f, sizeof x);
  few__real_format(x, text);
  few__text_add(ctx, t, "%s", text);
}

static void put_bool(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  bool x;
  FEW_UNUSED(o);
  memcpy(&x, f, sizeof x);
  few__text_add(ctx, t, "%s", x ? "yes" : "no");
}

static void put_string(few_ctx *ctx, const struct few_option *o, const void *f,
                       struct few_text *t) {
  few__text_add(ctx, t, "%.*s", (int)o->size, (const char *)f);
}

static void put_choice(few_ctx *ctx, const struct few_option *o, const void *f,
                       struct few_text *t) {
  int i, length = 0;
  memcpy(&i, f, sizeof i);
  const char *name = few__choice_name(o->choices, i, &length);
  assert(name);
  if (name) few__text_add(ctx, t, "%.*s", length, name);
}

static void put_int_list(few_ctx *ctx, const struct few_option *o, const void *f,
                         struct few_text *t) {
  struct few_int_list list;
  FEW_UNUSED(o);
  memcpy(&list, f, sizeof list);
  for (int i = 0; i < list.n; i++) few__text_add(ctx, t, "%s%" PRId64, i ? ", " : "", list.at[i]);
}

static void put_text(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  const char *x;
  FEW_UNUSED(o);
  memcpy(&x, f, sizeof x);
  few__text_add(ctx, t, "%s", x ? x : "");
}

static void put_texts(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  const struct few_text_list *list = f;
  FEW_UNUSED(o);
  for (int i = 0; i < list->n; i++) few__text_add(ctx, t, "%s%s", i ? " " : "", list->at[i]);
}

static void put_reals(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  const struct few_real_list *list = f;
  char text[32];
  FEW_UNUSED(o);
  for (int i = 0; i < list->n; i++) {
    few__real_format(list->at[i], text);
    few__text_add(ctx, t, "%s%s", i ? "," : "", text);
  }
}

static void put_set(few_ctx *ctx, const struct few_option *o, const void *f, struct few_text *t) {
  unsigned bits;
  int length;
  memcpy(&bits, f, sizeof bits);
  for (int i = 0, n = 0; bits >> i; i++) {
    const char *name = few__choice_name(o->choices, i, &length);
    if (name && bits >> i & 1) few__text_add(ctx, t, "%s%.*s", n++ ? "," : "", length, name);
  }
}

static const struct {
  size_t size; /* of the field; 0 if it may differ */
  bool (*set)(const struct few_option *o, void *field, const char *text);
  void (*put)(few_ctx *ctx, const struct few_option *o, const void *field, struct few_text *t);
} types[] = {
    [FEW_OPTION_INT] = {0, set_int, put_int}, /* checked in set_field */
    [FEW_OPTION_REAL] = {sizeof(double), set_real, put_real},
    [FEW_OPTION_BOOL] = {sizeof(bool), set_bool, put_bool},
    [FEW_OPTION_STRING] = {0, set_string, put_string},
    [FEW_OPTION_CHOICE] = {sizeof(int), set_choice, put_choice},
    [FEW_OPTION_INT_LIST] = {sizeof(struct few_int_list), set_int_list, put_int_list},
    [FEW_OPTION_SEED] = {sizeof(uint64_t), set_seed, put_seed},
    [FEW_OPTION_TEXT] = {sizeof(const char *), set_text, put_text},
    [FEW_OPTION_TEXTS] = {sizeof(struct few_text_list), set_texts, put_texts},
    [FEW_OPTION_REALS] = {sizeof(struct few_real_list), set_reals, put_reals},
    [FEW_OPTION_SET] = {sizeof(unsigned), set_set, put_set},
    [FEW_OPTION_COLOUR] = {sizeof(int64_t), set_colour, put_colour},
};

/* ---- looking up ---- */

const char *few__choice_name(const char *choices, int i, int *length) {
  for (; choices && i > 0; i--) {
    choices = strchr(choices, '|');
    if (choices) choices++;
  }
  if (!choices || i < 0) return NULL;
  *length = (int)strcspn(choices, "|");
  return choices;
}

const struct few_option *few_option_find(const struct few_option *table, const char *key) {
  for (; table->key; table++)
    if (strcmp(table->key, key) == 0) return table;
  return NULL;
}

static int min3(int a, int b, int c) {
  int m = a < b ? a : b;
  return m < c ? m : c;
}

/* Levenshtein's distance, computed with one row. A word that is too long has a large distance. */
static int edit_distance(const char *a, const char *b) {
  enum { MAX = 63 };
  int row[MAX + 1], m = (int)strnlen(a, MAX + 1), n = (int)strnlen(b, MAX + 1);
  if (m > MAX || n > MAX) return MAX + 1;
  for (int j = 0; j <= n; j++) row[j] = j;
  for (int i = 1; i <= m; i++) {
    int corner = row[0];
    row[0] = i;
    for (int j = 1; j <= n; j++) {
      int change = corner + (a[i - 1] != b[j - 1]);
      corner = row[j];
      row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
    }
  }
  return row[n];
}

const char *few__option_nearest(const struct few_option *const *tables, int n, const char *key) {
  const char *best = NULL;
  int least = 1 + (int)(strnlen(key, 60) + 2) / 3; /* a third of the letters may be wrong */
  for (int i = 0; i < n; i++) {
    for (const struct few_option *o = tables[i]; o->key; o++) {
      int d = edit_distance(key, o->key);
      if (d < least) best = o->key;
      if (d < least) least = d;
    }
  }
  return best;
}

/* ---- explaining ---- */

/* Prints a bound as "10", not as "1e+01", and as "1e-6", not as "1e-06". */
static void bound(double x, char out[32]) {
  if (fabs(x) < 1e16 && x == floor(x)) {
    few__print(out, 32, "%.0f", x);
    return;
  }
  few__real_format(x, out);
  char *to = strchr(out, 'e'), *from = to;
  if (!to) return;
  while (*from == 'e' || *from == '+' || *from == '-' || *from == '0') {
    if (*from == 'e' || *from == '-') *to++ = *from;
    from++;
  }
  memmove(to, from, strlen(from) + 1);
}

static void add_range(few_ctx *ctx, const struct few_option *o, struct few_text *out) {
  char low[32], high[32];
  if (o->min == 0 && o->max == 0) return;
  bound(o->min, low);
  bound(o->max, high);
  if (isinf(o->max))
    few__text_add(ctx, out, " of at least %s", low);
  else if (isinf(o->min))
    few__text_add(ctx, out, " of at most %s", high);
  else
    few__text_add(ctx, out, " from %s to %s", low, high);
}

static void add_choices(few_ctx *ctx, const char *choices, struct few_text *out) {
  int length;
  const char *name;
  for (int i = 0; (name = few__choice_name(choices, i, &length)); i++)
    few__text_add(ctx, out, "%s%.*s", i ? ", " : "", length, name);
}

void few__option_allowed(few_ctx *ctx, const struct few_option *o, struct few_text *out) {
  static const char *const nouns[] = {
      [FEW_OPTION_INT] = "an integer",
      [FEW_OPTION_REAL] = "a number",
      [FEW_OPTION_BOOL] = "yes or no",
      [FEW_OPTION_STRING] = "text",
      [FEW_OPTION_CHOICE] = "one of ",
      [FEW_OPTION_INT_LIST] = "integers",
      [FEW_OPTION_SEED] = "an integer from 0 to 2^64 - 1",
      [FEW_OPTION_TEXT] = "text that is not empty",
      [FEW_OPTION_TEXTS] = "text that is not empty",
      [FEW_OPTION_REALS] = "numbers",
      [FEW_OPTION_SET] = "some of ",
      [FEW_OPTION_COLOUR] = ("black, white, a grey level from 0 to 255, or a colour "
                             "RRGGBB of six hexadecimal digits")};
  const enum few_option_type type = o->type;
  few__text_add(ctx, out, "%s", nouns[type]);
  add_range(ctx, o, out);
  if (type == FEW_OPTION_CHOICE || type == FEW_OPTION_SET) add_choices(ctx, o->choices, out);
  if (type == FEW_OPTION_STRING) few__text_add(ctx, out, " of at most %zu bytes", o->size - 1);
  if (type == FEW_OPTION_REALS || type == FEW_OPTION_SET)
    few__text_add(ctx, out, ", separated by commas");
  if (type == FEW_OPTION_INT_LIST)
    few__text_add(ctx, out, ", separated by commas, at most %d", FEW_INT_LIST_MAX);
}

/* ---- setting ---- */

static few_status unknown_key(few_ctx *ctx, const struct few_option *table, const char *key) {
  const char *near = few__option_nearest(&table, 1, key);
  if (near) return few__fail(ctx, FEW_E_INVALID, "unknown key `%s`: did you mean `%s`?", key, near);
  return few__fail(ctx, FEW_E_INVALID, "unknown key `%s`: see --help for the keys", key);
}

static few_status bad_value(few_ctx *ctx, const struct few_option *o, const char *value) {
  struct few_text t = {0};
  few__option_allowed(ctx, o, &t);
  few_status st = few__fail(ctx, FEW_E_INVALID, "`%s` cannot be `%.200s`: give %s", o->key, value,
                            t.failed ? "another value" : t.at);
  few__text_free(ctx, &t);
  return st;
}

static few_status set_field(few_ctx *ctx, const struct few_option *o, void *object,
                            const char *value) {
  assert(!types[o->type].size || types[o->type].size == o->size);
  assert(o->min <= o->max);
  assert(o->type != FEW_OPTION_INT || o->size == sizeof(int64_t) || o->size == sizeof(int));
  if (types[o->type].set(o, (char *)object + o->offset, value)) return FEW_OK;
  return bad_value(ctx, o, value);
}

few_status few_options_default(void *object, few_ctx *ctx, const struct few_option *table) {
  for (const struct few_option *o = table; o->key; o++)
    if (o->deflt) FEW_TRY(set_field(ctx, o, object, o->deflt));
  return FEW_OK;
}

few_status few_option_set(void *object, few_ctx *ctx, const struct few_option *table,
                          const char *key, const char *value) {
  const struct few_option *o = few_option_find(table, key);
  return o ? set_field(ctx, o, object, value) : unknown_key(ctx, table, key);
}

void few__option_format(few_ctx *ctx, const struct few_option *o, const void *object,
                        struct few_text *out) {
  assert((size_t)o->type < FEW_COUNT(types) && object);
  types[o->type].put(ctx, o, (const char *)object + o->offset, out);
}

static few_status give(few_ctx *ctx, struct few_text *t, char **out) {
  *out = t->failed ? NULL : t->at;
  if (!t->failed) return FEW_OK;
  few__text_free(ctx, t);
  return few__fail(ctx, FEW_E_MEMORY, "out of memory for the text of an option");
}

few_status few_option_text(char **out, few_ctx *ctx, const struct few_option *o,
                           const void *object) {
  struct few_text t = {0};
  few__text_add(ctx, &t, "%s", "");
  few__option_format(ctx, o, object, &t);
  return give(ctx, &t, out);
}

few_status few_option_allowed(char **out, few_ctx *ctx, const struct few_option *o) {
  struct few_text t = {0};
  few__option_allowed(ctx, o, &t);
  return give(ctx, &t, out);
}

void few_text_free(few_ctx *ctx, char *text) { few__free(ctx, text); }
