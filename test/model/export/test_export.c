/* Models as ONNX files: samplers, denoisers and networks give what few gives, for batches of any
 * size; inputs, outputs and properties are as they are described; and what is refused. */
#include "cases.h"
#include "model/models.h"

#include "few/export.h"
#include "few/import.h"
#include "model/export/export.h"

enum { ROWS = 8, MOST_STEPS = 8 };

/* few's own backends differ by a few 1e-6 in such networks; the bound is 1e-4 of an image.
 */
static const double tolerance = 1e-4;

static int64_t dims(const few_model *m) { return m->spec.h * m->spec.w * m->spec.c; }

static void array(struct cases *c, const char *end, const few_model *m, const float *x) {
  const struct few_net_spec *s = &m->spec;
  const int64_t dim[4] = {ROWS, s->points ? s->c : s->h, s->w, s->c};
  case_array(c, end, s->points ? 2 : 4, dim, x, NULL, true);
}

/* Plain loops are too slow for large networks. */
static const char *runtimes(const few_model *m) { return m->flops < 3e6 ? "own,ort" : "ort"; }

static void normals(float *z, int64_t n, uint64_t draw, uint64_t seed) {
  struct few_sampling s = {.rows = ROWS, .dims = n / ROWS, .seed = seed};
  few_sampling_noise(z, &s, (int)draw);
}

static void write_labels(struct cases *c, int32_t label[ROWS], const few_model *m,
                         bool some_without) {
  for (int i = 0; i < ROWS; i++)
    label[i] = m->spec.classes ? (int32_t)((i * 3 + 1) % m->spec.classes) : -1;
  if (some_without) label[5] = -1;
  if (m->spec.classes) case_array(c, ".in.label", 1, (int64_t[]){ROWS}, NULL, label, false);
}

/* ---- Samplers ---- */

/* The noise of later steps, [K,N,..]: draws 1, 2 .. of the seed. */
static void write_fresh(struct cases *c, const few_model *m, int later, uint64_t seed) {
  const struct few_net_spec *s = &m->spec;
  const int64_t n = ROWS * dims(m);
  const int64_t points[3] = {later, ROWS, s->c}, images[5] = {later, ROWS, s->h, s->w, s->c};
  float *z = malloc((size_t)(later * n) * sizeof *z);
  assert_non_null(z);
  for (int k = 0; k < later; k++) normals(z + k * n, n, (uint64_t)k + 1, seed);
  case_array(c, ".in.fresh", s->points ? 3 : 5, s->points ? points : images, z, NULL, true);
  free(z);
}

static int later_draws(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o) {
  struct few_sample_resolved r;
  struct few_export_draws draws = {0};
  few_graph *g;
  few_node y;
  assert_ok(ctx, few__sample_resolve(ctx, &r, m, o, FEW_TO_IMAGES));
  assert_ok(ctx, few_graph_create(&g, ctx));
  assert_ok(ctx, few__export_sampler(ctx, &y, &draws, g, m, &r, o, 2));
  for (int i = 0; i < draws.n; i++) assert_int_equal(draws.at[i], i);
  few_graph_free(g);
  few__free(ctx, draws.at);
  few__sample_resolved_free(ctx, &r);
  return draws.n - 1;
}

static void sampler_case(struct cases *c, const char *name, const few_model *m,
                         struct few_sample_opts o) {
  char path[200], *about;
  const int64_t n = ROWS * dims(m);
  float *z = malloc((size_t)n * sizeof *z), *image = malloc((size_t)n * sizeof *image);
  int32_t label[ROWS];
  struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
  assert_true(z && image);
  e.sampling = &o;
  o.n = ROWS;
  o.seed = 5;
  assert_ok(m->ctx, few_export_onnx(&about, m->ctx, m, case_path(c, path, name, ".onnx"), &e));
  assert_non_null(strstr(about, "in  noise [N,"));
  few_text_free(m->ctx, about);
  normals(z, n, 0, 9);
  write_labels(c, label, m, m->spec.classes && m->spec.unlabelled != FEW_NO);
  const int later = later_draws(m->ctx, m, &o);
  if (later) write_fresh(c, m, later, o.seed);
  assert_ok(m->ctx, once_decode(m, &o, z, label, image, NULL));
  array(c, ".in.noise", m, z);
  array(c, ".out", m, image);
  case_add(c, name, tolerance, runtimes(m));
  free(z);
  free(image);
}

