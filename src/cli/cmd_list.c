/* cmd_list.c - few list [KIND [NAME]]: lists the components of a kind, or the options of one. */
#include <string.h>

#include "cli.h"
#include "kinds.h"
#include "recipes.h"

struct list_opts {
  struct common common;
};
static const struct few_option options[] = {OPT_HELP(struct list_opts), FEW_OPT_END};

static const char text[] =
    "Kinds: nets, objectives, samplers, schedules (of sampling times), optimizers, processes,\n"
    "predictions, weights, balancers (ways of adding losses), data, metrics, features,\n"
    "backends, recipes, and train (the keys of the trainer).\n"
    "\n"
    "  few list objectives       one line for each, with its source\n"
    "  few list objectives scd   its options, as recipes write them\n";

static const char *kind_name(const void *unused, int i) {
  (void)unused;
  const struct cli_kind *k = cli_kind(i);
  return k ? k->name : NULL;
}
static const char *component_name(const void *kind, int i) {
  struct few_component c;
  return cli_component(&c, kind, i) ? c.usage : NULL;
}

static void print_component(const struct few_component *c, int indent) {
  char help[400], steps[40] = "";
  const bool source = *c->source;
  if (c->steps) snprintf(steps, sizeof steps, "; %d steps by default", c->steps);
  snprintf(help, sizeof help, "%s%s%s%s%s", c->help, steps, source ? " (" : "", c->source,
           source ? ")" : "");
  opt_wrap(stdout, printf("  %s", c->usage), indent, help);
}

static void print_kind(const struct cli_kind *k) {
  struct few_component c;
  int widest = 0, n = 0;
  printf("%s: %s\n", k->name, k->title);
  for (; cli_component(&c, k, n); n++) {
    const int w = (int)strlen(c.usage);
    if (w > widest && w < 30) widest = w;
  }
  for (int i = 0; i < n; i++) {
    cli_component(&c, k, i);
    print_component(&c, widest + 4);
  }
  if (!n) { /* only recipes can be missing, since the other kinds are part of the library */
    char none[4400], places[4300];
    cli_recipe_places(places, sizeof places);
    snprintf(none, sizeof none, "none in: %s; few train takes the path of an INI file", places);
    opt_wrap(stdout, printf("  "), 4, none);
  }
}

static few_status print_option(few_ctx *ctx, const struct few_option *o) {
  char help[800], *allowed;
  few_status st = few_option_allowed(&allowed, ctx, o);
  if (st) return st;
  const bool deflt = o->deflt && *o->deflt;
  snprintf(help, sizeof help, "%s (%s%s%s)", o->help, allowed, deflt ? "; default " : "",
           deflt ? o->deflt : "");
  opt_wrap(stdout, printf("  %s", o->key), 22, help);
  few_text_free(ctx, allowed);
  return FEW_OK;
}

static int print_options(struct cli *cli, const struct few_component *c) {
  char heading[400];
  few_status st = FEW_OK;
  snprintf(heading, sizeof heading, "%s: %s", c->usage, c->help);
  opt_wrap(stdout, 0, 0, heading);
  for (const struct few_option *o = c->options; o && o->key && !st; o++)
    st = print_option(cli->ctx, o);
  return cli_status(cli, st);
}

/* Finds a component by its name, "cifar", or its usage, "cifar:DIR|FILE[,FILE]". */
static int find_component(struct few_component *out, const struct cli_kind *k, const char *word) {
  for (int i = 0; cli_component(out, k, i); i++)
    if (!strcmp(out->name, word) || !strcmp(out->usage, word)) return CLI_DONE;
  const char *near = opt_nearest(word, component_name, k);
  if (near) return cli_usage("%s has no %.60s; did you mean %s?", k->name, word, near);
  return cli_usage("%s has no %.60s; few list %s shows all", k->name, word, k->name);
}

static int run(struct cli *cli, const void *opts) {
  (void)opts;
  const struct cli_kind *k;
  struct few_component c;
  for (int i = 0; cli->n_operands == 0 && (k = cli_kind(i)); i++) {
    if (i > 0) putchar('\n');
    print_kind(k);
  }
  if (cli->n_operands == 0) return CLI_DONE;
  const char *word = cli->operands[0];
  if (!(k = cli_find_kind(word))) {
    const char *near = opt_nearest(word, kind_name, NULL);
    if (near) return cli_usage("there is no kind %.60s; did you mean %s?", word, near);
    return cli_usage("there is no kind %.60s; few list shows all", word);
  }
  const bool trainer = k->kind == FEW_COMPONENT_TRAINER; /* a kind of one component */
  if (cli->n_operands == 1 && !trainer) {
    print_kind(k);
    return CLI_DONE;
  }
  const int code = find_component(&c, k, cli->n_operands > 1 ? cli->operands[1] : "train");
  return code ? code : print_options(cli, &c);
}

const struct command command_list = {
    .name = "list",
    .operands = "[KIND [NAME]]",
    .help = "List networks, objectives, samplers, data, metrics, and their options.",
    .text = text,
    .max_operands = 2,
    .options = options,
    .size = sizeof(struct list_opts),
    .run = run};
