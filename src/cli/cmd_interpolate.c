/* cmd_interpolate.c - few interpolate MODEL: images between two, from the noises between theirs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sampling.h"

struct interpolate_opts {
  struct common common;
  struct few_sample_args sampling;
  const char *from, *to, *noise, *out;
  struct few_text_list label;
};
static const struct interpolate_opts initial = {.sampling = FEW_SAMPLE_ARGS_INIT};
#define S struct interpolate_opts
static const struct few_option options[] = {
    OPT_NEEDED(
        S, out, "out", "FILE",
        "NAME.png: a strip, with a row for each --label; NAME.npy: an array; any other name: "
        "a folder of PNG files"),
    OPT_TEXT(
        S, from, "from", "SEED:INDEX", "0:0",
        "the first image, as few sample --seed SEED --first INDEX makes it; with --noise a row "
        "of that file"),
    OPT_TEXT(S, to, "to", "SEED:INDEX", "0:1",
             "the last image; noise that a sampler adds later is "
             "that of --from in all of them"),
    OPT_TEXT(S, noise, "noise", "FILE.npy", NULL,
             "take the two from this file, such as that of few encode"),
    OPT_INT(S, sampling.opts.n, "n", "N", "9", 2, 10000, "images in a row, with both ends"),
    OPT_TEXTS(S, label, "label", "LABEL",
              "a class by name or number; none: no label; each: all classes; may be repeated. Each "
              "gives a row of the same noises (default: the class of the first image)"),
    OPT_SAMPLING(S),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object at the end"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "The noises are on the arc between the two, at equal angles, so that each of them is as long\n"
    "as noise is.\n"
    "\n"
    "  few interpolate student.safetensors --from 0:3 --to 0:8 --out strip.png\n"
    "  few interpolate teacher.safetensors --label sandal --label bag --out strip.png\n"
    "  few encode teacher.safetensors a.png b.png --out ends.npy\n"
    "  few interpolate teacher.safetensors --noise ends.npy --from 0 --to 1 --out strip.png\n";

enum { ROWS = 1000 };
struct job {
  struct cli *cli;
  few_runner *runner;
  const struct interpolate_opts *o;
  struct few_sample_opts s;
  int64_t n, dims, index[2]; /* of both ends */
  uint64_t seed[2];
  int n_rows, label[ROWS];
  float *noise, *images; /* [n][dims], [n_rows][n][dims] */
  int32_t *labels;       /* [n_rows][n] */
  int nfe;
};

/* ---- the two ends ---- */

static bool parse_number(const char *word, const char *end, uint64_t *out) {
  char *after;
  if (word == end || *word < '0' || *word > '9') return false;
  *out = strtoull(word, &after, 10);
  return after == end;
}

static int parse_end(struct job *j, int which, const char *option, const char *word) {
  const char *colon = strchr(word, ':'), *end = word + strlen(word);
  uint64_t index;
  const bool rows = j->o->noise != NULL;
  j->seed[which] = 0;
  if (colon ? rows || !parse_number(word, colon, &j->seed[which]) ||
                  !parse_number(colon + 1, end, &index)
            : !rows || !parse_number(word, end, &index))
    return cli_usage("interpolate: %s %.60s: give %s", option, word,
                     rows ? "the number of a row of --noise, such as 1"
                          : "a seed and the index of an image, such as 0:7");
  if (index >= (uint64_t)1 << 40)
    return cli_usage("interpolate: %s %.60s: give an index below 2^40", option, word);
  j->index[which] = (int64_t)index;
  return CLI_DONE;
}

/* The defaults are rows 0 and 1 of a file, and images 0 and 1 of seed 0. */
static int parse_ends(struct job *j) {
  const struct interpolate_opts *o = j->o;
  const bool rows = o->noise != NULL;
  int code = parse_end(j, 0, "--from", rows && !strcmp(o->from, "0:0") ? "0" : o->from);
  if (!code) code = parse_end(j, 1, "--to", rows && !strcmp(o->to, "0:1") ? "1" : o->to);
  return code;
}

/* Reads both ends, [2][dims]. */
static int read_file(struct job *j, float *ends) {
  int64_t n;
  few_status st = few_noise_read(NULL, &n, j->runner, j->o->noise);
  if (st) return cli_status(j->cli, st);
  for (int k = 0; k < 2; k++)
    if (j->index[k] >= n)
      return cli_usage("interpolate: %.200s has %" PRId64 " noises, from 0, and no row %" PRId64,
                       j->o->noise, n, j->index[k]);
  float *all = malloc((size_t)n * (size_t)j->dims * sizeof *all);
  if (!all) return cli_failed("%.200s does not fit in memory", j->o->noise);
  st = few_noise_read(all, &n, j->runner, j->o->noise);
  for (int k = 0; !st && k < 2; k++)
    memcpy(ends + k * j->dims, all + j->index[k] * j->dims, (size_t)j->dims * sizeof *all);
  free(all);
  return cli_status(j->cli, st);
}

static int make_noise(struct job *j) {
  float *ends = malloc(2 * (size_t)j->dims * sizeof *ends);
  if (!ends) return cli_failed("two noises do not fit in memory");
  int code = j->o->noise ? read_file(j, ends) : CLI_DONE;
  for (int k = 0; !code && !j->o->noise && k < 2; k++)
    code = cli_status(j->cli,
                      few_noise_draw(ends + k * j->dims, j->runner, j->seed[k], j->index[k], 1));
  if (!code)
    code = cli_status(j->cli, few_noise_between(j->noise, j->runner, j->n, ends, ends + j->dims));
  free(ends);
  return code;
}

