/* cmd_compare.c - few compare RUN|REPORT ...: one row for each, one column for each metric.
 *
 * Metrics have a column for each space in which they were measured (features with their weights,
 * and reference), because a distance in one space says nothing about that in another.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { METRICS = 64, SPACES = 26, CELL = 64 };

struct compare_opts {
  struct common common;
  bool csv, descending;
  const char *sort;
};
#define S struct compare_opts
static const struct few_option options[] = {
    OPT_TEXT(S, sort, "sort", "COLUMN", NULL,
             "sort the rows by a column, least first; rows without a value come last (default: as "
             "given)"),
    OPT_FLAG(S, descending, "descending", "with --sort: greatest first"),
    OPT_FLAG(S, csv, "csv", "print comma-separated values, with features and references"),
    OPT_JSON(S, "print a JSON array with an object for each row"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "A RUN is the folder of few train --run, or its log.jsonl; its row has the last\n"
    "evaluation of the run (eval_every). A REPORT is the output of few eval --json. Metrics\n"
    "of different features or references have columns of their own. A number after +- is the\n"
    "error of the metric; steps are those of sampling, trained those of training.\n"
    "\n"
    "  few compare one.json two.json four.json --sort fd\n"
    "  few compare runs/* --csv > table.csv\n";

/* ---- rows ---- */

struct row {
  few_record *record;
  struct few_record_info info;
  struct few_record_eval eval; /* of a run the last one; n_numbers 0: none */
};

/* A metric in one space. */
struct metric {
  const char *name;
  int space;
};
struct table {
  int n_rows, n_metrics, n_spaces;
  struct row *row;
  struct metric metric[METRICS];
  struct few_record_eval space[SPACES]; /* one that was measured in it */
};

static int find_space(struct table *t, const struct row *r) {
  int i = 0;
  while (i < t->n_spaces && strcmp(t->space[i].space_id, r->eval.space_id) != 0) i++;
  if (i == t->n_spaces && i < SPACES) t->space[t->n_spaces++] = r->eval;
  return i;
}

static int add_metrics(struct table *t, const struct row *r) {
  if (!r->eval.n_numbers) return CLI_DONE;
  const int space = find_space(t, r);
  for (int k = 0; k < r->eval.n_numbers; k++) {
    int i = 0;
    while (i < t->n_metrics &&
           (t->metric[i].space != space || strcmp(t->metric[i].name, r->eval.number[k].name) != 0))
      i++;
    if (i == METRICS || space == SPACES)
      return cli_failed("more than %d metrics or %d references: compare fewer at a time", METRICS,
                        SPACES);
    if (i == t->n_metrics)
      t->metric[t->n_metrics++] = (struct metric){r->eval.number[k].name, space};
  }
  return CLI_DONE;
}

static int open_rows(struct cli *cli, struct table *t) {
  for (int i = 0; i < cli->n_operands; i++) {
    struct row *r = &t->row[i];
    const int code = cli_status(cli, few_record_open(&r->record, cli->ctx, cli->operands[i]));
    if (code) return code;
    t->n_rows++;
    few_record_info(&r->info, sizeof r->info, r->record);
    if (r->info.n_evals) few_record_eval(&r->eval, sizeof r->eval, r->record, r->info.n_evals - 1);
    const int too_many = add_metrics(t, r);
    if (too_many) return too_many;
  }
  return CLI_DONE;
}

static const struct few_record_number *find_number(const struct table *t, const struct row *r,
                                                   int metric) {
  const struct metric *m = &t->metric[metric];
  if (!r->eval.n_numbers || strcmp(t->space[m->space].space_id, r->eval.space_id) != 0) return NULL;
  for (int k = 0; k < r->eval.n_numbers; k++)
    if (!strcmp(r->eval.number[k].name, m->name)) return &r->eval.number[k];
  return NULL;
}

/* ---- columns: those below, and then the metrics ---- */

