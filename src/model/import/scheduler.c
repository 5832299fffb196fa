/* scheduler.c - the process of an imported network: what its scheduler's configuration says.
 *
 * A scheduler of diffusers gives the network its state x and its time:
 *
 *   DDPM, DDIM and their solvers   x of x = sqrt(a) x0 + sqrt(1 - a) eps; the step's number k
 *   EDM                            x/sqrt(sigma^2 + sigma_d^2);           ln(sigma)/4
 *   consistency models             the same;                              1000 ln(sigma)/4
 *   flow matching                  x = (1 - s) x0 + s eps;                s T, T training steps
 *   SCM (TrigFlow)                 x/sigma_d;                             t
 *   VP (score SDE)                 x of x = exp(-B/2) x0 + ..;            999 t
 *   VE (score SDE)                 x of x = x0 + sigma eps;               ln(sigma/2)
 *
 * How a scheduler samples (its spacing of steps, its clipping) does not change the network.
 */
#include <inttypes.h>
#include <stdio.h>

#include "back.h"

enum { SAMPLING_STEPS = 50, EDM_STEPS = 18 };

/* ---- The kinds of schedulers ---- */

struct kind {
  enum few_import_process process;
  const char *name, *time_transform, *sampler, *objective;
  double time_scale;
  const struct few_process *own;
  enum few_prediction predicts; /* if nothing else is said */
};
static const struct kind kinds[] = {
    {FEW_IMPORT_DDPM, "ddpm", "ddpm", "ddim", "diffusion", 1, &few__process_ddpm, FEW_PREDICT_EPS},
    {FEW_IMPORT_EDM, "edm", "log", "heun", "diffusion", 1, &few__process_edm, FEW_PREDICT_EDM},
    {FEW_IMPORT_FLOW, "flow", "flow", "heun", "diffusion", 1000, &few__process_flow,
     FEW_PREDICT_FLOW},
    {FEW_IMPORT_TRIGFLOW, "trigflow", "identity", "heun", "diffusion", 1, &few__process_trigflow,
     FEW_PREDICT_F},
    {FEW_IMPORT_CONSISTENCY, "consistency", "log", "consistency", "cd", 1000, &few__process_edm,
     FEW_PREDICT_EDM},
    {FEW_IMPORT_VP_LINEAR, "vp-linear", "vp-linear", "heun", "diffusion", 999,
     &few__process_vp_linear, FEW_PREDICT_EPS},
    {FEW_IMPORT_VE, "ve", "ve", "heun", "diffusion", 1, &few__process_ve, FEW_PREDICT_EPS},
};

static const struct kind *kind_of(enum few_import_process p) {
  for (int i = 0; i < FEW_COUNT(kinds); i++)
    if (kinds[i].process == p) return &kinds[i];
  return NULL;
}

/* What the scheduler's `prediction_type` means; EDM's own are those of its raw network. */
static const struct {
  const char *word;
  bool edm;
  enum few_prediction predicts;
} predictions[] = {
    {"epsilon", false, FEW_PREDICT_EPS},   {"v_prediction", false, FEW_PREDICT_V},
    {"sample", false, FEW_PREDICT_X},      {"flow_prediction", false, FEW_PREDICT_FLOW},
    {"trigflow", false, FEW_PREDICT_F},    {"epsilon", true, FEW_PREDICT_EDM},
    {"v_prediction", true, FEW_PREDICT_F},
};

/* ---- Members of the configurations ---- */

#define NOTHING(key) \
  { key, FEW_KEY_NOTHING, NULL }
#define READ(key) \
  { key, FEW_KEY_READ, NULL }
/* Steps, clipping and solvers: how to sample. */
#define SAMPLING                                                                                \
  NOTHING("clip_sample"), NOTHING("clip_sample_range"), NOTHING("thresholding"),                \
      NOTHING("dynamic_thresholding_ratio"), NOTHING("sample_max_value"),                       \
      NOTHING("timestep_spacing"), NOTHING("steps_offset"), NOTHING("set_alpha_to_one"),        \
      NOTHING("variance_type"), NOTHING("skip_prk_steps"), NOTHING("use_karras_sigmas"),        \
      NOTHING("use_exponential_sigmas"), NOTHING("use_beta_sigmas"), NOTHING("use_lu_lambdas"), \
      NOTHING("flow_shift"), NOTHING("solver_order"), NOTHING("algorithm_type"),                \
      NOTHING("solver_type"), NOTHING("solver_p"), NOTHING("lower_order_final"),                \
      NOTHING("euler_at_final"), NOTHING("lambda_min_clipped"), NOTHING("final_sigmas_type"),   \
      NOTHING("predict_x0"), NOTHING("disable_corrector"), NOTHING("interpolation_type"),       \
      NOTHING("sigma_min"), NOTHING("sigma_max"), NOTHING("rho"), NOTHING("sigma_schedule"),    \
      NOTHING("s_noise"), NOTHING("clip_denoised"), NOTHING("shift"),                           \
      NOTHING("use_dynamic_shifting"), NOTHING("base_shift"), NOTHING("max_shift"),             \
      NOTHING("base_image_seq_len"), NOTHING("max_image_seq_len"), NOTHING("shift_terminal"),   \
      NOTHING("time_shift_type"), NOTHING("stochastic_sampling"), NOTHING("tensor_format")

