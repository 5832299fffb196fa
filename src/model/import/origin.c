/* origin.c - readers of sources.
 *
 * A folder of diffusers is that of a model or of a pipeline:
 *
 *   config.json                        the network's options
 *   diffusion_pytorch_model...         its tensors, in one file or, with an index, in several
 *   scheduler_config.json              (in older pipelines that have no folders)
 *
 *   model_index.json                   a pipeline: its network is in unet/ or transformer/, its
 *   unet/ or transformer/, scheduler/  scheduler's configuration in scheduler/
 *
 * An index maps the name of each tensor to the name of a file beside it. A name with a slash is
 * refused, so that an index cannot reach other folders.
 */
#include "origin.h"

#include <stdlib.h>

#include "io/feed.h"
#include "io/file.h"

static const size_t weights_max = (size_t)1 << 37;
enum { CONFIG_MAX = 16 << 20 };

/* ---- Configurations ---- */

/* Overwrite Infinity, -Infinity and NaN outside strings by null and blanks. */
static void blank_infinities(char *text, size_t n) {
  static const char *const words[] = {"-Infinity", "Infinity", "NaN"};
  bool inside = false;
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '"') inside = !inside;
    if (inside && text[i] == '\\') i++;
    for (int k = 0; !inside && k < FEW_COUNT(words); k++) {
      const size_t len = strlen(words[k]);
      if (n - i < len || memcmp(text + i, words[k], len) != 0) continue;
      memset(text + i, ' ', len);
      memcpy(text + i, len > 3 ? "null" : "0  ", len > 3 ? 4 : 3);
    }
  }
}

few_status few__conf_parse(few_ctx *ctx, struct few_conf *out, const char *place, const char *text,
                           size_t n) {
  char *copy;
  FEW_TRY(FEW_NEW(ctx, &copy, n + 1));
  memcpy(copy, text, n);
  blank_infinities(copy, n);
  few_status st = few__json_parse(ctx, &out->all, place, copy, n);
  few__free(ctx, copy);
  FEW_TRY(st);
  out->place = few__strdup(ctx, place);
  if (!out->place) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", place);
  if (json_is_object(out->all)) return FEW_OK;
  return few__fail(ctx, FEW_E_FORMAT, "%s is not a JSON object: fetch the file again", place);
}

few_status few__conf_read(few_ctx *ctx, struct few_conf *out, const char *path) {
  char *text;
  size_t n;
  FEW_TRY(few__file_read(ctx, &text, &n, path, CONFIG_MAX));
  const few_status st = few__conf_parse(ctx, out, path, text, n);
  few__free(ctx, text);
  return st;
}

void few__conf_free(few_ctx *ctx, struct few_conf *c) {
  json_decref(c->all);
  few__free(ctx, c->place);
  *c = (struct few_conf){0};
}

/* Read DIR/NAME if it exists. */
static few_status read_beside(few_ctx *ctx, struct few_conf *out, const char *dir,
                              const char *name) {
  char *path;
  few_status st = FEW_OK;
  FEW_TRY(few__path_join(ctx, &path, dir, name));
  if (few__path_exists(path)) st = few__conf_read(ctx, out, path);
  few__free(ctx, path);
  return st;
}

/* ---- Tensors ---- */

few_status few__origin_new(few_ctx *ctx, struct few_origin **out, const char *place) {
  struct few_origin *s;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &s, 1));
  s->ctx = ctx;
  s->place = few__strdup(ctx, place);
  *out = s;
  if (s->place) return FEW_OK;
  few__origin_free(s);
  *out = NULL;
  return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", place);
}

void few__origin_free(struct few_origin *s) {
  if (!s) return;
  few_ctx *ctx = s->ctx;
  few__conf_free(ctx, &s->net);
  few__conf_free(ctx, &s->scheduler);
  few__conf_free(ctx, &s->pipeline);
  for (int i = 0; i < s->files.n; i++) few__st_free(ctx, &s->files.at[i]);
  few__free(ctx, s->files.at);
  few__pth_free(ctx, &s->pth);
  few__free(ctx, (void *)s->at);
  few__free(ctx, s->place);
  few__free(ctx, s);
}

few_status few__origin_add(struct few_origin *s, const struct few_st_tensor *at, int n) {
  FEW_TRY(FEW_GROW(s->ctx, s, s->n + n));
  for (int i = 0; i < n; i++) s->at[s->n++] = &at[i];
  return FEW_OK;
}

static int by_name(const void *a, const void *b) {
  const struct few_st_tensor *const *x = a, *const *y = b;
  return strcmp((*x)->name, (*y)->name);
}

