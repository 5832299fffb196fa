/* cmd_ema.c - few ema RUN --sigma-rel W --out FILE: averages of a run's weights, after the run. */
#include <inttypes.h>

#include "cli.h"

struct ema_opts {
  struct common common;
  double sigma_rel;
  int64_t last;
  const char *out;
};
#define S struct ema_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE", "where to write the model"),
    OPT_REAL(S, sigma_rel, "sigma-rel", "W", "0.1", 0.001, 0.288,
             "width of the average: the standard deviation of its profile over the training, in "
             "units of the training's length"),
    OPT_INT(S, last, "last", "STEP", "0", 0, 1e9,
            "step at which the training ends for the average; 0: that of the newest snapshot"),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object in place of the summary"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "RUN is the directory of a training with snapshot_every = K in its recipe. The model's\n"
    "weights are a power-function average (EDM2, arXiv 2312.02696), combined from the\n"
    "snapshots. Averages of several widths can be compared without training again.\n"
    "\n"
    "  few train recipe.ini --run runs/teacher snapshot_every=100\n"
    "  few ema runs/teacher --sigma-rel 0.07 --out teacher-070.safetensors\n"
    "  few eval teacher-070.safetensors --ref fashion-mnist:test --features fashion\n";

static void report(const struct ema_opts *o, const struct few_posthoc_report *r) {
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_text(&j, "out", o->out);
    json_number(&j, "sigma_rel", o->sigma_rel);
    json_number(&j, "step", (double)r->step);
    json_number(&j, "snapshots", r->snapshots);
    json_number(&j, "error", r->error);
    json_close(&j);
  } else if (!o->common.quiet) {
    printf("%s: average of sigma_rel %g at step %" PRId64
           ", from %d snapshots; error of its profile %.2g %%\n",
           o->out, o->sigma_rel, r->step, r->snapshots, 100 * r->error);
  }
}

static int run(struct cli *cli, const void *opts) {
  const struct ema_opts *o = opts;
  struct few_posthoc_report r;
  few_model *m = NULL;
  const int code = cli_check_file(o->out);
  if (code) return code;
  few_status st = few_posthoc_average(&m, &r, cli->ctx, cli->operands[0], o->sigma_rel, o->last);
  if (!st) st = few_model_save(m, o->out);
  few_model_free(m);
  if (!st) report(o, &r);
  return cli_status(cli, st);
}

const struct command command_ema = {.name = "ema",
                                    .operands = "RUN",
                                    .help = "Average the weights of a run, after the run.",
                                    .text = text,
                                    .min_operands = 1,
                                    .max_operands = 1,
                                    .options = options,
                                    .size = sizeof(struct ema_opts),
                                    .run = run};
