/* Networks of EDM, EDM2, OpenAI, DiT and SiT compute what the original computes. originals.py
 * writes for each case a configuration, the names and shapes of tensors, and F at several times.
 * The values of tensors are a hash of their name. */
#include "testing.h"

#include "few/data.h"
#include "few/import.h"
#include "few/plan.h"
#include "few/run.h"
#include "few/sample.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "model/import/layout.h"
#include "model/model.h"

/* Rounding of a hundred layers in single precision, relative to the rms of a row. A time that is a
 * number up to about a thousand is rounded, and so is the angle of its fastest sinusoid. */
static const double layers = 100 * 0x1p-24, number = 1000 * 0x1p-24;

static const struct {
  const char *name, *format;
  bool numbered;
} cases[] = {
    {"ddpmpp", "edm", false},
    {"ddpmpp_cond", "edm", false},
    {"ncsnpp", "edm", false},
    {"ddpmpp_vp", "edm", true},
    {"ncsnpp_ve", "edm", true},
    {"iddpm", "edm", true},
    {"ecm", "edm", false},
    {"dhariwal", "edm", false},
    {"dhariwal_narrow", "edm", false},
    {"edm2", "edm2", false},
    {"edm2_cond", "edm2", false},
    {"adm", "guided-diffusion", true},
    {"adm_cosine", "guided-diffusion", true},
    {"adm_plain", "guided-diffusion", true},
    {"cm", "consistency-models", true},
    {"dit", "dit", true},
    {"sit", "sit", false},
};

static void path_of(char *out, size_t size, const char *name, const char *end) {
  snprintf(out, size, FEW_TEST_DIR "/model/import/data/originals/%s%s", name, end);
}