few_status few__origin_sort(struct few_origin *s) {
  if (s->n) qsort((void *)s->at, (size_t)s->n, sizeof *s->at, by_name);
  for (int i = 1; i < s->n; i++)
    if (!strcmp(s->at[i - 1]->name, s->at[i]->name))
      return few__fail(s->ctx, FEW_E_FORMAT,
                       "%s: two files have a tensor `%.100s`: fetch the folder again", s->place,
                       s->at[i]->name);
  return FEW_OK;
}

const struct few_st_tensor *few__origin_find(const struct few_origin *s, const char *name) {
  const struct few_st_tensor key = {.name = name}, *at = &key;
  if (!s->n) return NULL;
  const struct few_st_tensor **found =
      bsearch(&at, (const void *)s->at, (size_t)s->n, sizeof *s->at, by_name);
  return found ? *found : NULL;
}

static few_status add_safetensors(struct few_origin *s, const char *path) {
  FEW_TRY(FEW_GROW(s->ctx, &s->files, s->files.n + 1));
  struct few_st *file = &s->files.at[s->files.n];
  FEW_TRY(few__st_read(s->ctx, file, path, weights_max));
  s->files.n++;
  return few__origin_add(s, file->at, file->n);
}

static few_status add_pth(struct few_origin *s, const char *path) {
  FEW_TRY(few__pth_read(s->ctx, &s->pth, path, weights_max));
  return few__origin_add(s, s->pth.at, s->pth.n);
}

static few_status add_persistent(struct few_origin *s, const char *path) {
  struct few_text text = {0};
  FEW_TRY(few__persistent_read(s->ctx, &s->pth, &text, path, weights_max));
  few_status st = few__conf_parse(s->ctx, &s->net, path, text.at, text.len);
  few__text_free(s->ctx, &text);
  return st ? st : few__origin_add(s, s->pth.at, s->pth.n);
}

/* A file of torch.save, or a network that was pickled whole. */
static few_status add_pickle(struct few_origin *s, const char *path) {
  struct few_feed file;
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_open(s->ctx, &file, path));
  const few_status st = few__feed_peek(&file, &head, &n);
  const bool whole = !st && few__persistent_is(head, n);
  few__feed_close(&file);
  FEW_TRY(st);
  return whole ? add_persistent(s, path) : add_pth(s, path);
}

/* ---- Files in parts ---- */

/* A plain name, so that the file is beside the index, and a file of tensors. */
static bool plain(const char *name) {
  static const char ending[] = ".safetensors";
  const size_t n = strlen(name), e = sizeof ending - 1;
  return n > e && n < 200 && !strpbrk(name, "/\\") && name[0] != '.' &&
         !strcmp(name + n - e, ending);
}

few_status few__index_files(few_ctx *ctx, struct few_shard_names *out,
                            const struct few_conf *index) {
  json_t *map, *value;
  const char *key;
  out->n = 0;
  FEW_TRY(few__json_object(ctx, index->place, index->all, "weight_map", &map));
  json_object_foreach(map, key, value) {
    const char *file = json_string_value(value);
    int i = 0;
    if (!file || !plain(file))
      return few__fail(
          ctx, FEW_E_FORMAT,
          "%s: tensor `%.100s` is in `%.100s`, which is not the name of a .safetensors "
          "file in the same folder: fetch the folder again",
          index->place, key, file ? file : "");
    while (i < out->n && strcmp(out->at[i], file) != 0) i++;
    if (i == FEW_COUNT(out->at))
      return few__fail(ctx, FEW_E_UNSUPPORTED, "%s: more than %d files: join them first",
                       index->place, FEW_COUNT(out->at));
    if (i == out->n) out->at[out->n++] = file;
  }
  return FEW_OK;
}

/* The tensors of a file must be those that the index puts there. */
static few_status check_part(struct few_origin *s, const struct few_conf *index, const char *name) {
  const struct few_st *file = &s->files.at[s->files.n - 1];
  const json_t *map = json_object_get(index->all, "weight_map");
  for (int i = 0; i < file->n; i++) {
    const char *where = json_string_value(json_object_get(map, file->at[i].name));
    if (!where || strcmp(where, name) != 0)
      return few__fail(s->ctx, FEW_E_FORMAT,
                       "%s: tensor `%.100s` is in %s, but not in the index: fetch the folder again",
                       index->place, file->at[i].name, name);
  }
  return FEW_OK;
}

static few_status add_parts(struct few_origin *s, const char *dir, const struct few_conf *index) {
  struct few_shard_names names;
  FEW_TRY(few__index_files(s->ctx, &names, index));
  for (int i = 0; i < names.n; i++) {
    char *path;
    FEW_TRY(few__path_join(s->ctx, &path, dir, names.at[i]));
    few_status st = add_safetensors(s, path);
    few__free(s->ctx, path);
    FEW_TRY(st);
    FEW_TRY(check_part(s, index, names.at[i]));
  }
  const size_t listed = json_object_size(json_object_get(index->all, "weight_map"));
  if ((size_t)s->n == listed) return FEW_OK;
  return few__fail(s->ctx, FEW_E_FORMAT,
                   "%s lists %zu tensors, but its files have %d: fetch the folder again",
                   index->place, listed, s->n);
}

