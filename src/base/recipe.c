/* recipe.c - the INI file that describes a run (recipe.h shows one).
 *
 * The grammar of a line. Blanks around all parts are ignored.
 *
 *   line    = [ heading | pair ] [ comment ]
 *   heading = "[" anything "]"
 *   pair    = key "=" value
 *   key     = letter or "_", then letters, digits, "_", "-", "."
 *   value   = bare text up to the comment | '"' characters and escapes '"'
 *   comment = "#" or ";" at the start of the line or after a blank
 *
 * A typo in a recipe can cost days of training, so nothing is guessed. A key given twice, a line
 * that is not in the grammar, and a key that is in no table are errors, which name the line.
 */
#include "recipe.h"

#include <stdio.h>

enum { PAIRS_MAX = 512, SHOWN = 60 };

struct line {
  const struct few_recipe *r;
  int number;
  char *text; /* blanks trimmed, NUL-terminated */
  char *key, *value;
};

/* ---- characters ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_key_char(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool is_comment(const char *start, const char *s) {
  return (*s == '#' || *s == ';') && (s == start || is_blank(s[-1]));
}

static char *skip_blanks(char *s) {
  while (is_blank(*s)) s++;
  return s;
}

static void trim_end(char *s) {
  size_t n = strlen(s);
  while (n && is_blank(s[n - 1])) s[--n] = 0;
}

static few_status check_utf8(few_ctx *ctx, const char *place, const char *text, size_t n) {
  int line = 1;
  for (size_t i = 0, k; i < n; i += k) {
    k = few__utf8_length(text + i, n - i);
    if (!k)
      return few__fail(ctx, FEW_E_FORMAT, "%s:%d: byte 0x%02x is not UTF-8 text: is this a recipe?",
                       place, line, (unsigned char)text[i]);
    line += text[i] == '\n';
  }
  return FEW_OK;
}

/* ---- one line ---- */

static few_status malformed(few_ctx *ctx, const struct line *l, const char *fix) {
  return few__fail(ctx, FEW_E_FORMAT, "%s:%d: cannot read `%.*s`: %s", l->r->place, l->number,
                   SHOWN, l->text, fix);
}

/* Replaces "..." by its content, in place. */
static few_status unquote(few_ctx *ctx, const struct line *l, char *s) {
  static const char escapes[][2] = {{'"', '"'}, {'\\', '\\'}, {'n', '\n'}, {'t', '\t'}};
  char *out = s, *in = s + 1;
  while (*in && *in != '"') {
    if (*in == '\\') {
      int i = 0;
      while (i < FEW_COUNT(escapes) && escapes[i][0] != in[1]) i++;
      if (i == FEW_COUNT(escapes)) return malformed(ctx, l, "after \\ write one of \" \\ n t");
      *out++ = escapes[i][1];
      in += 2;
    } else {
      *out++ = *in++;
    }
  }
  if (*in != '"') return malformed(ctx, l, "close the \"");
  char *rest = skip_blanks(in + 1);
  if (*rest && !is_comment(in, rest))
    return malformed(ctx, l, "only a comment may follow the closing \"");
  *out = 0;
  return FEW_OK;
}

static void cut_comment(char *s) {
  char *at = s;
  while (*at && !is_comment(s, at)) at++;
  *at = 0;
  trim_end(s);
}

/* Splits `key = value` into l->key and l->value, which point into `copy`. */
static few_status split_pair(few_ctx *ctx, struct line *l, char *copy) {
  char *s = copy;
  l->key = s;
  while (is_key_char(*s)) s++;
  char *end = s;
  s = skip_blanks(s);
  if (!is_letter(*l->key) || *s != '=')
    return malformed(ctx, l, "write `key = value`, `[section]` or `# comment`");
  *end = 0;
  l->value = s = skip_blanks(s + 1);
  if (*s == '"') return unquote(ctx, l, s);
  cut_comment(s);
  return FEW_OK;
}

static few_status check_heading(few_ctx *ctx, const struct line *l) {
  char *end = strchr(l->text, ']');
  if (!end) return malformed(ctx, l, "close the heading with ]");
  char *rest = skip_blanks(end + 1);
  if (*rest && !is_comment(end, rest)) return malformed(ctx, l, "put the pair on its own line");
  return FEW_OK;
}

static struct few_recipe_pair *find(const struct few_recipe *r, const char *key) {
  for (int i = 0; i < r->n; i++)
    if (strcmp(r->at[i].key, key) == 0) return &r->at[i];
  return NULL;
}