enum kind { WORD, NUMBER };
struct column {
  const char *name;
  enum kind kind;
  bool wide; /* only in --csv and --json */
};
enum {
  NAME,
  SOURCE,
  NET,
  OBJECTIVE,
  TRAINED,
  SECONDS,
  SAMPLER,
  STEPS,
  NFE,
  GUIDANCE,
  N,
  FEATURES,
  REFERENCE,
  COLUMNS
};
static const struct column columns[COLUMNS] = {[NAME] = {"name", WORD, false},
                                               [SOURCE] = {"source", WORD, true},
                                               [NET] = {"net", WORD, false},
                                               [OBJECTIVE] = {"objective", WORD, false},
                                               [TRAINED] = {"trained", NUMBER, false},
                                               [SECONDS] = {"seconds", NUMBER, false},
                                               [SAMPLER] = {"sampler", WORD, false},
                                               [STEPS] = {"steps", NUMBER, false},
                                               [NFE] = {"nfe", NUMBER, false},
                                               [GUIDANCE] = {"guidance", NUMBER, true},
                                               [N] = {"n", NUMBER, false},
                                               [FEATURES] = {"features", WORD, true},
                                               [REFERENCE] = {"reference", WORD, true}};

static const char *word_of(const struct row *r, int column) {
  const bool eval = r->info.n_evals > 0;
  switch (column) {
    case NAME:
      return r->info.name;
    case SOURCE:
      return r->info.source;
    case NET:
      return r->info.net;
    case OBJECTIVE:
      return r->info.objective;
    case SAMPLER:
      return eval ? r->eval.sampler : "";
    case FEATURES:
      return eval ? r->eval.features : "";
    case REFERENCE:
      return eval ? r->eval.reference : "";
  }
  return "";
}

/* `seconds` are those of the training or, for a report, of the evaluation. */
static double number_of(const struct table *t, const struct row *r, int column) {
  if (column >= COLUMNS) {
    const struct few_record_number *x = find_number(t, r, column - COLUMNS);
    return x ? x->value : NAN;
  }
  const bool eval = r->info.n_evals > 0;
  switch (column) {
    case TRAINED:
      return r->info.step;
    case SECONDS:
      return r->info.report ? r->eval.seconds : r->info.seconds;
    case STEPS:
      return eval ? r->eval.steps : NAN;
    case NFE:
      return eval ? r->eval.nfe : NAN;
    case GUIDANCE:
      return eval ? r->eval.guidance : NAN;
    case N:
      return eval ? r->eval.n : NAN;
  }
  return NAN;
}

static enum kind kind_of(int column) { return column < COLUMNS ? columns[column].kind : NUMBER; }

/* "fd", or with several spaces "fd (b)", and in files "fd (fashion, fashion-mnist:test)". */
static void title_of(const struct table *t, int column, bool wide, char out[300]) {
  if (column < COLUMNS) {
    snprintf(out, 300, "%s", columns[column].name);
    return;
  }
  const struct metric *m = &t->metric[column - COLUMNS];
  const struct few_record_eval *e = &t->space[m->space];
  if (t->n_spaces < 2)
    snprintf(out, 300, "%s", m->name);
  else if (wide)
    snprintf(out, 300, "%s (%.60s, %.120s, %c)", m->name, e->features, e->reference,
             'a' + m->space);
  else
    snprintf(out, 300, "%s (%c)", m->name, 'a' + m->space);
}

/* ---- sorting ---- */

static bool before(const struct table *t, const struct row *a, const struct row *b, int column,
                   bool descending) {
  int order;
  if (kind_of(column) == WORD) {
    order = strcmp(word_of(a, column), word_of(b, column));
  } else {
    const double x = number_of(t, a, column), y = number_of(t, b, column);
    if (isnan(x) || isnan(y)) return !isnan(x) && isnan(y);
    order = (x > y) - (x < y);
  }
  return descending ? order > 0 : order < 0;
}

/* By insertion, which leaves equal rows in their order. */
static int sort_rows(struct table *t, const char *by, bool descending) {
  char title[300], known[900] = "";
  int column = 0;
  for (; column < COLUMNS + t->n_metrics; column++) {
    title_of(t, column, false, title);
    if (!strcmp(title, by)) break;
    const size_t n = strlen(known);
    snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", title);
  }
  if (column == COLUMNS + t->n_metrics)
    return cli_usage("compare: --sort %.60s: there is no such column; there are %s", by, known);
  for (int i = 1; i < t->n_rows; i++)
    for (int k = i; k > 0 && before(t, &t->row[k], &t->row[k - 1], column, descending); k--) {
      const struct row swap = t->row[k];
      t->row[k] = t->row[k - 1];
      t->row[k - 1] = swap;
    }
  return CLI_DONE;
}

