/* cmd_sample.c - few sample MODEL: images from noise. Image i of a seed does not depend on the
 * batch, the number of workers, or the other images that are sampled.
 */
#include <few/ext/common.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sampling.h"

struct sample_opts {
  struct common common;
  struct few_sample_args sampling;
  int64_t columns, frame_ms;
  const char *label, *noise, *out, *path;
  enum class_shares labels;
  enum cli_existing existing;
  enum path_of { PATH_OF_STATES, PATH_OF_ESTIMATES } path_of;
};
static const struct sample_opts initial = {.sampling = FEW_SAMPLE_ARGS_INIT};
#define S struct sample_opts
static const struct few_option options[] = {
    OPT_NEEDED(S, out, "out", "FILE",
               "NAME.png: one grid; NAME.npy: an array, with labels in a second file; any other "
               "name: a folder of PNG files"),
    OPT_INT(S, sampling.opts.n, "n", "N", "0", 0, 1e9,
            "how many images; 0: 64, or as many as --noise has"),
    OPT_SEED(S, sampling.opts.seed, "seed", "S", "0",
             "seed of the noise; another seed gives other images"),
    OPT_INT(S, sampling.opts.first, "first", "I", "0", 0, 1e15,
            "index of the first image; image i of a seed is always the same"),
    OPT_TEXT(S, noise, "noise", "FILE.npy", NULL,
             "start from the noise in this file, [n,h,w,c] or [n,c,h,w] of unit variance, which "
             "few encode or another program wrote; image i starts from row i"),
    OPT_TEXT(S, label, "label", "LABEL", "all",
             "a class by name or number; all: all classes, with the shares that --labels gives; "
             "each: class 0, 1, 2 ... in turn; none: no label"),
    OPT_CHOICE(S, labels, "labels", "shares", "shares|even",
               "how often images have each class: shares: as often as the training data; even: all "
               "equally often"),
    OPT_SAMPLING(S),
    OPT_INT(S, sampling.opts.batch, "batch", "B", "0", 0, 1e6,
            "images in memory at once; 0: chosen by few. Never changes a result"),
    OPT_INT(S, columns, "columns", "C", "0", 0, 10000,
            "columns of a .png grid; 0: as square as possible"),
    OPT_TEXT(S, path, "path", "FILE.png", NULL,
             "also write how the images arise from noise: an animated PNG with a frame for each "
             "evaluation of the network"),
    OPT_CHOICE(S, path_of, "path_of", "states", "states|estimates",
               "frames of --path: states: the noisy images; estimates: the images that the network "
               "estimates from them"),
    OPT_INT(S, frame_ms, "frame_ms", "MS", "150", 1, 60000, "milliseconds of a frame of --path"),
    OPT_EXISTING(S),
    OPT_MACHINE(S),
    OPT_QUIET(S),
    OPT_JSON(S, "print a JSON object at the end"),
    OPT_HELP(S),
    FEW_OPT_END};
#undef S

static const char text[] =
    "After an interrupt (Ctrl-C) the images that are finished are written and counted.\n"
    "\n"
    "  few sample student.safetensors --n 64 --steps 1 --out grid.png\n"
    "  few sample teacher.safetensors --n 8 --label sandal --guidance 2 --out images\n"
    "  few sample student.safetensors --n 50000 --steps 2 --out samples.npy\n"
    "  few sample teacher.safetensors --sampler heun --set churn=20 --out grid.png\n"
    "  few sample student.safetensors --noise noise.npy --out same.npy\n"
    "  few sample teacher.safetensors --n 16 --out grid.png --path path.png\n"
    "  few sample teacher.safetensors --autoguide early.safetensors --out grid.png\n";

/* How often samples have each class. */
static const char *labels_of(const struct few_model_info *info, int label) {
  if (!info->classes || label == FEW_LABEL_NONE) return "none";
  if (label >= 0) return "one class";
  if (label == FEW_LABEL_EACH) return "even";
  return info->class_counts ? "training data" : "unknown";
}

struct result {
  const few_model *m;
  struct cli_made made;
  const char *sampler;
  int label, steps, nfe;
  double seconds;
};