/* ---- labels ---- */

static int add_label(struct job *j, const struct few_model_info *info, const char *word) {
  int label;
  int code = cli_label(j->cli, few_runner_model(j->runner), "interpolate: --label", word, &label);
  if (code) return code;
  if (label == FEW_LABEL_SHARES)
    return cli_usage("interpolate: --label all is no class: give one, none or each");
  const int64_t more = label == FEW_LABEL_EACH ? info->classes : 1;
  if (more + j->n_rows > ROWS || !more)
    return cli_usage("interpolate: --label %.60s: the model has %" PRId64
                     " classes, and a strip at most %d rows: name some",
                     word, info->classes, ROWS);
  for (int64_t i = 0; i < more; i++)
    j->label[j->n_rows++] = label == FEW_LABEL_EACH ? (int)i : label;
  return CLI_DONE;
}

static int choose_labels(struct job *j, const struct few_model_info *info) {
  int code = CLI_DONE;
  for (int i = 0; !code && i < j->o->label.n; i++) code = add_label(j, info, j->o->label.at[i]);
  if (code || j->o->label.n) return code;
  struct few_sample_opts first = j->s;
  int32_t label;
  first.n = 1;
  first.label = FEW_LABEL_SHARES;
  code = cli_status(j->cli, few_sample_labels(&label, j->runner, &first));
  j->label[0] = label < 0 ? FEW_LABEL_NONE : label;
  j->n_rows = 1;
  return code;
}

/* ---- the strip ---- */

/* The first image of a row has the index that it has in few sample, and so the same bits. */
static few_status sample_rows(struct job *j) {
  few_status st = FEW_OK;
  for (int row = 0; !st && row < j->n_rows; row++) {
    j->s.label = j->label[row];
    st = few_sample_from(j->images + row * j->n * j->dims, j->labels + row * j->n, &j->nfe,
                         j->runner, &j->s, j->noise);
  }
  return st;
}

static void report(const struct job *j, double seconds) {
  const struct cli_result r = {.out = j->o->out,
                               .what = "interpolated",
                               .made = {j->n_rows * j->n, j->n_rows * j->n},
                               .nfe = j->nfe,
                               .seconds = seconds,
                               .n_classes = j->n_rows == 1,
                               .of = {{"label", few_runner_model(j->runner), j->label[0]}}};
  cli_report(&j->o->common, &r);
}

static int draw(struct job *j) {
  const double start = cli_seconds();
  int code = make_noise(j);
  few_status st = code ? FEW_OK : sample_rows(j);
  progress_clear(&j->cli->progress);
  if (code || st) return code ? code : cli_status(j->cli, st);
  struct few_sample_opts s = j->s;
  s.n = j->n_rows * j->n;
  st = few_sample_write(j->runner, j->o->out, &s, j->images, j->labels, j->n);
  if (st) return cli_status(j->cli, st);
  report(j, cli_seconds() - start);
  return CLI_DONE;
}

static int interpolate(struct job *j) {
  struct few_model_info info;
  few_model_info(&info, sizeof info, few_runner_model(j->runner));
  j->dims = info.h * info.w * info.c;
  int code = parse_ends(j);
  if (code) return code;
  j->s.first = j->index[0];
  j->s.seed = j->seed[0];
  j->s.same_noise = true;
  code = choose_labels(j, &info);
  if (!code) code = cli_check_out("interpolate", &info, j->o->out);
  if (!code) code = cli_check_folder("interpolate", j->o->out, CLI_REFUSE);
  if (code) return code;
  const size_t images = (size_t)j->n_rows * (size_t)j->n;
  j->noise = malloc((size_t)j->n * (size_t)j->dims * sizeof *j->noise);
  j->images = malloc(images * (size_t)j->dims * sizeof *j->images);
  j->labels = malloc(images * sizeof *j->labels);
  const bool room = j->noise && j->images && j->labels;
  code = room ? draw(j) : cli_failed("%zu images do not fit in memory: take fewer", images);
  free(j->noise);
  free(j->images);
  free(j->labels);
  return code;
}

static int run(struct cli *cli, const void *opts) {
  const struct interpolate_opts *o = opts;
  struct few_sample_args args = o->sampling;
  few_model *m = NULL;
  struct job j = {.cli = cli, .o = o, .n = o->sampling.opts.n};
  int code = sampling_open(cli, &args);
  if (!code) code = cli_status(cli, few_model_load(&m, cli->ctx, cli->operands[0]));
  if (!code) code = cli_status(cli, few_runner_create(&j.runner, cli->ctx, m));
  j.s = args.opts;
  if (!code) code = interpolate(&j);
  few_sample_args_close(&args);
  few_runner_free(j.runner);
  few_model_free(m);
  return code;
}

const struct command command_interpolate = {
    .name = "interpolate",
    .operands = "MODEL",
    .help = "Make the images between two images of a model.",
    .text = text,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .size = sizeof(struct interpolate_opts),
    .initial = &initial,
    .stops = true,
    .run = run};
