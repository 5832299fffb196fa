/* cmd_sample.c - few sample MODEL: pictures from noise. Picture i of a seed is the same whatever
 * the batch, the workers and the others asked for with it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

struct sample_opts {
  struct common common;
  int64_t n, steps, first, batch, columns;
  uint64_t seed;
  const char *label, *sampler, *out, *schedule, *autoguide;
  double guidance, autoguidance;
  struct opt_reals times, guidance_times;
  struct opt_texts set;
};
#define S struct sample_opts
static const struct opt options[] = {
    OPT_TEXT(S, out, "out", "FILE", OPT_NEEDED,
             ".png: a grid; .npy: an array, and labels beside it; else a folder of PNG files"),
    OPT_INT(S, n, "n", "N", "64", 1, 1e9, "how many pictures"),
    OPT_INT(S, steps, "steps", "K", "0", 0, 10000,
            "steps from noise to picture; 0: the sampler's own (few list samplers)"),
    OPT_SEED(S, seed, "seed", "S", "0", "another seed, other pictures"),
    OPT_INT(S, first, "first", "I", "0", 0, 1e15, "index of the first picture"),
    OPT_TEXT(S, label, "label", "L", "each",
             "a class by number or name; each: one after the other; none"),
    OPT_REAL(S, guidance, "guidance", "G", "1", 0, 100, "towards the label; 1: none added"),
    OPT_TEXT(S, sampler, "sampler", "NAME", NULL,
             "see few list samplers; the model's own otherwise"),
    OPT_REALS(S, times, "times", "A,B,...", 0, 2,
              "the sampler's times in radians, falling; in place of --steps"),
    OPT_TEXT(S, schedule, "schedule", "NAME", NULL,
             "where the times come from: see few list schedules; or a file of few olss"),
    OPT_TEXTS(S, set, "set", "KEY=VALUE",
              "an option of the sampler (few list samplers NAME); may be repeated"),
    OPT_REALS(S, guidance_times, "guidance-times", "LO,HI", 0, 2,
              "guide at times from LO to HI radians alone"),
    OPT_TEXT(S, autoguide, "autoguide", "MODEL", NULL,
             "guide away from this worse model of the same pictures"),
    OPT_REAL(S, autoguidance, "autoguidance", "S", "2", 0, 100, "how far; 1: none"),
    OPT_INT(S, batch, "batch", "B", "0", 0, 1e6,
            "pictures in memory at once; 0: chosen. Never changes a result"),
    OPT_INT(S, columns, "columns", "C", "0", 0, 10000, "of a grid; 0: as square as may be"),
    OPT_WORKERS(S),
    OPT_QUIET(S),
    OPT_JSON(S, "a JSON object at the end"),
    OPT_HELP(S),
    OPT_END};
#undef S

static const char text[] =
    "  few sample student.safetensors --n 64 --steps 1 --out grid.png\n"
    "  few sample teacher.safetensors --n 8 --label sandal --guidance 2 --out pictures\n"
    "  few sample student.safetensors --n 50000 --steps 2 --out samples.npy\n"
    "  few sample teacher.safetensors --sampler heun --set churn=20 --out grid.png\n"
    "  few sample teacher.safetensors --autoguide early.safetensors --out grid.png\n";

struct names {
  const few_model *m;
  int64_t n;
};
static const char *class_name(const void *user, int i) {
  const struct names *names = user;
  if (i >= names->n) return NULL;
  const char *name = few_model_class_name(names->m, i);
  return name ? name : "";
}

/* "each", "none", a number or the name of a class. */
static int parse_label(const few_model *m, const struct few_model_info *info, const char *word,
                       int *out) {
  int64_t number;
  *out = FEW_LABEL_EACH;
  if (!strcmp(word, "each")) return CLI_DONE;
  *out = FEW_LABEL_NONE;
  if (!strcmp(word, "none")) return CLI_DONE;
  if (info->classes == 0)
    return cli_usage("sample: --label %.60s: this model was trained without labels", word);
  struct names names = {m, info->classes};
  for (int i = 0; i < (int)info->classes; i++) {
    *out = i;
    if (!strcmp(word, class_name(&names, i))) return CLI_DONE;
  }
  if (opt_int(word, &number) && number >= 0 && number < info->classes) {
    *out = (int)number;
    return CLI_DONE;
  }
  const char *near = opt_nearest(word, class_name, &names);
  if (near && *near)
    return cli_usage("sample: --label %.60s is no class; did you mean \"%s\"?", word, near);
  return cli_usage("sample: --label takes each, none, or a class from 0 to %" PRId64
                   " or its name, not \"%.60s\"",
                   info->classes - 1, word);
}

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

/* ".jpg" of "grid.jpg": asked for as a file, it would become a folder. NULL for a folder's name. */
static const char *foreign_ending(const char *out) {
  static const char *const endings[] = {".png", ".npy",  ".jpg", ".jpeg", ".gif",
                                        ".bmp", ".webp", ".ppm", ".npz",  ".pt"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t n = strlen(out), k = strlen(endings[i]);
    if (n > k && !strcasecmp(out + n - k, endings[i])) return out + n - k;
  }
  return NULL;
}

