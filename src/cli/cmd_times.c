/* cmd_times.c - few times MODEL --ref DATA: search the sampling times that suit a model best. */
#include <inttypes.h>
#include <stdlib.h>

#include "recipes.h"
#include "sampling.h"

struct times_opts {
  struct common common;
  const char *ref, *features, *metric, *out;
  int64_t n, n_ref, steps;
  uint64_t seed;
  double guidance, tolerance;
  int labels;
};
#define S struct times_opts
static const struct opt options[] = {
    OPT_TEXT(S, ref, "ref", "DATA", OPT_NEEDED,
             "images or points to come near to: a data set, a folder, a file"),
    OPT_INT(S, steps, "steps", "K", "2", 1, 1024, "how many times, the first that of pure noise"),
    OPT_TEXT(S, out, "out", "FILE", NULL,
             "write the model with these times as its own; may be MODEL itself"),
    OPT_TEXT(S, features, "features", "NAME", NULL,
             "what is compared of images: see few list features; NAME=FILE has the weights; "
             "otherwise pixels"),
    OPT_TEXT(S, metric, "metric", "NAME", NULL,
             "fd, kid, sfd or energy; otherwise fd of images, energy of points"),
    OPT_INT(S, n, "n", "N", "10000", 2, 4e9, "samples of each look"),
    OPT_INT(S, n_ref, "n-ref", "N", "0", 0, 4e9, "of the reference, chosen at random; 0: all"),
    OPT_REAL(S, tolerance, "tolerance", "T", "0.02", 1e-4, 1,
             "radians to which a time is to be known"),
    OPT_REAL(S, guidance, "guidance", "G", "1", 0, 100, "towards the label; 1: none added"),
    OPT_LABELS(S, labels),
    OPT_SEED(S, seed, "seed", "S", "0", "of the samples, which all looks share"),
    OPT_WORKERS(S),
    OPT_BACKEND(S),
    OPT_QUIET(S),
    OPT_JSON(S, "a JSON object in place of the table"),
    OPT_HELP(S),
    OPT_END};
#undef S

static const char text[] =
    "Times are found one after the other, each where samples with it and those before come\n"
    "nearest to the reference, by about ten looks of N samples. few sample uses a model's own\n"
    "times unless it is told others.\n"
    "\n"
    "  few times student.safetensors --ref fashion-mnist --features fashion --steps 3 \\\n"
    "    --n 5000 --out student-3.safetensors\n";

static void report(const struct times_opts *o, const few_model *m, const double *values, int looks,
                   const char *labels) {
  struct few_model_info info;
  few_model_info(m, &info);
  const char *metric = o->metric ? o->metric : info.points ? "energy" : "fd";
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_open(&j, "times", '[');
    for (int i = 0; i < info.n_times; i++) json_number(&j, NULL, info.times[i]);
    json_close(&j);
    json_text(&j, "metric", metric);
    json_open(&j, "values", '[');
    for (int i = 0; i < info.n_times; i++) json_number(&j, NULL, values[i]);
    json_close(&j);
    json_int(&j, "looks", looks);
    json_text(&j, "labels", labels);
    json_text(&j, "out", info.n_times == o->steps ? o->out : NULL);
    json_bool(&j, "complete", info.n_times == o->steps);
    json_close(&j);
    return;
  }
  printf("%5s %10s %12s\n", "steps", "time", metric);
  for (int i = 0; i < info.n_times; i++)
    printf("%5d %10.4f %12.6g\n", i + 1, info.times[i], values[i]);
  if (*few_eval_labels_text(labels))
    printf("\nsamples had each class %s\n", few_eval_labels_text(labels));
  printf("\n--times ");
  for (int i = 0; i < info.n_times; i++) printf("%s%.6g", i ? "," : "", info.times[i]);
  putchar('\n');
}

static int search(struct cli *cli, few_model *m, const struct times_opts *o) {
  char features[RECIPE_PATH];
  struct few_schedule_search_opts s = FEW_SCHEDULE_SEARCH_OPTS_INIT;
  s.reference = o->ref;
  s.features = cli_find_features(features, o->features);
  s.metric = o->metric;
  s.steps = (int)o->steps;
  s.n = o->n;
  s.n_reference = o->n_ref;
  s.seed = o->seed;
  s.guidance = o->guidance;
  s.tolerance = o->tolerance;
  s.label = o->labels ? FEW_LABEL_EACH : FEW_LABEL_SHARES;
  double *values = calloc((size_t)o->steps, sizeof *values);
  if (!values) return cli_failed("out of memory");
  int looks = 0;
  const char *labels = "none";
  s.labels = &labels;
  few_status st = few_schedule_search(m, &s, values, &looks);
  progress_clear(&cli->progress);
  const bool some = st == FEW_E_CANCELLED && looks > 0;
  if (!st || some) report(o, m, values, looks, labels);
  if (!st && o->out) st = few_model_save(m, o->out);
  free(values);
  if (!some) return cli_status(cli, st);
  struct few_model_info info;
  few_model_info(m, &info);
  cli_failed("interrupted: these are %d of %" PRId64 " times%s%s", info.n_times, o->steps,
             o->out ? "; nothing is written to " : "", o->out ? o->out : "");
  return CLI_STOPPED;
}

static int run(struct cli *cli, const void *opts) {
  const struct times_opts *o = opts;
  few_model *m = NULL;
  int code = o->out ? cli_check_file(o->out) : CLI_DONE;
  if (code) return code;
  few_status st = few_model_load(cli->ctx, &m, cli->operands[0]);
  if (st) return cli_status(cli, st);
  code = search(cli, m, o);
  few_model_free(m);
  return code;
}

const struct command command_times = {.name = "times",
                                      .operands = "MODEL",
                                      .help = "Search the sampling times that suit a model best.",
                                      .text = text,
                                      .min_operands = 1,
                                      .max_operands = 1,
                                      .options = options,
                                      .size = sizeof(struct times_opts),
                                      .stops = true,
                                      .run = run};
