/* write.c - writes samples to files: a grid as PNG, an array as NPY, or a folder of PNG files.
 *
 * A value x in [-1, 1] becomes the byte nearest to (x + 1) 127.5. Values outside are clipped.
 */
#include <inttypes.h>
#include <stdio.h>

#include "data/numbers.h"
#include "io/file.h"
#include "io/image.h"
#include "io/npy.h"
#include "io/png.h"
#include "sample.h"

struct job {
  const few_model *m;
  few_ctx *ctx;
  const char *path;
  int64_t n, first, dims, columns;
  const float *samples;
  const int32_t *labels;
  char about[200]; /* the rest of the description, after "N samples" or "sample I" */
};

void few__sample_bytes(int64_t count, const float *samples, uint8_t *out) {
  for (int64_t i = 0; i < count; i++) {
    float x = samples[i];
    x = x > -1 ? x < 1 ? x : 1 : -1; /* NaN becomes black */
    out[i] = (uint8_t)((double)(x + 1) * 127.5 + 0.5);
  }
}

static few_status to_bytes(const struct job *j, uint8_t **out) {
  FEW_TRY(FEW_NEW(j->ctx, out, j->n * j->dims));
  few__sample_bytes(j->n * j->dims, j->samples, *out);
  return FEW_OK;
}

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), k = strlen(end);
  return n > k && !strcmp(s + n - k, end);
}

static few_status write_png(const struct job *j, const char *path, const char *what,
                            const struct few_image *im) {
  char version[32], about[260];
  snprintf(about, sizeof about, "%s%s", what, j->about);
  snprintf(version, sizeof version, "few %s", few_version());
  const struct few_png_text text[] = {{"Software", version}, {"Description", about}};
  return few__png_write(j->ctx, path, im, text, FEW_COUNT(text));
}

static few_status write_grid(const struct job *j) {
  const struct few_net_spec *s = &j->m->spec;
  struct few_image grid = {0};
  uint8_t *bytes = NULL;
  few_status st;
  if (s->points) {
    FEW_TRY(few__image_density(j->ctx, &grid, j->samples, j->n, j->dims));
  } else {
    FEW_TRY(to_bytes(j, &bytes));
    FEW_GOTO(few__image_grid(j->ctx, &grid, bytes, (int)j->n, (int)s->h, (int)s->w, (int)s->c,
                             (int)j->columns));
  }
  char what[60];
  snprintf(what, sizeof what, "%lld samples from %lld", (long long)j->n, (long long)j->first);
  FEW_GOTO(write_png(j, j->path, what, &grid));
out:
  few__free(j->ctx, bytes);
  few__image_free(j->ctx, &grid);
  return st;
}

/* Writes the labels to PATH with ".labels.npy" in place of ".npy". A label whose class has a number
 * as its name is written as that number. */
static few_status write_labels(const struct job *j) {
  struct few_text path = {0};
  int32_t *label = NULL;
  few_status st = FEW_OK;
  few__text_add(j->ctx, &path, "%.*s.labels.npy", (int)(strlen(j->path) - 4), j->path);
  if (path.failed) FEW_GOTO(few__fail(j->ctx, FEW_E_MEMORY, "%s: out of memory", j->path));
  FEW_GOTO(FEW_NEW(j->ctx, &label, j->n));
  memcpy(label, j->labels, (size_t)j->n * sizeof *label);
  FEW_GOTO(few__labels_by_number(j->ctx, (const char *const *)j->m->class_names, j->m->spec.classes,
                                 label, j->n));
  FEW_GOTO(few__npy_write(j->ctx, path.at, FEW_STORE_I32, 1, &j->n, label));
out:
  few__free(j->ctx, label);
  few__text_free(j->ctx, &path);
  return st;
}

/* Labels are written first, so that if the array exists, its labels do too. */
static few_status write_array(const struct job *j) {
  const struct few_net_spec *s = &j->m->spec;
  uint8_t *bytes;
  if (j->labels && s->classes) FEW_TRY(write_labels(j));
  if (s->points)
    return few__npy_write(j->ctx, j->path, FEW_STORE_F32, 2, (int64_t[]){j->n, j->dims},
                          j->samples);
  FEW_TRY(to_bytes(j, &bytes));
  few_status st =
      few__npy_write(j->ctx, j->path, FEW_STORE_U8, 4, (int64_t[]){j->n, s->h, s->w, s->c}, bytes);
  few__free(j->ctx, bytes);
  return st;
}

/* Image i of this call. */
static few_status write_image(const struct job *j, int64_t i, uint8_t *bytes) {
  const struct few_net_spec *s = &j->m->spec;
  char name[32], what[60], *path;
  snprintf(name, sizeof name, "%06" PRId64 ".png", j->first + i);
  snprintf(what, sizeof what, "sample %" PRId64, j->first + i);
  FEW_TRY(few__path_join(j->ctx, &path, j->path, name));
  few_status st = write_png(
      j, path, what, &(struct few_image){(int)s->h, (int)s->w, (int)s->c, bytes + i * j->dims});
  few__free(j->ctx, path);
  return st;
}

static few_status write_folder(const struct job *j) {
  const double started = few__now();
  uint8_t *bytes;
  if (j->m->spec.points)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "%s: points are not images: give a name that ends in .npy or .png", j->path);
  FEW_TRY(few__mkdirs(j->ctx, j->path));
  few__sweep_dir(j->path);
  FEW_TRY(to_bytes(j, &bytes));
  few_status st = FEW_OK;
  for (int64_t i = 0; !st && i < j->n; i++) {
    const struct few_progress p = {"writing", i, j->n, few__now() - started, NULL};
    st = few__progress(j->ctx, &p);
    if (!st) st = write_image(j, i, bytes);
  }
  few__free(j->ctx, bytes);
  return st;
}

few_status few_sample_write(few_runner *r, const char *path, const struct few_sample_opts *opts,
                            const float *images, const int32_t *labels, int64_t columns) {
  const few_model *m = r->m;
  FEW_TRY(few__opts_check(r->ctx, "few_sample_opts", opts, FEW_SAMPLE_OPTS_VERSION));
  if (!path || !images) return few__fail(r->ctx, FEW_E_INVALID, "write: give path and images");
  struct job j = {.m = m,
                  .ctx = r->ctx,
                  .path = path,
                  .n = opts->n,
                  .first = opts->first,
                  .dims = m->spec.h * m->spec.w * m->spec.c,
                  .columns = columns,
                  .samples = images,
                  .labels = labels};
  struct few_sample_resolved s;
  if (opts->n < 1 || opts->n > INT32_MAX || opts->first < 0 || columns < 0 || columns > INT32_MAX)
    return few__fail(r->ctx, FEW_E_INVALID,
                     "%s: %lld samples from %lld in %lld columns: give at least one, from 0", path,
                     (long long)opts->n, (long long)opts->first, (long long)columns);
  FEW_TRY(few__samples_check(r->ctx, m, path, opts->first, opts->n, images));
  FEW_TRY(few__sample_resolve(r->ctx, &s, m, opts, FEW_TO_IMAGES));
  snprintf(j.about, sizeof j.about,
           ", seed %llu, %d steps of %s; net %s (%s, %lld steps of training)",
           (unsigned long long)opts->seed, s.times.steps, s.sampler->name, m->net->name,
           m->objective, (long long)m->step);
  few__sample_resolved_free(r->ctx, &s);
  few__sweep_beside(path);
  if (ends_with(path, ".png")) return write_grid(&j);
  if (ends_with(path, ".npy")) return write_array(&j);
  return write_folder(&j);
}
