/* cmd_tangent.c - few tangent MODEL --data DATA: measures df/dt, the target of consistency
 * training. */
#include "cli.h"

struct tangent_opts {
  struct common common;
  struct few_tangent_opts tangent;
  const char *data, *teacher;
};
static const struct tangent_opts initial = {.tangent = FEW_TANGENT_OPTS_INIT};
#define S struct tangent_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, data, "data", "DATA", "data set on which to measure: see few list data"),
    OPT_TEXT(S, teacher, "teacher", "MODEL", NULL,
             "follow this teacher's flow (default: the straight paths between data and noise)"),
    OPT_INT(S, tangent.rows, "rows", "N", "256", 1, 1 << 20, "rows at each of 16 times"),
    OPT_SEED(S, tangent.seed, "seed", "S", "1", "seed of the order of the data and of the noise"),
    OPT_WORKERS(S),
    OPT_PRECISION(S),
    OPT_JSON(S, "print an array of JSON objects"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "Continuous-time consistency training follows df/dt of\n"
    "f(x, t) = cos t x - sin t sigma_d F:\n"
    "    df/dt = -cos t (sigma_d F - v) - sin t (x + sigma_d dF/dt).\n"
    "\n"
    "For each time the table has root mean squares over the data, in units of sigma_d: of\n"
    "df/dt, of its first term (velocity) and of its second (slope). The next two columns\n"
    "are the largest element of dF/dt, and of cos t sin t dF/dt computed as one tangent.\n"
    "The last column is the relative difference of cos t df/dt computed in these two ways.\n"
    "\n"
    "  few tangent models/toy-teacher.safetensors --data toy:mixture\n"
    "\n"
    "bench/tangent.sh plots several networks.\n";

static void print_bins_json(const struct few_tangent_bin *bin) {
  struct json j = {.out = stdout};
  json_open(&j, NULL, '[');
  for (int i = 0; i < FEW_TANGENT_BINS; i++) {
    json_open(&j, NULL, '{');
    json_number(&j, "from", bin[i].from);
    json_number(&j, "to", bin[i].to);
    json_int(&j, "rows", bin[i].rows);
    json_number(&j, "size", bin[i].size);
    json_number(&j, "velocity", bin[i].velocity);
    json_number(&j, "slope", bin[i].slope);
    json_number(&j, "largest_raw", bin[i].largest_raw);
    json_number(&j, "largest_rearranged", bin[i].largest_rearranged);
    json_number(&j, "difference", bin[i].difference);
    json_close(&j);
  }
  json_close(&j);
}

static void print_bins(const struct few_tangent_bin *bin) {
  printf("%-13s %9s %9s %9s %12s %14s %10s\n", "t", "df/dt", "velocity", "slope", "largest dF/dt",
         "cos sin dF/dt", "apart");
  for (int i = 0; i < FEW_TANGENT_BINS; i++)
    printf("%5.3f - %5.3f %9.3g %9.3g %9.3g %13.3g %14.3g %10.1e\n", bin[i].from, bin[i].to,
           bin[i].size, bin[i].velocity, bin[i].slope, bin[i].largest_raw,
           bin[i].largest_rearranged, bin[i].difference);
}

static few_status measure(struct cli *cli, const struct tangent_opts *o, few_model *m,
                          struct few_tangent_bin *bin) {
  struct few_tangent_opts t = o->tangent;
  few_data *data = NULL;
  few_model *teacher = NULL;
  few_runner *runner = NULL;
  few_status st = few_data_open(&data, cli->ctx, o->data, NULL);
  if (!st && o->teacher) st = few_model_load(&teacher, cli->ctx, o->teacher);
  if (!st && teacher) st = few_runner_create(&t.teacher, cli->ctx, teacher);
  if (!st) st = few_runner_create(&runner, cli->ctx, m);
  t.data = data;
  if (!st) st = few_model_tangent(bin, runner, &t);
  few_runner_free(runner);
  few_runner_free(t.teacher);
  few_model_free(teacher);
  few_data_free(data);
  return st;
}

static int run(struct cli *cli, const void *opts) {
  const struct tangent_opts *o = opts;
  struct few_tangent_bin bin[FEW_TANGENT_BINS];
  few_model *m = NULL;
  few_status st = few_model_load(&m, cli->ctx, cli->operands[0]);
  if (!st) st = measure(cli, o, m, bin);
  progress_clear(&cli->progress);
  few_model_free(m);
  if (st) return cli_status(cli, st);
  if (o->common.json)
    print_bins_json(bin);
  else
    print_bins(bin);
  return CLI_DONE;
}

const struct command command_tangent = {
    .name = "tangent",
    .operands = "MODEL",
    .help = "Measure df/dt, the target of consistency training, at 16 values of t.",
    .text = text,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .size = sizeof(struct tangent_opts),
    .initial = &initial,
    .run = run};