static const struct few_conf_key ddpm_keys[] = {READ("num_train_timesteps"),
                                                READ("beta_start"),
                                                READ("beta_end"),
                                                READ("beta_schedule"),
                                                READ("prediction_type"),
                                                READ("rescale_betas_zero_snr"),
                                                {"trained_betas", FEW_KEY_ONLY, "null"},
                                                {"use_flow_sigmas", FEW_KEY_ONLY, "false"},
                                                {"timestep_type", FEW_KEY_ONLY, "\"discrete\""},
                                                NOTHING("original_inference_steps"),
                                                NOTHING("timestep_scaling"),
                                                SAMPLING};
static const struct few_conf_key sigma_keys[] = {READ("sigma_data"), READ("prediction_type"),
                                                 NOTHING("num_train_timesteps"), SAMPLING};
static const struct few_conf_key flow_keys[] = {
    READ("num_train_timesteps"), {"invert_sigmas", FEW_KEY_ONLY, "false"}, SAMPLING};

static const struct few_conf_key *keys_of(enum few_import_process p, int *n) {
  *n = p == FEW_IMPORT_DDPM   ? FEW_COUNT(ddpm_keys)
       : p == FEW_IMPORT_FLOW ? FEW_COUNT(flow_keys)
                              : FEW_COUNT(sigma_keys);
  return p == FEW_IMPORT_DDPM ? ddpm_keys : p == FEW_IMPORT_FLOW ? flow_keys : sigma_keys;
}

