/* cmd_train.c - few train RECIPE: train a teacher or a student; resumes by itself. */
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "recipes.h"

struct train_opts {
  struct common common;
  const char *run;
};
#define S struct train_opts
static const struct opt options[] = {
    OPT_TEXT(S, run, "run", "DIR", OPT_NEEDED, "folder of the run: log, checkpoints, the model"),
    OPT_WORKERS(S),
    OPT_BACKEND(S),
    OPT_QUIET(S),
    OPT_JSON(S, "a JSON object at the end"),
    OPT_HELP(S),
    OPT_END};
#undef S

static const char text[] =
    "RECIPE is a file of lines key = value, # begins a remark and [headings] only group;\n"
    "or the name of one that comes with few (few list recipes): toy-scd, fashion-teacher.\n"
    "KEY=VALUE stands before what the recipe says. few list train tells the trainer's keys,\n"
    "few list nets unet and few list objectives scd the others.\n"
    "\n"
    "A run that was stopped, by a signal or by the power, goes on with the same command\n"
    "and ends in the same bits. The model is DIR/model.safetensors.\n"
    "\n"
    "  few train toy-teacher --run runs/toy-teacher\n"
    "  few train my.ini --run runs/b steps=20000 seed=2\n";

/* Mistakes that only the program can tell apart from a bad recipe. */
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
    cli_failed("the run is safe in %s; the same command resumes it", o->run);
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
    .help = "Train a teacher or a student from a recipe; resumes by itself.",
    .text = text,
    .min_operands = 1,
    .max_operands = RECIPE_OPERANDS,
    .options = options,
    .size = sizeof(struct train_opts),
    .stops = true,
    .run = run};
