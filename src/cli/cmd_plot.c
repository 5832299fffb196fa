/* cmd_plot.c - few plot RUN|LOG|REPORT ...: curves of runs, and of reports over evaluations. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct plot_opts {
  struct common common;
  const char *keys, *out;
  enum { X_AUTO, X_STEP, X_IMAGES, X_SECONDS, X_NFE } x;
  bool log;
  double smooth;
};
#define S struct plot_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE.svg", "the drawing"),
    OPT_TEXT(
        S, keys, "keys", "KEYS", NULL,
        "numbers to draw, separated by commas: keys of log.jsonl, such as loss, mse_by_time or "
        "eval (default: all but speed and time)"),
    OPT_CHOICE(S, x, "x", "auto", "auto|step|images|seconds|nfe",
               "the x axis; images: steps times batch; seconds: time of training; nfe: evaluations "
               "of the network per image, for reports; auto: step, or nfe for reports"),
    OPT_FLAG(S, log, "log", "logarithmic y axes"),
    OPT_REAL(S, smooth, "smooth", "W", "0", 0, 0.9999,
             "draw a moving average as well, in which the values before have this weight, as in "
             "TensorBoard"),
    OPT_QUIET(S),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "A RUN is the folder of few train --run, a LOG its log.jsonl, a REPORT the output of\n"
    "few eval --json. Each number has a panel, each run a colour. Browsers show SVG; to\n"
    "make other formats, use for example rsvg-convert curves.svg -o curves.png.\n"
    "\n"
    "  few plot runs/teacher --out curves.svg\n"
    "  few plot runs/a runs/b --keys loss,to_teacher,eval --smooth 0.9 --out curves.svg\n"
    "  few plot one.json two.json four.json --keys fd --out steps.svg\n";

static int check_out(const char *out) {
  const size_t n = strlen(out);
  if (n > 4 && !strcmp(out + n - 4, ".svg")) return cli_check_file(out);
  if (n > 4 && (!strcmp(out + n - 4, ".png") || !strcmp(out + n - 4, ".pdf")))
    return cli_usage(
        "plot: --out %.200s: few draws .svg; write that, and convert it: rsvg-convert -f %s "
        "curves.svg -o %.200s",
        out, out + n - 3, out);
  return cli_usage("plot: --out %.200s: give a name that ends in .svg", out);
}

static few_curves_x choose_x(const struct plot_opts *o, const few_record *first) {
  struct few_record_info info;
  few_record_info(&info, sizeof info, first);
  if (o->x == X_AUTO) return info.report ? FEW_CURVES_NFE : FEW_CURVES_STEP;
  return (few_curves_x)(o->x - X_STEP);
}

static int plot(struct cli *cli, const struct plot_opts *o, few_record **records) {
  struct few_curves_opts c = FEW_CURVES_OPTS_INIT;
  int code = CLI_DONE;
  for (int i = 0; !code && i < cli->n_operands; i++)
    code = cli_status(cli, few_record_open(&records[i], cli->ctx, cli->operands[i]));
  if (code) return code;
  c.n = cli->n_operands;
  c.record = records;
  c.keys = o->keys;
  c.x = choose_x(o, records[0]);
  c.log = o->log;
  c.smooth = o->smooth;
  const few_status st = few_curves_write(cli->ctx, o->out, &c);
  if (st == FEW_E_INVALID) return cli_usage("plot: %s", few_error(cli->ctx));
  if (!st && !o->common.quiet) printf("%s\n", o->out);
  return cli_status(cli, st);
}

static int run(struct cli *cli, const void *opts) {
  const struct plot_opts *o = opts;
  int code = check_out(o->out);
  if (code) return code;
  few_record **records = calloc((size_t)cli->n_operands, sizeof(few_record *));
  if (!records) return cli_failed("out of memory");
  code = plot(cli, o, records);
  for (int i = 0; i < cli->n_operands; i++) few_record_free(records[i]);
  free(records);
  return code;
}

const struct command command_plot = {.name = "plot",
                                     .operands = "RUN|LOG|REPORT ...",
                                     .help = "Draw curves of runs, or of evaluation reports.",
                                     .text = text,
                                     .min_operands = 1,
                                     .max_operands = 1 << 20,
                                     .options = options,
                                     .size = sizeof(struct plot_opts),
                                     .run = run};
