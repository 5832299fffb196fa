/* cmd_import.c - few import [FORMAT] SOURCE --out MODEL: another program's network as a model. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

enum { OPERANDS_MAX = 64 };

struct import_opts {
  struct common common;
  struct few_import_opts import;
  const char *out;
};
static const struct import_opts initial = {.import = FEW_IMPORT_OPTS_INIT};
#define S struct import_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE", "where to write the model: a name that ends in .safetensors"),
    OPT_TEXT(S, import.scheduler, "scheduler", "FILE", NULL,
             "scheduler_config.json of the network, if SOURCE has none or the wrong one"),
    OPT_CHOICE(S, import.process, "process", "found",
               "found|ddpm|edm|flow|trigflow|consistency|vp-linear|ve",
               "without a scheduler: the process whose state and time the network takes"),
    OPT_TEXT(S, import.predicts, "predicts", "PREDICTION", NULL,
             "what the network predicts: see few list predictions (default: as SOURCE says, or as "
             "usual for the process)"),
    OPT_REAL(S, import.sigma_data, "sigma-data", "SIGMA", "0", 0, 1000,
             "standard deviation of the data, in -1 to 1; 0: as SOURCE says, or 0.5"),
    OPT_INT(S, import.size, "size", "PIXELS", "0", 0, 65536,
            "side of the images; 0: as SOURCE says"),
    OPT_TEXT(S, import.labels, "labels", "FILE", NULL, "names of the classes, one per line"),
    OPT_QUIET(S),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "SOURCE is a folder or a file of another program. FORMAT and the layouts of networks are\n"
    "listed by few list layouts; without FORMAT all are tried. KEY=VALUE says what a file of\n"
    "weights does not: flags of the program that trained them. Nothing in SOURCE is executed.\n"
    "\n"
    "  few import diffusers ddpm-cifar10-32 --out teacher.safetensors\n"
    "  few import edm edm-cifar10-32x32-cond-vp.pkl --out teacher.safetensors\n"
    "  few import guided-diffusion 64x64_diffusion.pt --size 64 num_head_channels=64 \\\n"
    "    use_new_attention_order=true noise_schedule=cosine --out teacher.safetensors\n"
    "  few sample teacher.safetensors --out grid.png\n";

static void report(const few_model *m, const char *out) {
  struct few_model_info i;
  few_model_info(&i, sizeof i, m);
  cli_say(stdout, out);
  printf(": %s of %" PRId64 " parameters, %" PRId64 "x%" PRId64 "x%" PRId64, i.net, i.parameters,
         i.h, i.w, i.c);
  if (i.classes) printf(", %" PRId64 " classes", i.classes);
  printf(", predicts %s, sampler %s\n", i.predicts, i.sampler);
}

/* KEY=VALUE, and not the path of a file. */
static bool is_setting(const char *word) {
  const size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz_");
  return n > 0 && word[n] == '=';
}

static int run(struct cli *cli, const void *opts) {
  const struct import_opts *o = opts;
  struct few_import_opts import = o->import;
  const char *settings[OPERANDS_MAX];
  few_model *m = NULL;
  const int code = cli_check_file(o->out);
  const bool format = cli->n_operands > 1 && !is_setting(cli->operands[1]);
  if (code) return code;
  if (format) import.format = cli->operands[0];
  import.source = cli->operands[format];
  import.settings = settings;
  for (int i = 1 + format; i < cli->n_operands; i++)
    settings[import.n_settings++] = cli->operands[i];
  few_status st = few_import(&m, cli->ctx, &import);
  if (!st) st = few_model_save(m, o->out);
  if (!st && !o->common.quiet) report(m, o->out);
  few_model_free(m);
  return cli_status(cli, st);
}

const struct command command_import = {.name = "import",
                                       .operands = "[FORMAT] SOURCE [KEY=VALUE]...",
                                       .help = "Make a model from another program's network.",
                                       .text = text,
                                       .min_operands = 1,
                                       .max_operands = OPERANDS_MAX,
                                       .options = options,
                                       .size = sizeof(struct import_opts),
                                       .initial = &initial,
                                       .run = run};