/* ---- as a table ---- */

/* "0.073 +- 0.001" */
static void metric_cell(const struct few_record_number *x, char out[CELL]) {
  *out = 0;
  if (!x || isnan(x->value)) return;
  const int n = snprintf(out, CELL, "%.4g", x->value);
  if (!isnan(x->error)) snprintf(out + n, (size_t)(CELL - n), " +- %.2g", x->error);
}

static void cell_of(const struct table *t, const struct row *r, int column, char out[CELL]) {
  *out = 0;
  if (column >= COLUMNS) {
    metric_cell(find_number(t, r, column - COLUMNS), out);
  } else if (kind_of(column) == WORD) {
    const char *word = word_of(r, column);
    const size_t n = strlen(word), most = 40; /* the end of a path says more than its start */
    snprintf(out, CELL, "%s%s", n > most ? "..." : "", n > most ? word + n - most : word);
  } else if (!isnan(number_of(t, r, column))) {
    char time[32];
    if (column == SECONDS)
      snprintf(out, CELL, "%s", cli_duration(time, number_of(t, r, column)));
    else
      snprintf(out, CELL, "%.10g", number_of(t, r, column));
  }
  if (!*out) snprintf(out, CELL, "-");
}

/* Whether any row has a value: other columns are left out. */
static bool used(const struct table *t, int column) {
  if (column < COLUMNS && columns[column].wide) return false;
  for (int i = 0; i < t->n_rows; i++)
    if (kind_of(column) == WORD ? *word_of(&t->row[i], column) != 0
                                : !isnan(number_of(t, &t->row[i], column)))
      return true;
  return false;
}

static int width(const struct table *t, int column) {
  char out[300];
  title_of(t, column, false, out);
  size_t most = strlen(out);
  for (int i = 0; i < t->n_rows; i++) {
    cell_of(t, &t->row[i], column, out);
    if (strlen(out) > most) most = strlen(out);
  }
  return (int)most;
}

/* Words are flush left, numbers flush right. */
static void print_cell(const char *cell, enum kind kind, int wide, bool first) {
  const int pad = wide - (int)strlen(cell);
  if (!first) fputs("  ", stdout);
  if (kind == NUMBER) printf("%*s", pad, "");
  cli_say(stdout, cell);
  if (kind == WORD) printf("%*s", pad, "");
}

static void print_line(const struct table *t, const struct row *r) {
  bool first = true;
  for (int k = 0; k < COLUMNS + t->n_metrics; k++) {
    char cell[300] = "";
    if (!used(t, k)) continue;
    if (r)
      cell_of(t, r, k, cell);
    else
      title_of(t, k, false, cell);
    print_cell(cell, kind_of(k), width(t, k), first);
    first = false;
  }
  putchar('\n');
}

/* Whether two rows of one space have metrics of different numbers of images. */
static bool n_differs(const struct table *t) {
  double n[SPACES];
  for (int i = 0; i < SPACES; i++) n[i] = NAN;
  for (int i = 0; i < t->n_rows; i++) {
    const struct few_record_eval *e = &t->row[i].eval;
    int k = 0;
    while (k < t->n_spaces && (!e->n_numbers || strcmp(t->space[k].space_id, e->space_id) != 0))
      k++;
    if (k == t->n_spaces) continue;
    if (!isnan(n[k]) && n[k] != e->n) return true;
    n[k] = e->n;
  }
  return false;
}

static void print_notes(const struct table *t) {
  for (int i = 0; i < t->n_spaces; i++) {
    const struct few_record_eval *e = &t->space[i];
    if (t->n_spaces > 1) printf("%c: ", 'a' + i);
    cli_say(stdout, e->features);
    if (*e->reference) printf(" features, against %.0f of ", e->n_reference);
    cli_say(stdout, *e->reference ? e->reference : " features");
    putchar('\n');
  }
  if (n_differs(t)) puts("Metrics depend on the number of images: compare rows with the same n.");
  for (int i = 0; i < t->n_rows; i++)
    if (t->row[i].eval.n_numbers && !t->row[i].eval.complete) {
      cli_say(stdout, t->row[i].info.name);
      puts(" was interrupted, so its numbers are not complete.");
    }
}

