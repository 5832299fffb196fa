/* preview.c - see preview.h. */
#include "preview.h"

#include <inttypes.h>
#include <stdio.h>

#include "io/file.h"
#include "model/run/sample.h"

static struct few_sample_opts preview_opts(const struct few_train_keys *k) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = k->preview_n;
  o.steps = (int)k->preview_steps;
  o.guidance = k->preview_guidance;
  return o;
}

few_status few__preview_check(few_ctx *ctx, few_model *m, const struct few_setup *setup) {
  struct few_sample_opts o = preview_opts(&setup->config.keys);
  few_status st;
  if (few__model_classifies(m) && setup->config.keys.preview_every)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: preview_every = %" PRId64
                     ": a classifier samples no images: leave it out",
                     setup->config.recipe.place, setup->config.keys.preview_every);
  if (few__model_classifies(m) || m->direction == FEW_ENCODES) return FEW_OK;
  if (setup->config.keys.preview_every) {
    st = few__sample_plan(ctx, m, &o, NULL, NULL);
    return st ? few__fail_in(ctx, st, "%s: preview_steps, preview_guidance",
                             setup->config.recipe.place)
              : FEW_OK;
  }
  o.steps = 0;
  o.guidance = m->spec.guidance ? m->guidance_min : 1;
  st = few__sample_plan(ctx, m, &o, NULL, NULL);
  return st ? few__fail_in(ctx, st, "%s: this student cannot be sampled",
                           setup->config.recipe.place)
            : FEW_OK;
}

few_status few__preview_announce(few_ctx *ctx, few_model *m, const struct few_setup *setup,
                                 double step_flops) {
  const struct few_train_keys *k = &setup->config.keys;
  const struct few_sample_opts o = preview_opts(k);
  struct few_model_info info;
  int nfe;
  if (!k->preview_every || m->direction == FEW_ENCODES || !(step_flops > 0)) return FEW_OK;
  FEW_TRY(few__sample_evals(ctx, m, &o, &nfe));
  few_model_info(&info, sizeof info, m);
  const double steps = info.flops * nfe * (double)o.n / step_flops; /* as much as a preview */
  const double share = steps / (double)k->preview_every;
  if (share > 0.5)
    few__log(ctx, FEW_LOG_WARN,
             "preview_every = %" PRId64 ": a preview samples %" PRId64
             " %s with %d network evaluations each, which computes as much as %.3g steps of "
             "training, %.2g times the training between two previews. A smaller preview_n or "
             "preview_steps, or a larger preview_every, makes them cheaper",
             k->preview_every, o.n, setup->spec.points ? "points" : "images", nfe, steps, share);
  return FEW_OK;
}

static few_status place(few_ctx *ctx, int64_t step, const char *dir, char **path) {
  char name[64];
  snprintf(name, sizeof name, "preview-%09" PRId64 ".png", step);
  return few__path_join(ctx, path, dir, name);
}

few_status few__preview_there(few_ctx *ctx, int64_t step, const char *dir, bool *out) {
  char *path;
  *out = !dir;
  if (!dir) return FEW_OK;
  FEW_TRY(place(ctx, step, dir, &path));
  *out = few__path_exists(path);
  few__free(ctx, path);
  return FEW_OK;
}

few_status few__preview(few_ctx *ctx, few_model *m, few_runner *runner,
                        const struct few_train_keys *k, int64_t step, const char *dir,
                        struct few_run_log *log) {
  const int64_t item = m->spec.h * m->spec.w * m->spec.c;
  char *path = NULL;
  float *samples = NULL;
  int32_t *labels = NULL;
  few_status st;
  const struct few_sample_opts o = preview_opts(k);
  if (m->direction == FEW_ENCODES || !dir) return FEW_OK;
  m->step = step;
  FEW_GOTO(place(ctx, step, dir, &path));
  FEW_GOTO(FEW_NEW(ctx, &samples, o.n * item));
  FEW_GOTO(FEW_NEW(ctx, &labels, o.n));
  FEW_GOTO(few_sample(samples, labels, NULL, runner, &o));
  st = few_sample_write(runner, path, &o, samples, labels, 0);
  if (st == FEW_E_DIVERGED) { /* the guard decides whether the run diverged */
    few__log(ctx, FEW_LOG_WARN, "no preview: %s", few_error(ctx));
    st = FEW_OK;
    goto out;
  }
  if (!st) st = few__run_log_preview(ctx, log, step, path);
out:
  few__free(ctx, path);
  few__free(ctx, samples);
  few__free(ctx, labels);
  return st;
}