/* Element i is mean + scale u, u from -1 to 1: splitmix64 on the FNV-1a hash of the name. */
static float *values(const char *name, int64_t n, double mean, double scale) {
  uint64_t h = 0xcbf29ce484222325;
  float *out = malloc((size_t)n * sizeof *out);
  for (const char *c = name; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3;
  for (int64_t i = 0; i < n; i++) {
    uint64_t z = h + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    z ^= z >> 31;
    out[i] = (float)(mean + scale * ((double)(z >> 40) / 8388608 - 1));
  }
  return out;
}

struct made { /* a source in memory */
  few_ctx *ctx;
  struct few_origin *source;
  struct few_st_tensor *tensors;
  json_t *about;
};

static void add_tensor(struct made *m, int index, const char *name, const json_t *about) {
  const json_t *shape = json_object_get(about, "shape");
  struct few_st_tensor *t = &m->tensors[index];
  *t = (struct few_st_tensor){.name = name, .store = FEW_STORE_F32, .count = 1};
  t->rank = (int)json_array_size(shape);
  for (int i = 0; i < t->rank; i++) {
    t->dim[i] = json_integer_value(json_array_get(shape, (size_t)i));
    t->count *= t->dim[i];
  }
  t->bytes = (size_t)t->count * sizeof(float);
  t->data = values(name, t->count, json_number_value(json_object_get(about, "mean")),
                   json_number_value(json_object_get(about, "scale")));
}

static void make_source(struct made *m, few_ctx *ctx, const char *name) {
  char path[400], *text;
  size_t n;
  const char *key;
  json_t *value;
  int i = 0;
  *m = (struct made){.ctx = ctx};
  path_of(path, sizeof path, name, ".json");
  assert_ok(ctx, few__json_read(ctx, &m->about, path, 1 << 20));
  assert_ok(ctx, few__origin_new(ctx, &m->source, name));
  if (json_is_object(json_object_get(m->about, "config"))) {
    text = json_dumps(json_object_get(m->about, "config"), 0);
    n = strlen(text);
    assert_ok(ctx, few__conf_parse(ctx, &m->source->net, name, text, n));
    free(text);
  }
  json_t *tensors = json_object_get(m->about, "tensors");
  m->tensors = calloc(json_object_size(tensors), sizeof *m->tensors);
  json_object_foreach(tensors, key, value) add_tensor(m, i++, key, value);
  assert_ok(ctx, few__origin_add(m->source, m->tensors, i));
  assert_ok(ctx, few__origin_sort(m->source));
}

static void free_source(struct made *m) {
  for (int i = 0; i < m->source->n; i++) free((void *)m->tensors[i].data);
  few__origin_free(m->source);
  free(m->tensors);
  json_decref(m->about);
}

static few_model *import_case(few_ctx *ctx, int which) {
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  struct made m;
  few_model *model = NULL;
  make_source(&m, ctx, cases[which].name);
  const json_t *settings = json_object_get(m.about, "settings");
  const char *texts[8];
  o.source = cases[which].name;
  o.format = cases[which].format;
  o.settings = texts;
  for (size_t i = 0; i < json_array_size(settings); i++)
    texts[o.n_settings++] = json_string_value(json_array_get(settings, i));
  assert_ok(ctx, few__import_source(&model, m.source, &o));
  free_source(&m);
  return model;
}

static const void *tensor(const struct few_st *st, const char *name) {
  const struct few_st_tensor *t = few__st_find(st, name);
  assert_non_null(t);
  return t->data;
}

static double distance(const float *a, const float *b, int64_t n) {
  double error = 0, size = 0;
  for (int64_t k = 0; k < n; k++) {
    error += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    size += (double)b[k] * (double)b[k];
  }
  return sqrt(error / size);
}

/* EDM's deterministic sampler with 18 steps or at `times`, from x[0] and class 1. The program's
 * noise at sigma = 80 is 80 eps, few's is x_t = sin(t) sigma_d eps, larger by
 * sqrt(1 + (sigma_d/80)^2). */
static void check_sampled(few_ctx *ctx, few_runner *r, const struct few_st *golden,
                          const char *name) {
  const struct few_st_tensor *want = few__st_find(golden, "sampled");
  const struct few_st_tensor *times = few__st_find(golden, "times");
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  if (!want) return;
  float *image = malloc((size_t)want->count * sizeof *image);
  o.steps = 18;
  o.sampler = "heun";
  o.label = 1;
  if (times) {
    assert_int_equal(times->store, FEW_STORE_F64);
    o.n_times = o.steps = (int)times->count;
    o.times = times->data;
  }
  assert_ok(ctx, few_sample_from(image, NULL, NULL, r, &o, tensor(golden, "x")));
  const double error = distance(image, want->data, want->count);
  if (!(error < 1e-4)) fail_msg("%s, sampled: relative rms %.3g", name, error);
  free(image);
}

static void check_rows(int which, const float *F, const float *want, int64_t n, int64_t each) {
  const double bound = layers + (cases[which].numbered ? number : 0);
  for (int64_t i = 0; i < n; i++) {
    const double error = distance(F + i * each, want + i * each, each);
    if (!(error <= bound))
      fail_msg("%s, row %d: relative rms %.3g", cases[which].name, (int)i, error);
  }
}

/* The network with labels of augmentation, which only training has. */
static void check_augmented(few_ctx *ctx, int which, const few_model *m,
                            const struct few_st *golden) {
  const struct few_st_tensor *want = few__st_find(golden, "F_augmented");
  struct few_model_info info;
  few_graph *g;
  few_plan *plan;
  few_executor *e;
  struct few_plan_array array;
  few_model_info(&info, sizeof info, m);
  assert_int_equal(info.augment, want ? FEW_AUGMENT_LABELS : 0);
  if (!want) return;
  const int64_t n = want->dim[0], each = want->count / n;
  float *F = malloc((size_t)want->count * sizeof *F);
  assert_ok(ctx, few_graph_create(&g, ctx));
  struct few_net_input in = few__model_inputs(m, g, n);
  in.augment = few__model_augment(m, g, n);
  const struct few_plan_output out = {"F", few__model_trace(m, g, "", false, &in)};
  assert_ok(ctx, few_plan_create(&plan, g, 1, &out, NULL));
  assert_ok(ctx, few_executor_create(&e, ctx, plan));
  for (int i = 0; few_plan_array_at(&array, sizeof array, plan, i); i++) {
    const int row = few__params_find(&m->params, array.name);
    if (array.kind == FEW_PLAN_OUTPUT)
      assert_ok(ctx, few_executor_bind_output(e, array.name, F));
    else
      assert_ok(ctx, few_executor_bind_input(e, array.name,
                                             array.kind == FEW_PLAN_PARAM
                                                 ? m->values + m->params.at[row].offset
                                                 : tensor(golden, array.name)));
  }
  assert_ok(ctx, few_executor_run(e, NULL));
  check_rows(which, F, want->data, n, each);
  few_executor_free(e);
  few_plan_free(plan);
  few_graph_free(g);
  free(F);
}

static void compare(few_ctx *ctx, int which) {
  char path[400];
  struct few_st golden;
  few_runner *r;
  few_model *m = import_case(ctx, which);
  path_of(path, sizeof path, cases[which].name, ".safetensors");
  assert_ok(ctx, few__st_read(ctx, &golden, path, 1 << 24));
  const struct few_st_tensor *want = few__st_find(&golden, "F");
  assert_non_null(want);
  const int64_t n = want->dim[0], each = want->count / n;
  float *F = malloc((size_t)want->count * sizeof *F);
  struct few_inputs in = FEW_INPUTS_INIT;
  in.n = n;
  in.x = tensor(&golden, "x");
  in.t = tensor(&golden, "t");
  in.label = tensor(&golden, "label");
  assert_ok(ctx, few_runner_create(&r, ctx, m));
  assert_ok(ctx, few_runner_eval(F, r, &in));
  check_rows(which, F, want->data, n, each);
  check_augmented(ctx, which, m, &golden);
  check_sampled(ctx, r, &golden, cases[which].name);
  free(F);
  few_runner_free(r);
  few__st_free(ctx, &golden);
  few_model_free(m);
}

static void test_golden(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) compare(ctx, i);
  few_ctx_free(ctx);
}

