/* markdown.c - docs/commands.md, made from the option tables. */
#include <ctype.h>
#include <string.h>

#include "kinds.h"
#include "manual.h"

/* Prints plain text in Markdown. Characters that would make a tag, emphasis or the border of a
 * table cell are escaped. */
static void put(FILE *out, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (strchr("<|*\\", text[i])) fputc('\\', out);
    fputc(text[i], out);
  }
}

static void put_text(FILE *out, const char *text) { put(out, text, strlen(text)); }

/* Prints code in backquotes, inside a table. */
static void put_code(FILE *out, const char *text) {
  fputc('`', out);
  for (; *text; text++) fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
  fputc('`', out);
}

/* Prints remarks and examples. Lines that begin with two blanks are examples. */
static void put_remarks(FILE *out, const char *text) {
  bool code = false, blank = true;
  for (; text && *text; text += *text == '\n') {
    const size_t n = strcspn(text, "\n");
    const bool example = !strncmp(text, "  ", 2);
    if (example != code && n && !blank) fputc('\n', out);
    if (example)
      fprintf(out, "    %.*s", (int)n - 2, text + 2);
    else
      put(out, text, n);
    fputc('\n', out);
    if (n) code = example;
    blank = !n;
    text += n;
  }
}

static void put_command(FILE *out, const struct command *c) {
  struct cli_options all;
  fprintf(out, "\n## few %s\n\n%s\n\n    few %s%s%s [options]\n\n", c->name, c->help, c->name,
          *c->operands ? " " : "", c->operands);
  if (c->alias) fprintf(out, "`few %s` is the same command.\n\n", c->alias);
  fputs("| option | default | meaning |\n|---|---|---|\n", out);
  for (const struct few_option *o = cli_options(&all, c); o->key; o++) {
    char key[64], option[200];
    opt_key(key, o);
    const char *value = opt_value(o);
    snprintf(option, sizeof option, "--%s%s%s", key, *value ? " " : "", value);
    fputs("| ", out);
    put_code(out, option);
    fputs(" | ", out);
    if (o->needed)
      fputs("required", out);
    else if (o->deflt)
      put_code(out, o->deflt);
    fputs(" | ", out);
    put_text(out, o->help);
    fputs(" |\n", out);
  }
  if (!c->text) return;
  fputc('\n', out);
  put_remarks(out, c->text);
}

static few_status put_options(few_ctx *ctx, FILE *out, const struct few_option *table) {
  fputs("| key | default | value | meaning |\n|---|---|---|---|\n", out);
  for (const struct few_option *o = table; o->key; o++) {
    char *allowed;
    few_status st = few_option_allowed(&allowed, ctx, o);
    if (st) return st;
    fprintf(out, "| `%s` | ", o->key);
    if (o->deflt && *o->deflt) put_code(out, o->deflt);
    fputs(" | ", out);
    put_text(out, allowed);
    fputs(" | ", out);
    put_text(out, o->help);
    fputs(" |\n", out);
    few_text_free(ctx, allowed);
  }
  return FEW_OK;
}

static few_status put_kind(few_ctx *ctx, FILE *out, const struct cli_kind *k) {
  struct few_component c;
  few_status st = FEW_OK;
  const bool readers = k->kind == FEW_COMPONENT_READER; /* all readers share one table of options */
  fprintf(out, "\n## %s: %s\n\n", k->name, k->title);
  if (k->kind == FEW_COMPONENT_TRAINER) {
    cli_component(&c, k, 0);
    return put_options(ctx, out, c.options);
  }
  fputs("| name | meaning | source |\n|---|---|---|\n", out);
  for (int i = 0; cli_component(&c, k, i); i++) {
    fputs("| ", out);
    put_code(out, c.usage);
    fputs(" | ", out);
    put_text(out, c.help);
    if (c.steps) fprintf(out, "; %d steps by default", c.steps);
    fputs(" | ", out);
    put_text(out, c.source);
    fputs(" |\n", out);
  }
  for (int i = 0; !st && cli_component(&c, k, i) && !(readers && i); i++) {
    if (!c.options || !c.options->key) continue;
    fprintf(out, readers ? "\nOptions of every data set:\n\n" : "\n### %s: options\n\n", c.name);
    st = put_options(ctx, out, c.options);
  }
  return st;
}

/* Prints the anchor of a heading in Markdown: lower case, dashes for blanks, no punctuation. */
static void put_anchor(FILE *out, const char *heading) {
  for (; *heading; heading++)
    if (*heading == ' ')
      fputc('-', out);
    else if (isalnum((unsigned char)*heading) || *heading == '-')
      fputc(tolower((unsigned char)*heading), out);
}

static void put_contents(FILE *out) {
  const struct command *c;
  const struct cli_kind *k;
  fputs("\n- Commands:", out);
  for (int i = 0; (c = cli_command(i)); i++)
    fprintf(out, "%s [%s](#few-%s)", i ? "," : "", c->name, c->name);
  fputs("\n- [Recipes](#recipes), and what they can choose:", out);
  for (int i = 0; (k = cli_kind(i)); i++) {
    if (k->kind == FEW_COMPONENT_BACKEND) continue;
    fprintf(out, "%s [%s](#%s-", i ? "," : "", k->name, k->name);
    put_anchor(out, k->title);
    fputc(')', out);
  }
  fputc('\n', out);
}

few_status cli_markdown(struct cli *cli, FILE *out) {
  few_status st = FEW_OK;
  const struct command *c;
  const struct cli_kind *k;
  fputs(
      "# Commands\n\n"
      "Every command of the program `few` with its options, and everything that recipes can "
      "choose\nwith its keys. This page is made by `few help --format markdown`: change the "
      "option tables in\n`src/`, then run `make docs`. Exit codes: 0 done, 1 failed, "
      "2 usage, 130 interrupted.\n",
      out);
  put_contents(out);
  for (int i = 0; (c = cli_command(i)); i++) put_command(out, c);
  fputs(
      "\n# Recipes\n\n"
      "A recipe is an INI file of lines `key = value`. Its keys are those of the trainer, of its "
      "network\nand of its objective; each of the tables below is also printed by `few list KIND "
      "[NAME]`.\n",
      out);
  for (int i = 0; !st && (k = cli_kind(i)); i++)
    if (k->kind != FEW_COMPONENT_BACKEND) st = put_kind(cli->ctx, out, k); /* differs by machine */
  return st;
}
