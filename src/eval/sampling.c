/* sampling.c - describes how a model was sampled. The text has every option on which images depend,
 * except the sampler, steps, guidance and seed, which are members of a report. Some options have
 * their own wording; the others are added by their key, if the value is not the default. */
#include "base/option.h"
#include "io/sha256.h"
#include "model/run/sample.h"
#include "source.h"

static void next(few_ctx *ctx, struct few_text *out) {
  if (out->len) few__text_add(ctx, out, "; ");
}

static few_status add_times(few_ctx *ctx, struct few_text *out, const struct few_sample_opts *o) {
  if (!o->n_times) return FEW_OK;
  next(ctx, out);
  few__text_add(ctx, out, "times");
  for (int i = 0; i < o->n_times; i++)
    few__text_add(ctx, out, "%s%.9g", i ? "," : " ", o->times[i]);
  return FEW_OK;
}

/* A schedule of few olss is a file. Its hash is added, since a name does not identify a file. */
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

static few_status add_settings(few_ctx *ctx, struct few_text *out,
                               const struct few_sample_opts *o) {
  for (int i = 0; i < o->n_settings; i++) {
    next(ctx, out);
    few__text_add(ctx, out, "%s", o->settings[i]);
  }
  return FEW_OK;
}

static few_status add_interval(few_ctx *ctx, struct few_text *out,
                               const struct few_sample_opts *o) {
  if (!(o->guidance_from > 0 || o->guidance_to < FEW_PI_2)) return FEW_OK;
  next(ctx, out);
  few__text_add(ctx, out, "guided from t = %g to %g", o->guidance_from, o->guidance_to);
  return FEW_OK;
}

static few_status add_autoguide(few_ctx *ctx, struct few_text *out,
                                const struct few_sample_opts *o) {
  char hash[FEW_SHA256_TEXT];
  struct few_sha256 sum;
  if (!o->autoguide) return FEW_OK;
  const few_model *guide = few_runner_model(o->autoguide);
  few__sha256_start(&sum);
  few__sha256_add(&sum, guide->values, (size_t)guide->params.total * sizeof *guide->values);
  few__sha256_end(&sum, hash);
  next(ctx, out);
  few__text_add(ctx, out, "autoguidance %g, away from weights %.16s", o->autoguidance, hash);
  return FEW_OK;
}

/* Options with their own wording. NULL: a report has a member for the option, or another row adds
 * it. */
static const struct own {
  const char *key;
  few_status (*add)(few_ctx *ctx, struct few_text *out, const struct few_sample_opts *o);
} own[] = {{"steps", NULL},
           {"sampler", NULL},
           {"guidance", NULL},
           {"times", add_times},
           {"schedule", add_schedule},
           {"set", add_settings},
           {"guidance-times", add_interval},
           {"autoguide", add_autoguide},
           {"autoguidance", NULL}};

static const struct own *own_words(const struct few_option *o) {
  for (int i = 0; i < FEW_COUNT(own); i++)
    if (!strcmp(own[i].key, o->key)) return &own[i];
  return NULL;
}

few_status few__sampling_text(few_ctx *ctx, const struct few_sample_opts *o, struct few_text *out) {
  const struct few_sample_args args = {.opts = *o};
  for (const struct few_option *row = few_sample_options(); row->key; row++) {
    const struct own *words = own_words(row);
    if (words && words->add) FEW_TRY(words->add(ctx, out, o));
    if (words || !few__sample_differs(o, row)) continue;
    next(ctx, out);
    few__text_add(ctx, out, "%s ", row->key);
    few__option_format(ctx, row, &args, out);
  }
  return out->failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory for the report") : FEW_OK;
}
