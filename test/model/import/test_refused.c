/* What cannot be imported exactly is refused, with a sentence that names it: options that few does
 * not know, tensors that do not fit, and folders whose files contradict each other. Each case
 * changes one thing of a source that can be imported. */
#include "testing.h"

#include <unistd.h>

#include "few/import.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"

#define WEIGHTS "diffusion_pytorch_model.safetensors"
#define INDEX WEIGHTS ".index.json"

struct folder {
  few_ctx *ctx;
  char dir[80];
  struct few_import_opts o;
};

static void path_in(const struct folder *f, const char *name, char out[200]) {
  snprintf(out, 200, "%s/%s", f->dir, name);
}

static void copy_file(const struct folder *f, const char *name, const char *from, const char *to) {
  char source[400], target[200], *bytes;
  size_t n;
  snprintf(source, sizeof source, FEW_TEST_DIR "/model/import/data/%s/%s", name, from);
  path_in(f, to, target);
  assert_ok(f->ctx, few__file_read(f->ctx, &bytes, &n, source, 1 << 24));
  assert_ok(f->ctx, few__file_write(f->ctx, target, bytes, n));
  few__free(f->ctx, bytes);
}

/* A copy of data/NAME, without subfolders. */
static struct folder folder_new(const char *name, const char *part) {
  struct folder f = {.ctx = test_ctx(), .o = FEW_IMPORT_OPTS_INIT};
  char from[100];
  snprintf(f.dir, sizeof f.dir, "/tmp/few-test-import-%d", (int)getpid());
  assert_ok(f.ctx, few__mkdirs(f.ctx, f.dir));
  snprintf(from, sizeof from, "%s/config.json", part);
  copy_file(&f, name, from, "config.json");
  snprintf(from, sizeof from, "%s/" WEIGHTS, part);
  copy_file(&f, name, from, WEIGHTS);
  copy_file(&f, name, "scheduler/scheduler_config.json", "scheduler_config.json");
  return f;
}

static void folder_free(struct folder *f) {
  struct few_names names;
  assert_ok(f->ctx, few__list_dir(f->ctx, &names, f->dir));
  for (int i = 0; i < names.n; i++) {
    char path[200];
    path_in(f, names.at[i], path);
    unlink(path);
  }
  few__names_free(f->ctx, &names);
  rmdir(f->dir);
  few_ctx_free(f->ctx);
}

static few_status import(struct folder *f) {
  few_model *m = NULL;
  f->o.source = f->dir;
  const few_status st = few_import(&m, f->ctx, &f->o);
  assert_true(st ? m == NULL : m != NULL);
  few_model_free(m);
  return st;
}

/* The import fails, and its sentence has these words. */
static void refused(struct folder *f, few_status want, const char *words) {
  const few_status st = import(f);
  if (st != want || !strstr(few_error(f->ctx), words))
    fail_msg("status %s, `%s`: not `%s`", few_status_name(st), few_error(f->ctx), words);
}

