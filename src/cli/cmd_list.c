/* cmd_list.c - few list [KIND [NAME]]: what there is to choose from, and the options of one. */
#include <string.h>

#include "cli.h"
#include "recipes.h"

struct list_opts {
  struct common common;
};
static const struct opt options[] = {OPT_HELP(struct list_opts), OPT_END};

static const char text[] =
    "Kinds: nets, objectives, samplers, schedules (of sampling times), optimizers, processes,\n"
    "predictions, weights, balancers (ways of adding losses), data, metrics, features,\n"
    "recipes, and train (the keys of the trainer).\n"
    "\n"
    "  few list objectives       each in a line, and where it comes from\n"
    "  few list objectives scd   its options, as recipes write them\n";

/* A row of a list; options: NULL where there are none to tell. */
struct row {
  const char *name, *source, *help;
  int steps; /* of a sampler, unless told; else 0 */
};
typedef int count_function(const char *component);
typedef struct row row_function(const char *component, int i);
typedef few_status options_function(few_ctx *ctx, const char *component, int i, char **out);

static int component_count(const char *component) { return few_component_count(NULL, component); }
static struct row component_row(const char *component, int i) {
  struct few_component_info c = few_component(NULL, component, i);
  return (struct row){c.name, c.source, c.help, 0};
}

static int sampler_count(const char *component) {
  (void)component;
  return few_sampler_list_count();
}
static struct row sampler_row(const char *component, int i) {
  (void)component;
  struct few_sampler_info s = few_sampler_list(i);
  return (struct row){s.name, s.source, s.help, s.steps};
}

static few_status sampler_options(few_ctx *ctx, const char *component, int i, char **out) {
  (void)component;
  return few_sampler_options(ctx, i, out);
}

static int schedule_count(const char *component) {
  (void)component;
  return few_schedule_list_count();
}
static struct row schedule_row(const char *component, int i) {
  (void)component;
  struct few_schedule_info s = few_schedule_list(i);
  return (struct row){.name = s.name, .help = s.help};
}

static int reader_count(const char *component) {
  (void)component;
  return few_data_list_count(NULL);
}
static struct row reader_row(const char *component, int i) {
  (void)component;
  struct few_data_reader_info r = few_data_list(NULL, i);
  return (struct row){r.usage, NULL, r.help, 0};
}

static int metric_count(const char *component) {
  (void)component;
  return few_metric_list_count(NULL);
}
static struct row metric_row(const char *component, int i) {
  (void)component;
  struct few_metric_info m = few_metric_list(NULL, i);
  return (struct row){.name = m.name, .source = m.source, .help = m.help};
}

static int recipe_count(const char *component) {
  (void)component;
  return cli_recipe_count();
}
static struct row recipe_row(const char *component, int i) {
  (void)component;
  const struct recipe_row *r = cli_recipe(i);
  return (struct row){.name = r->name, .help = r->help};
}

static int feature_count(const char *component) {
  (void)component;
  return few_feature_list_count();
}
static struct row feature_row(const char *component, int i) {
  (void)component;
  struct few_feature_info f = few_feature_list(i);
  return (struct row){.name = f.name, .help = f.help};
}