/* Every sampler on a network of points, in four steps. Not every step of a network with a step size
 * is one that it has learned. */
static void test_samplers(void **state) {
  (void)state;
  struct cases c = cases_begin();
  few_model *m = test_model_new(c.ctx, TEST_MLP);
  for (int i = 0; i < few__sampler_count(c.ctx); i++) {
    const struct few_sampler_def *def = few__sampler_at(c.ctx, i);
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.sampler = def->name;
    o.steps = 4;
    if (!def->fitted && !def->jumps) sampler_case(&c, def->name, m, o);
  }
  static const char *const churn[] = {"churn=3"};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = "heun";
  o.steps = 3;
  o.n_settings = 1;
  o.settings = churn;
  sampler_case(&c, "heun_churn", m, o);
  struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
  char path[200];
  f.steps = 3;
  f.full = 8;
  f.n = 20;
  assert_ok(c.ctx, once_olss(m, &f, case_path(&c, path, "olss", ".json"), NULL));
  o = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  o.schedule = path;
  sampler_case(&c, "olss", m, o);
  few_model_free(m);
  cases_end(&c);
}

/* Steps of a flow map, without and with fresh noise between them. */
static void test_flowmap(void **state) {
  (void)state;
  static const char *const gamma[] = {"gamma=0.6"};
  struct cases c = cases_begin();
  few_model *m = test_model_new(c.ctx, TEST_MAP);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = "flowmap";
  o.steps = 3;
  sampler_case(&c, "flowmap", m, o);
  o.n_settings = 1;
  o.settings = gamma;
  sampler_case(&c, "flowmap_gamma", m, o);
  few_model_free(m);
  cases_end(&c);
}

static void test_guidance(void **state) {
  (void)state;
  struct cases c = cases_begin();
  few_model *unet = test_model_new(c.ctx, TEST_UNET), *worse = test_model_new(c.ctx, TEST_UNET);
  few_model *dit = test_model_new(c.ctx, TEST_DIT);
  few_runner *guide;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.steps = 3;
  o.sampler = "dpmpp";
  o.guidance = 2.5;
  o.guidance_from = 0.3;
  o.guidance_to = 1.4;
  sampler_case(&c, "free", unet, o);
  o.clip = 0.5;
  sampler_case(&c, "clip", unet, o);
  o.clip = 0;
  sampler_case(&c, "input", dit, o);
  for (int64_t i = 0; i < worse->params.total; i++) worse->values[i] *= 0.9F;
  assert_ok(c.ctx, few_runner_create(&guide, c.ctx, worse));
  o.guidance = 1;
  o.autoguide = guide;
  o.autoguidance = 1.7;
  sampler_case(&c, "auto", unet, o);
  few_runner_free(guide);
  few_model_free(unet);
  few_model_free(worse);
  few_model_free(dit);
  cases_end(&c);
}

/* ---- Denoisers and networks ---- */

