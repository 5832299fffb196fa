/* export.c - few_export_onnx: which graph, its inputs and outputs, and what the file says about
 * itself.
 */
#include <stdio.h>

#include "export.h"
#include "translate.h"

/* Two sizes of the batch for the traces: primes that no dim of a network has. */
static const int64_t batch[2] = {10007, 10009};

struct job {
  few_ctx *ctx;
  const few_model *m;
  const struct few_export_opts *o;
  struct few_sample_opts s;
  struct few_sample_resolved resolved;
  struct few_export_draws draws;
  few_graph *g[2];
  struct few_translation t;
  struct few_text about; /* the doc string */
  const char *noise;     /* the flat input; NULL: there is none */
};

/* ---- Checks ---- */

/* Is this option of sampling a part of the graph? Only those that are named here are. */
static bool has_option(enum few_export_what what, const char *key) {
  static const char *const sampler[] = {"steps", "sampler", "schedule", "guidance", "clip"};
  if (what == FEW_EXPORT_DENOISER) return !strcmp(key, "guidance");
  for (int i = 0; what == FEW_EXPORT_SAMPLER && i < FEW_COUNT(sampler); i++)
    if (!strcmp(key, sampler[i])) return true;
  return false;
}

static few_status check_options(struct job *j) {
  static const char *const names[] = {"sampler", "denoiser", "network"};
  const enum few_export_what what = j->o->what;
  if (what != FEW_EXPORT_SAMPLER && (j->o->pixels != FEW_EXPORT_SIGNED || j->o->flat))
    return few__fail(j->ctx, FEW_E_INVALID,
                     "a %s has no pixels to convert and no noise: leave out the form of pixels and "
                     "of noise, or export the sampler",
                     names[what]);
  for (const struct few_option *o = few_sample_options(); o->key; o++)
    if (few__sample_differs(&j->s, o) && !has_option(what, o->key))
      return few__fail(j->ctx, FEW_E_INVALID,
                       "%s cannot be a part of the graph of a %s: leave it out", o->key,
                       names[what]);
  return FEW_OK;
}

static few_status check_sampler(struct job *j) {
  const struct few_net_spec *s = &j->m->spec;
  const enum few_export_pixels pixels = j->o->pixels;
  FEW_TRY(few__sample_resolve(j->ctx, &j->resolved, j->m, &j->s, FEW_TO_IMAGES));
  if (pixels != FEW_EXPORT_SIGNED && s->points)
    return few__fail(j->ctx, FEW_E_INVALID, "points have no pixels: leave out the form of pixels");
  if (pixels == FEW_EXPORT_RGB && s->c != 1 && s->c != 3)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "images of %lld channels are not RGB: choose uint8 without it",
                     (long long)s->c);
  return FEW_OK;
}

static few_status check_denoiser(struct job *j) {
  const few_model *m = j->m;
  if (few__model_classifies(m) || m->spec.step_size)
    return few__fail(j->ctx, FEW_E_INVALID, "this model is not a denoiser: %s",
                     m->spec.step_size ? "its output depends on the size of a step; export the "
                                         "sampler, or the network"
                                       : "it classifies; export the network");
  if (m->scales)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "the data of this model are scaled by channel, so sigma has no one unit: "
                     "export the sampler, or the network");
  if (m->spec.guidance && j->s.guidance != 1)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "this denoiser takes guidance as an input: leave the option out");
  if (j->s.guidance == 1) return FEW_OK;
  return few__sample_resolve(j->ctx, &j->resolved, m, &j->s, FEW_TO_IMAGES);
}

static few_status check(struct job *j) {
  static const struct few_sample_opts sampling = FEW_SAMPLE_OPTS_INIT;
  FEW_TRY(few__opts_check(j->ctx, "few_export_opts", j->o, FEW_EXPORT_OPTS_VERSION));
  if (j->o->sampling)
    FEW_TRY(few__opts_check(j->ctx, "few_sample_opts", j->o->sampling, FEW_SAMPLE_OPTS_VERSION));
  j->s = j->o->sampling ? *j->o->sampling : sampling;
  j->s.n = 1;
  j->s.first = j->s.batch = 0;
  FEW_TRY(check_options(j));
  if (j->o->what == FEW_EXPORT_SAMPLER) return check_sampler(j);
  return j->o->what == FEW_EXPORT_DENOISER ? check_denoiser(j) : FEW_OK;
}

/* ---- The graph ---- */

