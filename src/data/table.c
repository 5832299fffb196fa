/* table.c - labels of image files in a table of comma-separated values, as RFC 4180 describes them:
 *
 *   file,label               a header that names the columns, in any order and beside others
 *   a/1.png,cat
 *   "a,2.png","a ""dog"""    a quoted value may have commas, line breaks and doubled quotes
 *
 * or the same two columns without a header. A row is only used if it is certain what it says: all
 * rows have the same number of values, and no file is listed twice.
 */
#include "table.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

enum { COLUMNS_MAX = 1024, VALUE_MAX = 4096, ROWS_MAX = 1 << 27 };

static const char *const file_names[] = {"file",  "file_name", "filename", "path",
                                         "image", "image_id",  "name",     "id"};
static const char *const label_names[] = {"label", "class", "class_name", "category", "target"};

struct parser {
  few_ctx *ctx;
  const char *place, *at, *end;
  int line;                     /* of the value that is read */
  int columns;                  /* of the first row; 0: not known yet */
  int file, label;              /* the columns that are read */
  int row_line;                 /* where the row begins */
  int n;                        /* values of the row so far */
  char value[2][VALUE_MAX + 1]; /* file and label of the row */
  struct few_table *out;
};

static few_status bad(const struct parser *p, int line, const char *what) {
  return few__fail(p->ctx, FEW_E_FORMAT, "%s, line %d: %s: correct the table", p->place, line,
                   what);
}

/* ---- values ---- */

/* Reads a value into `out`, or only past it if `out` is NULL. */
static few_status read_value(struct parser *p, char *out) {
  const bool quoted = p->at < p->end && *p->at == '"';
  const int line = p->line;
  size_t n = 0;
  p->at += quoted;
  for (;; p->at++) {
    const char c = p->at < p->end ? *p->at : '\0';
    if (p->at == p->end) {
      if (quoted) return bad(p, line, "a quotation that does not end");
      break;
    }
    if (!c) return bad(p, p->line, "a NUL byte");
    if (quoted && c == '"') {
      if (p->at + 1 == p->end || p->at[1] != '"') break;
      p->at++; /* "" is one quote */
    } else if (!quoted && (c == ',' || c == '\n' || c == '\r')) {
      break;
    } else if (!quoted && c == '"') {
      return bad(p, p->line, "a quote inside a value that is not quoted");
    }
    p->line += c == '\n';
    if (n == VALUE_MAX) return bad(p, p->line, "a value of more than 4096 bytes");
    if (out) out[n] = c;
    n++;
  }
  p->at += quoted;
  if (out) out[n] = '\0';
  if (p->at == p->end || strchr(",\r\n", *p->at)) return FEW_OK;
  return bad(p, p->line, "text after the end of a quotation");
}

/* Reads what is behind a value; *more: a comma, so that another value follows. */
static few_status read_separator(struct parser *p, bool *more) {
  *more = p->at < p->end && *p->at == ',';
  if (p->at == p->end) return FEW_OK;
  if (*p->at == '\r') {
    p->at++;
    if (p->at < p->end && *p->at != '\n') return bad(p, p->line, "a carriage return alone");
  }
  if (p->at < p->end && *p->at == '\n') p->line++;
  p->at += p->at < p->end;
  return FEW_OK;
}

/* Where the value of a column is kept; NULL: nowhere. */
static char *room_of(struct parser *p, int column) {
  return column == p->file ? p->value[0] : column == p->label ? p->value[1] : NULL;
}

/* Reads the next row. Empty lines are skipped; p->n is 0 at the end. */
static few_status read_row(struct parser *p) {
  bool more = true;
  p->n = 0;
  while (p->at < p->end && (*p->at == '\n' || *p->at == '\r')) FEW_TRY(read_separator(p, &more));
  p->row_line = p->line;
  if (p->at == p->end) return FEW_OK;
  for (more = true; more; p->n++) {
    if (p->n == COLUMNS_MAX) return bad(p, p->line, "more than 1024 columns");
    FEW_TRY(read_value(p, room_of(p, p->n)));
    FEW_TRY(read_separator(p, &more));
  }
  return FEW_OK;
}

/* ---- rows ---- */

static bool in(const char *name, const char *const *names, int n) {
  for (int i = 0; i < n; i++)
    if (!strcasecmp(name, names[i])) return true;
  return false;
}