static void network_case(struct cases *c, const char *name, const few_model *m) {
  char path[200];
  const int64_t n = ROWS * dims(m), out = few__model_classifies(m) ? m->spec.classes : dims(m);
  float *x = malloc((size_t)n * sizeof *x), *F = malloc((size_t)(ROWS * out) * sizeof *F);
  float t[ROWS], guidance[ROWS], step[ROWS];
  int32_t label[ROWS];
  few_runner *r = once_runner(m);
  struct few_inputs in = FEW_INPUTS_INIT;
  struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
  assert_true(x && F);
  e.what = FEW_EXPORT_NETWORK;
  assert_ok(m->ctx, few_export_onnx(NULL, m->ctx, m, case_path(c, path, name, ".onnx"), &e));
  normals(x, n, 0, 3);
  for (int i = 0; i < ROWS; i++) {
    t[i] = 0.1F + 0.15F * (float)i;
    guidance[i] = 1 + 0.4F * (float)i;
    step[i] = 0.5F * t[i];
  }
  write_labels(c, label, m, m->spec.unlabelled != FEW_NO);
  in.n = ROWS;
  in.x = x;
  in.t = t;
  in.label = m->spec.classes ? label : NULL;
  in.guidance = m->spec.guidance ? guidance : NULL;
  in.step_size = m->spec.step_size ? step : NULL;
  assert_ok(m->ctx, few_runner_eval(F, r, &in));
  array(c, ".in.x", m, x);
  case_array(c, ".in.t", 1, (int64_t[]){ROWS}, t, NULL, false);
  case_array(c, ".in.guidance", 1, (int64_t[]){ROWS}, guidance, NULL, false);
  case_array(c, ".in.step_size", 1, (int64_t[]){ROWS}, step, NULL, false);
  if (few__model_classifies(m))
    case_array(c, ".out", 2, (int64_t[]){ROWS, out}, F, NULL, false);
  else
    array(c, ".out", m, F);
  case_add(c, name, tolerance, runtimes(m));
  few_runner_free(r);
  free(x);
  free(F);
}

static void denoiser_case(struct cases *c, const char *name, const few_model *m, double guidance) {
  char path[200];
  const double sd = m->spec.sigma_data;
  const int64_t each = dims(m), n = ROWS * each;
  float *x = malloc((size_t)n * sizeof *x), *in = malloc((size_t)n * sizeof *in);
  float *F = malloc((size_t)n * sizeof *F), sigma[ROWS], t[ROWS], scale[ROWS];
  int32_t label[ROWS];
  struct few_inputs inputs = FEW_INPUTS_INIT;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
  few_runner *r = once_runner(m);
  assert_true(x && in && F);
  o.guidance = guidance;
  e.what = FEW_EXPORT_DENOISER;
  e.sampling = &o;
  assert_ok(m->ctx, few_export_onnx(NULL, m->ctx, m, case_path(c, path, name, ".onnx"), &e));
  normals(x, n, 0, 4);
  for (int i = 0; i < ROWS; i++) {
    sigma[i] = (float)(0.02 * pow(4, i));
    t[i] = (float)atan((double)sigma[i] * m->data_scale / sd);
    scale[i] = (float)guidance;
  }
  for (int64_t i = 0; i < n; i++)
    in[i] = (float)(((double)x[i] - m->data_mean) * m->data_scale * cos((double)t[i / each]) / sd);
  write_labels(c, label, m, false);
  inputs.n = ROWS;
  inputs.x = in;
  inputs.t = t;
  inputs.label = m->spec.classes ? label : NULL;
  inputs.guidance = guidance == 1 ? NULL : scale;
  assert_ok(m->ctx, few_runner_eval(F, r, &inputs));
  for (int64_t i = 0; i < n; i++) { /* D = cos(t) x_t - sin(t) sigma_d F */
    const double a = (double)t[i / each], x_t = (double)in[i] * sd;
    const double D = cos(a) * x_t - sin(a) * sd * (double)F[i];
    F[i] = (float)(D / m->data_scale + m->data_mean);
  }
  array(c, ".in.x", m, x);
  case_array(c, ".in.sigma", 1, (int64_t[]){ROWS}, sigma, NULL, false);
  array(c, ".out", m, F);
  case_add(c, name, tolerance, runtimes(m));
  few_runner_free(r);
  free(x);
  free(in);
  free(F);
}

static few_model *create(few_ctx *ctx, const char *net, int64_t classes, const char *predicts,
                         int n, const char *const *settings) {
  struct few_model_opts o = FEW_MODEL_OPTS_INIT;
  few_model *m;
  o.net = net;
  o.n_settings = n;
  o.settings = settings;
  o.h = 8;
  o.w = 16;
  o.c = 3;
  o.classes = classes;
  o.predicts = predicts;
  o.mean = -0.2;
  o.scale = 0.8;
  o.seed = 3;
  assert_ok(ctx, few_model_create(&m, ctx, &o));
  for (int64_t i = 0; i < m->params.total; i++) /* some are zero at first */
    m->values[i] += 0.05F * (float)sin((double)i);
  return m;
}

