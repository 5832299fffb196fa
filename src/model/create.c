/* create.c - creates a model from a network's name, its options and its weights. */
#include <math.h>
#include <stdio.h>

#include "model.h"

static few_status set_options(few_ctx *ctx, const struct few_net_def *net,
                              const struct few_model_opts *o, void *out) {
  FEW_TRY(few_options_default(out, ctx, net->options));
  for (int i = 0; i < o->n_settings; i++) {
    char key[64];
    const char *eq = strchr(o->settings[i], '=');
    if (!eq || eq - o->settings[i] >= (int)sizeof key)
      return few__fail(ctx, FEW_E_INVALID, "`%.60s`: settings are key=value", o->settings[i]);
    snprintf(key, sizeof key, "%.*s", (int)(eq - o->settings[i]), o->settings[i]);
    const few_status st = few_option_set(out, ctx, net->options, key, eq + 1);
    if (st) return few__fail_in(ctx, st, "net %s", net->name);
  }
  return FEW_OK;
}

static few_status make_spec(few_ctx *ctx, const struct few_model_opts *o,
                            struct few_net_spec *out) {
  *out = (struct few_net_spec){.h = o->h,
                               .w = o->w,
                               .c = o->c,
                               .points = o->points,
                               .classes = o->classes,
                               .guidance = o->guided,
                               .max_steps = o->max_steps,
                               .sigma_data = o->sigma_data};
  if (o->predicts) FEW_TRY(few__predict_find(ctx, &out->predicts, o->predicts));
  if (o->step_size) FEW_TRY(few__step_size_find(ctx, &out->step_size, o->step_size));
  const bool counted =
      out->step_size == FEW_STEP_SIZE_SEGMENT || out->step_size == FEW_STEP_SIZE_HALVINGS;
  if (counted && o->max_steps < 1)
    return few__fail(ctx, FEW_E_INVALID, "step size by %s, with %lld steps: give at least 1",
                     o->step_size, (long long)o->max_steps);
  return FEW_OK;
}

static few_status check(few_ctx *ctx, const struct few_model_opts *o) {
  FEW_TRY(few__opts_check(ctx, "few_model_opts", o, FEW_MODEL_OPTS_VERSION));
  FEW_TRY(few__opts_texts(ctx, "settings", o->n_settings, o->settings));
  if (!o->net || !few__net_find(ctx, o->net))
    return few__fail(ctx, FEW_E_INVALID, "there is no network `%.40s`: see `few list nets`",
                     o->net ? o->net : "");
  if (!isfinite(o->mean) || !isfinite(o->scale) || !(o->scale > 0))
    return few__fail(ctx, FEW_E_INVALID,
                     "data of mean %g and scale %g: give finite numbers, the scale above 0",
                     o->mean, o->scale);
  if (o->guided && !(o->guidance_min >= 0 && o->guidance_min <= o->guidance_max))
    return few__fail(ctx, FEW_E_INVALID, "guidance from %g to %g: give a range from 0 or more",
                     o->guidance_min, o->guidance_max);
  return FEW_OK;
}

static few_status take_word(few_ctx *ctx, const char *what, const char *word,
                            char out[FEW_MAX_COMPONENT_NAME]) {
  if (!word) return FEW_OK;
  if (!word[0] || strlen(word) >= FEW_MAX_COMPONENT_NAME)
    return few__fail(ctx, FEW_E_INVALID, "%s `%.60s`: give 1 to %d bytes", what, word,
                     FEW_MAX_COMPONENT_NAME - 1);
  snprintf(out, FEW_MAX_COMPONENT_NAME, "%s", word);
  return FEW_OK;
}

static few_status take_names(few_model *m, const char *const *names) {
  if (!names || !m->spec.classes) return FEW_OK;
  FEW_TRY(FEW_NEW(m->ctx, &m->class_names, m->spec.classes));
  for (int64_t i = 0; i < m->spec.classes; i++) {
    if (!names[i]) continue;
    m->class_names[i] = few__strdup(m->ctx, names[i]);
    if (!m->class_names[i])
      return few__fail(m->ctx, FEW_E_MEMORY, "out of memory for the names of classes");
  }
  return FEW_OK;
}

static few_status fill(few_model *m, const struct few_model_opts *o) {
  FEW_TRY(take_word(m->ctx, "objective", o->objective, m->objective));
  FEW_TRY(take_word(m->ctx, "sampler", o->sampler, m->sampler));
  FEW_TRY(take_names(m, o->class_names));
  m->data_mean = o->mean;
  m->data_scale = o->scale;
  if (o->guided) m->guidance_min = o->guidance_min;
  if (o->guided) m->guidance_max = o->guidance_max;
  if (o->values) memcpy(m->values, o->values, (size_t)m->params.total * sizeof *m->values);
  for (int64_t i = 0; i < m->params.total; i++)
    if (!isfinite(m->values[i]))
      return few__fail(m->ctx, FEW_E_INVALID, "weight %lld is not finite", (long long)i);
  return FEW_OK;
}

few_status few_model_create(few_model **out, few_ctx *ctx, const struct few_model_opts *opts) {
  struct few_net_spec spec;
  few_model *m = NULL;
  char *net_opts = NULL;
  few_status st;
  *out = NULL;
  FEW_TRY(check(ctx, opts));
  FEW_TRY(make_spec(ctx, opts, &spec));
  const struct few_net_def *net = few__net_find(ctx, opts->net);
  FEW_GOTO(FEW_NEW(ctx, &net_opts, net->options_size));
  FEW_GOTO(set_options(ctx, net, opts, net_opts));
  if (net->check) FEW_GOTO(net->check(ctx, &spec, net_opts));
  FEW_GOTO(few__model_create(ctx, &m, net, net_opts, &spec, opts->seed));
  FEW_GOTO(fill(m, opts));
  *out = m;
out:
  if (st) few_model_free(m);
  few__free(ctx, net_opts);
  return st;
}