/* Set a member of a JSON file; value NULL: remove it. */
static void edit(const struct folder *f, const char *file, const char *key, const char *value) {
  char path[200];
  json_t *all;
  path_in(f, file, path);
  assert_ok(f->ctx, few__json_read(f->ctx, &all, path, 1 << 20));
  if (value)
    assert_int_equal(json_object_set_new(all, key, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
  else
    assert_int_equal(json_object_del(all, key), 0);
  assert_int_equal(json_dump_file(all, path, 0), 0);
  json_decref(all);
}

/* ---- Options ---- */

struct option_case {
  const char *key, *value, *words;
};

static void try_options(const char *name, const char *part, const char *file,
                        const struct option_case *cases, int n) {
  for (int i = 0; i < n; i++) {
    struct folder f = folder_new(name, part);
    assert_ok(f.ctx, import(&f));
    edit(&f, file, cases[i].key, cases[i].value);
    refused(&f, FEW_E_UNSUPPORTED, cases[i].words);
    folder_free(&f);
  }
}

static void test_unet_options(void **state) {
  (void)state;
  static const struct option_case cases[] = {
      {"new_option", "1", "member `new_option`"},
      {"act_fn", "\"gelu\"", "`act_fn` is \"gelu\""},
      {"center_input_sample", "true", "`center_input_sample` is true"},
      {"time_embedding_type", "\"fourier\"", "`time_embedding_type` is \"fourier\""},
      {"class_embed_type", "\"timestep\"", "`class_embed_type`"},
      {"mid_block_type", "null", "`mid_block_type` is null"},
      {"mid_block_scale_factor", "2", "`mid_block_scale_factor` is 2"},
      {"resnet_time_scale_shift", "\"spatial\"", "`resnet_time_scale_shift`"},
      {"down_block_types", "[\"SkipDownBlock2D\",\"AttnDownBlock2D\"]", "a `SkipDownBlock2D`"},
      {"down_block_types", "[\"DownBlock2D\",\"DownBlock2D\"]", "attention only on the way up"},
      {"down_block_types", "[\"AttnDownBlock2D\"]", "`down_block_types` has 1 items"},
      {"down_block_types", "[\"ResnetDownsampleBlock2D\",\"AttnDownBlock2D\"]", "resamples by"},
      {"downsample_type", "\"pool\"", "`downsample_type` is `pool`"},
      {"block_out_channels", "[]", "0 levels"},
      {"block_out_channels", "[4, -8]", "`block_out_channels` has -8"},
      {"block_out_channels", "[5, 7]", "needs an option that few's unet does not have"},
      {"sample_size", "null", "give size"},
      {"out_channels", "4", "3 channels in and 4 out"},
      {"attention_head_dim", "3", "attention_head_dim"},
      {"attn_norm_num_groups", "4", "attn_norm_num_groups"},
      {"sample_size", "9", "multiples of 2"},
      {"norm_eps", "10", "norm_eps"},
  };
  try_options("ddpm", "unet", "config.json", cases, FEW_COUNT(cases));
}

static void test_dit_options(void **state) {
  (void)state;
  static const struct option_case cases[] = {
      {"activation_fn", "\"gelu\"", "`activation_fn`"},
      {"norm_elementwise_affine", "true", "`norm_elementwise_affine`"},
      {"attention_bias", "false", "`attention_bias`"},
      {"out_channels", "9", "3 channels in and 9 out"},
      {"patch_size", "3", "multiples of the patch"},
      {"caption_channels", "8", "`caption_channels`"},
  };
  try_options("dit", "transformer", "config.json", cases, FEW_COUNT(cases));
}

static void test_scheduler_options(void **state) {
  (void)state;
  static const struct option_case cases[] = {
      {"_class_name", "\"TCDScheduler\"", "does not know `TCDScheduler`"},
      {"beta_schedule", "\"sigmoid\"", "`sigmoid`"},
      {"trained_betas", "[0.1, 0.2]", "`trained_betas`"},
      {"prediction_type", "\"other\"", "`other`"},
      {"use_flow_sigmas", "true", "`use_flow_sigmas`"},
      {"new_option", "{}", "member `new_option`"},
  };
  try_options("ddpm", "unet", "scheduler_config.json", cases, FEW_COUNT(cases));
}

static void test_options_of_the_call(void **state) {
  (void)state;
  struct folder f = folder_new("ddpm", "unet");
  f.o.process = FEW_IMPORT_EDM;
  refused(&f, FEW_E_INVALID, "process edm, but the process of");
  f.o.process = FEW_IMPORT_DDPM;
  assert_ok(f.ctx, import(&f));
  f.o.predicts = "v";
  refused(&f, FEW_E_INVALID, "predicts = v");
  f.o.predicts = "nonsense";
  refused(&f, FEW_E_INVALID, "nonsense");
  f.o.predicts = NULL;
  f.o.size = 16;
  assert_ok(f.ctx, import(&f));
  f.o.labels = f.dir;
  refused(&f, FEW_E_INVALID, "has no classes");
  f.o.labels = NULL;
  f.o.format = "edm2";
  refused(&f, FEW_E_UNSUPPORTED, "as edm2");
  folder_free(&f);
}

static void test_without_a_scheduler(void **state) {
  (void)state;
  struct folder f = folder_new("ddpm", "unet");
  char path[200];
  path_in(&f, "scheduler_config.json", path);
  assert_int_equal(unlink(path), 0);
  refused(&f, FEW_E_INVALID, "give the scheduler's configuration");
  for (int p = FEW_IMPORT_DDPM; p < FEW_IMPORT_PROCESSES; p++) {
    f.o.process = (enum few_import_process)p;
    assert_ok(f.ctx, import(&f));
  }
  f.o.scheduler = path;
  refused(&f, FEW_E_INVALID, "a scheduler and a process");
  f.o.process = FEW_IMPORT_FOUND;
  refused(&f, FEW_E_IO, "scheduler_config.json");
  f.o.scheduler = FEW_TEST_DIR "/model/import/data/ddpm/scheduler/scheduler_config.json";
  assert_ok(f.ctx, import(&f));
  folder_free(&f);
}

/* ---- Tensors ---- */

/* Rewrites the weights; `change` may edit the table of tensors. */
static void rewrite(const struct folder *f, void (*change)(struct few_st_tensor *t, int *n)) {
  char path[200];
  struct few_st file;
  path_in(f, WEIGHTS, path);
  assert_ok(f->ctx, few__st_read(f->ctx, &file, path, 1 << 24));
  struct few_st_tensor *t = calloc((size_t)file.n + 1, sizeof *t);
  assert_non_null(t);
  memcpy(t, file.at, (size_t)file.n * sizeof *t);
  int n = file.n;
  change(t, &n);
  assert_ok(f->ctx, few__st_write(f->ctx, path, t, n, NULL, 0));
  free(t);
  few__st_free(f->ctx, &file);
}

static struct few_st_tensor *named(struct few_st_tensor *t, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (!strcmp(t[i].name, name)) return &t[i];
  fail_msg("no %s", name);
  return NULL;
}

static void remove_one(struct few_st_tensor *t, int *n) {
  *named(t, *n, "conv_in.weight") = t[*n - 1];
  --*n;
}
static void remove_six(struct few_st_tensor *t, int *n) { (void)t, *n -= 6; }
static void rename_one(struct few_st_tensor *t, int *n) {
  named(t, *n, "conv_in.weight")->name = "conv_in.kernel";
}
static void reshape_one(struct few_st_tensor *t, int *n) {
  struct few_st_tensor *one = named(t, *n, "conv_in.weight"); /* [4,3,3,3] */
  one->dim[0] = 3;
  one->dim[1] = 4;
}
static void add_one(struct few_st_tensor *t, int *n) {
  t[*n] = *named(t, *n, "conv_in.bias");
  t[*n].name = "mid_block.extra";
  ++*n;
}
static const uint16_t infinite[] = {0x7c00, 0, 0, 0};
static void not_finite(struct few_st_tensor *t, int *n) {
  named(t, *n, "conv_in.bias")->data = infinite;
}
static void integers(struct few_st_tensor *t, int *n) {
  named(t, *n, "conv_in.bias")->store = FEW_STORE_I16;
}

static void test_tensors(void **state) {
  (void)state;
  static const struct {
    void (*change)(struct few_st_tensor *t, int *n);
    const char *words;
  } cases[] = {
      {remove_one, "1 missing: conv_in.weight [4,3,3,3]: take"},
      {remove_six, "and 2 more"},
      {rename_one, "1 missing: conv_in.weight [4,3,3,3]; 1 left over: conv_in.kernel [4,3,3,3]"},
      {reshape_one, "1 of another shape: conv_in.weight [3,4,3,3] in place of [4,3,3,3]"},
      {add_one, "1 left over: mid_block.extra [4]"},
      {not_finite, "conv_in.bias has a value that is not finite (element 0)"},
      {integers, "1 not of real numbers: conv_in.bias"},
  };
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    struct folder f = folder_new("ddpm", "unet");
    rewrite(&f, cases[i].change);
    refused(&f, FEW_E_FORMAT, cases[i].words);
    folder_free(&f);
  }
}

static float other[128 * 128];
static void other_embedding(struct few_st_tensor *t, int *n) {
  struct few_st_tensor *one =
      named(t, *n, "transformer_blocks.1.norm1.emb.timestep_embedder.linear_1.bias");
  one->data = other;
}

static void test_embeddings_differ(void **state) {
  (void)state;
  struct folder f = folder_new("dit", "transformer");
  rewrite(&f, other_embedding);
  refused(&f, FEW_E_UNSUPPORTED, "linear_1.bias differs from transformer_blocks.0");
  folder_free(&f);
}

/* ---- Weights in several files ---- */

static void put_index(const struct folder *f, const char *text) {
  char path[200];
  path_in(f, INDEX, path);
  assert_ok(f->ctx, few__file_write(f->ctx, path, text, strlen(text)));
}

static void test_index(void **state) {
  (void)state;
  static const struct {
    const char *index, *words;
    few_status st;
  } cases[] = {
      {"{}", "`weight_map` is missing", FEW_E_FORMAT},
      {"{\"weight_map\": {}}", "missing: ", FEW_E_FORMAT},
      {"{\"weight_map\": {\"a\": 1}}", "not the name of a .safetensors file", FEW_E_FORMAT},
      {"{\"weight_map\": {\"a\": \"../x.safetensors\"}}", "`../x.safetensors`", FEW_E_FORMAT},
      {"{\"weight_map\": {\"a\": \"/etc/x.safetensors\"}}", "`/etc/x.safetensors`", FEW_E_FORMAT},
      {"{\"weight_map\": {\"a\": \".x.safetensors\"}}", "`.x.safetensors`", FEW_E_FORMAT},
      {"{\"weight_map\": {\"a\": \"" INDEX "\"}}", "`" INDEX "`", FEW_E_FORMAT},
      {"{\"weight_map\": {\"a\": \"gone.safetensors\"}}", "gone.safetensors", FEW_E_IO},
      {"{\"weight_map\": {\"a\": \"part.safetensors\"}}", "but not in the index", FEW_E_FORMAT},
  };
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    struct folder f = folder_new("ddpm", "unet");
    char from[200], to[200];
    path_in(&f, WEIGHTS, from);
    path_in(&f, "part.safetensors", to);
    assert_int_equal(rename(from, to), 0);
    put_index(&f, cases[i].index);
    refused(&f, cases[i].st, cases[i].words);
    folder_free(&f);
  }
}

static void test_no_folder_of_diffusers(void **state) {
  (void)state;
  struct folder f = folder_new("ddpm", "unet");
  char path[200];
  path_in(&f, WEIGHTS, path);
  assert_int_equal(unlink(path), 0);
  refused(&f, FEW_E_IO, "has no " WEIGHTS);
  path_in(&f, "config.json", path);
  assert_int_equal(unlink(path), 0);
  refused(&f, FEW_E_FORMAT, "has no config.json");
  assert_ok(f.ctx, few__file_write(f.ctx, path, "[]", 2));
  refused(&f, FEW_E_FORMAT, "is not a JSON object");
  folder_free(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unet_options),          cmocka_unit_test(test_dit_options),
      cmocka_unit_test(test_scheduler_options),     cmocka_unit_test(test_options_of_the_call),
      cmocka_unit_test(test_without_a_scheduler),   cmocka_unit_test(test_tensors),
      cmocka_unit_test(test_embeddings_differ),     cmocka_unit_test(test_index),
      cmocka_unit_test(test_no_folder_of_diffusers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