static void print_table(const struct table *t) {
  print_line(t, NULL);
  for (int i = 0; i < t->n_rows; i++) print_line(t, &t->row[i]);
  if (t->n_spaces) putchar('\n');
  print_notes(t);
}

/* ---- as CSV (RFC 4180) and JSON ---- */

static void csv_word(const char *word) {
  const bool quoted = strpbrk(word, ",\"\r\n") != NULL;
  if (quoted) putchar('"');
  for (; *word; word++) {
    if (*word == '"') putchar('"');
    putchar(*word);
  }
  if (quoted) putchar('"');
}

static void csv_number(double x) {
  if (!isnan(x)) printf("%.17g", x);
}

static void print_csv(const struct table *t) {
  char title[300], error[320];
  for (int k = 0; k < COLUMNS + t->n_metrics; k++) {
    title_of(t, k, true, title);
    if (k) putchar(',');
    csv_word(title);
    snprintf(error, sizeof error, "%s error", title);
    if (k >= COLUMNS) putchar(',');
    if (k >= COLUMNS) csv_word(error);
  }
  putchar('\n');
  for (int i = 0; i < t->n_rows; i++, putchar('\n'))
    for (int k = 0; k < COLUMNS + t->n_metrics; k++) {
      if (k) putchar(',');
      if (kind_of(k) == WORD) {
        csv_word(word_of(&t->row[i], k));
        continue;
      }
      csv_number(number_of(t, &t->row[i], k));
      if (k < COLUMNS) continue;
      const struct few_record_number *x = find_number(t, &t->row[i], k - COLUMNS);
      putchar(',');
      csv_number(x ? x->error : NAN);
    }
}

static void print_json(const struct table *t) {
  struct json j = {.out = stdout};
  json_open(&j, NULL, '[');
  for (int i = 0; i < t->n_rows; i++) {
    const struct row *r = &t->row[i];
    json_open(&j, NULL, '{');
    for (int k = 0; k < COLUMNS; k++) {
      const char *word = word_of(r, k);
      if (kind_of(k) == WORD)
        json_text(&j, columns[k].name, *word ? word : NULL);
      else
        json_number(&j, columns[k].name, number_of(t, r, k));
    }
    json_bool(&j, "complete", r->eval.n_numbers && r->eval.complete);
    json_open(&j, "metrics", '{');
    for (int k = 0; k < r->eval.n_numbers; k++) {
      json_open(&j, r->eval.number[k].name, '{');
      json_number(&j, "value", r->eval.number[k].value);
      json_number(&j, "error", r->eval.number[k].error);
      json_close(&j);
    }
    json_close(&j);
    json_close(&j);
  }
  json_close(&j);
}

static int compare(struct cli *cli, const struct compare_opts *o, struct table *t) {
  int code = open_rows(cli, t);
  if (!code && o->sort) code = sort_rows(t, o->sort, o->descending);
  if (code) return code;
  if (o->csv)
    print_csv(t);
  else if (o->common.json)
    print_json(t);
  else
    print_table(t);
  return CLI_DONE;
}

static int run(struct cli *cli, const void *opts) {
  const struct compare_opts *o = opts;
  struct table t = {0};
  if (o->csv && o->common.json)
    return cli_usage("compare: --csv and --json exclude each other: leave out one");
  if (o->descending && !o->sort) return cli_usage("compare: --descending needs --sort COLUMN");
  t.row = calloc((size_t)cli->n_operands, sizeof *t.row);
  if (!t.row) return cli_failed("out of memory");
  const int code = compare(cli, o, &t);
  for (int i = 0; i < t.n_rows; i++) few_record_free(t.row[i].record);
  free(t.row);
  return code;
}

const struct command command_compare = {.name = "compare",
                                        .operands = "RUN|REPORT ...",
                                        .help = "Compare runs and evaluation reports in a table.",
                                        .text = text,
                                        .min_operands = 1,
                                        .max_operands = 1 << 20,
                                        .options = options,
                                        .size = sizeof(struct compare_opts),
                                        .run = run};
