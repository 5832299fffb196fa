/* cmd_encode.c - few encode MODEL IMAGES: the noise to which a model's flow maps images. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

struct encode_opts {
  struct common common;
  struct few_sample_opts sampling;
  int64_t n;
  const char *label, *out;
};
static const struct encode_opts initial = {.sampling = FEW_SAMPLE_OPTS_INIT};
#define S struct encode_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE",
               "where to write the noise: an .npy file, float32 [n,h,w,c] of about unit variance"),
    OPT_INT(S, n, "n", "N", "0", 0, 1e9,
            "images to encode, with the class shares of the data; 0: all"),
    OPT_INT(S, sampling.steps, "steps", "K", "0", 0, 10000,
            "steps from image to noise; 0: the default of the sampler or the encoder"),
    OPT_TEXT(S, label, "label", "LABEL", "own",
             "class of the images: a class by name or number; own: the labels of the data set; "
             "none: no label"),
    OPT_REAL(S, sampling.guidance, "guidance", "G", "1", 0, 100,
             "guidance scale towards the label; 1: no guidance"),
    OPT_TEXT(S, sampling.sampler, "sampler", "SAMPLER", NULL,
             "the solver: ddim, heun or euler (default: the model's own if it is one of these, "
             "otherwise ddim)"),
    OPT_INT(S, sampling.batch, "batch", "B", "0", 0, 1e6,
            "images in memory at once; 0: chosen by few. Never changes a result"),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object at the end"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "MODEL is a teacher, whose solver is run backwards, or a distilled encoder (objective\n"
    "progressive, direction encode). IMAGES are .png or .jpg files, folders, .npy or .npz\n"
    "files, or data sets (few list data). To make new images from the noise, use\n"
    "few transfer.\n"
    "\n"
    "  few encode teacher.safetensors photos --out noise.npy\n"
    "  few encode encoder.safetensors fashion-mnist:test --n 100 --out noise.npy\n";

static int encode(struct cli *cli, few_runner *runner, const struct encode_opts *o,
                  struct cli_images *p) {
  const few_model *m = few_runner_model(runner);
  struct few_sample_opts s = o->sampling;
  struct cli_result r = {o->out, "encoded", {.n = p->n}, 0, 0, 1, {{"label", m, 0}}};
  s.n = p->n;
  s.finished = &r.made.finished;
  int code = cli_own_label(cli, m, "encode: --label", o->label, p->n, p->label[0], &r.of[0].label);
  if (code) return code;
  const double start = cli_seconds();
  few_status st = few_encode(p->at, &r.nfe, runner, &s, p->at, p->label[0]);
  progress_clear(&cli->progress);
  r.seconds = cli_seconds() - start;
  st = cli_keep(cli, st, &r.made);
  if (!st) st = few_noise_write(runner, o->out, r.made.finished, p->at);
  if (st) return cli_status(cli, st);
  cli_report(&o->common, &r);
  return cli_interrupted(o->out, &r.made, NULL);
}

static int run(struct cli *cli, const void *opts) {
  const struct encode_opts *o = opts;
  const size_t length = strlen(o->out);
  few_model *m = NULL;
  few_runner *runner = NULL;
  if (length < 5 || strcmp(o->out + length - 4, ".npy") != 0)
    return cli_usage("encode: --out %.200s: noise goes into an .npy file", o->out);
  few_status st = few_model_load(&m, cli->ctx, cli->operands[0]);
  if (st) return cli_status(cli, st);
  struct few_model_info info;
  struct cli_images p;
  const struct cli_labels labels[2] = {{m, !strcmp(o->label, "own")}};
  few_model_info(&info, sizeof info, m);
  int code = cli_check_out("encode", &info, o->out);
  if (!code) {
    code = cli_images(cli, &p, labels, cli->n_operands - 1, cli->operands + 1, o->n);
    if (!code) code = cli_status(cli, few_runner_create(&runner, cli->ctx, m));
    if (!code) code = encode(cli, runner, o, &p);
    cli_images_free(&p);
  }
  few_runner_free(runner);
  few_model_free(m);
  return code;
}

const struct command command_encode = {
    .name = "encode",
    .operands = "MODEL IMAGES ...",
    .help = "Find the noise from which a model makes the given images.",
    .text = text,
    .min_operands = 2,
    .max_operands = 1 << 20,
    .options = options,
    .size = sizeof(struct encode_opts),
    .initial = &initial,
    .stops = true,
    .run = run};