static few_status trace(struct job *j, int i) {
  few_node y = FEW_NONE;
  FEW_TRY(few_graph_create(&j->g[i], j->ctx));
  few_graph *g = j->g[i];
  if (j->o->what == FEW_EXPORT_SAMPLER)
    FEW_TRY(few__export_sampler(j->ctx, &y, &j->draws, g, j->m, &j->resolved, &j->s, batch[i]));
  else if (j->o->what == FEW_EXPORT_DENOISER)
    y = few__export_denoiser(g, j->m, j->s.guidance, batch[i]);
  else
    FEW_TRY(few_model_graph(&y, j->m, g, batch[i]));
  j->t.at[i] = (struct few_onnx_trace){g, y, batch[i]};
  return few_graph_status(g);
}

static const float *parameter(void *user, const char *name) {
  const struct job *j = user;
  const size_t n = strlen(FEW_EXPORT_GUIDE);
  const bool guide = !strncmp(name, FEW_EXPORT_GUIDE, n);
  const few_model *m = guide ? few_runner_model(j->s.autoguide) : j->m;
  const int row = few__params_find(&m->params, guide ? name + n : name);
  assert(row >= 0);
  return m->values + m->params.at[row].offset;
}

/* ---- Inputs ---- */

enum { MAX_RANK = 5 };
struct port {
  const char *name, *help;
  enum few_onnx_type type;
  int rank;
  int64_t dim[MAX_RANK];
};

/* "  noise [N,1,28,28] float32: standard normal" */
static void describe(struct job *j, const struct port *p, const char *way) {
  const char *type = p->type == FEW_ONNX_FLOAT   ? "float32"
                     : p->type == FEW_ONNX_INT64 ? "int64"
                                                 : "uint8";
  few__text_add(j->ctx, &j->about, "%s %s [", way, p->name);
  for (int k = 0; k < p->rank; k++) {
    if (p->dim[k] < 0)
      few__text_add(j->ctx, &j->about, "%sN", k ? "," : "");
    else
      few__text_add(j->ctx, &j->about, "%s%lld", k ? "," : "", (long long)p->dim[k]);
  }
  few__text_add(j->ctx, &j->about, "] %s: %s\n", type, p->help);
}

static const char *add_input(struct job *j, const struct port *p) {
  few__onnx_input(j->t.out, p->name, p->type, p->rank, p->dim);
  few__translate_reserve(&j->t, p->name);
  describe(j, p, "in ");
  return p->name;
}

/* The port of images, or of points. */
static struct port image_port(const struct job *j, const char *name, const char *help) {
  const struct few_net_spec *s = &j->m->spec;
  struct port p = {name, help, FEW_ONNX_FLOAT, s->points ? 2 : 4, {-1, s->c, s->h, s->w}};
  return p;
}

static void take_images(struct job *j, const char *input, const char *help) {
  if (!few__translate_needs(&j->t, input)) return;
  const struct port p = image_port(j, input, help);
  few__translate_input(&j->t, input, FEW_ONNX_IMAGES, add_input(j, &p));
}

static void take_rows(struct job *j, const char *input, enum few_onnx_type type, const char *help) {
  if (!few__translate_needs(&j->t, input)) return;
  const struct port p = {input, help, type, 1, {-1}};
  few__translate_input(&j->t, input, FEW_ONNX_PLAIN, add_input(j, &p));
}

static void take_label(struct job *j) {
  char help[160];
  snprintf(help, sizeof help, "a class, 0 to %lld%s", (long long)j->m->spec.classes - 1,
           j->m->spec.unlabelled == FEW_NO ? "" : ", or -1 for none");
  if (j->s.label < 0 || j->o->what == FEW_EXPORT_NETWORK) {
    take_rows(j, "label", FEW_ONNX_INT64, help);
  } else if (few__translate_needs(&j->t, "label")) {
    const char *one = few__onnx_int(&j->t, j->s.label);
    few__translate_input(&j->t, "label", FEW_ONNX_PLAIN,
                         few__onnx_op2(&j->t, "Expand", one, few__onnx_batch(&j->t)));
  }
}

/* Noise i is a part of the input `noise` [N,(1+K)CHW]. */
static const char *flat_noise(struct job *j, int i) {
  const struct few_net_spec *s = &j->m->spec;
  const int64_t each = s->c * s->h * s->w, axis = 1, start = i * each, end = start + each;
  const int64_t image[4] = {-1, s->c, s->h, s->w};
  const char *in[4] = {j->noise, few__onnx_ints(&j->t, 1, &start), few__onnx_ints(&j->t, 1, &end),
                       few__onnx_ints(&j->t, 1, &axis)};
  const char *part = few__onnx_op(&j->t, "Slice", 4, in, 0, NULL);
  return few__onnx_reshape(&j->t, part, s->points ? 2 : 4, image);
}

