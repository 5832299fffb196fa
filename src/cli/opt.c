/* opt.c - parses words by an option table, and prints the table. */
#include "opt.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

enum { COLUMNS = 80, HELP_COLUMN = 22, MAX_OPTIONS = 64 };

/* ---- Typos ---- */
static int least(int a, int b) { return a < b ? a : b; }

/* The edit distance of two words: insertions, deletions, changes, and swaps of neighbours. */
static int distance(const char *a, const char *b) {
  enum { LONGEST = 40 };
  int n = (int)strlen(a), m = (int)strlen(b), d[3][LONGEST + 1];
  if (n > LONGEST || m > LONGEST) return LONGEST;
  for (int j = 0; j <= m; j++) d[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      row[j] = least(least(row[j - 1], up[j]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = least(row[j], up2[j - 2] + 1);
    }
  }
  return d[n % 3][m];
}

const char *opt_nearest(const char *word, const char *(*candidate)(const void *user, int i),
                        const void *user) {
  size_t length = strlen(word);
  int best = 2 + (int)length / 4; /* one more than the most letters that a typo may change */
  const char *found = NULL, *c;
  for (int i = 0; (c = candidate(user, i)); i++) {
    if (length > 1 && !strncmp(word, c, length)) return c;
    int d = distance(word, c);
    if (d < best && d < (int)length) {
      best = d;
      found = c;
    }
  }
  return found;
}

static const char *key_of(const void *user, int i) {
  return ((const struct few_option *)user)[i].key;
}

/* ---- Words ---- */
void opt_key(char out[64], const struct few_option *o) {
  int n = 0;
  for (; n < 63 && o->key[n]; n++) out[n] = (char)(o->key[n] == '_' ? '-' : o->key[n]);
  out[n] = '\0';
  assert(!o->key[n]); /* it fits */
}

static bool fail(char error[OPT_ERROR_MAX], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(char error[OPT_ERROR_MAX], const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(error, OPT_ERROR_MAX, fmt, args);
  va_end(args);
  return false;
}

static bool same_key(const char *key, const char *word, size_t length) {
  for (size_t i = 0; i < length; i++)
    if (!key[i] || (key[i] != word[i] && !(key[i] == '_' && word[i] == '-'))) return false;
  return key[length] == '\0';
}

static const struct few_option *find(const struct few_option *table, const char *word,
                                     size_t length) {
  for (const struct few_option *o = table; o->key; o++)
    if (same_key(o->key, word, length)) return o;
  return NULL;
}

static bool unknown(const struct few_option *table, const char *word, size_t length,
                    char error[OPT_ERROR_MAX]) {
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), word);
  const char *near = opt_nearest(name, key_of, table);
  if (!near) return fail(error, "there is no option --%s", name);
  char key[64];
  opt_key(key, few_option_find(table, near));
  return fail(error, "there is no option --%s; did you mean --%s?", name, key);
}

static bool set(few_ctx *ctx, const struct few_option *o, void *object, const char *key,
                const char *text, char error[OPT_ERROR_MAX]) {
  const struct few_option row[] = {*o, FEW_OPT_END};
  assert(text);
  char *allowed;
  if (!few_option_set(object, ctx, row, o->key, text)) return true;
  if (few_option_allowed(&allowed, ctx, o)) return fail(error, "%s", few_error(ctx));
  fail(error, "--%s takes %s, not \"%.60s\"", key, allowed, text);
  few_text_free(ctx, allowed);
  return false;
}

struct parse {
  few_ctx *ctx;
  const struct few_option *table;
  void *object;
  int n;
  char **words;
  bool given[MAX_OPTIONS];
  char *error;
};