static few_status add_index(struct few_origin *s, const char *path) {
  struct few_conf index = {0};
  few_status st = few__conf_read(s->ctx, &index, path);
  const char *slash = strrchr(path, '/');
  char *dir = few__strdup(s->ctx, path);
  if (dir) dir[slash ? slash - path : 0] = '\0';
  if (!st && !dir) st = few__fail(s->ctx, FEW_E_MEMORY, "%s: out of memory", path);
  if (!st) st = add_parts(s, dir, &index);
  few__free(s->ctx, dir);
  few__conf_free(s->ctx, &index);
  return st;
}

/* ---- Folders of diffusers ---- */

#define WEIGHTS "diffusion_pytorch_model"
static const struct {
  const char *name;
  few_status (*add)(struct few_origin *s, const char *path);
} weights[] = {
    {WEIGHTS ".safetensors", add_safetensors},
    {WEIGHTS ".safetensors.index.json", add_index},
    {WEIGHTS ".fp16.safetensors", add_safetensors},
    {WEIGHTS ".bin", add_pth},
};

static few_status add_weights(struct few_origin *s, const char *dir) {
  for (int i = 0; i < FEW_COUNT(weights); i++) {
    char *path;
    FEW_TRY(few__path_join(s->ctx, &path, dir, weights[i].name));
    const bool there = few__path_exists(path);
    const few_status st = there ? weights[i].add(s, path) : FEW_OK;
    few__free(s->ctx, path);
    if (there) return st;
  }
  return few__fail(s->ctx, FEW_E_IO,
                   "%s has no %s.safetensors (nor %s.safetensors.index.json or .bin): fetch the "
                   "weights too",
                   dir, WEIGHTS, WEIGHTS);
}

/* The folder of the network: a pipeline's unet/ or transformer/, or `path` itself. */
static few_status net_folder(few_ctx *ctx, char **out, const char *path) {
  static const char *const parts[] = {"unet", "transformer"};
  for (int i = 0; i < FEW_COUNT(parts); i++) {
    FEW_TRY(few__path_join(ctx, out, path, parts[i]));
    if (few__path_is_dir(*out)) return FEW_OK;
    few__free(ctx, *out);
  }
  *out = few__strdup(ctx, path);
  return *out ? FEW_OK : few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", path);
}

static few_status read_folder(struct few_origin *s, const char *path) {
  few_ctx *ctx = s->ctx;
  char *dir;
  few_status st;
  FEW_TRY(net_folder(ctx, &dir, path));
  FEW_GOTO(read_beside(ctx, &s->pipeline, path, "model_index.json"));
  FEW_GOTO(read_beside(ctx, &s->net, dir, "config.json"));
  if (!s->net.all) {
    st = few__fail(ctx, FEW_E_FORMAT,
                   "%s has no config.json: give the folder of a model or a pipeline of diffusers",
                   dir);
    goto out;
  }
  FEW_GOTO(read_beside(ctx, &s->scheduler, path, "scheduler/scheduler_config.json"));
  if (!s->scheduler.all) FEW_GOTO(read_beside(ctx, &s->scheduler, path, "scheduler_config.json"));
  FEW_GOTO(add_weights(s, dir));
out:
  few__free(ctx, dir);
  return st;
}

/* ---- All kinds ---- */

static bool is_file(const char *path) { return !few__path_is_dir(path); }

static bool is_safetensors(const char *path) {
  const size_t n = strlen(path);
  return is_file(path) && n > 12 && !strcmp(path + n - 12, ".safetensors");
}

/* The first that knows the path reads it. */
static const struct {
  bool (*is)(const char *path);
  few_status (*read)(struct few_origin *s, const char *path);
} readers[] = {
    {few__path_is_dir, read_folder},
    {is_safetensors, add_safetensors},
    {is_file, add_pickle},
};

few_status few__origin_open(few_ctx *ctx, struct few_origin **out, const char *path) {
  FEW_TRY(few__origin_new(ctx, out, path));
  few_status st = FEW_OK;
  for (int i = 0; i < FEW_COUNT(readers); i++)
    if (readers[i].is(path)) {
      st = readers[i].read(*out, path);
      break;
    }
  if (!st) st = few__origin_sort(*out);
  if (!st) return FEW_OK;
  few__origin_free(*out);
  *out = NULL;
  return st;
}
