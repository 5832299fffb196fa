/* cmd_show.c - few show MODEL: prints what a model file contains. */
#include <inttypes.h>

#include "cli.h"

struct show_opts {
  struct common common;
  struct few_show_opts show;
  bool metadata;
};
static const struct show_opts initial = {.show = FEW_SHOW_OPTS_INIT};
#define S struct show_opts
static const struct few_option options[] = {
    OPT_FLAG(S, show.graph, "graph",
             "print every node of the network's graph, not one line per layer"),
    OPT_INT(S, show.rows, "rows", "N", "1", 1, 4096,
            "rows of the batch for which the graph is built"),
    OPT_FLAG(S, metadata, "metadata", "print only the file's JSON metadata"), OPT_HELP(S),
    FEW_OPT_END};
#undef S

static void print_classes(const few_model *m) {
  struct few_model_info info;
  few_model_info(&info, sizeof info, m);
  if (info.classes == 0 || !few_model_class_name(m, 0)) return;
  printf("\nclasses\n");
  for (int64_t i = 0; i < info.classes; i++) {
    const char *name = few_model_class_name(m, i);
    printf("%6" PRId64 "  ", i);
    cli_say(stdout, name ? name : "");
    putchar('\n');
  }
}

static int run(struct cli *cli, const void *opts) {
  const struct show_opts *o = opts;
  few_model *m = NULL;
  few_status st = few_model_load(&m, cli->ctx, cli->operands[0]);
  if (st) return cli_status(cli, st);
  if (o->metadata) {
    char *json = NULL;
    st = few_model_metadata(&json, m);
    if (!st) cli_say(stdout, json);
    if (!st) putchar('\n');
    few_text_free(cli->ctx, json);
  } else {
    char *lines = NULL;
    st = few_model_show(&lines, m, &o->show);
    if (!st) cli_say(stdout, lines);
    if (!st) few_text_free(cli->ctx, lines);
    if (!st) print_classes(m);
  }
  few_model_free(m);
  return cli_status(cli, st);
}

const struct command command_show = {.name = "show",
                                     .operands = "MODEL",
                                     .help = "Show a model: network, training, classes, layers.",
                                     .min_operands = 1,
                                     .max_operands = 1,
                                     .options = options,
                                     .size = sizeof(struct show_opts),
                                     .initial = &initial,
                                     .run = run};
