/* source.c - samples of a model become bytes here by the rule of few_sample_write, so that few eval
 * of a model and of the files that few sample wrote give the same numbers.
 */
#include "source.h"

#include <stdio.h>

#include "base/rng.h"
#include "data/reader.h"
#include "io/file.h"
#include "model/model.h"

enum { SAMPLES = 10000, CHOICE_SEED = 0 };

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

static bool names_reader(const char *spec) {
  size_t length = strcspn(spec, ":");
  for (int i = 0; i < few_data_list_count(); i++) {
    const char *name = few_data_list(i).name;
    if (strlen(name) == length && !memcmp(name, spec, length)) return true;
  }
  return false;
}

/* A run has previews in it, which are no samples. */
static few_status check_no_run(few_ctx *ctx, const char *dir) {
  char *path;
  FEW_TRY(few__path_join(ctx, &path, dir, "model.safetensors"));
  bool run = few__path_exists(path);
  few__free(ctx, path);
  if (!run) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s is a training run: give %s/model.safetensors", dir, dir);
}

/* The spec of a data set that may have been named by a path alone. */
static few_status full_spec(few_ctx *ctx, const char *name, char **out) {
  struct few_text t = {0};
  const char *reader = "";
  if (!names_reader(name)) {
    if (few__path_is_dir(name)) {
      FEW_TRY(check_no_run(ctx, name));
      reader = "folder:";
    } else if (ends_with(name, ".npy")) {
      reader = "npy:";
    } else if (ends_with(name, ".npz")) {
      reader = "npz:";
    } else {
      return few__fail(ctx, few__path_exists(name) ? FEW_E_UNSUPPORTED : FEW_E_INVALID,
                       "%s is no folder, no .npy or .npz file and no data set: %s", name,
                       "give one (few list data has the sets)");
    }
  }
  few__text_add(ctx, &t, "%s%s", reader, name);
  if (t.failed) {
    few__text_free(ctx, &t);
    return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", name);
  }
  *out = t.at;
  return FEW_OK;
}

static few_status too_few(const struct few_source *s, int64_t wanted, int64_t there) {
  return few__fail(s->ctx, FEW_E_INVALID, "%s holds %lld pictures, fewer than the %lld asked for",
                   s->spec, (long long)there, (long long)wanted);
}

static few_status open_data(struct few_source *s, int64_t n) {
  if (!s->data) FEW_TRY(few_data_open(s->ctx, &s->data, s->spec, NULL));
  if (few_data_get_kind(s->data) != FEW_DATA_IMAGES)
    return few__fail(s->ctx, FEW_E_UNSUPPORTED,
                     "%s holds points, and only pictures are compared: give images as uint8",
                     s->spec);
  if (n > few_data_n(s->data)) return too_few(s, n, few_data_n(s->data));
  s->n = n ? n : few_data_n(s->data);
  s->h = few_data_h(s->data);
  s->w = few_data_w(s->data);
  s->c = few_data_c(s->data);
  s->classes = few_data_n_classes(s->data);
  snprintf(s->hash, sizeof s->hash, "%016llx", (unsigned long long)few_data_hash(s->data));
  return FEW_OK;
}

static few_status open_model(struct few_source *s, int64_t n, const struct few_eval_opts *o) {
  struct few_model_info info;
  if (!o)
    return few__fail(s->ctx, FEW_E_INVALID,
                     "%s: a reference is pictures, not a model: few sample writes them to an .npy",
                     s->spec);
  if (!s->model) {
    FEW_TRY(few_model_load(s->ctx, &s->model, s->spec));
    FEW_TRY(few__sha256_file(s->ctx, s->hash, s->spec));
  }
  few_model_info(s->model, &info);
  if (info.points)
    return few__fail(s->ctx, FEW_E_UNSUPPORTED,
                     "%s draws points, and only pictures are compared: give a model of pictures",
                     s->spec);
  s->n = n ? n : SAMPLES;
  s->h = info.h;
  s->w = info.w;
  s->c = info.c;
  s->classes = o->label == FEW_LABEL_NONE ? 0 : info.classes;
  s->sample = (struct few_sample_opts)FEW_SAMPLE_OPTS_INIT;
  s->sample.steps = o->steps;
  s->sample.sampler = o->sampler;
  s->sample.guidance = o->guidance;
  s->sample.label = o->label;
  s->sample.n = 1; /* the rest is known when chunks are read */
  FEW_TRY(few_sample_plan(s->model, &s->sample, NULL, NULL));
  return FEW_NEW(s->ctx, &s->values, FEW_SOURCE_CHUNK * s->h * s->w * s->c);
}

few_status few__source_open(few_ctx *ctx, struct few_source **out, const char *name, int64_t n,
                            const struct few_eval_opts *o, few_model *model, few_data *data) {
  struct few_source *s = NULL;
  few_status st = FEW_OK;
  const bool given = model || data;
  const bool is_model = given ? model != NULL : ends_with(name, ".safetensors");
  *out = NULL;
  FEW_GOTO(FEW_NEW(ctx, &s, 1));
  *s = (struct few_source){.ctx = ctx, .borrowed = given, .model = model, .data = data};
  if (is_model || given) {
    s->spec = few__strdup(ctx, name);
    if (!s->spec) FEW_GOTO(few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", name));
  } else {
    FEW_GOTO(full_spec(ctx, name, &s->spec));
  }
  FEW_GOTO(is_model ? open_model(s, n, o) : open_data(s, n));
  *out = s;
out:
  if (st) few__source_free(s);
  return st;
}

void few__source_free(struct few_source *s) {
  if (!s) return;
  if (!s->borrowed) {
    few_data_free(s->data);
    few_model_free(s->model);
  }
  few__free(s->ctx, s->values);
  few__free(s->ctx, s->spec);
  few__free(s->ctx, s);
}

static few_status read_model(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                             uint8_t *pixels, int32_t *labels) {
  s->sample.seed = seed;
  s->sample.first = first;
  s->sample.n = n;
  FEW_TRY(few_sample(s->model, &s->sample, s->values, labels, &s->nfe));
  few__sample_bytes(n * s->h * s->w * s->c, s->values, pixels);
  return FEW_OK;
}

static void read_data(const struct few_source *s, int64_t first, int64_t n, uint8_t *pixels,
                      int32_t *labels) {
  const int64_t size = few_data_item_size(s->data), all = few_data_n(s->data);
  for (int64_t i = 0; i < n; i++) {
    int64_t item = first + i;
    if (s->n < all) item = few__rng_permute(CHOICE_SEED, 0, item, all);
    memcpy(pixels + i * size, s->data->pixels + item * size, (size_t)size);
    labels[i] = few_data_label(s->data, item);
  }
}

few_status few__source_read(struct few_source *s, uint64_t seed, int64_t first, int64_t n,
                            uint8_t *pixels, int32_t *labels) {
  assert(n <= FEW_SOURCE_CHUNK && first + n <= s->n);
  if (s->model) return read_model(s, seed, first, n, pixels, labels);
  read_data(s, first, n, pixels, labels);
  return FEW_OK;
}
