/* cmd_search.c - few search MODEL --ref DATA: finds the sampling times that suit a model best. */
#include "recipes.h"
#include "sampling.h"

struct search_opts {
  struct common common;
  struct few_schedule_search_opts search;
  const char *out;
  enum class_shares labels;
};
static const struct search_opts initial = {.search = FEW_SCHEDULE_SEARCH_OPTS_INIT};
#define S struct search_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, search.reference, "ref", "DATA",
               "images or points to which samples should be close: a data set, a folder, a file"),
    OPT_INT(S, search.steps, "steps", "K", "2", 1, 1024,
            "number of times to find; the first is always that of pure noise"),
    OPT_TEXT(S, out, "out", "FILE", NULL,
             "write the model with these times as its own; may be MODEL itself"),
    OPT_TEXT(S, search.features, "features", "FEATURES", NULL,
             "feature network with which images are compared: see few list features; NAME=FILE "
             "gives its weights (default: pixels)"),
    OPT_TEXT(S, search.metric, "metric", "METRIC", NULL,
             "what to minimise: fd, kid, sfd or energy (default: fd for images, energy for "
             "points)"),
    OPT_INT(S, search.n, "n", "N", "10000", 2, 4e9, "samples in each measurement"),
    OPT_INT(S, search.n_reference, "n-ref", "N", "0", 0, 4e9,
            "images of the reference, chosen at random; 0: all"),
    OPT_REAL(S, search.tolerance, "tolerance", "T", "0.02", 1e-4, 1,
             "precision of each time, in radians"),
    OPT_REAL(S, search.guidance, "guidance", "G", "1", 0, 100,
             "guidance scale towards the label; 1: no guidance"),
    OPT_LABELS(S, labels),
    OPT_SEED(S, search.seed, "seed", "S", "0", "seed of the samples; all measurements share it"),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object in place of the table"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "The search chooses times one by one. Each is set where the samples, with the times\n"
    "found before, are closest to the reference. Each takes about ten measurements of N\n"
    "samples. few sample uses a model's own times unless its options give others.\n"
    "\n"
    "  few search student.safetensors --ref fashion-mnist --features fashion --steps 3 \\\n"
    "    --n 5000 --out student-3.safetensors\n";

static void report(const struct search_opts *o, const few_model *m,
                   const struct few_schedule_found *found) {
  struct few_model_info info;
  few_model_info(&info, sizeof info, m);
  const char *metric = o->search.metric ? o->search.metric : info.points ? "energy" : "fd";
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_open(&j, "times", '[');
    for (int i = 0; i < found->n; i++) json_number(&j, NULL, found->times[i]);
    json_close(&j);
    json_text(&j, "metric", metric);
    json_open(&j, "values", '[');
    for (int i = 0; i < found->n; i++) json_number(&j, NULL, found->values[i]);
    json_close(&j);
    json_int(&j, "looks", found->looks);
    json_text(&j, "labels", found->labels);
    json_text(&j, "out", found->n == o->search.steps ? o->out : NULL);
    json_bool(&j, "complete", found->n == o->search.steps);
    json_close(&j);
    return;
  }
  printf("%5s %10s %12s\n", "steps", "time", metric);
  for (int i = 0; i < found->n; i++)
    printf("%5d %10.4f %12.6g\n", i + 1, found->times[i], found->values[i]);
  if (*few_eval_labels_text(found->labels))
    printf("\nsamples had each class %s\n", few_eval_labels_text(found->labels));
  printf("\n--times ");
  for (int i = 0; i < found->n; i++) printf("%s%.6g", i ? "," : "", found->times[i]);
  putchar('\n');
}

static few_status save(const few_model *m, const struct few_schedule_found *found,
                       const char *path) {
  few_model *with = NULL;
  few_status st = few_model_with_times(&with, m, found->n, found->times);
  if (!st) st = few_model_save(with, path);
  few_model_free(with);
  return st;
}

static int search(struct cli *cli, few_runner *runner, const struct search_opts *o) {
  char features[RECIPE_PATH];
  struct few_schedule_search_opts s = o->search;
  struct few_schedule_found found;
  s.features = cli_find_features(features, s.features);
  s.label = o->labels == SHARES_EVEN ? FEW_LABEL_EACH : FEW_LABEL_SHARES;
  few_status st = few_schedule_search(&found, runner, &s);
  progress_clear(&cli->progress);
  const bool some = st == FEW_E_CANCELLED && found.looks > 0;
  if (!st || some) report(o, few_runner_model(runner), &found);
  if (!st && o->out) st = save(few_runner_model(runner), &found, o->out);
  if (!some) return cli_status(cli, st);
  cli_failed("interrupted: these are %d of %d times%s%s", found.n, s.steps,
             o->out ? "; nothing is written to " : "", o->out ? o->out : "");
  return CLI_STOPPED;
}

static int run(struct cli *cli, const void *opts) {
  const struct search_opts *o = opts;
  few_model *m = NULL;
  few_runner *runner = NULL;
  int code = o->out ? cli_check_file(o->out) : CLI_DONE;
  if (code) return code;
  few_status st = few_model_load(&m, cli->ctx, cli->operands[0]);
  if (!st) st = few_runner_create(&runner, cli->ctx, m);
  code = st ? cli_status(cli, st) : search(cli, runner, o);
  few_runner_free(runner);
  few_model_free(m);
  return code;
}

const struct command command_search = {.name = "search",
                                       .alias = "times",
                                       .operands = "MODEL",
                                       .help = "Search for the best sampling times of a model.",
                                       .text = text,
                                       .min_operands = 1,
                                       .max_operands = 1,
                                       .options = options,
                                       .size = sizeof(struct search_opts),
                                       .initial = &initial,
                                       .stops = true,
                                       .run = run};
