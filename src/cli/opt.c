/* opt.c - parse words by a table of options, and print the table. */
#include "opt.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 80, HELP_COLUMN = 22 };

/* ---- Numbers ---- */
bool opt_int(const char *text, int64_t *out) {
  const char *digits = text + (*text == '-');
  if (*digits == '\0' || digits[strspn(digits, "0123456789")]) return false;
  errno = 0;
  *out = strtoll(text, NULL, 10);
  return errno == 0;
}

bool opt_seed(const char *text, uint64_t *out) {
  if (*text == '\0' || text[strspn(text, "0123456789")]) return false;
  errno = 0;
  *out = strtoull(text, NULL, 10);
  return errno == 0;
}

bool opt_real(const char *text, double *out) {
  if (*text == '\0' || text[strspn(text, "0123456789+-.eE")]) return false;
  char *end;
  double x = strtod(text, &end);
  if (*end || !isfinite(x)) return false;
  *out = x;
  return true;
}

/* ---- Slips ---- */
static int least(int a, int b) { return a < b ? a : b; }

/* Insertions, deletions, changes and swaps of neighbours between two words. */
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
  int best = 2 + (int)length / 4; /* one more than the most letters that a slip may change */
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

static const char *name_of(const void *user, int i) { return ((const struct opt *)user)[i].name; }

/* ---- Values ---- */
/* The next piece of "a|b|c": *at and *length, which is -1 before the first. */
static bool next_piece(const char **at, int *length, const char *mark) {
  if (*length >= 0) {
    *at += *length;
    if (**at == '\0') return false;
    ++*at;
  }
  *length = (int)strcspn(*at, mark);
  return true;
}

static int choice(const char *choices, const char *word, int n) {
  int i = 0;
  for (int length = -1; next_piece(&choices, &length, "|"); i++)
    if (length == n && !strncmp(choices, word, (size_t)n)) return i;
  return -1;
}

static void list_choices(char *out, size_t size, const char *choices) {
  size_t at = 0;
  out[0] = '\0';
  for (int length = -1; next_piece(&choices, &length, "|") && at + 3 < size;) {
    int n = snprintf(out + at, size - at, "%s%.*s", at ? ", " : "", length, choices);
    at += n > 0 ? (size_t)n : 0;
  }
}

/* What the value may be, for messages. */
static void allowed(char *out, size_t size, const struct opt *o) {
  char names[200] = "";
  bool limits = o->min < o->max;
  switch (o->type) {
    case OPT_INT_T:
      snprintf(out, size, "a whole number from %.0f to %.0f", o->min, o->max);
      return;
    case OPT_SEED_T:
      snprintf(out, size, "a whole number from 0 to 2^64 - 1");
      return;
    case OPT_REAL_T:
    case OPT_REALS_T:
      snprintf(out, size, o->type == OPT_REAL_T ? "a number" : "numbers with commas between");
      if (limits) snprintf(out + strlen(out), size - strlen(out), " from %g to %g", o->min, o->max);
      return;
    case OPT_CHOICE_T:
    case OPT_SET_T:
      list_choices(names, sizeof names, o->choices);
      snprintf(out, size, o->type == OPT_SET_T ? "some of %s, with commas between" : "one of %s",
               names);
      return;
    default:
      snprintf(out, size, "a text that is not empty");
  }
}

static bool set_reals(struct opt_reals *out, const struct opt *o, const char *text) {
  struct opt_reals reals = {0};
  for (int length = -1; next_piece(&text, &length, ",");) {
    char word[64];
    double x;
    if (length == 0 || length >= (int)sizeof word || reals.n == OPT_REALS_MAX) return false;
    memcpy(word, text, (size_t)length);
    word[length] = '\0';
    if (!opt_real(word, &x) || x < o->min || x > o->max) return false;
    reals.at[reals.n++] = x;
  }
  *out = reals;
  return reals.n > 0;
}

static bool set_bits(unsigned *out, const struct opt *o, const char *text) {
  *out = 0;
  for (int length = -1; next_piece(&text, &length, ",");) {
    int i = choice(o->choices, text, length);
    if (i < 0) return false;
    *out |= 1u << i;
  }
  return true;
}

