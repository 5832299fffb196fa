/* Models as folders of diffusers: an import of an export is the same model, bit for bit; tensors
 * that are only moved are the source's; what diffusers cannot compute is refused by name. Where
 * Python has diffusers, diffusers_peer.py loads the folders and samples the same images. */
#include <unistd.h>

#include "testing.h"

#include "few/export.h"
#include "few/ext/sampler.h"
#include "few/import.h"
#include "few/sample.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "model/model.h"

static char dir[32];

static const char *path_of(char out[400], const char *name, const char *end) {
  snprintf(out, 400, "%s/%s%s", dir, name, end);
  return out;
}

static few_model *imported(few_ctx *ctx, const char *path) {
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  few_model *m = NULL;
  o.source = path;
  o.format = "diffusers";
  assert_ok(ctx, few_import(&m, ctx, &o));
  return m;
}

static few_model *golden(few_ctx *ctx, const char *name) {
  char path[400];
  snprintf(path, sizeof path, FEW_TEST_DIR "/model/import/data/%s", name);
  return imported(ctx, path);
}

static few_model *created(few_ctx *ctx, const char *net, int n, const char *const *settings,
                          const struct few_model_opts *more) {
  struct few_model_opts o = *more;
  few_model *m = NULL;
  o.net = net;
  o.settings = settings;
  o.n_settings = n;
  o.seed = 3;
  assert_ok(ctx, few_model_create(&m, ctx, &o));
  return m;
}

static const struct few_model_opts image = {.version = FEW_MODEL_OPTS_VERSION,
                                            .h = 8,
                                            .w = 8,
                                            .c = 2,
                                            .sigma_data = 0.5,
                                            .scale = 1,
                                            .sampler = "consistency",
                                            .objective = "scd"};

/* ---- Round trips ---- */

static void assert_same_file(few_ctx *ctx, const char *a, const char *b) {
  char *x, *y;
  size_t n, k;
  assert_ok(ctx, few__file_read(ctx, &x, &n, a, 1 << 24));
  assert_ok(ctx, few__file_read(ctx, &y, &k, b, 1 << 24));
  assert_int_equal(n, k);
  assert_memory_equal(x, y, n);
  few__free(ctx, x);
  few__free(ctx, y);
}

static void assert_same_model(few_ctx *ctx, const few_model *a, const few_model *b) {
  assert_string_equal(a->net->name, b->net->name);
  assert_int_equal(a->spec.process, b->spec.process);
  assert_int_equal(a->spec.predicts, b->spec.predicts);
  assert_int_equal(a->spec.classes, b->spec.classes);
  assert_true(a->spec.sigma_data == b->spec.sigma_data);
  assert_true(a->data_mean == b->data_mean && a->data_scale == b->data_scale);
  assert_int_equal(a->params.n, b->params.n);
  for (int i = 0; i < a->params.n; i++) {
    const struct few_param_row *p = &a->params.at[i];
    const int k = few__params_find(&b->params, p->name);
    assert_true(k >= 0);
    assert_true(few_shape_equal(p->shape, b->params.at[k].shape));
    assert_memory_equal(a->values + p->offset, b->values + b->params.at[k].offset,
                        (size_t)few_shape_count(p->shape) * sizeof(float));
  }
  FEW_UNUSED(ctx);
}

/* Exports to DIR/NAME, imports, compares, and exports again: the same files. */
static void round_trip(few_ctx *ctx, const char *name, const few_model *m) {
  static const char *const files[] = {"config.json", "diffusion_pytorch_model.safetensors"};
  char first[400], second[400], a[500], b[500];
  const char *folder = strcmp(m->net->name, "dit") ? "unet" : "transformer";
  assert_ok(ctx, few_export_diffusers(NULL, ctx, m, path_of(first, name, "")));
  few_model *back = imported(ctx, first);
  assert_same_model(ctx, m, back);
  assert_ok(ctx, few_export_diffusers(NULL, ctx, back, path_of(second, name, "-again")));
  for (int i = 0; i < FEW_COUNT(files); i++) {
    snprintf(a, sizeof a, "%s/%s/%s", first, folder, files[i]);
    snprintf(b, sizeof b, "%s/%s/%s", second, folder, files[i]);
    assert_same_file(ctx, a, b);
  }
  few_model_free(back);
}

/* ---- The source's own tensors ---- */

static const char *const folded[] = {"norm2.", "time_emb_proj.", "class_embedder.",
                                     "timestep_embedder.linear_2.bias"};