static const char *fresh_noise(struct job *j, int i) {
  const char *in[2] = {"fresh", few__onnx_int(&j->t, i - 1)};
  return few__onnx_op(&j->t, "Gather", 2, in, 1, &FEW_ONNX_ATTR_INT("axis", 0));
}

static void declare_noise(struct job *j) {
  const struct few_net_spec *s = &j->m->spec;
  const int later = j->draws.n - 1;
  struct port first = image_port(j, "noise", "standard normal noise of the start");
  if (j->o->flat) {
    first.rank = 2;
    first.dim[1] = s->c * s->h * s->w * j->draws.n;
    first.help = "standard normal noise of all steps, image after image";
  }
  j->noise = add_input(j, &first);
  struct port fresh = {"fresh",
                       "standard normal noise of the later steps",
                       FEW_ONNX_FLOAT,
                       first.rank + 1,
                       {later, -1, s->c, s->h, s->w}};
  if (later && !j->o->flat) add_input(j, &fresh);
}

static void take_noise(struct job *j) {
  char input[32];
  declare_noise(j);
  for (int i = 0; i < j->draws.n; i++) {
    snprintf(input, sizeof input, "noise.%d", i);
    if (!few__translate_needs(&j->t, input)) continue;
    few__translate_input(&j->t, input, FEW_ONNX_IMAGES,
                         j->o->flat ? flat_noise(j, i)
                         : i        ? fresh_noise(j, i)
                                    : j->noise);
  }
}

static void take_inputs(struct job *j) {
  switch (j->o->what) {
    case FEW_EXPORT_SAMPLER:
      take_noise(j);
      break;
    case FEW_EXPORT_DENOISER:
      take_images(j, "x",
                  j->m->spec.points ? "points plus sigma times standard normal noise"
                                    : "images in [-1, 1] plus sigma times standard normal noise");
      take_rows(j, "sigma", FEW_ONNX_FLOAT, "the level of the noise, above 0");
      break;
    case FEW_EXPORT_NETWORK:
      take_images(j, "x", "x_t / sigma_data, of unit variance");
      take_rows(j, "t", FEW_ONNX_FLOAT, "TrigFlow's time, radians");
      take_rows(j, "step_size", FEW_ONNX_FLOAT, "the size of the step");
      break;
  }
  take_label(j);
  take_rows(j, "guidance", FEW_ONNX_FLOAT, "the guidance scale");
}

/* ---- The output ---- */

/* A value in [-1, 1] becomes a number from 0 to `most`, clipped. */
static const char *pixels(struct job *j, const char *x, double most) {
  struct few_translation *t = &j->t;
  x = few__onnx_op2(t, "Mul", x, few__onnx_real(t, most / 2));
  x = few__onnx_op2(t, "Add", x, few__onnx_real(t, most / 2));
  const char *in[3] = {x, few__onnx_real(t, 0), few__onnx_real(t, most)};
  return few__onnx_op(t, "Clip", 3, in, 0, NULL);
}

/* The nearest byte; half a level is rounded up. */
static const char *bytes(struct job *j, const char *x) {
  struct few_translation *t = &j->t;
  x = few__onnx_op2(t, "Add", pixels(j, x, 255), few__onnx_real(t, 0.5));
  return few__onnx_cast(t, few__onnx_op1(t, "Floor", x), FEW_ONNX_UINT8);
}

static void add_output(struct job *j, const struct port *p, const char *x) {
  few__onnx_output(j->t.out, p->name, p->type, p->rank, p->dim);
  few__onnx_node(j->t.out, "Identity", p->name, 1, &x, 0, NULL);
  describe(j, p, "out");
}

static void give_images(struct job *j, const char *x) {
  struct port p = image_port(j, "image", "about [-1, 1], not clipped");
  if (j->m->spec.points) p.help = "points in the units of the data";
  if (j->o->pixels == FEW_EXPORT_UNIT) {
    p.help = "[0, 1]";
    x = pixels(j, x, 1);
  }
  if (j->o->pixels >= FEW_EXPORT_BYTES) {
    p.help = "0 to 255";
    p.type = FEW_ONNX_UINT8;
    x = bytes(j, x);
  }
  if (j->o->pixels == FEW_EXPORT_RGB && p.dim[1] == 1) {
    p.dim[1] = 3;
    x = few__onnx_op(&j->t, "Concat", 3, (const char *[]){x, x, x}, 1,
                     &FEW_ONNX_ATTR_INT("axis", 1));
  }
  add_output(j, &p, x);
}