/* What cannot be written is told before the hours of sampling, not after. */
static int check_out(const struct few_model_info *info, const char *out) {
  struct stat s;
  bool there = !stat(out, &s), file = ends_with(out, ".png") || ends_with(out, ".npy");
  if (!file && !there && foreign_ending(out))
    return cli_usage("sample: --out %s: few writes .png and .npy, not %s", out,
                     foreign_ending(out));
  if (!file && info->points)
    return cli_failed("%s: points are no pictures: give a name that ends in .npy or .png", out);
  if (!file && there && !S_ISDIR(s.st_mode))
    return cli_failed("%s is no folder: give a folder, or a name that ends in .png or .npy", out);
  if (file && there && S_ISDIR(s.st_mode))
    return cli_failed("%s is a folder: name a file in it", out);
  if (there && access(out, W_OK))
    return cli_failed("%s cannot be written: check the permissions", out);
  if (there || !file) return CLI_DONE;
  const char *slash = strrchr(out, '/');
  char folder[4096] = ".";
  if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash - out) + 1, out);
  if (!access(folder, W_OK | X_OK)) return CLI_DONE;
  return cli_failed("%s cannot be made: check that the folder is there and its permissions", out);
}

static void report(const struct sample_opts *o, const char *sampler, int steps, int nfe,
                   double seconds) {
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_int(&j, "n", o->n);
    json_int(&j, "steps", steps);
    json_int(&j, "nfe", nfe);
    json_number(&j, "seconds", seconds);
    json_text(&j, "out", o->out);
    json_seed(&j, "seed", o->seed);
    json_text(&j, "sampler", sampler);
    json_close(&j);
  } else if (!o->common.quiet) {
    char time[32];
    printf("%s: %" PRId64 " samples in %s, %d evaluation%s of the network each (%s)\n", o->out,
           o->n, cli_duration(time, seconds), nfe, nfe == 1 ? "" : "s", sampler);
  }
}

static int sample(struct cli *cli, few_model *m, few_model *worse, const struct sample_opts *o) {
  struct few_model_info info;
  few_model_info(m, &info);
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  s.n = o->n;
  s.first = o->first;
  s.steps = (int)o->steps;
  s.seed = o->seed;
  s.sampler = o->sampler;
  s.guidance = o->guidance;
  s.batch = o->batch;
  s.n_times = o->times.n;
  s.times = o->times.n ? o->times.at : NULL;
  s.schedule = o->schedule;
  s.n_settings = o->set.n;
  s.settings = o->set.at;
  if (o->guidance_times.n) s.guidance_from = o->guidance_times.at[0];
  if (o->guidance_times.n) s.guidance_to = o->guidance_times.at[1];
  s.autoguide = worse;
  s.autoguidance = o->autoguidance;
  int code = parse_label(m, &info, o->label, &s.label);
  if (!code) code = check_out(&info, o->out);
  if (code) return code;
  size_t item = (size_t)(info.h * info.w * info.c), n = (size_t)o->n;
  float *out = item && n <= SIZE_MAX / sizeof *out / item ? malloc(n * item * sizeof *out) : NULL;
  int32_t *labels = malloc(n * sizeof *labels);
  int nfe = 0, steps = 0;
  const char *sampler = NULL;
  if (out && labels) {
    double start = cli_seconds();
    few_status st = few_sample_plan(m, &s, &sampler, &steps);
    if (!st) st = few_sample(m, &s, out, labels, &nfe);
    double seconds = cli_seconds() - start;
    progress_clear(&cli->progress);
    if (!st) st = few_sample_write(m, o->out, &s, out, labels, o->columns);
    code = cli_status(cli, st);
    if (!st) report(o, sampler, steps, nfe, seconds);
  } else {
    code = cli_failed(
        "%" PRId64 " samples do not fit in memory; take fewer, and go on with --first", o->n);
  }
  free(labels);
  free(out);
  return code;
}

static int run(struct cli *cli, const void *opts) {
  const struct sample_opts *o = opts;
  if (o->times.n && o->steps && o->times.n != o->steps)
    return cli_usage("sample: --times has %d times and --steps says %" PRId64
                     "; give one of the two",
                     o->times.n, o->steps);
  if (o->guidance_times.n && o->guidance_times.n != 2)
    return cli_usage("sample: --guidance-times takes two times, LO,HI");
  few_model *m = NULL, *worse = NULL;
  few_status st = few_model_load(cli->ctx, &m, cli->operands[0]);
  if (!st && o->autoguide) st = few_model_load(cli->ctx, &worse, o->autoguide);
  int code = st ? cli_status(cli, st) : sample(cli, m, worse, o);
  few_model_free(worse);
  few_model_free(m);
  return code;
}

const struct command command_sample = {.name = "sample",
                                       .operands = "MODEL",
                                       .help = "Make pictures from a model, in one step or many.",
                                       .text = text,
                                       .min_operands = 1,
                                       .max_operands = 1,
                                       .options = options,
                                       .size = sizeof(struct sample_opts),
                                       .stops = true,
                                       .run = run};
