/* sampling.c - how a model was sampled, as text: everything that its images depend on, except the
 * model, the sampler, steps, guidance and seed, which a report has as members. */
#include <math.h>

#include "io/sha256.h"
#include "model/run/sample.h"
#include "source.h"

static void next(few_ctx *ctx, struct few_text *out) {
  if (out->len) few__text_add(ctx, out, "; ");
}

static void add_times(few_ctx *ctx, struct few_text *out, const struct few_sample_opts *o) {
  if (!o->n_times) return;
  next(ctx, out);
  few__text_add(ctx, out, "times");
  for (int i = 0; i < o->n_times; i++)
    few__text_add(ctx, out, "%s%.9g", i ? "," : " ", o->times[i]);
}

/* A schedule of few olss is a file: its hash is added, since the name does not identify it. */
static few_status add_schedule(few_ctx *ctx, struct few_text *out,
                               const struct few_sample_opts *o) {
  char hash[FEW_SHA256_TEXT];
  if (!o->schedule) return FEW_OK;
  next(ctx, out);
  few__text_add(ctx, out, "schedule %s", o->schedule);
  const char *end = strrchr(o->schedule, '.');
  if (!end || strcmp(end, ".json") != 0) return FEW_OK;
  FEW_TRY(few__sha256_file(ctx, hash, o->schedule));
  few__text_add(ctx, out, " (%.16s)", hash);
  return FEW_OK;
}

static void add_autoguide(few_ctx *ctx, struct few_text *out, const struct few_sample_opts *o) {
  char hash[FEW_SHA256_TEXT];
  struct few_sha256 sum;
  if (!o->autoguide) return;
  const few_model *guide = few_runner_model(o->autoguide);
  few__sha256_start(&sum);
  few__sha256_add(&sum, guide->values, (size_t)guide->params.total * sizeof *guide->values);
  few__sha256_end(&sum, hash);
  next(ctx, out);
  few__text_add(ctx, out, "autoguidance %g, away from weights %.16s", o->autoguidance, hash);
}

few_status few__sampling_text(few_ctx *ctx, const struct few_sample_opts *o, struct few_text *out) {
  add_times(ctx, out, o);
  FEW_TRY(add_schedule(ctx, out, o));
  for (int i = 0; i < o->n_settings; i++) {
    next(ctx, out);
    few__text_add(ctx, out, "%s", o->settings[i]);
  }
  if (o->guidance_from > 0 || o->guidance_to < asin(1)) {
    next(ctx, out);
    few__text_add(ctx, out, "guided from t = %g to %g", o->guidance_from, o->guidance_to);
  }
  add_autoguide(ctx, out, o);
  return out->failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory for the report") : FEW_OK;
}
