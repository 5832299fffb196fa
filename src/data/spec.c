/* spec.c - the full name of a data set, with the reader of a set that is named only by its path.
 * The rule is the same wherever a set is named.
 */
#include "reader.h"

#include <stdio.h>
#include <strings.h>

#include "io/file.h"

/* The reader of a file that is named by its path only, by its ending. */
static const struct {
  const char *end, *reader;
} endings[] = {{".npy", "npy"},          {".npz", "npz"},        {".png", "folder"},
               {".jpg", "folder"},       {".jpeg", "folder"},    {".webp", "folder"},
               {".zip", "folder"},       {".tar", "webdataset"}, {".tgz", "webdataset"},
               {".tar.gz", "webdataset"}};

/* Does the spec begin with the name of a reader? "folder", without a colon, is a path if a file or
 * folder of this name exists and the reader needs a place. */
static bool names_reader(const few_ctx *ctx, const char *spec) {
  const size_t length = strcspn(spec, ":");
  for (int i = 0; i < few__reader_count(ctx); i++) {
    const struct few_reader_def *r = few__reader_at(ctx, i);
    if (strlen(r->name) == length && !memcmp(r->name, spec, length))
      return spec[length] || r->usage[length] != ':' || !few__path_exists(spec);
  }
  return false;
}

static bool ends_in(const char *path, const char *end) {
  const size_t n = strlen(path), k = strlen(end);
  return n > k && !strcasecmp(path + n - k, end);
}

/* Is this DIR or DIR:PART, as the reader folder takes it? DIR may be a zip archive. */
static bool names_folder(const char *path) {
  char dir[4096];
  const size_t length = strcspn(path, ":");
  if (few__path_is_dir(path)) return true;
  if (snprintf(dir, sizeof dir, "%.*s", (int)length, path) >= (int)sizeof dir) return false;
  return few__path_is_dir(dir) || (ends_in(dir, ".zip") && few__path_is_file(dir));
}

/* The reader of a path; NULL: none. If the file does not exist, the reader reports it. */
static const char *reader_of(const char *path) {
  if (names_folder(path)) return "folder";
  if (strchr(path, ':') && !few__path_exists(path)) return NULL; /* a reader's name, mistyped */
  for (int i = 0; i < FEW_COUNT(endings); i++)
    if (ends_in(path, endings[i].end)) return endings[i].reader;
  return NULL;
}

static few_status no_reader(few_ctx *ctx, const char *name) {
  const bool there = few__path_exists(name);
  const size_t length = strcspn(name, ":");
  struct few_text t = {0};
  for (int i = 0; i < few__reader_count(ctx); i++)
    few__text_add(ctx, &t, "%s%s", i ? ", " : "", few__reader_at(ctx, i)->usage);
  few_status st =
      few__fail(ctx, there ? FEW_E_UNSUPPORTED : FEW_E_INVALID,
                name[length] ? "data set %s: there is no reader \"%.*s\": use one of %s"
                : there      ? "data set %s: a file other than .npy, .npz, .zip, .tar or an image "
                               "needs its reader%.*s: use one of %s"
                             : "there is no folder, file or data set %s%.*s: name a folder "
                               "of images, or use one of %s",
                name,
                !name[length] ? 0
                : length > 64 ? 64
                              : (int)length,
                name, t.at && !t.failed ? t.at : "");
  few__text_free(ctx, &t);
  return st;
}

/* Refuses the directory of a run: its previews are images but not data. */
static few_status check_no_run(few_ctx *ctx, const char *dir) {
  char *path;
  FEW_TRY(few__path_join(ctx, &path, dir, "model.safetensors"));
  const bool run = few__path_exists(path);
  few__free(ctx, path);
  if (!run) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s is a training run: give %s/model.safetensors", dir, dir);
}

few_status few_data_full_spec(char **out, few_ctx *ctx, const char *name) {
  struct few_text t = {0};
  *out = NULL;
  if (!name) return few__fail(ctx, FEW_E_INVALID, "no data set is named: give a spec");
  const bool in_full = names_reader(ctx, name);
  const char *reader = in_full ? "" : reader_of(name);
  if (!reader) return no_reader(ctx, name);
  if (!in_full && few__path_is_dir(name)) FEW_TRY(check_no_run(ctx, name));
  few__text_add(ctx, &t, "%s%s%s", reader, in_full ? "" : ":", name);
  if (t.failed) {
    few__text_free(ctx, &t);
    return few__fail(ctx, FEW_E_MEMORY, "out of memory for a data set's name");
  }
  *out = t.at;
  return FEW_OK;
}