/* ---- What is refused ---- */

/* A case of the list above, with other settings or another configuration. */
static const struct {
  const char *name, *format, *set[6], *words;
  const char *member, *value; /* of the configuration, as JSON; NULL: as it is */
} refused[] = {
    {"adm", NULL, {NULL}, "can be a file of guided-diffusion or of consistency-models", NULL, NULL},
    {"dit", NULL, {NULL}, "can be a file of dit or of sit", NULL, NULL},
    {"dit", "edm", {NULL}, "not a network that few can import as edm", NULL, NULL},
    {"dit", "dit", {NULL}, "give num_heads=N", NULL, NULL},
    {"dit", "dit", {"num_heads=2", "depth=2"}, "member `depth`", NULL, NULL},
    {"dit", "dit", {"num_heads"}, "give key=value after the source", NULL, NULL},
    {"adm", "guided-diffusion", {NULL}, "give image_size=64", NULL, NULL},
    {"adm", "guided-diffusion", {"image_size=8"}, "give use_new_attention_order=", NULL, NULL},
    {"adm",
     "guided-diffusion",
     {"image_size=8", "use_new_attention_order=True"},
     "give noise_schedule=linear",
     NULL,
     NULL},
    {"adm",
     "guided-diffusion",
     {"image_size=8", "use_new_attention_order=True", "noise_schedule=linear"},
     "give num_head_channels=64",
     NULL,
     NULL},
    {"cm",
     "consistency-models",
     {"image_size=8", "num_heads=5"},
     "which are not heads of 13",
     NULL,
     NULL},
    {"ddpmpp", "edm", {"num_heads=1"}, "a configuration of its own", NULL, NULL},
    {"ddpmpp", "edm", {NULL}, "`decoder_type` is \"skip\"", "decoder_type", "\"skip\""},
    {"ddpmpp", "edm", {NULL}, "its network is a `UNet`", "model_type", "\"UNet\""},
    {"ddpmpp", "edm", {NULL}, "`channel_mult` is not a list", "channel_mult", "[]"},
    {"ddpmpp", "edm", {NULL}, "`channel_mult` is not a list", "channel_mult", "[0.5, 1]"},
    {"ddpmpp", "edm", {NULL}, "`XPrecond` is not a network", "_class_name", "\"XPrecond\""},
    {"iddpm", "edm", {NULL}, "`C_2` is 0.01", "C_2", "0.01"},
    {"iddpm", "edm", {NULL}, "`M` is 2", "M", "2"},
    {"ncsnpp_ve", "edm", {NULL}, "`sigma_min` is 0", "sigma_min", "0"},
    {"ddpmpp_vp", "edm", {NULL}, "`M` is 500", "M", "500"},
    {"ddpmpp", "edm", {NULL}, "arguments without names", "arguments without names", "true"},
    {"ddpmpp", "edm", {NULL}, "missing: model.enc.8x8_block1", "num_blocks", "2"},
    {"ddpmpp_vp", "edm", {NULL}, "`beta_d` is 20", "beta_d", "20"},
    {"edm2", "edm2", {NULL}, "`resample_filter` is [1,3,3,1]", "resample_filter", "[1,3,3,1]"},
    {"edm2", "edm2", {NULL}, "fewer channels than `channels_per_head`", "channels_per_head", "64"},
};

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(refused); i++) {
    struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
    struct made m;
    few_model *model = NULL;
    make_source(&m, ctx, refused[i].name);
    if (refused[i].member)
      assert_int_equal(json_object_set_new(m.source->net.all, refused[i].member,
                                           json_loads(refused[i].value, JSON_DECODE_ANY, NULL)),
                       0);
    o.source = refused[i].name;
    o.format = refused[i].format;
    o.settings = refused[i].set;
    while (refused[i].set[o.n_settings]) o.n_settings++;
    const few_status st = few__import_source(&model, m.source, &o);
    if (!st) fail_msg("%d: imported", i);
    if (!strstr(few_error(ctx), refused[i].words)) fail_msg("%d: %s", i, few_error(ctx));
    free_source(&m);
  }
  few_ctx_free(ctx);
}

