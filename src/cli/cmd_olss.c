/* cmd_olss.c - few olss MODEL --steps K --out FILE: fits a short schedule to a long run of a model.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct olss_opts {
  struct common common;
  struct few_olss_opts olss;
  const char *out;
};
static const struct olss_opts initial = {.olss = FEW_OLSS_OPTS_INIT};
#define S struct olss_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE", "where to write the schedule: a name that ends in .json"),
    OPT_INT(S, olss.steps, "steps", "K", "8", 1, 1000,
            "steps of the schedule: network evaluations per sample"),
    OPT_INT(S, olss.full, "full", "N", "100", 1, 1000,
            "steps of the long run to which the schedule is fitted"),
    OPT_INT(S, olss.n, "n", "N", "0", 0, 1e6, "samples of the long run; 0: chosen by few"),
    OPT_TEXT(S, olss.sampler, "sampler", "SAMPLER", "ddim",
             "sampler of the long run: ddim, dpmpp, dpm2 or euler"),
    OPT_TEXT(S, olss.schedule, "schedule", "SCHEDULE", NULL,
             "schedule of the long run: see few list schedules (default: the sampler's)"),
    OPT_FLAG(S, olss.even, "even",
             "spread the times evenly over those of the long run, without a search"),
    OPT_REAL(S, olss.guidance, "guidance", "G", "1", 0, 100,
             "guidance scale for which the schedule is fitted; 1: no guidance"),
    OPT_SEED(S, olss.seed, "seed", "S", "0", "seed of the noise of the long run"),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object in place of the table"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "The long run is sampling in --full steps. For each step of the schedule, the table shows\n"
    "the distance of its result from the long run's state at the same time, and the same\n"
    "distance for a DDIM step. Distances are root mean squares in the units of the network,\n"
    "in which the data have standard deviation sigma_data.\n"
    "\n"
    "  few olss teacher.safetensors --steps 8 --out eight.json\n"
    "  few sample teacher.safetensors --schedule eight.json --out grid.png\n";

static void report(const struct olss_opts *o, const struct few_olss_step *step) {
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_open(&j, "steps", '[');
    for (int i = 0; i < o->olss.steps; i++) {
      json_open(&j, NULL, '{');
      json_number(&j, "t", step[i].t);
      json_number(&j, "rms", step[i].rms);
      json_number(&j, "ddim_rms", step[i].ddim_rms);
      json_close(&j);
    }
    json_close(&j);
    json_text(&j, "out", o->out);
    json_close(&j);
  } else if (!o->common.quiet) {
    printf("%5s %10s %12s %12s\n", "step", "time", "misses", "DDIM");
    for (int i = 0; i < o->olss.steps; i++)
      printf("%5d %10.5f %12.4g %12.4g\n", i + 1, step[i].t, step[i].rms, step[i].ddim_rms);
  }
}

static int fit(struct cli *cli, const few_model *m, const struct olss_opts *o) {
  struct few_olss_step *step = calloc((size_t)o->olss.steps, sizeof *step);
  if (!step) return cli_failed("out of memory");
  few_runner *runner = NULL;
  few_status st = few_runner_create(&runner, cli->ctx, m);
  if (!st) st = few_olss(step, runner, &o->olss, o->out);
  few_runner_free(runner);
  progress_clear(&cli->progress);
  if (!st) report(o, step);
  free(step);
  return cli_status(cli, st);
}

static int run(struct cli *cli, const void *opts) {
  const struct olss_opts *o = opts;
  const size_t n = strlen(o->out);
  if (n < 6 || strcmp(o->out + n - 5, ".json") != 0)
    return cli_usage("olss: --out %s: a schedule's file ends in .json", o->out);
  few_model *m = NULL;
  int code = cli_check_file(o->out);
  if (code) return code;
  few_status st = few_model_load(&m, cli->ctx, cli->operands[0]);
  if (st) return cli_status(cli, st);
  code = fit(cli, m, o);
  few_model_free(m);
  return code;
}

const struct command command_olss = {.name = "olss",
                                     .operands = "MODEL",
                                     .help = "Fit a schedule of few steps to a model's long run.",
                                     .text = text,
                                     .min_operands = 1,
                                     .max_operands = 1,
                                     .options = options,
                                     .size = sizeof(struct olss_opts),
                                     .initial = &initial,
                                     .stops = true,
                                     .run = run};