/* The classes of schedulers, with the betas that some leave out of their configuration. */
static const struct scheduler {
  const char *name;
  enum few_import_process process;
  double start, end;
} schedulers[] = {
    {"DDPMScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"DDIMScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"PNDMScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"EulerDiscreteScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"EulerAncestralDiscreteScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"LMSDiscreteScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"HeunDiscreteScheduler", FEW_IMPORT_DDPM, 0.00085, 0.012},
    {"KDPM2DiscreteScheduler", FEW_IMPORT_DDPM, 0.00085, 0.012},
    {"DPMSolverMultistepScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"DPMSolverSinglestepScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"DEISMultistepScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"UniPCMultistepScheduler", FEW_IMPORT_DDPM, 1e-4, 0.02},
    {"LCMScheduler", FEW_IMPORT_DDPM, 0.00085, 0.012},
    {"EDMEulerScheduler", FEW_IMPORT_EDM, 0, 0},
    {"EDMDPMSolverMultistepScheduler", FEW_IMPORT_EDM, 0, 0},
    {"FlowMatchEulerDiscreteScheduler", FEW_IMPORT_FLOW, 0, 0},
    {"FlowMatchHeunDiscreteScheduler", FEW_IMPORT_FLOW, 0, 0},
    {"CMStochasticIterativeScheduler", FEW_IMPORT_CONSISTENCY, 0, 0},
    {"SCMScheduler", FEW_IMPORT_TRIGFLOW, 0, 0},
};

static few_status find_scheduler(struct few_importer *im, const struct scheduler **out) {
  const struct few_conf *c = &im->source->scheduler;
  const char *name;
  FEW_TRY(few__json_string(im->ctx, c->place, c->all, "_class_name", &name));
  for (int i = 0; i < FEW_COUNT(schedulers); i++)
    if (!strcmp(schedulers[i].name, name)) {
      *out = &schedulers[i];
      return FEW_OK;
    }
  return few__fail(im->ctx, FEW_E_UNSUPPORTED,
                   "%s: few does not know `%.60s`: give the configuration of another scheduler of "
                   "this network (scheduler FILE), or its process",
                   c->place, name);
}

/* ---- Reading ---- */

static const char *const beta_names[FEW_BETA_SCHEDULES] = {"linear", "scaled_linear",
                                                           "squaredcos_cap_v2"};

static few_status read_betas(struct few_importer *im, const struct scheduler *s) {
  const struct few_conf *c = &im->source->scheduler;
  struct few_betas *b = &im->spec.betas;
  const char *schedule;
  FEW_TRY(few__conf_string(im->ctx, c, "beta_schedule", "linear", &schedule));
  int k = 0;
  while (k < FEW_BETA_SCHEDULES && strcmp(schedule, beta_names[k]) != 0) k++;
  if (k == FEW_BETA_SCHEDULES)
    return few__fail(im->ctx, FEW_E_UNSUPPORTED,
                     "%s: beta_schedule `%.60s`: few can import linear, scaled_linear and "
                     "squaredcos_cap_v2",
                     c->place, schedule);
  b->schedule = (enum few_beta_schedule)k;
  FEW_TRY(few__conf_real(im->ctx, c, "beta_start", s->start, &b->start));
  FEW_TRY(few__conf_real(im->ctx, c, "beta_end", s->end, &b->end));
  FEW_TRY(few__conf_int(im->ctx, c, "num_train_timesteps", FEW_BETAS_MIN_STEPS, FEW_BETAS_MAX_STEPS,
                        1000, &b->steps));
  FEW_TRY(few__conf_bool(im->ctx, c, "rescale_betas_zero_snr", false, &b->zero_snr));
  if (b->start > 0 && b->start <= b->end && b->end < 1) return FEW_OK;
  return few__fail(im->ctx, FEW_E_FORMAT,
                   "%s: betas from %g to %g do not rise from above 0 to below 1: fetch it again",
                   c->place, b->start, b->end);
}

static few_status read_prediction(struct few_importer *im, const struct kind *kind) {
  const struct few_conf *c = &im->source->scheduler;
  const bool edm = kind->process == FEW_IMPORT_EDM;
  const char *word;
  FEW_TRY(few__conf_string(im->ctx, c, "prediction_type", "", &word));
  if (!*word) return FEW_OK;
  for (int i = 0; i < FEW_COUNT(predictions); i++)
    if (predictions[i].edm == edm && !strcmp(predictions[i].word, word)) {
      im->spec.predicts = predictions[i].predicts;
      return FEW_OK;
    }
  return few__fail(im->ctx, FEW_E_UNSUPPORTED, "%s: few does not know prediction_type `%.60s`",
                   c->place, word);
}

static few_status read_scheduler(struct few_importer *im, const struct kind **kind,
                                 double *time_scale) {
  const struct few_conf *c = &im->source->scheduler;
  const struct scheduler *s = NULL;
  int64_t steps;
  int n;
  FEW_TRY(find_scheduler(im, &s));
  *kind = kind_of(s->process);
  const struct few_conf_key *keys = keys_of(s->process, &n);
  FEW_TRY(few__conf_check(im->ctx, c, keys, n));
  im->spec.predicts = (*kind)->predicts;
  *time_scale = (*kind)->time_scale;
  if (s->process == FEW_IMPORT_FLOW) {
    FEW_TRY(few__conf_int(im->ctx, c, "num_train_timesteps", 1, 1000000, 1000, &steps));
    *time_scale = (double)steps;
    return FEW_OK;
  }
  FEW_TRY(read_prediction(im, *kind));
  if (s->process == FEW_IMPORT_DDPM) return read_betas(im, s);
  FEW_TRY(few__conf_real(im->ctx, c, "sigma_data", 0.5, &im->spec.sigma_data));
  if (im->spec.sigma_data > 0 && im->spec.sigma_data < 1e6) return FEW_OK;
  return few__fail(im->ctx, FEW_E_FORMAT, "%s: sigma_data is %g: fetch it again", c->place,
                   im->spec.sigma_data);
}

/* Without a scheduler: the process that the layout found, or that of the options. */
static few_status take_process(struct few_importer *im, const struct kind **kind,
                               double *time_scale) {
  const enum few_import_process p = im->process ? im->process : im->o->process;
  if (!p)
    return few__fail(
        im->ctx, FEW_E_INVALID,
        "%s does not say how noise is added to images: give the scheduler's configuration "
        "(scheduler FILE), or process = ddpm, edm, flow, trigflow, consistency, vp-linear "
        "or ve",
        im->source->place);
  *kind = kind_of(p);
  *time_scale = im->time_scale > 0 ? im->time_scale : (*kind)->time_scale;
  im->spec.predicts = im->predicts_x ? FEW_PREDICT_X : (*kind)->predicts;
  if (!im->spec.betas.steps) im->spec.betas = (struct few_betas)FEW_BETAS_INIT;
  return FEW_OK;
}

/* The options must not contradict the source. */
static few_status take_options(struct few_importer *im, const struct kind *kind, bool scheduler) {
  const struct few_import_opts *o = im->o;
  const char *place = scheduler ? im->source->scheduler.place : im->source->place;
  const bool known = scheduler || im->process;
  const bool own_sigma = known && kind->process != FEW_IMPORT_DDPM &&
                         kind->process != FEW_IMPORT_FLOW &&
                         kind->process != FEW_IMPORT_VP_LINEAR && kind->process != FEW_IMPORT_VE;
  enum few_prediction predicts = im->spec.predicts;
  if (known && o->process && o->process != kind->process)
    return few__fail(im->ctx, FEW_E_INVALID,
                     "process %s, but the process of %s is %s: leave the option out",
                     kind_of(o->process)->name, place, kind->name);
  if (o->predicts) FEW_TRY(few__predict_find(im->ctx, &predicts, o->predicts));
  if (scheduler && predicts != im->spec.predicts)
    return few__fail(im->ctx, FEW_E_INVALID,
                     "predicts = %s, but by %s it is %s: leave the option out", o->predicts,
                     im->source->scheduler.place, few__predict_name(im->spec.predicts));
  im->spec.predicts = predicts;
  if (predicts == FEW_PREDICT_BOTH)
    return few__fail(im->ctx, FEW_E_INVALID,
                     "no imported network predicts `both`: give eps, v, x, flow, F or edm");
  if (own_sigma && o->sigma_data > 0 && o->sigma_data != im->spec.sigma_data)
    return few__fail(im->ctx, FEW_E_INVALID,
                     "sigma_data = %g, but in %s it is %g: leave the option out", o->sigma_data,
                     place, im->spec.sigma_data);
  if (o->sigma_data > 0) im->spec.sigma_data = o->sigma_data;
  return FEW_OK;
}

/* LCM's scheduler samples networks that were distilled to a few steps. */
static bool few_steps(const struct few_importer *im) {
  const char *name = json_string_value(json_object_get(im->source->scheduler.all, "_class_name"));
  return name && !strcmp(name, "LCMScheduler");
}

/* Times within the network's range: equal steps from its last ("trailing" in diffusers). */
static void set_times(struct few_importer *im) {
  const struct few_betas *b = &im->spec.betas;
  const int n = b->steps < SAMPLING_STEPS ? (int)b->steps : SAMPLING_STEPS;
  assert(n <= FEW_COUNT(im->times));
  im->n_times = n;
  for (int i = 0; i < n; i++) {
    const int64_t k = b->steps * (n - i) / n - 1;
    im->times[i] = few__betas_time(b, im->spec.sigma_data, k);
  }
}

/* EDM's levels, but none below the least noise of the network's training. */
static void set_ve_times(struct few_importer *im) {
  struct few_times_opts o = FEW_TIMES_OPTS_INIT;
  o.steps = im->n_times = EDM_STEPS;
  o.sigma_min = im->sigma_min > 0 ? im->sigma_min : 0.02;
  for (int i = 0; i < EDM_STEPS; i++)
    im->times[i] = few__process_edm.grid(&o, im->spec.sigma_data, i);
}

few_status few__import_process(struct few_importer *im) {
  const bool scheduler = im->source->scheduler.all != NULL;
  const struct kind *kind = NULL;
  double time_scale = 1;
  if (scheduler)
    FEW_TRY(read_scheduler(im, &kind, &time_scale));
  else
    FEW_TRY(take_process(im, &kind, &time_scale));
  FEW_TRY(take_options(im, kind, scheduler));
  im->spec.process = few__process_find(kind->own->name);
  im->sampler = few_steps(im) ? "consistency" : kind->sampler;
  im->objective = few_steps(im) ? "cd" : kind->objective;
  if (kind->process == FEW_IMPORT_DDPM && !few_steps(im)) set_times(im);
  if (kind->process == FEW_IMPORT_VE) set_ve_times(im);
  FEW_TRY(few__import_set(im, "time_transform", "%s", kind->time_transform));
  return few__import_set(im, "time_scale", "%.17g", time_scale);
}

/* ---- The way back ---- */

/* The kind whose time the network takes. */
static const struct kind *kind_back(const few_model *m) {
  const double scale = few__back_real(m, "time_scale");
  for (int i = 0; i < FEW_COUNT(kinds); i++) {
    const bool any = kinds[i].process == FEW_IMPORT_FLOW && scale >= 1 && scale == floor(scale);
    if (kinds[i].process != FEW_IMPORT_VP_LINEAR && kinds[i].process != FEW_IMPORT_VE &&
        (any || kinds[i].time_scale == scale) &&
        few__back_is(m, "time_transform", kinds[i].time_transform))
      return &kinds[i];
  }
  return NULL;
}

static const char *prediction_back(const struct kind *kind, enum few_prediction p) {
  const bool edm = kind->process == FEW_IMPORT_EDM;
  if (kind->process != FEW_IMPORT_DDPM && !edm && p != kind->predicts) return NULL;
  if (kind->process == FEW_IMPORT_DDPM && p != FEW_PREDICT_EPS && p != FEW_PREDICT_V &&
      p != FEW_PREDICT_X)
    return NULL;
  for (int i = 0; i < FEW_COUNT(predictions); i++)
    if (predictions[i].edm == edm && predictions[i].predicts == p) return predictions[i].word;
  return kind->process == FEW_IMPORT_CONSISTENCY ? "" : NULL; /* its scheduler has no such member */
}

static void put_ddpm(struct few_json *j, const few_model *m) {
  static const struct few_betas usual = FEW_BETAS_INIT;
  const struct few_betas *b = m->spec.betas.steps ? &m->spec.betas : &usual;
  few__json_put_int(j, "num_train_timesteps", b->steps);
  few__json_put_real(j, "beta_start", b->start);
  few__json_put_real(j, "beta_end", b->end);
  few__json_put_string(j, "beta_schedule", beta_names[b->schedule]);
  few__json_put_bool(j, "rescale_betas_zero_snr", b->zero_snr);
  few__json_put_bool(j, "clip_sample", false);
  few__json_put_bool(j, "set_alpha_to_one", true);
  few__json_put_string(j, "timestep_spacing", "trailing"); /* as set_times */
}

static void put_sigmas(struct few_json *j, const few_model *m) {
  few__json_put_real(j, "sigma_data", m->spec.sigma_data);
  few__json_put_real(j, "sigma_min", 0.002);
  few__json_put_real(j, "sigma_max", FEW_SIGMA_MAX);
  few__json_put_real(j, "rho", 7);
}

static void put_process(struct few_json *j, const few_model *m, const struct kind *kind) {
  switch (kind->process) {
    case FEW_IMPORT_DDPM:
      put_ddpm(j, m);
      return;
    case FEW_IMPORT_EDM:
      put_sigmas(j, m);
      return;
    case FEW_IMPORT_CONSISTENCY:
      put_sigmas(j, m);
      few__json_put_bool(j, "clip_denoised", false);
      return;
    case FEW_IMPORT_FLOW:
      few__json_put_int(j, "num_train_timesteps", (int64_t)few__back_real(m, "time_scale"));
      /* fresh noise at each step, as students of consistency need */
      few__json_put_bool(j, "stochastic_sampling", !strcmp(m->sampler, "consistency"));
      return;
    default:
      few__json_put_real(j, "sigma_data", m->spec.sigma_data);
      return;
  }
}

static const char *scheduler_back(const few_model *m, const struct kind *kind) {
  switch (kind->process) {
    case FEW_IMPORT_DDPM:
      return strcmp(m->sampler, "consistency") ? "DDIMScheduler" : "LCMScheduler";
    case FEW_IMPORT_EDM:
      return "EDMEulerScheduler";
    case FEW_IMPORT_CONSISTENCY:
      return "CMStochasticIterativeScheduler";
    case FEW_IMPORT_FLOW:
      return "FlowMatchEulerDiscreteScheduler";
    default:
      return "SCMScheduler";
  }
}

few_status few__export_process(few_ctx *ctx, const few_model *m, struct few_json *j,
                               const char **name) {
  const struct kind *kind = kind_back(m);
  if (!kind)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "no scheduler of diffusers gives a network the time of this time_transform, "
                     "with time_scale = %g: export an ONNX file instead",
                     few__back_real(m, "time_scale"));
  const char *word = prediction_back(kind, m->spec.predicts);
  *name = scheduler_back(m, kind);
  if (!word)
    return few__fail(ctx, FEW_E_UNSUPPORTED,
                     "%s of diffusers has no counterpart of the prediction %s: export an ONNX file "
                     "instead",
                     *name, few__predict_name(m->spec.predicts));
  few__json_put_string(j, "_class_name", *name);
  few__json_put_string(j, "_diffusers_version", FEW_BACK_VERSION);
  put_process(j, m, kind);
  if (*word && kind->process != FEW_IMPORT_FLOW) few__json_put_string(j, "prediction_type", word);
  return FEW_OK;
}
