/* sample_args.c - sampling options as text: their table, and few_sample_opts completed from it.
 *
 * To add an option, add a member to struct few_sample_opts and a row below, and use it in sample.c.
 * The program's commands, help, manual pages, completion and docs/commands.md show all rows, and a
 * report of few_eval has each value that is not the default.
 */
#include "sample.h"

#define ARGS struct few_sample_args
#define ROW(field, key, type, value, deflt, min, max, help) \
  FEW_OPT_ROW(ARGS, field, key, FEW_OPTION_##type, value, deflt, min, max, NULL, help, false)
static const struct few_option options[] = {
    ROW(opts.steps, "steps", INT, "K", "0", 0, 10000,
        "steps from noise to image; 0: the sampler's default (few list samplers)"),
    ROW(opts.sampler, "sampler", TEXT, "SAMPLER", NULL, 0, 0,
        "sampling algorithm: see few list samplers (default: the model's own)"),
    ROW(times, "times", REALS, "A,B,...", NULL, 0, 2,
        "sampling times in radians, falling; replaces --steps"),
    ROW(opts.schedule, "schedule", TEXT, "SCHEDULE", NULL, 0, 0,
        "schedule of sampling times: a name (few list schedules), or a file that few olss "
        "wrote"),
    ROW(set, "set", TEXTS, "KEY=VALUE", NULL, 0, 0,
        "set an option of the sampler (few list samplers NAME); may be repeated"),
    ROW(opts.guidance, "guidance", REAL, "G", "1", 0, 100,
        "guidance scale towards the label; 1: no guidance"),
    ROW(guidance_times, "guidance-times", REALS, "LO,HI", NULL, 0, 2,
        "use guidance only at times from LO to HI radians"),
    ROW(autoguide, "autoguide", TEXT, "MODEL", NULL, 0, 0,
        "autoguidance: guide away from this model, a less accurate one of the same data"),
    ROW(autoguidance, "autoguidance", REAL, "S", NULL, 0.001, 100,
        "scale of autoguidance; 1: no autoguidance (default: 2)"),
    ROW(opts.clip, "clip", REAL, "C", "0", 0, 1000,
        "limit denoised images to -C..C at every evaluation; images are from -1 to 1; 0: no "
        "limit"),
    ROW(opts.threshold, "threshold", REAL, "P", "0", 0, 1,
        "dynamic thresholding: raise the limit of --clip to the quantile P of the image, then "
        "scale; 0: no threshold"),
    FEW_OPT_END};
#undef ROW
#undef ARGS

const struct few_option *few_sample_options(void) { return options; }

/* Refuses options that contradict each other, are incomplete, or would have no effect. */
static few_status check(few_ctx *ctx, const struct few_sample_args *a) {
  const int steps = a->opts.steps;
  FEW_TRY(few__opts_check(ctx, "few_sample_args", a, FEW_SAMPLE_ARGS_VERSION));
  if (a->times.n && steps && a->times.n != steps)
    return few__fail(ctx, FEW_E_INVALID,
                     "--times has %d times and --steps is %d; give only one of the two", a->times.n,
                     steps);
  if (a->guidance_times.n && a->guidance_times.n != 2)
    return few__fail(ctx, FEW_E_INVALID, "--guidance-times takes two times, LO,HI");
  if (a->guidance_times.n && a->opts.guidance == 1 && !a->autoguide)
    return few__fail(ctx, FEW_E_INVALID,
                     "--guidance-times has no effect without guidance; give --guidance or "
                     "--autoguide too");
  if (a->opts.threshold > 0 && !(a->opts.clip > 0))
    return few__fail(ctx, FEW_E_INVALID, "--threshold raises a limit; give --clip 1 too");
  if (a->autoguidance > 0 && !a->autoguide)
    return few__fail(ctx, FEW_E_INVALID,
                     "--autoguidance needs a model; give --autoguide MODEL too");
  return FEW_OK;
}

few_status few_sample_args_open(struct few_sample_args *args, few_ctx *ctx) {
  struct few_sample_opts *o = &args->opts;
  args->guide = NULL;
  FEW_TRY(check(ctx, args));
  o->n_times = args->times.n;
  o->times = args->times.n ? args->times.at : NULL;
  o->n_settings = args->set.n;
  o->settings = args->set.at;
  if (args->guidance_times.n) o->guidance_from = args->guidance_times.at[0];
  if (args->guidance_times.n) o->guidance_to = args->guidance_times.at[1];
  o->autoguidance = args->autoguidance > 0 ? args->autoguidance : 2;
  if (!args->autoguide) return FEW_OK;
  FEW_TRY(few_model_load(&args->guide, ctx, args->autoguide));
  return few_runner_create(&o->autoguide, ctx, args->guide);
}

void few_sample_args_close(struct few_sample_args *args) {
  if (!args->guide) return;
  few_runner_free(args->opts.autoguide);
  few_model_free(args->guide);
  args->opts.autoguide = NULL;
  args->guide = NULL;
}

bool few__sample_differs(const struct few_sample_opts *opts, const struct few_option *o) {
  static const struct few_sample_opts initial = FEW_SAMPLE_OPTS_INIT;
  const size_t begin = offsetof(struct few_sample_args, opts);
  if (o->offset < begin || o->offset >= begin + sizeof *opts) return false;
  const size_t at = o->offset - begin;
  return memcmp((const char *)opts + at, (const char *)&initial + at, o->size) != 0;
}
