/* cmd_transfer.c - few transfer A B IMAGES: model A maps images to noise, model B maps that noise
 * to images. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct transfer_opts {
  struct common common;
  struct few_sample_opts encode, decode;
  int64_t n, columns;
  const char *from, *to, *out;
  bool beside;
  enum cli_existing existing;
};
static const struct transfer_opts initial = {.encode = FEW_SAMPLE_OPTS_INIT,
                                             .decode = FEW_SAMPLE_OPTS_INIT};
#define S struct transfer_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE",
               "NAME.png: one grid; NAME.npy: an array, with labels in a second file; any other "
               "name: a folder of PNG files"),
    OPT_INT(S, n, "n", "N", "0", 0, 1e9,
            "images to transfer, with the class shares of the data; 0: all"),
    OPT_TEXT(S, from, "from", "LABEL", "own",
             "class of the images: a class of A by name or number; own: the labels of the data "
             "set; none: no label"),
    OPT_TEXT(S, to, "to", "LABEL", "own",
             "class of the results: a class of B by name or number; own: the class of each image; "
             "none: no label"),
    OPT_REAL(S, encode.guidance, "from-guidance", "G", "1", 0, 100,
             "guidance scale of A; 1: no guidance"),
    OPT_REAL(S, decode.guidance, "to-guidance", "G", "1", 0, 100,
             "guidance scale of B; 1: no guidance"),
    OPT_INT(S, encode.steps, "from-steps", "K", "0", 0, 10000,
            "steps of A from image to noise; 0: the default of A"),
    OPT_INT(S, decode.steps, "to-steps", "K", "0", 0, 10000,
            "steps of B from noise to image; 0: the default of B"),
    OPT_TEXT(S, encode.sampler, "from-sampler", "SAMPLER", NULL,
             "solver of A: ddim, heun or euler (default: A's own if it is one of these, otherwise "
             "ddim)"),
    OPT_TEXT(S, decode.sampler, "to-sampler", "SAMPLER", NULL,
             "sampler of B: see few list samplers (default: B's own)"),
    OPT_SEED(S, decode.seed, "seed", "S", "0",
             "seed of the noise that a stochastic sampler of B adds"),
    OPT_FLAG(S, beside, "beside", "write each image next to its result"),
    OPT_INT(S, columns, "columns", "C", "0", 0, 10000,
            "columns of a .png grid; 0: as square as possible"),
    OPT_EXISTING(S),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object at the end"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "A is a teacher or a distilled encoder for the domain of the images, and maps them to\n"
    "noise. B maps that noise to images of its own domain. A and B may be the same model\n"
    "with two classes. IMAGES are .png or .jpg files, folders, .npy or .npz files, or data\n"
    "sets (few list data).\n"
    "\n"
    "  few transfer photos.safetensors paintings.safetensors me.png --out painting.png\n"
    "  few transfer m.safetensors m.safetensors sandals --from sandal --to sneaker \\\n"
    "    --to-guidance 2 --beside --out sneakers.png\n";

struct job {
  few_model *a, *b;
  few_runner *run_a, *run_b;
  struct few_model_info info; /* of b */
  struct cli_images p;
  float *out; /* [n] results; with --beside, [2 n] images and results */
};

/* The second half of `out` begins with the n results. Interleaves them with the images from which
 * they were made. */
static void put_beside(const struct job *j, int64_t n, int64_t item) {
  const size_t bytes = (size_t)item * sizeof(float);
  for (int64_t i = 0; i < n; i++) {
    float *pair = j->out + 2 * i * item;
    memmove(pair + item, j->out + (j->p.n + i) * item, bytes);
    memcpy(pair, j->p.at + i * item, bytes);
  }
}

/* Columns of a grid that is as square as possible and has each pair in one row. */
static int64_t even_columns(int64_t n) {
  int64_t columns = 2;
  while (columns * columns < n) columns += 2;
  return columns;
}

static few_status write_out(const struct job *j, const struct transfer_opts *o,
                            const struct few_sample_opts *decode, int64_t finished) {
  struct few_sample_opts s = *decode;
  s.n = finished;
  s.finished = NULL;
  if (!o->beside) return few_sample_write(j->run_b, o->out, &s, j->out, j->p.label[1], o->columns);
  put_beside(j, finished, j->info.h * j->info.w * j->info.c);
  s.n *= 2;
  const int64_t columns = o->columns ? o->columns : even_columns(s.n);
  return few_sample_write(j->run_b, o->out, &s, j->out, NULL, columns);
}