static few_status add_pair(few_ctx *ctx, struct few_recipe *r, const char *key, const char *value,
                           int line) {
  if (r->n == PAIRS_MAX)
    return few__fail(ctx, FEW_E_FORMAT, "%s:%d: more than %d keys: is this a recipe?", r->place,
                     line, PAIRS_MAX);
  FEW_TRY(FEW_GROW(ctx, r, r->n + 1));
  struct few_recipe_pair *p = &r->at[r->n++];
  *p = (struct few_recipe_pair){few__strdup(ctx, key), few__strdup(ctx, value), line, false};
  if (p->key && p->value) return FEW_OK;
  return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", r->place);
}

static few_status parse_line(few_ctx *ctx, struct few_recipe *r, struct line *l, char *copy) {
  if (!l->text[0] || is_comment(l->text, l->text)) return FEW_OK;
  if (l->text[0] == '[') return check_heading(ctx, l);
  FEW_TRY(split_pair(ctx, l, copy));
  const struct few_recipe_pair *old = find(r, l->key);
  if (old)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s:%d: `%s` was already given on line %d: keep one of the two", r->place,
                     l->number, l->key, old->line);
  return add_pair(ctx, r, l->key, l->value, l->number);
}

/* ---- the file ---- */

/* `text` is split into lines. `copy` has the same bytes; lines are split there into keys and
 * values, so that an error sentence can still show the whole line. */
static few_status parse_lines(few_ctx *ctx, struct few_recipe *r, char *text, char *copy) {
  struct line l = {.r = r};
  if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, copy += 3; /* a byte order mark */
  while (*text) {
    size_t n = strcspn(text, "\n");
    bool last = !text[n];
    text[n] = copy[n] = 0;
    trim_end(text);
    trim_end(copy);
    l.number++;
    l.text = skip_blanks(text);
    FEW_TRY(parse_line(ctx, r, &l, copy + (l.text - text)));
    if (last) break;
    text += n + 1;
    copy += n + 1;
  }
  return FEW_OK;
}

static char *copy_text(few_ctx *ctx, const char *text, size_t n) {
  char *p = few__alloc(ctx, n + 1);
  if (p && n) memcpy(p, text, n);
  if (p) p[n] = 0;
  return p;
}

few_status few__recipe_parse(few_ctx *ctx, struct few_recipe *out, const char *place,
                             const char *text, size_t n) {
  *out = (struct few_recipe){0};
  if (n > FEW_RECIPE_MAX)
    return few__fail(ctx, FEW_E_FORMAT, "%s: %zu bytes are too many for a recipe: is it one?",
                     place, n);
  FEW_TRY(check_utf8(ctx, place, text, n));
  struct few_recipe r = {.place = few__strdup(ctx, place)};
  char *lines = copy_text(ctx, text, n), *copy = copy_text(ctx, text, n);
  few_status st = r.place && lines && copy
                      ? parse_lines(ctx, &r, lines, copy)
                      : few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", place);
  few__free(ctx, lines);
  few__free(ctx, copy);
  if (st)
    few__recipe_free(ctx, &r);
  else
    *out = r;
  return st;
}

void few__recipe_free(few_ctx *ctx, struct few_recipe *r) {
  for (int i = 0; i < r->n; i++) {
    few__free(ctx, r->at[i].key);
    few__free(ctx, r->at[i].value);
  }
  few__free(ctx, r->at);
  few__free(ctx, r->place);
  few__free(ctx, r->tables.at);
  *r = (struct few_recipe){0};
}

/* ---- from the command line ---- */

static few_status override(few_ctx *ctx, struct few_recipe *r, const char *key, const char *value) {
  struct few_recipe_pair *old = find(r, key);
  if (!old) return add_pair(ctx, r, key, value, 0);
  char *copy = few__strdup(ctx, value);
  if (!copy) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", key);
  few__free(ctx, old->value);
  old->value = copy;
  old->line = 0;
  return FEW_OK;
}

static bool is_key(const char *s) {
  if (!is_letter(*s)) return false;
  while (is_key_char(*s)) s++;
  return !*s;
}

few_status few__recipe_override(few_ctx *ctx, struct few_recipe *r, const char *pair) {
  FEW_TRY(check_utf8(ctx, "command line", pair, strlen(pair)));
  char *key = few__strdup(ctx, pair), *equals = key ? strchr(key, '=') : NULL;
  if (!key) return few__fail(ctx, FEW_E_MEMORY, "out of memory");
  if (equals) *equals = 0;
  trim_end(key);
  char *name = skip_blanks(key), *value = equals ? skip_blanks(equals + 1) : NULL;
  if (value) trim_end(value);
  few_status st = value && is_key(name)
                      ? override(ctx, r, name, value)
                      : few__fail(ctx, FEW_E_INVALID,
                                  "command line: `%.*s` is not a key=value pair", SHOWN, pair);
  few__free(ctx, key);
  return st;
}