static bool set(const struct opt *o, void *object, const char *text) {
  static const size_t sizes[] = {
      sizeof(bool),         sizeof(int64_t),          sizeof(uint64_t),         sizeof(double),
      sizeof(const char *), sizeof(struct opt_texts), sizeof(struct opt_reals), sizeof(int),
      sizeof(unsigned)};
  assert(o->size == sizes[o->type]);
  void *field = (char *)object + o->offset;
  struct opt_texts *texts = field;
  int64_t i;
  double x;
  switch (o->type) {
    case OPT_FLAG_T:
      *(bool *)field = true;
      return true;
    case OPT_INT_T:
      if (!opt_int(text, &i) || (double)i < o->min || (double)i > o->max) return false;
      *(int64_t *)field = i;
      return true;
    case OPT_SEED_T:
      return opt_seed(text, field);
    case OPT_REAL_T:
      if (!opt_real(text, &x) || (o->min < o->max && (x < o->min || x > o->max))) return false;
      *(double *)field = x;
      return true;
    case OPT_TEXT_T:
      *(const char **)field = text;
      return *text != '\0';
    case OPT_TEXTS_T:
      if (texts->n == OPT_TEXTS_MAX) return false;
      texts->at[texts->n++] = text;
      return *text != '\0';
    case OPT_REALS_T:
      return set_reals(field, o, text);
    case OPT_CHOICE_T:
      *(int *)field = choice(o->choices, text, (int)strlen(text));
      return *(int *)field >= 0;
    case OPT_SET_T:
      return set_bits(field, o, text);
  }
  return false;
}

/* ---- Words ---- */
static bool fail(char error[OPT_ERROR_MAX], const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(char error[OPT_ERROR_MAX], const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(error, OPT_ERROR_MAX, fmt, args);
  va_end(args);
  return false;
}

static const struct opt *find(const struct opt *table, const char *name, size_t length) {
  for (const struct opt *o = table; o->name; o++)
    if (strlen(o->name) == length && !strncmp(o->name, name, length)) return o;
  return NULL;
}

/* Take the option at words[*i], and its value; *i stays on the last word used. */
static bool take(const struct opt *table, void *object, int n, char **words, int *i,
                 unsigned char *given, char error[OPT_ERROR_MAX]) {
  const char *name = words[*i] + 2, *equals = strchr(name, '=');
  size_t length = equals ? (size_t)(equals - name) : strlen(name);
  const struct opt *o = find(table, name, length);
  if (!o) {
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), name);
    const char *near = opt_nearest(word, name_of, table);
    return near ? fail(error, "there is no option --%s; did you mean --%s?", word, near)
                : fail(error, "there is no option --%s", word);
  }
  const char *text = equals ? equals + 1 : NULL;
  if (o->type == OPT_FLAG_T && text) return fail(error, "--%s takes no value", o->name);
  if (o->type != OPT_FLAG_T && !text) {
    if (*i + 1 == n || !strncmp(words[*i + 1], "--", 2))
      return fail(error, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    text = words[++*i];
  }
  if (!set(o, object, text)) {
    char what[260];
    allowed(what, sizeof what, o);
    return fail(error, "--%s takes %s, not \"%.60s\"", o->name, what, text);
  }
  given[o - table] = 1;
  return true;
}

int opt_parse(const struct opt *table, void *object, int n, char **words,
              char error[OPT_ERROR_MAX]) {
  unsigned char given[64] = {0};
  int operands = 0;
  for (const struct opt *o = table; o->name; o++) {
    assert(o - table < (int)sizeof given);
    if (!o->deflt || !strcmp(o->deflt, OPT_NEEDED)) continue;
    if (!set(o, object, o->deflt)) assert(!"a default that is not allowed");
  }
  error[0] = '\0';
  for (int i = 0; i < n; i++) {
    if (!strcmp(words[i], "--")) {
      while (++i < n) words[operands++] = words[i];
    } else if (!strncmp(words[i], "--", 2)) {
      if (!take(table, object, n, words, &i, given, error)) return -1;
    } else if (words[i][0] == '-' && words[i][1]) {
      const struct opt *o = find(table, words[i] + 1, strlen(words[i] + 1));
      fail(error, o ? "there is no option %.60s; did you mean --%s?" : "there is no option %.60s",
           words[i], o ? o->name : "");
      return -1;
    } else {
      words[operands++] = words[i];
    }
  }
  for (const struct opt *o = table; o->name; o++) {
    if (given[o - table] || !o->deflt || strcmp(o->deflt, OPT_NEEDED)) continue;
    fail(error, "needs --%s %s (%s)", o->name, o->value, o->help);
    return -1;
  }
  return operands;
}

/* ---- Help ---- */
void opt_wrap(FILE *out, int at, int indent, const char *text) {
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

void opt_help(FILE *out, const struct opt *table) {
  for (const struct opt *o = table; o->name; o++) {
    char text[600];
    bool needed = o->deflt && !strcmp(o->deflt, OPT_NEEDED);
    int column = fprintf(out, "  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
    int n = snprintf(text, sizeof text, "%s", o->help);
    if (needed)
      snprintf(text + n, sizeof text - (size_t)n, "; must be given");
    else if (o->deflt)
      snprintf(text + n, sizeof text - (size_t)n, " (%s)", o->deflt);
    opt_wrap(out, column, HELP_COLUMN, text);
  }
}