/* Tensors that have another form: folded ones, learned variances, and sin before cos. */
static bool changes(const char *name, bool folds, bool cos_first) {
  for (int i = 0; folds && i < FEW_COUNT(folded); i++)
    if (strstr(name, folded[i])) return true;
  return !cos_first && !strcmp(name, "time_embedding.linear_1.weight");
}

/* False if the source has its weights in several files or of another kind. */
static bool keeps_tensors(few_ctx *ctx, const char *name, const char *folder, bool folds,
                          bool cos_first, bool variances) {
  char path[600];
  struct few_st had, has;
  int compared = 0;
  snprintf(path, sizeof path,
           FEW_TEST_DIR "/model/import/data/%s/%s/diffusion_pytorch_model.safetensors", name,
           folder);
  if (!few__path_exists(path)) return false;
  assert_ok(ctx, few__st_read(ctx, &had, path, 1 << 24));
  snprintf(path, sizeof path, "%s/%s/%s/diffusion_pytorch_model.safetensors", dir, name, folder);
  assert_ok(ctx, few__st_read(ctx, &has, path, 1 << 24));
  assert_int_equal(had.n, has.n);
  for (int i = 0; i < had.n; i++) {
    const struct few_st_tensor *a = &had.at[i], *b = few__st_find(&has, a->name);
    if (!b) fail_msg("%s: no %s", name, a->name);
    assert_int_equal(a->rank, b->rank);
    if (variances && strstr(a->name, "out")) continue; /* the half that is kept is another test's */
    for (int k = 0; k < a->rank; k++) assert_int_equal(a->dim[k], b->dim[k]);
    if (changes(a->name, folds, cos_first)) continue;
    float *x = calloc((size_t)a->count, sizeof *x);
    few__store_to_f32(a->store, a->data, a->count, x);
    if (memcmp(x, b->data, (size_t)a->count * sizeof *x) != 0)
      fail_msg("%s: %s has other values", name, a->name);
    free(x);
    compared++;
  }
  assert_true(compared > had.n / 2);
  few__st_free(ctx, &had);
  few__st_free(ctx, &has);
  return true;
}

/* ---- few's images, for diffusers_peer.py ---- */

struct times {
  int n;
  double at[4];
};

/* The times that the exported scheduler has with n steps. */
static struct times scheduler_times(const few_model *m) {
  const double sd = m->spec.sigma_data;
  const char *process = few__process_at(m->spec.process)->name;
  const bool consistent = !strcmp(m->sampler, "consistency");
  struct times t = {4, {0}};
  if (!strcmp(process, "trigflow")) return (struct times){2, {1.5, 1.1}};
  if (consistent && !strcmp(process, "edm")) return (struct times){1, {atan(80 / sd)}};
  if (consistent) t.n = 2;
  for (int i = 0; i < t.n; i++) {
    const double s = 1 - i * (1 - 0.001) / (t.n - 1);
    if (!strcmp(process, "flow"))
      t.at[i] = atan2(s, sd * (1 - s));
    else if (!strcmp(process, "edm"))
      t.at[i] =
          atan(pow(pow(80, 1. / 7) + i / 3. * (pow(0.002, 1. / 7) - pow(80, 1. / 7)), 7) / sd);
    else
      t.at[i] = few__betas_time(&m->spec.betas, sd, m->spec.betas.steps * (t.n - i) / t.n - 1);
  }
  return t;
}

static void write_images(few_ctx *ctx, const char *name, const few_model *m) {
  const int64_t each = m->spec.h * m->spec.w * m->spec.c,
                dim[4] = {1, m->spec.h, m->spec.w, m->spec.c};
  const struct times t = scheduler_times(m);
  struct few_sampling s = {.rows = 1, .dims = each, .seed = 7};
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  char path[400], label[20];
  few_runner *r;
  float *x = calloc((size_t)each * 3, sizeof *x);
  assert_non_null(x);
  few_sampling_noise(x, &s, 0);
  few_sampling_noise(x + each, &s, 1);
  o.sampler = strcmp(m->sampler, "consistency") && m->spec.process ? "ddim" : "consistency";
  o.seed = s.seed;
  o.label = m->spec.classes ? 1 : FEW_LABEL_NONE;
  o.times = t.at;
  o.n_times = t.n;
  assert_ok(ctx, few_runner_create(&r, ctx, m));
  assert_ok(ctx, few_sample_from(x + 2 * each, NULL, NULL, r, &o, x));
  struct few_st_tensor at[] = {{.name = "times", .store = FEW_STORE_F64, .rank = 1, .data = t.at},
                               {.name = "noise", .rank = 4, .data = x},
                               {.name = "fresh", .rank = 4, .data = x + each},
                               {.name = "image", .rank = 4, .data = x + 2 * each}};
  at[0].dim[0] = t.n;
  for (int i = 1; i < 4; i++) at[i].store = FEW_STORE_F32;
  for (int i = 1; i < 4; i++) memcpy(at[i].dim, dim, sizeof dim);
  snprintf(label, sizeof label, "%d", o.label);
  const struct few_st_pair meta = {"label", label};
  assert_ok(ctx, few__st_write(ctx, path_of(path, name, "/few.safetensors"), at, 4, &meta, 1));
  few_runner_free(r);
  free(x);
}