/* Images that are not square, three channels, each kind of network and prediction. */
static void test_networks(void **state) {
  (void)state;
  static const char *const unet[] = {"channels=8",  "mults=1,2",   "blocks=1",
                                     "attention=4", "filter=1331", "head_channels=8"};
  static const char *const uvit[] = {"channels=8", "mults=1", "blocks=1", "width=16",
                                     "depth=1",    "heads=2", "patch=2",  "filter=box"};
  static const char *const dit[] = {"patch=4", "width=16", "depth=2", "heads=2"};
  static const char *const convnet[] = {"channels=8,16"};
  static const char *const edm2[] = {"channels=8", "mults=1,2", "blocks=1", "attention=4",
                                     "head_channels=8"};
  struct cases c = cases_begin();
  few_model *m[6] = {
      create(c.ctx, "unet", 0, "v", 6, unet),       create(c.ctx, "uvit", 4, "both", 8, uvit),
      create(c.ctx, "dit", 4, "flow", 4, dit),      create(c.ctx, "mlp", 3, "F", 0, NULL),
      create(c.ctx, "convnet", 5, "F", 1, convnet), create(c.ctx, "edm2", 3, "x", 5, edm2)};
  for (int i = 0; i < FEW_COUNT(m); i++) {
    char name[40];
    snprintf(name, sizeof name, "network.%s", m[i]->net->name);
    network_case(&c, name, m[i]);
    snprintf(name, sizeof name, "denoiser.%s", m[i]->net->name);
    if (!few__model_classifies(m[i])) denoiser_case(&c, name, m[i], m[i]->spec.classes ? 2 : 1);
    few_model_free(m[i]);
  }
  for (int i = 0; i < TEST_MODELS; i++) {
    char name[40];
    few_model *t = test_model_new(c.ctx, i);
    snprintf(name, sizeof name, "network.%d", i);
    network_case(&c, name, t);
    few_model_free(t);
  }
  cases_end(&c);
}

/* Networks that take the state and the time of another process, as those of other programs. */
static void test_processes(void **state) {
  (void)state;
  static const char *const transforms[] = {
#define FEW_PROCESS(file, name, time_transform) "time_transform=" time_transform,
#include "diffusion/process/processes.def"
#undef FEW_PROCESS
  };
  struct cases c = cases_begin();
  for (int i = 1; i < few__process_count(); i++) {
    char name[60];
    const char *settings[] = {"width=16", "layers=2", transforms[i]};
    few_model *m = create(c.ctx, "mlp", 3, i % 2 ? "eps" : "flow", 3, settings);
    m->spec.process = i;
    snprintf(name, sizeof name, "process.%s", few__process_at(i)->name);
    network_case(&c, name, m);
    few_model_free(m);
  }
  cases_end(&c);
}

/* ---- The models that few comes with ---- */

static void test_shipped(void **state) {
  (void)state;
  static const char *const names[] = {"toy-teacher",     "toy-labels-teacher", "fashion-student",
                                      "fashion-teacher", "fashion-judge",      "fashion-features"};
  struct cases c = cases_begin();
  for (int i = 0; i < FEW_COUNT(names); i++) {
    char path[300];
    few_model *m;
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    snprintf(path, sizeof path, FEW_TEST_DIR "/../models/%s.safetensors", names[i]);
    assert_ok(c.ctx, few_model_load(&m, c.ctx, path));
    if (strcmp(m->sampler, "consistency") != 0) o.steps = 3;
    if (few__model_classifies(m))
      network_case(&c, names[i], m);
    else
      sampler_case(&c, names[i], m, o);
    few_model_free(m);
  }
  cases_end(&c);
}