static const struct kind {
  const char *name, *component; /* component: of few_component */
  const char *title;
  count_function *count;
  row_function *row;
  options_function *options; /* NULL: none has any */
} kinds[] = {
    {"nets", "net", "networks", component_count, component_row, few_component_options},
    {"objectives", "objective", "what a network can be trained for", component_count, component_row,
     few_component_options},
    {"samplers", NULL, "ways from noise to an image", sampler_count, sampler_row, sampler_options},
    {"schedules", NULL, "where sampling times come from", schedule_count, schedule_row, NULL},
    {"optimizers", "optimizer", "ways down the gradient", component_count, component_row,
     few_component_options},
    {"processes", "process", "how an image turns into noise", component_count, component_row, NULL},
    {"predictions", "prediction", "what a raw network says", component_count, component_row, NULL},
    {"weights", "weight", "how much a time counts in a loss", component_count, component_row, NULL},
    {"balancers", "balancer", "how losses are added", component_count, component_row, NULL},
    {"data", NULL, "data sets", reader_count, reader_row, NULL},
    {"metrics", NULL, "what few eval measures", metric_count, metric_row, NULL},
    {"features", NULL, "what few eval compares images by", feature_count, feature_row, NULL},
    {"recipes", NULL, "what few train can be given by name", recipe_count, recipe_row, NULL},
    {"train", "train", "the trainer's own keys", component_count, component_row,
     few_component_options},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const char *kind_name(const void *unused, int i) {
  (void)unused;
  return i < N_KINDS ? kinds[i].name : NULL;
}
static const char *row_name(const void *user, int i) {
  const struct kind *k = user;
  return i < k->count(k->component) ? k->row(k->component, i).name : NULL;
}

static void print_kind(const struct kind *k) {
  printf("%s: %s\n", k->name, k->title);
  int widest = 0, n = k->count(k->component);
  for (int i = 0; i < n; i++) {
    int w = (int)strlen(k->row(k->component, i).name);
    if (w > widest && w < 30) widest = w;
  }
  for (int i = 0; i < n; i++) {
    struct row r = k->row(k->component, i);
    char help[400], steps[40] = "";
    bool source = r.source && *r.source;
    if (r.steps) snprintf(steps, sizeof steps, "; %d steps unless told", r.steps);
    snprintf(help, sizeof help, "%s%s%s%s%s", r.help, steps, source ? " (" : "",
             source ? r.source : "", source ? ")" : "");
    opt_wrap(stdout, printf("  %s", r.name), widest + 4, help);
  }
  if (!n && k->count == recipe_count) { /* other lists are part of the library */
    char none[4400], places[4300];
    cli_recipe_places(places, sizeof places);
    snprintf(none, sizeof none, "none in: %s; few train takes the path of an INI file", places);
    opt_wrap(stdout, printf("  "), 4, none);
  }
}

/* "objective" and "objectives" both. */
static const struct kind *find_kind(const char *word) {
  size_t length = strlen(word);
  for (int i = 0; i < N_KINDS; i++) {
    const char *name = kinds[i].name;
    if (!strcmp(word, name)) return &kinds[i];
    if (!strncmp(word, name, length) &&
        (!strcmp(name + length, "s") || !strcmp(name + length, "es")))
      return &kinds[i];
  }
  return NULL;
}

static int print_options(struct cli *cli, const struct kind *k, int i) {
  struct row r = k->row(k->component, i);
  char heading[400];
  snprintf(heading, sizeof heading, "%s: %s", r.name, r.help);
  opt_wrap(stdout, 0, 0, heading);
  if (!k->options) return CLI_DONE;
  char *lines = NULL;
  few_status st = k->options(cli->ctx, k->component, i, &lines);
  if (st) return cli_status(cli, st);
  fputs(lines, stdout);
  few_text_free(cli->ctx, lines);
  return CLI_DONE;
}

/* "cifar" is "cifar:DIR|FILE[,FILE]" too, "fashion-mnist" is "fashion-mnist[:test]". */
static bool is_called(const char *name, const char *word) {
  size_t n = strlen(word);
  return !strncmp(name, word, n) && (name[n] == '\0' || name[n] == ':' || name[n] == '[');
}

static int run(struct cli *cli, const void *opts) {
  (void)opts;
  if (cli->n_operands == 0) {
    for (int i = 0; i < N_KINDS; i++) {
      if (i > 0) putchar('\n');
      print_kind(&kinds[i]);
    }
    return CLI_DONE;
  }
  const char *word = cli->operands[0];
  const struct kind *k = find_kind(word);
  if (!k) {
    const char *near = opt_nearest(word, kind_name, NULL);
    return cli_usage("there is no kind %.60s; %s%s%s", word, near ? "did you mean " : "",
                     near ? near : "few list shows all", near ? "?" : "");
  }
  int only = k->component && k->count(k->component) == 1 && !strcmp(k->name, "train") ? 0 : -1;
  if (cli->n_operands == 1) {
    if (only == 0) return print_options(cli, k, 0);
    print_kind(k);
    return CLI_DONE;
  }
  word = cli->operands[1];
  for (int i = 0; i < k->count(k->component); i++)
    if (is_called(k->row(k->component, i).name, word)) return print_options(cli, k, i);
  const char *near = opt_nearest(word, row_name, k);
  return cli_usage("%s has no %.60s; %s%s%s", k->name, word, near ? "did you mean " : "few list ",
                   near ? near : k->name, near ? "?" : " shows all");
}

const struct command command_list = {
    .name = "list",
    .operands = "[KIND [NAME]]",
    .help = "Tell what there is: nets, objectives, samplers, optimizers, data, metrics.",
    .text = text,
    .max_operands = 2,
    .options = options,
    .size = sizeof(struct list_opts),
    .run = run};