static void test_imported(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool folds, cos_first, variances;
  } cases[] = {{"cm", true, true, false},
               {"adm_edm", true, true, true},
               {"adm_edm_v", true, true, false},
               {"adm_flow", true, true, false},
               {"adm_scm", true, true, false},
               {"ddpm", false, false, false},
               {"ddpm_v", false, true, false},
               {"ddpm_x", false, false, false},
               {"ddpm_zero_snr", false, false, false},
               {"dit", true, true, true},
               {"dit_flow", true, true, false}};
  few_ctx *ctx = test_ctx();
  int kept = 0;
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    few_model *m = golden(ctx, cases[i].name);
    round_trip(ctx, cases[i].name, m);
    kept += keeps_tensors(ctx, cases[i].name, strcmp(m->net->name, "dit") ? "unet" : "transformer",
                          cases[i].folds, cases[i].cos_first, cases[i].variances);
    /* with zero SNR few's first step is not quite pure noise, the scheduler's is */
    if (!m->spec.betas.zero_snr) write_images(ctx, cases[i].name, m);
    few_model_free(m);
  }
  assert_true(kept >= 6);
  few_ctx_free(ctx);
}

/* A consistency student of an imported teacher of DDPM. */
static void test_distilled(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = golden(ctx, "ddpm");
  snprintf(m->sampler, sizeof m->sampler, "consistency");
  round_trip(ctx, "lcm", m);
  write_images(ctx, "lcm", m);
  char path[400];
  few_model *back = imported(ctx, path_of(path, "lcm", ""));
  assert_string_equal(back->sampler, "consistency");
  assert_int_equal(back->n_times, 0);
  few_model_free(back);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_created(void **state) {
  (void)state;
  static const char *const unet[] = {
      "channels=6", "mults=2,4",        "blocks=1",     "attention=4",      "head_channels=64",
      "groups=3",   "modulation=adagn", "skip_scale=1", "time_channels=12", "dropout=0.125"};
  static const char *const dit[] = {"width=16",         "depth=2",      "heads=2",  "patch=2",
                                    "modulation=adagn", "freq_shift=1", "dropout=0"};
  few_ctx *ctx = test_ctx();
  struct few_model_opts o = image;
  o.mean = -0.25;
  o.scale = 0.75;
  o.w = 4;
  few_model *m = created(ctx, "unet", FEW_COUNT(unet), unet, &o);
  round_trip(ctx, "scaled", m);
  write_images(ctx, "scaled", m);
  few_model_free(m);
  o = image;
  o.classes = 3;
  m = created(ctx, "dit", FEW_COUNT(dit), dit, &o);
  round_trip(ctx, "tokens", m);
  write_images(ctx, "tokens", m);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* ---- Refusals ---- */

static void refused(few_ctx *ctx, const few_model *m, const char *word) {
  char path[400];
  const few_status st = few_export_diffusers(NULL, ctx, m, path_of(path, "refused", ""));
  if (st != FEW_E_UNSUPPORTED) fail_msg("%s: %s", word, few_status_name(st));
  if (!strstr(few_error(ctx), word) || !strstr(few_error(ctx), "ONNX"))
    fail_msg("no %s in: %s", word, few_error(ctx));
  assert_false(few__path_exists(path));
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *net, *setting, *word;
  } cases[] = {{"unet", "modulation=double", "modulation = double"},
               {"unet", "skip_scale=0.5", "skip_scale = 0.5"},
               {"unet", "time_embedding=fourier", "time_embedding = fourier"},
               {"unet", "time_embedding=stored", "time_embedding = stored"},
               {"unet", "label_place=hidden", "label_place = hidden"},
               {"unet", "attention_up=last", "attention_up = last"},
               {"unet", "encoder=residual", "encoder = residual"},
               {"unet", "filter=1331", "filter = 1331"},
               {"unet", "resample_proj=yes", "resample_proj = yes"},
               {"unet", "in_channels=24", "in_channels = 24"},
               {"unet", "time_channels=32", "time_channels = 32"},
               {"unet", "group_channels=8", "group"},
               {"unet", "head_channels=12", "attention_head_dim"},
               {"unet", "time_scale=16", "time_scale = 16"},
               {"unet", "time_transform=vp", "time_transform"},
               {"unet", "time_transform=flow", "prediction F"},
               {"dit", "modulation=double", "modulation = double"},
               {"dit", "mlp_ratio=2", "mlp_ratio = 2"},
               {"dit", "embedding=64", "embedding = 64"},
               {"dit", "freq_shift=0", "freq_shift = 0"},
               {"uvit", "blocks=1", "network uvit"}};
  static const char *const unet[] = {"channels=16",      "mults=1,2",        "blocks=1",
                                     "attention=4",      "head_channels=16", "groups=4",
                                     "modulation=adagn", "skip_scale=1",     NULL};
  static const char *const dit[] = {"width=16",         "depth=2",      "heads=2",   "patch=2",
                                    "modulation=adagn", "freq_shift=1", "dropout=0", NULL};
  few_ctx *ctx = test_ctx();
  struct few_model_opts o = image;
  o.classes = 2;
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    const char *settings[12];
    int n = 0;
    const char *const *base = !strcmp(cases[i].net, "unet") ? unet : dit;
    if (strcmp(cases[i].net, "uvit") != 0)
      while (base[n]) settings[n] = base[n], n++;
    settings[n++] = cases[i].setting;
    few_model *m = created(ctx, cases[i].net, n, settings, &o);
    refused(ctx, m, cases[i].word);
    few_model_free(m);
  }
  o.guided = true;
  o.guidance_min = 1;
  o.guidance_max = 4;
  few_model *m = created(ctx, "unet", 8, unet, &o);
  refused(ctx, m, "guidance");
  few_model_free(m);
  o = image;
  o.step_size = "angle";
  m = created(ctx, "unet", 8, unet, &o);
  refused(ctx, m, "step size");
  few_model_free(m);
  o = image;
  o.predicts = "both";
  m = created(ctx, "unet", 8, unet, &o);
  refused(ctx, m, "both");
  few_model_free(m);
  o = image;
  o.w = 4;
  m = created(ctx, "dit", 7, dit, &o);
  refused(ctx, m, "images of 8 x 4");
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_folder(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char path[400], *about;
  few_model *m = golden(ctx, "cm");
  assert_int_equal(few_export_diffusers(NULL, ctx, m, path_of(path, "cm", "")), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "not empty"));
  assert_int_equal(few_export_diffusers(NULL, ctx, m, path_of(path, "cm", "/unet/config.json")),
                   FEW_E_INVALID);
  assert_int_equal(few_export_diffusers(NULL, ctx, m, ""), FEW_E_INVALID);
  assert_ok(ctx, few_export_diffusers(&about, ctx, m, path_of(path, "about", "")));
  assert_non_null(strstr(about, "ConsistencyModelPipeline"));
  few_text_free(ctx, about);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* ---- diffusers itself ---- */

static void test_diffusers(void **state) {
  (void)state;
  const char *python = getenv("PYTHON") ? getenv("PYTHON") : "python3";
  char command[600];
  snprintf(command, sizeof command, "%s -c 'import diffusers, safetensors, torch' 2>/dev/null",
           python);
  if (system(command) != 0) {
    print_message("%s has no diffusers and torch: nothing is compared (PYTHON=... names another)\n",
                  python);
    skip();
  }
  snprintf(command, sizeof command, "%s %s/model/export/diffusers_peer.py %s", python, FEW_TEST_DIR,
           dir);
  assert_int_equal(system(command), 0);
}

static int begin(void **state) {
  (void)state;
  snprintf(dir, sizeof dir, "/tmp/few-test-diffusers-XXXXXX");
  return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  char command[60];
  snprintf(command, sizeof command, "rm -r %s", dir);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_imported), cmocka_unit_test(test_distilled),
      cmocka_unit_test(test_created),  cmocka_unit_test(test_refused),
      cmocka_unit_test(test_folder),   cmocka_unit_test(test_diffusers)};
  return cmocka_run_group_tests(tests, begin, end);
}