/* Networks of diffusers, with the processes and samplers of their schedulers. */
static void test_imported(void **state) {
  (void)state;
  static const char *const names[] = {"adm_edm", "adm_scm", "cm", "ddpm_v", "dit_flow"};
  struct cases c = cases_begin();
  for (int i = 0; i < FEW_COUNT(names); i++) {
    char source[300], name[40];
    few_model *m;
    struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
    struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
    snprintf(source, sizeof source, FEW_TEST_DIR "/model/import/data/%s", names[i]);
    o.source = source;
    assert_ok(c.ctx, few_import(&m, c.ctx, &o));
    snprintf(name, sizeof name, "network.%s", names[i]);
    network_case(&c, name, m);
    s.steps = 3;
    sampler_case(&c, names[i], m, s);
    few_model_free(m);
  }
  cases_end(&c);
}

/* ---- Forms of images and of noise ---- */

/* Two steps for class 1: the noise of both steps in one array, and the images. */
static void two_steps(const few_model *m, struct few_sample_opts *o, float *flat, float *image) {
  const int64_t each = dims(m), n = ROWS * each;
  float z[ROWS * 64];
  assert_int_equal(each, 64);
  o->sampler = "consistency";
  o->n = ROWS;
  o->steps = 2;
  o->label = 1;
  for (int k = 0; k < 2; k++) {
    normals(z, n, (uint64_t)k, o->seed);
    for (int i = 0; i < ROWS; i++)
      memcpy(flat + (i * 2 + k) * each, z + i * each, (size_t)each * sizeof *z);
  }
  assert_ok(m->ctx, once_sample(m, o, image, NULL, NULL));
}

static void test_forms(void **state) {
  (void)state;
  static const int64_t noise[2] = {ROWS, 128}, rgb[4] = {ROWS, 3, 8, 8};
  struct cases c = cases_begin();
  few_model *m = test_model_new(c.ctx, TEST_UNET);
  float flat[ROWS * 128], image[ROWS * 64], colours[ROWS * 3 * 64];
  uint8_t bytes[ROWS * 64];
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
  char path[200], *about;
  two_steps(m, &o, flat, image);
  few__sample_bytes(ROWS * 64, image, bytes);
  for (int i = 0; i < ROWS * 3 * 64; i++) colours[i] = bytes[i / 192 * 64 + i % 64];
  for (int i = 0; i < ROWS * 64; i++) image[i] = fminf(fmaxf(image[i] / 2 + 0.5F, 0), 1);
  e.sampling = &o;
  e.flat = true;
  e.pixels = FEW_EXPORT_UNIT;
  assert_ok(c.ctx, few_export_onnx(&about, c.ctx, m, case_path(&c, path, "unit", ".onnx"), &e));
  assert_non_null(strstr(about, "in  noise [N,128] float32"));
  assert_null(strstr(about, "in  label"));
  few_text_free(c.ctx, about);
  case_array(&c, ".in.noise", 2, noise, flat, NULL, false);
  array(&c, ".out", m, image);
  case_add(&c, "unit", tolerance, runtimes(m));
  e.pixels = FEW_EXPORT_RGB;
  assert_ok(c.ctx, few_export_onnx(NULL, c.ctx, m, case_path(&c, path, "rgb", ".onnx"), &e));
  case_array(&c, ".in.noise", 2, noise, flat, NULL, false);
  case_array(&c, ".out", 4, rgb, colours, NULL, false);
  c.array[c.n_arrays - 1].bytes = true;
  /* a value between two bytes may become either */
  case_add(&c, "rgb", 1.01 / 255, runtimes(m));
  few_model_free(m);
  cases_end(&c);
}

