/* man.c - manual pages, made from the option tables. */
#include <ctype.h>
#include <string.h>

#include "manual.h"

static void put_char(FILE *out, char c) {
  if (c == '\\')
    fputs("\\e", out);
  else if (c == '-')
    fputs("\\-", out);
  else
    fputc(c, out);
}

/* Prints a line of text. The escape keeps one that begins with a dot or a quote from being a
 * request. */
static void put(FILE *out, const char *text, size_t n) {
  if (n && strchr(".'", *text)) fputs("\\&", out);
  for (size_t i = 0; i < n; i++) put_char(out, text[i]);
}

static void put_line(FILE *out, const char *text) {
  put(out, text, strlen(text));
  fputc('\n', out);
}

static void put_remarks(FILE *out, const char *text) {
  bool code = false;
  for (; *text; text += *text == '\n') {
    const size_t n = strcspn(text, "\n");
    const bool example = !strncmp(text, "  ", 2);
    if (example && !code) fputs(".PP\n.nf\n", out);
    if (!example && code) fputs(".fi\n", out);
    if (n)
      put(out, text, n);
    else if (!code && !example)
      fputs(".PP", out);
    if (n || (!code && !example)) fputc('\n', out);
    code = example;
    text += n;
  }
  if (code) fputs(".fi\n", out);
}

static void put_heading(FILE *out, const char *name) {
  fputs(".TH ", out);
  for (; *name; name++) fputc(toupper((unsigned char)*name), out);
  fprintf(out, " 1 \"\" \"few %s\" \"few\"\n.SH NAME\n", few_version());
}

void cli_man(FILE *out) {
  const struct command *c;
  put_heading(out, "FEW");
  fputs(
      "few \\- few-step diffusion: train, distil, sample, measure\n"
      ".SH SYNOPSIS\n.B few\n.I COMMAND\n\\&...\n"
      ".SH DESCRIPTION\n"
      "few trains diffusion and flow models, turns them into generators that need one to a few "
      "steps, samples from them and measures them.\n"
      ".SH COMMANDS\n",
      out);
  for (int i = 0; (c = cli_command(i)); i++) {
    fprintf(out, ".TP\n.BR few\\-%s (1)\n", c->name);
    put_line(out, c->help);
  }
  fputs(
      ".SH EXIT STATUS\n"
      "0 done, 1 failed, 2 usage, 130 interrupted by a signal; finished work is then kept.\n"
      ".SH ENVIRONMENT\n"
      ".TP\n.B FEW_CPU_ISA\nUse CPU kernels for a lesser instruction set: base, avx2, avx512,\n"
      "avx512bf16, amx.\n"
      ".TP\n.B FEW_CACHE\nFolder for decoded images of data sets; empty: keep none.\n",
      out);
}

void cli_man_command(FILE *out, const struct command *c) {
  struct cli_options all;
  char name[40];
  snprintf(name, sizeof name, "FEW\\-%s", c->name);
  put_heading(out, name);
  fprintf(out, "few\\-%s \\- ", c->name);
  put_line(out, c->help);
  fprintf(out, ".SH SYNOPSIS\n.B few %s\n", c->name);
  if (*c->operands) put_line(out, c->operands);
  fputs("[options]\n", out);
  if (c->alias) fprintf(out, ".PP\n.B few %s\nis the same command.\n", c->alias);
  fputs(".SH OPTIONS\n", out);
  for (const struct few_option *o = cli_options(&all, c); o->key; o++) {
    char key[64];
    opt_key(key, o);
    fputs(".TP\n.B \\-\\-", out);
    put(out, key, strlen(key));
    const char *value = opt_value(o);
    if (*value) fputc(' ', out);
    put_line(out, value);
    put(out, o->help, strlen(o->help));
    if (o->needed || o->deflt) fputs(o->needed ? " (required)" : " (default: ", out);
    if (!o->needed && o->deflt) put(out, o->deflt, strlen(o->deflt));
    fputs(!o->needed && o->deflt ? ")\n" : "\n", out);
  }
  if (c->text) fputs(".SH NOTES\n", out);
  if (c->text) put_remarks(out, c->text);
  fputs(".SH SEE ALSO\n.BR few (1)\n", out);
}