static void report(const struct sample_opts *o, const struct result *r) {
  struct few_model_info info;
  few_model_info(&info, sizeof info, r->m);
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_int(&j, "n", r->made.finished);
    json_int(&j, "steps", r->steps);
    json_int(&j, "nfe", r->nfe);
    json_number(&j, "seconds", r->seconds);
    json_text(&j, "out", o->out);
    json_seed(&j, "seed", o->sampling.opts.seed);
    json_text(&j, "sampler", r->sampler);
    json_text(&j, "labels", labels_of(&info, r->label));
    cli_json_class(&j, &(struct cli_class){"label", r->m, r->label});
    json_bool(&j, "complete", r->made.finished == r->made.n);
    json_close(&j);
  } else if (!o->common.quiet) {
    char time[32];
    printf("%s: %" PRId64 " samples", o->out, r->made.finished);
    cli_say_class(stdout, &(struct cli_class){"label", r->m, r->label});
    printf(" in %s, %d evaluation%s of the network each (%s)\n", cli_duration(time, r->seconds),
           r->nfe, r->nfe == 1 ? "" : "s", r->sampler);
  }
}

/* ---- the path ---- */

/* Frames of the images that are sampled, [frames][n][dims]. */
struct path {
  few_ctx *ctx;
  enum path_of of;
  int64_t n, dims;
  int frames;
  float *at;
};

static few_status record(void *user, const struct few_sample_step *step) {
  struct path *p = user;
  const size_t frame = (size_t)(p->n * p->dims);
  if (step->evaluation >= p->frames) {
    const int frames = step->evaluation + 1;
    float *at = realloc(p->at, (size_t)frames * frame * sizeof *at);
    if (!at)
      return few_ctx_fail(p->ctx, FEW_E_MEMORY,
                          "%d frames of --path do not fit in memory: take fewer images", frames);
    memset(at + (size_t)p->frames * frame, 0, (size_t)(frames - p->frames) * frame * sizeof *at);
    p->at = at;
    p->frames = frames;
  }
  memcpy(p->at + (size_t)step->evaluation * frame + (size_t)(step->first * p->dims),
         p->of == PATH_OF_STATES ? step->x : step->denoised,
         (size_t)(step->n * p->dims) * sizeof(float));
  return FEW_OK;
}

/* Writes the first `finished` images of each frame. */
static few_status write_path(struct path *p, few_runner *runner, const struct sample_opts *o,
                             int64_t finished) {
  struct few_animation a = FEW_ANIMATION_INIT;
  for (int k = 1; k < p->frames; k++)
    memmove(p->at + k * finished * p->dims, p->at + k * p->n * p->dims,
            (size_t)(finished * p->dims) * sizeof *p->at);
  a.n_frames = p->frames;
  a.n = finished;
  a.frames = p->at;
  a.columns = o->columns;
  a.milliseconds = o->frame_ms;
  return few_animation_write(runner, o->path, &a);
}

/* Samples and writes the images; after a signal, those that are finished. */
static int draw(struct cli *cli, few_runner *runner, struct few_sample_opts s,
                const struct sample_opts *o, const float *noise, float *out, int32_t *labels) {
  struct result r = {.m = few_runner_model(runner), .made = {.n = s.n}, .label = s.label};
  char rest[120];
  const double start = cli_seconds();
  struct few_model_info info;
  few_model_info(&info, sizeof info, r.m);
  struct path path = {cli->ctx, o->path_of, s.n, info.h * info.w * info.c, 0, NULL};
  s.finished = &r.made.finished;
  if (o->path) s.watch = record;
  s.watch_user = &path;
  few_status st = few_sample_plan(&r.sampler, &r.steps, runner, &s);
  if (!st)
    st = noise ? few_sample_from(out, labels, &r.nfe, runner, &s, noise)
               : few_sample(out, labels, &r.nfe, runner, &s);
  r.seconds = cli_seconds() - start;
  progress_clear(&cli->progress);
  st = cli_keep(cli, st, &r.made);
  s.n = r.made.finished;
  s.finished = NULL;
  int code = st ? CLI_DONE : cli_clear_folder(o->out, o->existing);
  if (!st && !code) st = few_sample_write(runner, o->out, &s, out, labels, o->columns);
  if (!st && !code && o->path) st = write_path(&path, runner, o, s.n);
  free(path.at);
  if (code) return code;
  if (st) return cli_status(cli, st);
  report(o, &r);
  snprintf(rest, sizeof rest, "--first %" PRId64 " --n %" PRId64 "%s makes the rest", s.first + s.n,
           r.made.n - s.n, cli_is_folder(o->out) ? " --existing keep" : "");
  return cli_interrupted(o->out, &r.made, rest);
}