/* Another number of labels of augmentation: their meaning is not known, and samples do not need
 * them. */
static void test_other_augmentation(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  struct few_model_info info;
  struct made m;
  few_model *model = NULL;
  make_source(&m, ctx, "ddpmpp");
  assert_int_equal(json_object_set_new(m.source->net.all, "augment_dim", json_integer(6)), 0);
  o.source = "ddpmpp";
  assert_ok(ctx, few__import_source(&model, m.source, &o));
  few_model_info(&info, sizeof info, model);
  assert_int_equal(info.augment, 0);
  few_model_free(model);
  free_source(&m);
  few_ctx_free(ctx);
}

/* A network that was pickled whole, from the file to the model. */
static void test_pickle(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  struct few_model_info info;
  few_model *m;
  o.source = FEW_TEST_DIR "/io/data/persistent/y_edm.pkl";
  assert_ok(ctx, few_import(&m, ctx, &o));
  few_model_info(&info, sizeof info, m);
  assert_string_equal(info.predicts, "edm");
  assert_int_equal(info.classes, 2);
  assert_int_equal(info.h, 8);
  assert_int_equal(info.unlabelled, FEW_NO);
  few_model_free(m);
  o.source = FEW_TEST_DIR "/io/data/persistent/n_system.pkl";
  assert_int_equal(few_import(&m, ctx, &o), FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(ctx), "posix.system"));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_refused),
                                     cmocka_unit_test(test_other_augmentation),
                                     cmocka_unit_test(test_pickle)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
