/* cmd_loop.c - few loop RECIPE: train generation after generation on what the last one made. */
#include <string.h>

#include "cli.h"
#include "recipes.h"

struct loop_opts {
  struct common common;
  const char *run, *features, *metrics;
  int64_t generations, real, synthetic, steps;
  double guidance;
  int kind, labels;
};
#define S struct loop_opts
static const struct opt options[] = {
    OPT_TEXT(S, run, "run", "DIR", OPT_NEEDED, "folder of the loop: a folder a generation"),
    OPT_INT(S, generations, "generations", "G", "5", 1, 999, "how many"),
    OPT_CHOICE(S, kind, "kind", "synthetic", "synthetic|augment|fresh",
               "later ones see only the last one's samples, the same real data too, or new ones"),
    OPT_INT(S, real, "real", "N", "0", 0, 4e9, "real items of a generation; 0: all there are"),
    OPT_INT(S, synthetic, "synthetic", "N", "0", 0, 4e9, "samples each makes; 0: as many"),
    OPT_CHOICE(S, labels, "labels", "shares", "shares|even",
               "how often samples have each class: as often as the real data, or equally often"),
    OPT_REAL(S, guidance, "guidance", "G", "1", 0.001, 100,
             "of their sampling: a bias of 1/G towards what is frequent"),
    OPT_INT(S, steps, "steps", "N", "0", 0, 10000, "of their sampling; 0: the sampler's own"),
    OPT_TEXT(S, features, "features", "NAME", NULL, "what distances are in: few list features"),
    OPT_TEXT(S, metrics, "metrics", "A,B", NULL, "otherwise fd,pr, and energy of points"),
    OPT_WORKERS(S),
    OPT_BACKEND(S),
    OPT_QUIET(S),
    OPT_HELP(S),
    OPT_END};
#undef S

static const char text[] =
    "Self-consuming loops (arXiv 2307.01850): the first generation is trained on the data of\n"
    "RECIPE, each later one on samples of the one before. DIR/loop.csv has the distance to\n"
    "the real data, precision and recall by generation; bench/loop.gp draws it.\n"
    "\n"
    "A loop that was stopped goes on with the same command; with more --generations too.\n"
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
  struct few_loop_opts l = FEW_LOOP_OPTS_INIT;
  l.recipe = cli_find_recipe(path, cli->operands[0]);
  l.run = o->run;
  l.overrides = overrides.at;
  l.n_overrides = overrides.n;
  l.generations = (int)o->generations;
  l.kind = o->kind;
  l.n_real = o->real;
  l.n_synthetic = o->synthetic;
  l.guidance = o->guidance;
  l.steps = (int)o->steps;
  l.features = o->features;
  l.metrics = o->metrics;
  l.even = o->labels == 1;
  few_status st = few_loop(cli->ctx, &l);
  progress_clear(&cli->progress);
  code = cli_status(cli, st);
  if (st == FEW_E_CANCELLED)
    cli_failed("the loop is safe in %s; the same command resumes it", o->run);
  if (!st && !o->common.quiet) printf("%s/loop.csv\n", o->run);
  return code;
}

const struct command command_loop = {
    .name = "loop",
    .operands = "RECIPE [KEY=VALUE ...]",
    .help = "Train generation after generation on samples of the last one.",
    .text = text,
    .min_operands = 1,
    .max_operands = RECIPE_OPERANDS,
    .options = options,
    .size = sizeof(struct loop_opts),
    .stops = true,
    .run = run};
