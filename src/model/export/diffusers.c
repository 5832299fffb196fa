/* diffusers.c - few_export_diffusers: a model as a folder of diffusers.
 *
 *   unet/ or transformer/   config.json, diffusion_pytorch_model.safetensors
 *   scheduler/              scheduler_config.json
 *   model_index.json        if a pipeline of diffusers samples such a network
 *
 * model/import/back.c makes the content.
 */
#include <stdio.h>

#include "few/export.h"
#include "io/file.h"
#include "model/import/back.h"

/* Pipelines, which take images in [-1, 1] for granted. Where `classes` is false they give the
 * network no label. */
static const struct {
  const char *network, *scheduler, *name;
  bool classes;
} pipelines[] = {
    {"UNet2DModel", "DDIMScheduler", "DDIMPipeline", false},
    {"UNet2DModel", "LCMScheduler", "DDPMPipeline", false},
    {"UNet2DModel", "FlowMatchEulerDiscreteScheduler", "DDPMPipeline", false},
    {"UNet2DModel", "CMStochasticIterativeScheduler", "ConsistencyModelPipeline", true},
};

static const char *pipeline_of(const struct few_back *b) {
  const few_model *m = b->from;
  if (m->data_mean != 0 || m->data_scale != 1) return NULL;
  for (int i = 0; i < FEW_COUNT(pipelines); i++)
    if (!strcmp(pipelines[i].network, b->layout->name) &&
        !strcmp(pipelines[i].scheduler, b->scheduler) &&
        (pipelines[i].classes ? m->spec.h == m->spec.w : !m->spec.classes))
      return pipelines[i].name;
  return NULL;
}

/* ---- Files ---- */

/* DIR/FOLDER/NAME; the folders are made. */
static few_status path_of(few_ctx *ctx, char **out, const char *dir, const char *folder,
                          const char *name) {
  char *inner;
  *out = NULL;
  FEW_TRY(few__path_join(ctx, &inner, dir, folder));
  few_status st = few__mkdirs(ctx, inner);
  if (!st) st = few__path_join(ctx, out, inner, name);
  few__free(ctx, inner);
  return st;
}

static few_status write_text(few_ctx *ctx, const char *dir, const char *folder, const char *name,
                             const struct few_text *text) {
  char *path;
  FEW_TRY(path_of(ctx, &path, dir, folder, name));
  const few_status st = few__file_write(ctx, path, text->at, text->len);
  few__free(ctx, path);
  return st;
}

static few_status write_weights(few_ctx *ctx, const char *dir, const struct few_back *b) {
  static const struct few_st_pair meta = {"format", "pt"};
  struct few_st_tensor *at;
  char *path = NULL;
  FEW_TRY(FEW_NEW(ctx, &at, b->n));
  for (int i = 0; i < b->n; i++) {
    const struct few_shape s = b->at[i].shape;
    at[i] = (struct few_st_tensor){.name = b->at[i].name, .store = FEW_STORE_F32, .rank = s.rank};
    for (int k = 0; k < s.rank; k++) at[i].dim[k] = s.dim[k];
    at[i].data = b->at[i].values;
  }
  few_status st =
      path_of(ctx, &path, dir, b->layout->folder, "diffusion_pytorch_model.safetensors");
  if (!st) st = few__st_write(ctx, path, at, b->n, &meta, 1);
  few__free(ctx, path);
  few__free(ctx, at);
  return st;
}

static void put_part(struct few_json *j, const char *folder, const char *name) {
  few__json_open(j, folder, '[');
  few__json_put_string(j, NULL, "diffusers");
  few__json_put_string(j, NULL, name);
  few__json_close(j);
}

static few_status write_index(few_ctx *ctx, const char *dir, const struct few_back *b) {
  const char *pipeline = pipeline_of(b);
  struct few_text t = {0};
  char *path = NULL;
  if (!pipeline) return FEW_OK;
  struct few_json j = few__json_begin(ctx, &t);
  few__json_open(&j, NULL, '{');
  few__json_put_string(&j, "_class_name", pipeline);
  put_part(&j, b->layout->folder, b->layout->name);
  put_part(&j, "scheduler", b->scheduler);
  few__json_close(&j);
  few_status st = few__json_end(&j, pipeline);
  if (!st) st = few__path_join(ctx, &path, dir, "model_index.json");
  if (!st) st = few__file_write(ctx, path, t.at, t.len);
  few__free(ctx, path);
  few__text_free(ctx, &t);
  return st;
}

/* All of them, or none. */
static few_status write_files(few_ctx *ctx, const char *dir, const struct few_back *b) {
  struct few_folder f;
  few_status st = few__folder_open(ctx, &f, dir);
  if (!st) st = write_weights(ctx, f.temp, b);
  if (!st) st = write_text(ctx, f.temp, b->layout->folder, "config.json", &b->net_text);
  if (!st) st = write_text(ctx, f.temp, "scheduler", "scheduler_config.json", &b->time_text);
  if (!st) st = write_index(ctx, f.temp, b);
  return few__folder_end(&f, st);
}

/* ---- What is written ---- */

static void describe(few_ctx *ctx, const struct few_back *b, struct few_text *t) {
  const few_model *m = b->from;
  const char *pipeline = pipeline_of(b);
  few__text_add(ctx, t, "%s: %s\nscheduler: %s\n", b->layout->folder, b->layout->name,
                b->scheduler);
  few__text_add(ctx, t, "pipeline: %s\n",
                pipeline ? pipeline : "none of diffusers samples it; docs/guide.md shows a loop");
  if (m->data_mean != 0 || m->data_scale != 1)
    few__text_add(ctx, t, "images in [-1, 1] are x / %.9g + %.9g for samples x\n", m->data_scale,
                  m->data_mean);
}

few_status few_export_diffusers(char **about, few_ctx *ctx, const few_model *m, const char *dir) {
  struct few_back b;
  struct few_text t = {0};
  few_status st;
  if (about) *about = NULL;
  if (!m || !dir || !*dir)
    return few__fail(ctx, FEW_E_INVALID, "export: give a model and a folder");
  FEW_GOTO(few__back_open(ctx, &b, m));
  describe(ctx, &b, &t);
  if (t.failed) FEW_GOTO(few__fail(ctx, FEW_E_MEMORY, "out of memory: the description"));
  st = write_files(ctx, dir, &b);
out:
  few__back_close(ctx, &b);
  if (about && !st)
    *about = t.at;
  else
    few__text_free(ctx, &t);
  return st;
}