static void give_output(struct job *j, const char *y) {
  struct port p = image_port(j, "F", "dx_t/dt = sigma_data F, in the units of the network");
  if (j->o->what == FEW_EXPORT_SAMPLER) {
    give_images(j, y);
    return;
  }
  if (j->o->what == FEW_EXPORT_DENOISER) {
    p.name = "denoised";
    p.help = j->m->spec.points ? "the mean of the points that x can come from"
                               : "the mean of the images that x can come from, in [-1, 1]";
  }
  if (few__model_classifies(j->m))
    p = (struct port){"logits", "of each class", FEW_ONNX_FLOAT, 2, {-1, j->m->spec.classes}};
  add_output(j, &p, y);
}

/* ---- The file ---- */

static void describe_sampler(struct job *j) {
  const struct few_times_opts *o = &j->resolved.times;
  few__text_add(j->ctx, &j->about, "sampler %s, %d step%s", j->resolved.sampler->name, o->steps,
                o->steps == 1 ? "" : "s");
  if (o->times) {
    few__text_add(j->ctx, &j->about, " at t =");
    for (int i = 0; i < o->steps; i++) few__text_add(j->ctx, &j->about, " %.6g", o->times[i]);
  }
  if (j->s.guidance != 1) few__text_add(j->ctx, &j->about, ", guidance %g", j->s.guidance);
  if (j->s.clip > 0) few__text_add(j->ctx, &j->about, ", clip %g", j->s.clip);
  if (j->s.autoguide) few__text_add(j->ctx, &j->about, ", autoguidance %g", j->s.autoguidance);
  if (j->s.label >= 0) few__text_add(j->ctx, &j->about, ", label %d", j->s.label);
  few__text_add(j->ctx, &j->about, "\n");
}

static few_status add_properties(struct job *j) {
  static const char *const what[] = {"sampler", "denoiser", "network"};
  char *metadata, number[40];
  few__onnx_property(j->t.out, "few.what", what[j->o->what]);
  if (j->o->what == FEW_EXPORT_SAMPLER) {
    few__onnx_property(j->t.out, "few.sampler", j->resolved.sampler->name);
    few__print(number, sizeof number, "%d", j->resolved.times.steps);
    few__onnx_property(j->t.out, "few.steps", number);
    few__print(number, sizeof number, "%g", j->s.guidance);
    few__onnx_property(j->t.out, "few.guidance", number);
  }
  few__print(number, sizeof number, "%.17g", j->m->spec.sigma_data);
  few__onnx_property(j->t.out, "few.sigma_data", number);
  FEW_TRY(few_model_metadata(&metadata, j->m));
  few__onnx_property(j->t.out, "few.model", metadata); /* data scale, classes, network */
  few_text_free(j->m->ctx, metadata);
  return FEW_OK;
}

static few_status write_file(struct job *j, const char *path) {
  static const char *const outputs[] = {"image", "denoised", "F", "logits"};
  const char *y;
  FEW_TRY(few__onnx_create(j->ctx, &j->t.out));
  FEW_TRY(few__translate_begin(&j->t));
  if (j->o->what == FEW_EXPORT_SAMPLER) describe_sampler(j);
  for (int i = 0; i < FEW_COUNT(outputs); i++) few__translate_reserve(&j->t, outputs[i]);
  take_inputs(j);
  FEW_TRY(few__translate(&j->t, &y));
  give_output(j, y);
  FEW_TRY(j->t.status);
  FEW_TRY(add_properties(j));
  if (j->about.failed) return few__fail(j->ctx, FEW_E_MEMORY, "out of memory: the description");
  return few__onnx_write(j->t.out, path, j->m->net->name, j->about.at);
}

few_status few_export_onnx(char **about, few_ctx *ctx, const few_model *m, const char *path,
                           const struct few_export_opts *opts) {
  static const struct few_export_opts defaults = FEW_EXPORT_OPTS_INIT;
  few_status st;
  if (about) *about = NULL;
  if (!m || !path) return few__fail(ctx, FEW_E_INVALID, "export: give a model and a path");
  struct job j = {.ctx = ctx, .m = m, .o = opts ? opts : &defaults};
  j.t = (struct few_translation){.ctx = ctx, .parameter = parameter, .user = &j};
  FEW_GOTO(check(&j));
  for (int i = 0; i < 2; i++) FEW_GOTO(trace(&j, i));
  st = write_file(&j, path);
out:
  few__translate_end(&j.t);
  few__onnx_free(j.t.out);
  for (int i = 0; i < 2; i++) few_graph_free(j.g[i]);
  few__sample_resolved_free(ctx, &j.resolved);
  few__free(ctx, j.draws.at);
  if (about && !st)
    *about = j.about.at;
  else
    few__text_free(ctx, &j.about);
  return st;
}
