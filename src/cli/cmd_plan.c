/* cmd_plan.c - few plan RECIPE: estimates memory, time, operations and disk space of a run. */
#include <string.h>

#include "cli.h"
#include "recipes.h"

struct plan_opts {
  struct common common;
};
#define S struct plan_opts
static const struct few_option options[] = {
    OPT_WORKERS(S), OPT_BACKEND(S),
    OPT_QUIET(S),   OPT_JSON(S, "print a JSON object in place of the table"),
    OPT_HELP(S),    FEW_OPT_END};
#undef S

static const char text[] =
    "RECIPE and KEY=VALUE are as in few train. The command makes and times some steps, a\n"
    "checkpoint and a preview, in a folder few-plan-... in the current folder, which it\n"
    "removes afterwards. So use it on the machine that is to train, while nothing else is\n"
    "running.\n"
    "\n"
    "Memory is the peak resident memory of the process. Disk is the size of the run's\n"
    "directory at the end, with up to three checkpoints.\n"
    "\n"
    "  few plan fashion-teacher\n"
    "  few plan my.ini steps=20000 batch=256 --workers 8\n";

static int check_words(const struct cli *cli) {
  for (int i = 1; i < cli->n_operands; i++) {
    const char *word = cli->operands[i];
    if (!strchr(word, '=') || *word == '=')
      return cli_usage("plan takes one RECIPE and then KEY=VALUE; \"%.60s\" is neither", word);
  }
  return CLI_DONE;
}

static void print_json(const struct few_train_estimate *e) {
  struct json j = {.out = stdout};
  json_open(&j, NULL, '{');
  json_int(&j, "steps", e->steps);
  json_int(&j, "batch", e->batch);
  json_int(&j, "parameters", e->parameters);
  json_number(&j, "step_flops", e->step_flops);
  json_number(&j, "step_seconds", e->step_seconds);
  json_number(&j, "seconds", e->seconds);
  json_number(&j, "open_seconds", e->open_seconds);
  json_number(&j, "pairs_seconds", e->pairs_seconds);
  json_number(&j, "train_seconds", e->train_seconds);
  json_number(&j, "preview_seconds", e->preview_seconds);
  json_number(&j, "eval_seconds", e->eval_seconds);
  json_number(&j, "save_seconds", e->save_seconds);
  json_int(&j, "memory_bytes", e->memory_bytes);
  json_int(&j, "disk_bytes", e->disk_bytes);
  json_int(&j, "checkpoint_bytes", e->checkpoint_bytes);
  json_int(&j, "model_bytes", e->model_bytes);
  json_int(&j, "preview_bytes", e->preview_bytes);
  json_int(&j, "pairs_bytes", e->pairs_bytes);
  json_int(&j, "log_bytes", e->log_bytes);
  json_int(&j, "snapshot_bytes", e->snapshot_bytes);
  json_close(&j);
}

/* 1,234,567 -> "1.2 MB" */
static const char *bytes(char out[32], int64_t n) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double x = (double)n;
  int i = 0;
  for (; x >= 999.5 && i < 4; i++) x /= 1000;
  snprintf(out, 32, i && x < 9.95 ? "%.1f %s" : "%.0f %s", x, units[i]);
  return out;
}

/* Prints ", previews 2m10s", or nothing if the time is 0. */
static void part(const char *name, double seconds) {
  char time[32];
  if (seconds > 0) printf(", %s %s", name, cli_duration(time, seconds));
}
static void part_bytes(const char *name, int64_t n) {
  char size[32];
  if (n > 0) printf(", %s %s", name, bytes(size, n));
}

static void print_table(const struct few_train_estimate *e) {
  char a[32], b[32];
  printf("steps   %lld of %lld rows, %.3g parameters, %.3g FLOP per step\n", (long long)e->steps,
         (long long)e->batch, (double)e->parameters, e->step_flops);
  printf("time    %s: %.3g s per step, training %s", cli_duration(a, e->seconds), e->step_seconds,
         cli_duration(b, e->train_seconds));
  part("opening", e->open_seconds);
  part("pairs", e->pairs_seconds);
  part("previews", e->preview_seconds);
  part("evaluations", e->eval_seconds);
  part("saving", e->save_seconds);
  printf("\nmemory  %s\n", bytes(a, e->memory_bytes));
  printf("disk    %s: checkpoints %s", bytes(a, e->disk_bytes), bytes(b, e->checkpoint_bytes));
  part_bytes("model", e->model_bytes);
  part_bytes("previews", e->preview_bytes);
  part_bytes("pairs", e->pairs_bytes);
  part_bytes("log", e->log_bytes);
  part_bytes("snapshots", e->snapshot_bytes);
  printf("\n");
}

static int run(struct cli *cli, const void *opts) {
  const struct plan_opts *o = opts;
  int code = check_words(cli);
  if (code) return code;
  char path[RECIPE_PATH];
  struct recipe_overrides overrides;
  struct few_train_estimate e;
  cli_overrides(&overrides, cli, &o->common);
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  t.recipe = cli_find_recipe(path, cli->operands[0]);
  t.overrides = overrides.at;
  t.n_overrides = overrides.n;
  few_status st = few_train_estimate(&e, cli->ctx, &t);
  progress_clear(&cli->progress);
  code = cli_status(cli, st);
  if (st) return code;
  if (o->common.json)
    print_json(&e);
  else
    print_table(&e);
  return code;
}

const struct command command_plan = {
    .name = "plan",
    .operands = "RECIPE [KEY=VALUE ...]",
    .help = "Estimate the memory, time and disk that training a recipe will take.",
    .text = text,
    .min_operands = 1,
    .max_operands = RECIPE_OPERANDS,
    .options = options,
    .size = sizeof(struct plan_opts),
    .stops = true,
    .run = run};