static int check_path(const struct sample_opts *o) {
  const size_t n = strlen(o->path);
  if (n < 5 || strcmp(o->path + n - 4, ".png") != 0)
    return cli_usage("sample: --path %.200s: give a name that ends in .png", o->path);
  if (!strcmp(o->path, o->out))
    return cli_usage("sample: --path and --out are the same file: give two names");
  return cli_check_file(o->path);
}

static int sample(struct cli *cli, few_runner *runner, struct few_sample_opts s,
                  const struct sample_opts *o, const float *noise) {
  const few_model *m = few_runner_model(runner);
  struct few_model_info info;
  few_model_info(&info, sizeof info, m);
  int code = cli_label(cli, m, "sample: --label", o->label, &s.label);
  if (!code && o->labels == SHARES_EVEN && (s.label != FEW_LABEL_SHARES || !info.classes))
    code = cli_usage(
        "sample: --labels applies to all classes of a model with classes, and --label is %.60s; "
        "leave out one of the two",
        o->label);
  if (s.label == FEW_LABEL_SHARES && o->labels == SHARES_EVEN) s.label = FEW_LABEL_EACH;
  if (!code) code = cli_check_out("sample", &info, o->out);
  if (!code && o->path) code = check_path(o);
  if (!code) code = cli_check_folder("sample", o->out, o->existing);
  if (code) return code;
  size_t item = (size_t)(info.h * info.w * info.c), n = (size_t)s.n;
  float *out = item && n <= SIZE_MAX / sizeof *out / item ? malloc(n * item * sizeof *out) : NULL;
  int32_t *labels = malloc(n * sizeof *labels);
  if (out && labels)
    code = draw(cli, runner, s, o, noise, out, labels);
  else
    code = cli_failed(
        "%" PRId64 " samples do not fit in memory; take fewer, and go on with --first", s.n);
  free(labels);
  free(out);
  return code;
}

/* Sample from the noise in the file, all of it unless --n says otherwise. */
static int sample_noise(struct cli *cli, few_runner *runner, struct few_sample_opts s,
                        const struct sample_opts *o) {
  struct few_model_info info;
  int64_t n;
  few_model_info(&info, sizeof info, few_runner_model(runner));
  few_status st = few_noise_read(NULL, &n, runner, o->noise);
  if (st) return cli_status(cli, st);
  const int64_t dims = info.h * info.w * info.c;
  if (!s.n) s.n = n - s.first;
  if (s.first >= n || s.n > n - s.first)
    return cli_usage("sample: %.200s has %" PRId64 " noises; ask for fewer images", o->noise, n);
  float *noise = malloc((size_t)n * (size_t)dims * sizeof *noise);
  if (!noise) return cli_failed("%.200s does not fit in memory", o->noise);
  st = few_noise_read(noise, &n, runner, o->noise);
  const int code = st ? cli_status(cli, st) : sample(cli, runner, s, o, noise + s.first * dims);
  free(noise);
  return code;
}

static int run(struct cli *cli, const void *opts) {
  const struct sample_opts *o = opts;
  struct few_sample_args args = o->sampling;
  few_model *m = NULL;
  few_runner *runner = NULL;
  int code = sampling_open(cli, &args);
  if (!code) code = cli_status(cli, few_model_load(&m, cli->ctx, cli->operands[0]));
  if (!code) code = cli_status(cli, few_runner_create(&runner, cli->ctx, m));
  if (!code && o->noise) code = sample_noise(cli, runner, args.opts, o);
  if (!args.opts.n) args.opts.n = 64;
  if (!code && !o->noise) code = sample(cli, runner, args.opts, o, NULL);
  few_sample_args_close(&args);
  few_runner_free(runner);
  few_model_free(m);
  return code;
}

const struct command command_sample = {.name = "sample",
                                       .operands = "MODEL",
                                       .help = "Make images from a model, in one step or many.",
                                       .text = text,
                                       .min_operands = 1,
                                       .max_operands = 1,
                                       .options = options,
                                       .size = sizeof(struct sample_opts),
                                       .initial = &initial,
                                       .stops = true,
                                       .run = run};