/* ---- tables ---- */

const char *few__recipe_value(const struct few_recipe *r, const char *key) {
  const struct few_recipe_pair *p = find(r, key);
  return p ? p->value : NULL;
}

static few_status fail_at(few_ctx *ctx, few_status st, const struct few_recipe *r,
                          const struct few_recipe_pair *p) {
  return p->line ? few__fail_in(ctx, st, "%s:%d", r->place, p->line)
                 : few__fail_in(ctx, st, "command line");
}

few_status few__recipe_apply_prefixed(few_ctx *ctx, struct few_recipe *r, const char *prefix,
                                      const struct few_option *table, void *object) {
  const size_t n = strlen(prefix);
  for (int i = 0; i < r->n; i++) {
    struct few_recipe_pair *p = &r->at[i];
    if (strncmp(p->key, prefix, n) != 0 || !few_option_find(table, p->key + n)) continue;
    p->taken = true;
    few_status st = few_option_set(object, ctx, table, p->key + n, p->value);
    if (st && n)
      few__fail_in(ctx, st, "%s", p->key); /* with the prefix, since many tables have a `weight` */
    if (st) return fail_at(ctx, st, r, p);
  }
  return FEW_OK;
}

few_status few__recipe_apply(few_ctx *ctx, struct few_recipe *r, const struct few_option *table,
                             void *object) {
  FEW_TRY(FEW_GROW(ctx, &r->tables, r->tables.n + 1));
  r->tables.at[r->tables.n++] = table;
  return few__recipe_apply_prefixed(ctx, r, "", table, object);
}

few_status few__recipe_check(few_ctx *ctx, const struct few_recipe *r) {
  for (int i = 0; i < r->n; i++) {
    const struct few_recipe_pair *p = &r->at[i];
    if (p->taken) continue;
    const char *near = few__option_nearest(r->tables.at, r->tables.n, p->key);
    few_status st =
        near ? few__fail(ctx, FEW_E_INVALID, "unknown key `%s`: did you mean `%s`?", p->key, near)
             : few__fail(ctx, FEW_E_INVALID,
                         "unknown key `%s`: nothing in this recipe uses it: remove it", p->key);
    return fail_at(ctx, st, r, p);
  }
  return FEW_OK;
}

/* ---- writing ---- */

/* Without quotes, a value must read back unchanged: no blanks at its ends, no comment, no line
 * break. */
static bool needs_quotes(const char *v) {
  if (*v == '"' || is_blank(*v)) return true;
  for (const char *s = v; *s; s++)
    if (*s == '\n' || *s == '\r' || is_comment(v, s)) return true;
  return *v && is_blank(v[strlen(v) - 1]);
}

void few__recipe_put_section(few_ctx *ctx, struct few_text *out, const char *name) {
  assert(!strpbrk(name, "]\n"));
  few__text_add(ctx, out, "%s[%s]\n", out->len ? "\n" : "", name);
}

void few__recipe_put(few_ctx *ctx, struct few_text *out, const char *key, const char *value) {
  assert(is_key(key));
  if (!needs_quotes(value)) {
    few__text_add(ctx, out, *value ? "%s = %s\n" : "%s =%s\n", key, value);
    return;
  }
  few__text_add(ctx, out, "%s = \"", key);
  for (; *value; value++) {
    if (*value == '\n')
      few__text_add(ctx, out, "\\n");
    else
      few__text_add(ctx, out, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
  }
  few__text_add(ctx, out, "\"\n");
}

few_status few__recipe_put_options(few_ctx *ctx, struct few_text *out, const char *prefix,
                                   const struct few_option *table, const void *object) {
  for (const struct few_option *o = table; o->key; o++) {
    struct few_text value = {0};
    char key[96];
    snprintf(key, sizeof key, "%s%s", prefix, o->key);
    few__option_format(ctx, o, object, &value);
    if (!value.failed) few__recipe_put(ctx, out, key, value.at ? value.at : "");
    if (value.failed) out->failed = true;
    few__text_free(ctx, &value);
  }
  if (!out->failed) return FEW_OK;
  return few__fail(ctx, FEW_E_MEMORY, "out of memory for the text of a recipe");
}
