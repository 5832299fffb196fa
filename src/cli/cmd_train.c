/* cmd_train.c - few train RECIPE: trains a teacher or a student, or resumes a run. */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "recipes.h"

struct train_opts {
  struct common common;
  const char *run;
};
#define S struct train_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, run, "run", "DIR", "directory of the run: log, checkpoints, the model"),
    OPT_WORKERS(S),
    OPT_BACKEND(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object at the end"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "RECIPE is an INI file, or the name of a recipe that comes with few (few list recipes),\n"
    "such as toy-scd. Its lines are key = value; # begins a comment, and [headings] have no\n"
    "effect. KEY=VALUE on the command line replaces the recipe's value of a key. The keys are\n"
    "those of few list train, few list nets NAME and few list objectives NAME.\n"
    "\n"
    "The same command resumes a run that was interrupted, and the result has the same bits as\n"
    "without the interruption. The trained model is DIR/model.safetensors.\n"
    "\n"
    "  few train toy-teacher --run runs/toy-teacher\n"
    "  few train my.ini --run runs/b steps=20000 seed=2\n";

/* Checks the operands for mistakes that the library would report as a bad recipe. */
static int check_words(const struct cli *cli) {
  struct stat s;
  const char *recipe = cli->operands[0];
  if (strchr(recipe, '=') && stat(recipe, &s))
    return cli_usage("train needs RECIPE before %.60s: few train RECIPE --run DIR %.60s", recipe,
                     recipe);
  for (int i = 1; i < cli->n_operands; i++) {
    const char *word = cli->operands[i];
    if (!strchr(word, '=') || *word == '=')
      return cli_usage("train takes one RECIPE and then KEY=VALUE; \"%.60s\" is neither", word);
  }
  return CLI_DONE;
}

static void print_json(const struct cli *cli, const struct train_opts *o, double seconds,
                       const char *outcome) {
  char model[4096];
  snprintf(model, sizeof model, "%s/model.safetensors", o->run);
  struct json j = {.out = stdout};
  json_open(&j, NULL, '{');
  json_text(&j, "outcome", outcome);
  json_text(&j, "run", o->run);
  json_text(&j, "model", strcmp(outcome, "done") ? NULL : model);
  json_int(&j, "step", cli->progress.done);
  json_int(&j, "steps", cli->progress.total);
  json_number(&j, "seconds", seconds);
  json_close(&j);
}

static int run(struct cli *cli, const void *opts) {
  const struct train_opts *o = opts;
  int code = check_words(cli);
  if (code) return code;
  char path[RECIPE_PATH];
  struct recipe_overrides overrides;
  cli_overrides(&overrides, cli, &o->common);
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  t.recipe = cli_find_recipe(path, cli->operands[0]);
  t.run = o->run;
  t.overrides = overrides.at;
  t.n_overrides = overrides.n;
  double start = cli_seconds();
  few_status st = few_train(cli->ctx, &t);
  double seconds = cli_seconds() - start;
  progress_clear(&cli->progress);
  code = cli_status(cli, st);
  if (st == FEW_E_CANCELLED)
    cli_failed("the run is saved in %s; the same command resumes it", o->run);
  if (o->common.json) {
    print_json(cli, o, seconds, st ? few_status_name(st) : "done");
  } else if (!st && !o->common.quiet) {
    char time[32];
    printf("%s/model.safetensors: done in %s\n", o->run, cli_duration(time, seconds));
  }
  return code;
}

const struct command command_train = {
    .name = "train",
    .operands = "RECIPE [KEY=VALUE ...]",
    .help = "Train a teacher or a student from a recipe, or resume a run.",
    .text = text,
    .min_operands = 1,
    .max_operands = RECIPE_OPERANDS,
    .options = options,
    .size = sizeof(struct train_opts),
    .stops = true,
    .run = run};