/* Reads the option at words[*i], and its value. Sets *i to the last word used. */
static bool take(struct parse *p, int *i) {
  const char *word = p->words[*i] + 2, *equals = strchr(word, '=');
  const size_t length = equals ? (size_t)(equals - word) : strlen(word);
  const struct few_option *o = find(p->table, word, length);
  if (!o) return unknown(p->table, word, length, p->error);
  char key[64];
  opt_key(key, o);
  const char *text = equals ? equals + 1 : NULL;
  const bool flag = o->type == FEW_OPTION_BOOL;
  if (flag && text) return fail(p->error, "--%s takes no value", key);
  if (!flag && !text) {
    if (*i + 1 == p->n || !strncmp(p->words[*i + 1], "--", 2))
      return fail(p->error, "--%s needs a value: --%s %s", key, key, opt_value(o));
    text = p->words[++*i];
  }
  p->given[o - p->table] = true;
  return set(p->ctx, o, p->object, key, flag ? "yes" : text, p->error);
}

static bool one_dash(const struct parse *p, const char *word) {
  const struct few_option *o = find(p->table, word + 1, strlen(word + 1));
  char key[64] = "";
  if (o) opt_key(key, o);
  return fail(p->error,
              o ? "there is no option %.60s; did you mean --%s?" : "there is no option %.60s", word,
              key);
}

static bool check_needed(const struct parse *p) {
  for (const struct few_option *o = p->table; o->key; o++)
    if (o->needed && !p->given[o - p->table])
      return fail(p->error, "needs --%s %s (%s)", o->key, o->value, o->help);
  return true;
}

int opt_parse(few_ctx *ctx, const struct few_option *table, void *object, int n, char **words,
              char error[OPT_ERROR_MAX]) {
  struct parse p = {ctx, table, object, n, words, {false}, error};
  int operands = 0, rows = 0;
  while (table[rows].key) rows++;
  assert(rows <= MAX_OPTIONS);
  assert(n >= 0);
  error[0] = '\0';
  if (few_options_default(object, ctx, table)) {
    fail(error, "%s", few_error(ctx));
    return -1;
  }
  for (int i = 0; i < n; i++) {
    const char *word = words[i];
    if (!strcmp(word, "--")) {
      while (++i < n) words[operands++] = words[i];
    } else if (!strncmp(word, "--", 2)) {
      if (!take(&p, &i)) return -1;
    } else if (word[0] == '-' && word[1]) {
      one_dash(&p, word);
      return -1;
    } else {
      words[operands++] = words[i];
    }
  }
  return check_needed(&p) ? operands : -1;
}

/* ---- Help ---- */
void opt_wrap(FILE *out, int at, int indent, const char *text) {
  assert(at >= 0 && indent >= 0 && indent < COLUMNS);
  int column = at;
  if (at > 0 && column > indent - 2) {
    fputc('\n', out);
    column = 0;
  }
  for (; column < indent; column++) fputc(' ', out);
  for (bool first = true; *text; first = false) {
    int length = (int)strcspn(text, " ");
    if (!first && column + 1 + length >= COLUMNS) {
      fprintf(out, "\n%*s", indent, "");
      column = indent;
    } else if (!first) {
      fputc(' ', out);
      column++;
    }
    fprintf(out, "%.*s", length, text);
    column += length;
    text += length;
    while (*text == ' ') text++;
  }
  fputc('\n', out);
}

const char *opt_value(const struct few_option *o) {
  if (o->type == FEW_OPTION_BOOL) return "";
  if (o->value || o->choices) return o->value ? o->value : o->choices;
  if (o->type == FEW_OPTION_INT || o->type == FEW_OPTION_SEED) return "N";
  if (o->type == FEW_OPTION_COLOUR) return "COLOUR";
  return o->type == FEW_OPTION_REAL ? "X" : "TEXT";
}

void opt_help(FILE *out, const struct few_option *table) {
  for (const struct few_option *o = table; o->key; o++) {
    char key[64], text[600];
    opt_key(key, o);
    const char *value = opt_value(o);
    const int column = fprintf(out, "  --%s%s%s", key, *value ? " " : "", value);
    snprintf(text, sizeof text, "%s%s%s%s", o->help,
             o->needed  ? " (required)"
             : o->deflt ? " (default: "
                        : "",
             !o->needed && o->deflt ? o->deflt : "", !o->needed && o->deflt ? ")" : "");
    assert(strlen(text) < sizeof text - 1);
    opt_wrap(out, column, HELP_COLUMN, text);
  }
}