/* Finds the two columns from the first row, which is read again if it is not a header. */
static few_status find_columns(struct parser *p) {
  const struct parser start = *p;
  char value[VALUE_MAX + 1];
  bool more = true;
  int n = 0, file = -1, label = -1;
  for (; more && p->at < p->end; n++) {
    if (n == COLUMNS_MAX) return bad(p, p->line, "more than 1024 columns");
    FEW_TRY(read_value(p, value));
    FEW_TRY(read_separator(p, &more));
    if (file < 0 && in(value, file_names, FEW_COUNT(file_names)))
      file = n;
    else if (label < 0 && in(value, label_names, FEW_COUNT(label_names)))
      label = n;
  }
  p->columns = n;
  p->file = file;
  p->label = label;
  if (file >= 0 && label >= 0) return FEW_OK;
  if (n != 2)
    return bad(p, start.line,
               "neither a header with columns such as `file` and `label`, nor two columns");
  p->at = start.at;
  p->line = start.line;
  p->file = 0;
  p->label = 1;
  return FEW_OK;
}

static few_status add_row(struct parser *p) {
  const char *file = p->value[0];
  if (p->n != p->columns) return bad(p, p->row_line, "not as many values as in the first line");
  if (!*file || !*p->value[1]) return bad(p, p->row_line, "no file or no label");
  if (p->out->n == ROWS_MAX) return bad(p, p->row_line, "too many rows");
  if (file[0] == '.' && file[1] == '/') file += 2;
  FEW_TRY(FEW_GROW(p->ctx, p->out, p->out->n + 1));
  struct few_table_row *r = &p->out->at[p->out->n++];
  *r = (struct few_table_row){few__strdup(p->ctx, file), few__strdup(p->ctx, p->value[1]),
                              p->row_line, false};
  if (r->file && r->label) return FEW_OK;
  return few__fail(p->ctx, FEW_E_MEMORY, "%s: out of memory", p->place);
}

static int by_file(const void *a, const void *b) {
  const struct few_table_row *x = a, *y = b;
  const int order = strcmp(x->file, y->file);
  return order ? order : x->line - y->line;
}

static few_status parse(struct parser *p) {
  struct few_table *t = p->out;
  if (p->end - p->at >= 3 && !memcmp(p->at, "\xef\xbb\xbf", 3)) p->at += 3; /* of spreadsheets */
  FEW_TRY(find_columns(p));
  for (;;) {
    FEW_TRY(read_row(p));
    if (!p->n) break;
    FEW_TRY(add_row(p));
  }
  if (!t->n) return bad(p, p->line, "no row");
  qsort(t->at, (size_t)t->n, sizeof *t->at, by_file);
  for (int i = 1; i < t->n; i++)
    if (!strcmp(t->at[i - 1].file, t->at[i].file))
      return few__fail(p->ctx, FEW_E_FORMAT,
                       "%s, line %d: %.300s is listed in line %d already: remove one", p->place,
                       t->at[i].line, t->at[i].file, t->at[i - 1].line);
  return FEW_OK;
}

few_status few__table_parse(few_ctx *ctx, struct few_table *out, const char *place,
                            const char *text, size_t n) {
  struct parser *p;
  *out = (struct few_table){0};
  FEW_TRY(FEW_NEW(ctx, &p, 1));
  p->ctx = ctx;
  p->place = place;
  p->at = text;
  p->end = text + n;
  p->line = 1;
  p->out = out;
  few_status st = parse(p);
  if (st) few__table_free(ctx, out);
  few__free(ctx, p);
  return st;
}

void few__table_free(few_ctx *ctx, struct few_table *t) {
  for (int i = 0; i < t->n; i++) {
    few__free(ctx, t->at[i].file);
    few__free(ctx, t->at[i].label);
  }
  few__free(ctx, t->at);
  *t = (struct few_table){0};
}

/* The row of the file path[0 .. n). */
static struct few_table_row *find(const struct few_table *t, const char *path, size_t n) {
  for (int low = 0, high = t->n; low < high;) {
    const int middle = low + (high - low) / 2;
    const char *file = t->at[middle].file;
    int order = strncmp(file, path, n);
    if (!order && file[n]) order = 1;
    if (!order) return &t->at[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

struct few_table_row *few__table_find(const struct few_table *t, const char *path) {
  const size_t n = strlen(path);
  const char *dot = strrchr(path, '.');
  struct few_table_row *r = find(t, path, n);
  return r || !dot || strchr(dot, '/') ? r : find(t, path, (size_t)(dot - path));
}