/* uint8 and three channels: the ports of the file. */
static void test_ports(void **state) {
  (void)state;
  static const char *const wanted[] = {"out image [N,1,8,8] float32: about",
                                       "[N,1,8,8] float32: [0, 1]", "[N,1,8,8] uint8",
                                       "[N,3,8,8] uint8"};
  struct cases c = cases_begin();
  few_model *m = test_model_new(c.ctx, TEST_UNET);
  for (int p = 0; p < 4; p++) {
    char path[200], *about;
    unsigned char *bytes;
    struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
    e.pixels = (enum few_export_pixels)p;
    assert_ok(c.ctx, few_export_onnx(&about, c.ctx, m, case_path(&c, path, "ports", ".onnx"), &e));
    if (!strstr(about, wanted[p])) fail_msg("%s", about);
    const struct wire model = wire_read(path, &bytes), graph = wire_part(model, 7, 0);
    assert_true(wire_check_graph(graph) > 50);
    assert_true(wire_is(wire_part(model, 6, 0), about));
    assert_true(wire_is(wire_part(wire_part(graph, 12, 0), 1, 0), "image"));
    assert_true(wire_is(wire_part(wire_part(model, 14, 1), 2, 0), m->sampler));
    free(bytes);
    few_text_free(c.ctx, about);
  }
  few_model_free(m);
  c.n = 1;
  char command[64];
  snprintf(command, sizeof command, "rm -r %s", c.dir);
  assert_int_equal(system(command), 0);
  few_ctx_free(c.ctx);
}

/* ---- What is refused ---- */

static few_status clip(few_ctx *ctx, struct few_sampling *s) {
  float *F = few__alloc(ctx, (size_t)(s->rows * s->dims) * sizeof *F);
  few_status st = F ? s->eval(s->user, s->x, s->t[0], 0, F) : FEW_E_MEMORY;
  for (int64_t i = 0; !st && i < s->rows * s->dims; i++) s->x[i] = fminf(F[i], 1);
  few__free(ctx, F);
  return st;
}

static void expect(few_model *m, const struct few_export_opts *e, few_status st, const char *word) {
  assert_int_equal(few_export_onnx(NULL, m->ctx, m, "/nowhere/x.onnx", e), st);
  if (!strstr(few_error(m->ctx), word)) fail_msg("%s", few_error(m->ctx));
}

static void test_refused(void **state) {
  (void)state;
  static const struct few_sampler_def clipped = {.version = FEW_SAMPLER_DEF_VERSION,
                                                 .name = "clipped",
                                                 .help = "x",
                                                 .schedule = "karras",
                                                 .steps = 1,
                                                 .evals_per_step = 1,
                                                 .run = clip};
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP), *map = test_model_new(ctx, TEST_MAP);
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
  assert_ok(ctx, few_ctx_add_sampler(ctx, &clipped));
  expect(m, &e, FEW_E_IO, "/nowhere");
  e.sampling = &o;
  o.sampler = "clipped";
  expect(m, &e, FEW_E_UNSUPPORTED, "sampler clipped: this sampler does more than");
  o.sampler = "ddim";
  o.steps = 257;
  expect(m, &e, FEW_E_UNSUPPORTED, "more than 256 evaluations");
  e.what = FEW_EXPORT_NETWORK;
  expect(m, &e, FEW_E_INVALID, "steps cannot be a part of the graph of a network");
  o.steps = 0;
  o.sampler = NULL;
  o.clip = 1;
  o.threshold = 0.9;
  e.what = FEW_EXPORT_SAMPLER;
  expect(m, &e, FEW_E_INVALID, "threshold cannot be a part");
  o.clip = o.threshold = 0;
  e.what = FEW_EXPORT_NETWORK;
  e.flat = true;
  expect(m, &e, FEW_E_INVALID, "no noise");
  e.flat = false;
  e.what = FEW_EXPORT_DENOISER;
  expect(map, &e, FEW_E_INVALID, "size of a step");
  o.guidance = 2;
  expect(m, &e, FEW_E_INVALID, "guidance 2");
  o.guidance = 1;
  e.what = FEW_EXPORT_SAMPLER;
  e.pixels = FEW_EXPORT_BYTES;
  expect(m, &e, FEW_E_INVALID, "points have no pixels");
  e.version = 7;
  expect(m, &e, FEW_E_INVALID, "few_export_opts");
  few_model_free(m);
  few_model_free(map);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_samplers),  cmocka_unit_test(test_flowmap),
      cmocka_unit_test(test_guidance),  cmocka_unit_test(test_networks),
      cmocka_unit_test(test_processes), cmocka_unit_test(test_shipped),
      cmocka_unit_test(test_imported),  cmocka_unit_test(test_forms),
      cmocka_unit_test(test_ports),     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
