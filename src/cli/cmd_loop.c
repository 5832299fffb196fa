/* cmd_loop.c - few loop RECIPE: trains each generation on samples of the previous one. */
#include <string.h>

#include "cli.h"
#include "recipes.h"
#include "sampling.h"

struct loop_opts {
  struct common common;
  struct few_loop_opts loop;
  enum class_shares labels;
};
static const struct loop_opts initial = {.loop = FEW_LOOP_OPTS_INIT};
#define S struct loop_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, loop.run, "run", "DIR",
               "directory of the loop, with a subdirectory for each generation"),
    OPT_INT(S, loop.generations, "generations", "G", "5", 1, 999, "how many generations"),
    OPT_CHOICE(S, loop.kind, "kind", "synthetic", "synthetic|augment|fresh",
               "training data of later generations: synthetic: samples of the previous generation; "
               "augment: these and the same real data; fresh: these and new real data"),
    OPT_INT(S, loop.n_real, "real", "N", "0", 0, 4e9,
            "real items in each generation; 0: all, or with --kind fresh an equal part of them"),
    OPT_INT(S, loop.n_synthetic, "synthetic", "N", "0", 0, 4e9,
            "samples that each generation makes; 0: as many as real items"),
    OPT_CHOICE(S, labels, "labels", "shares", "shares|even",
               "how often samples have each class: shares: as often as the real data; even: all "
               "equally often"),
    OPT_REAL(S, loop.guidance, "guidance", "G", "1", 0.001, 100,
             "guidance scale of the samples; 1/G is the bias of arXiv 2307.01850"),
    OPT_INT(S, loop.steps, "steps", "K", "0", 0, 10000, "sampling steps; 0: the sampler's default"),
    OPT_TEXT(S, loop.features, "features", "FEATURES", NULL,
             "feature network with which distances are measured: see few list features (default: "
             "fashion for Fashion-MNIST, otherwise pixels)"),
    OPT_TEXT(S, loop.metrics, "metrics", "METRICS", NULL,
             "metrics, separated by commas: see few list metrics (default: fd,pr; for points "
             "fd,energy,pr)"),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "Self-consuming loops (arXiv 2307.01850): the first generation is trained on the data of\n"
    "RECIPE, each later one on samples of the previous one. DIR/loop.csv has one row for each\n"
    "generation: distance to the real data, precision and recall. bench/loop.gp plots it.\n"
    "\n"
    "The same command, also with more --generations, resumes a loop that was stopped.\n"
    "\n"
    "  few loop toy-teacher --run runs/loop --generations 8 --kind fresh --real 2000\n";

static int check_words(const struct cli *cli) {
  for (int i = 1; i < cli->n_operands; i++) {
    const char *word = cli->operands[i];
    if (!strchr(word, '=') || *word == '=')
      return cli_usage("loop takes one RECIPE and then KEY=VALUE; \"%.60s\" is neither", word);
  }
  return CLI_DONE;
}

static int run(struct cli *cli, const void *opts) {
  const struct loop_opts *o = opts;
  int code = check_words(cli);
  if (code) return code;
  char path[RECIPE_PATH];
  struct recipe_overrides overrides;
  cli_overrides(&overrides, cli, &o->common);
  struct few_loop_opts l = o->loop;
  l.recipe = cli_find_recipe(path, cli->operands[0]);
  l.overrides = overrides.at;
  l.n_overrides = overrides.n;
  l.even = o->labels == SHARES_EVEN;
  few_status st = few_loop(cli->ctx, &l);
  progress_clear(&cli->progress);
  code = cli_status(cli, st);
  if (st == FEW_E_CANCELLED)
    cli_failed("the loop is saved in %s; the same command resumes it", l.run);
  if (!st && !o->common.quiet) printf("%s/loop.csv\n", l.run);
  return code;
}

const struct command command_loop = {
    .name = "loop",
    .operands = "RECIPE [KEY=VALUE ...]",
    .help = "Train each generation of a model on samples of the previous one.",
    .text = text,
    .min_operands = 1,
    .max_operands = RECIPE_OPERANDS,
    .options = options,
    .size = sizeof(struct loop_opts),
    .initial = &initial,
    .stops = true,
    .run = run};