/* Keeps the classes of the images, numbered as B numbers them. */
static int stay(struct cli *cli, struct job *j) {
  struct few_model_info a;
  few_model_info(&a, sizeof a, j->a);
  int32_t *map = malloc((size_t)(a.classes + 1) * sizeof *map);
  if (!map) return cli_failed("out of memory for %" PRId64 " classes", a.classes);
  int code = j->info.classes ? cli_status(cli, few_model_match_model(map, j->b, j->a)) : CLI_DONE;
  for (int64_t i = 0; !code && i < j->p.n; i++) {
    const int32_t was = j->p.label[0][i];
    j->p.label[1][i] = was < 0 || !j->info.classes ? -1 : map[was];
  }
  free(map);
  return code;
}

static int transfer(struct cli *cli, struct job *j, const struct transfer_opts *o) {
  struct few_sample_opts up = o->encode, down = o->decode;
  const size_t item = (size_t)(j->info.h * j->info.w * j->info.c), n = (size_t)j->p.n;
  struct cli_result r = {
      o->out, "transferred", {.n = j->p.n}, 0, 0, 2, {{"from", j->a, 0}, {"to", j->b, 0}}};
  up.n = down.n = j->p.n;
  down.finished = &r.made.finished;
  j->out = calloc(2 * n * item, sizeof *j->out);
  if (!j->out) return cli_failed("%zu images do not fit in memory; take fewer", n);
  int code =
      cli_own_label(cli, j->a, "transfer: --from", o->from, j->p.n, j->p.label[0], &r.of[0].label);
  if (!code && !strcmp(o->to, "own") && strcmp(o->from, "own") != 0) code = stay(cli, j);
  if (!code)
    code = cli_own_label(cli, j->b, "transfer: --to", o->to, j->p.n, j->p.label[1], &r.of[1].label);
  if (code) return code;
  struct few_transfer_opts t = FEW_TRANSFER_OPTS_INIT;
  t.a = j->run_a;
  t.b = j->run_b;
  t.encode = &up;
  t.decode = &down;
  t.from = j->p.label[0];
  t.to = j->p.label[1];
  const double start = cli_seconds();
  few_status st = few_transfer(o->beside ? j->out + n * item : j->out, &r.nfe, &t, j->p.at);
  progress_clear(&cli->progress);
  r.seconds = cli_seconds() - start;
  st = cli_keep(cli, st, &r.made);
  code = st ? CLI_DONE : cli_clear_folder(o->out, o->existing);
  if (code) return code;
  if (!st) st = write_out(j, o, &down, r.made.finished);
  if (st) return cli_status(cli, st);
  cli_report(&o->common, &r);
  return cli_interrupted(o->out, &r.made, NULL);
}

static int images(struct cli *cli, struct job *j, const struct transfer_opts *o) {
  const bool own = !strcmp(o->from, "own");
  const struct cli_labels labels[2] = {{j->a, own}, {j->b, own && !strcmp(o->to, "own")}};
  return cli_images(cli, &j->p, labels, cli->n_operands - 2, cli->operands + 2, o->n);
}

static int run(struct cli *cli, const void *opts) {
  const struct transfer_opts *o = opts;
  struct job j = {.a = NULL};
  few_status st = few_model_load(&j.a, cli->ctx, cli->operands[0]);
  if (!st) st = few_model_load(&j.b, cli->ctx, cli->operands[1]);
  if (!st) st = few_runner_create(&j.run_a, cli->ctx, j.a);
  if (!st) st = few_runner_create(&j.run_b, cli->ctx, j.b);
  int code = cli_status(cli, st);
  if (!st) {
    few_model_info(&j.info, sizeof j.info, j.b);
    code = cli_check_out("transfer", &j.info, o->out);
    if (!code) code = cli_check_folder("transfer", o->out, o->existing);
    if (!code) code = images(cli, &j, o);
    if (!code) code = transfer(cli, &j, o);
  }
  cli_images_free(&j.p);
  free(j.out);
  few_runner_free(j.run_b);
  few_runner_free(j.run_a);
  few_model_free(j.b);
  few_model_free(j.a);
  return code;
}

const struct command command_transfer = {.name = "transfer",
                                         .operands = "A B IMAGES ...",
                                         .help =
                                             "Translate images from one model's domain to "
                                             "another's.",
                                         .text = text,
                                         .min_operands = 3,
                                         .max_operands = 1 << 20,
                                         .options = options,
                                         .size = sizeof(struct transfer_opts),
                                         .initial = &initial,
                                         .stops = true,
                                         .run = run};
