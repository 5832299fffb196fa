/* write.c - writes items of a set to a file: a grid of images, a density of points, or an array. */
#include <stdlib.h>

#include "io/file.h"
#include "io/npy.h"
#include "io/png.h"
#include "numbers.h"
#include "reader.h"

static bool ends_in(const char *path, const char *suffix) {
  size_t n = strlen(path), k = strlen(suffix);
  return n > k && !strcmp(path + n - k, suffix);
}

static few_status write_grid(const few_data *d, const char *path, int64_t first, int64_t n,
                             int64_t columns) {
  if (n > INT32_MAX || columns > INT32_MAX)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: a grid of %lld images is too large", path,
                     (long long)n);
  struct few_image grid;
  if (d->kind == FEW_DATA_POINTS)
    FEW_TRY(few__image_density(d->ctx, &grid, d->points + first * d->c, n, d->c));
  else
    FEW_TRY(few__image_grid(d->ctx, &grid, d->pixels + (size_t)first * few__data_item_bytes(d),
                            (int)n, d->h, d->w, d->c, (int)columns));
  few_status st = few__png_write(d->ctx, path, &grid, NULL, 0);
  few__image_free(d->ctx, &grid);
  return st;
}

/* Writes labels to PATH with ".labels.npy" in place of ".npy". If the names of classes are numbers,
 * these numbers are written. */
static few_status write_labels(const few_data *d, const char *path, int64_t first, int64_t n) {
  struct few_text name = {0};
  int32_t *label = NULL;
  few_status st = FEW_OK;
  few__text_add(d->ctx, &name, "%.*s.labels.npy", (int)(strlen(path) - strlen(".npy")), path);
  if (name.failed) FEW_GOTO(few__fail(d->ctx, FEW_E_MEMORY, "out of memory for a file's name"));
  FEW_GOTO(FEW_NEW(d->ctx, &label, n));
  memcpy(label, d->labels + first, (size_t)n * sizeof *label);
  FEW_GOTO(
      few__labels_by_number(d->ctx, (const char *const *)d->class_name, d->n_classes, label, n));
  FEW_GOTO(few__npy_write(d->ctx, name.at, FEW_STORE_I32, 1, &n, label));
out:
  few__free(d->ctx, label);
  few__text_free(d->ctx, &name);
  return st;
}

static few_status write_array(const few_data *d, const char *path, int64_t first, int64_t n) {
  int64_t images[] = {n, d->h, d->w, d->c}, points[] = {n, d->c};
  if (d->kind == FEW_DATA_IMAGES)
    FEW_TRY(few__npy_write(d->ctx, path, FEW_STORE_U8, 4, images,
                           d->pixels + (size_t)first * few__data_item_bytes(d)));
  else
    FEW_TRY(few__npy_write(d->ctx, path, FEW_STORE_F32, 2, points, d->points + first * d->c));
  return d->labels ? write_labels(d, path, first, n) : FEW_OK;
}

static few_status write(const few_data *d, const char *path, int64_t first, int64_t n,
                        int64_t columns) {
  few__sweep_beside(path);
  if (ends_in(path, ".png")) return write_grid(d, path, first, n, columns);
  if (ends_in(path, ".npy")) return write_array(d, path, first, n);
  return few__fail(d->ctx, FEW_E_INVALID, "%s: end the name in .png (a grid) or .npy (an array)",
                   path);
}

/* Copies n items to `part`, which has the shape and the classes of the set and no items yet. */
static few_status copy_items(const few_data *d, const int64_t *item, int64_t n, few_data *part) {
  assert(n >= 1 && d->labels && !part->pixels && !part->points && !part->labels);
  const size_t size = few__data_item_bytes(d);
  const bool images = d->kind == FEW_DATA_IMAGES;
  const char *from = images ? (const char *)d->pixels : (const char *)d->points;
  if (images)
    FEW_TRY(few__new(d->ctx, &part->pixels, (size_t)n, size));
  else
    FEW_TRY(few__new(d->ctx, &part->points, (size_t)n, size));
  FEW_TRY(FEW_NEW(d->ctx, &part->labels, n));
  char *to = images ? (char *)part->pixels : (char *)part->points;
  for (int64_t i = 0; i < n; i++) {
    memcpy(to + (size_t)i * size, from + (size_t)item[i] * size, size);
    part->labels[i] = d->labels[item[i]];
  }
  part->n = n;
  return FEW_OK;
}

static int by_item(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Writes n items with the class shares of the set. With first = 0 they are the items of a limit
 * of n. */
static few_status write_spread(const few_data *d, const char *path, int64_t first, int64_t n,
                               int64_t columns) {
  few_data part = *d;
  int64_t *order = NULL;
  assert(first >= 0 && n >= 1 && first + n <= d->n && d->labels);
  few_status st = FEW_OK;
  part.pixels = NULL;
  part.points = NULL;
  part.labels = NULL;
  FEW_GOTO(FEW_NEW(d->ctx, &order, d->n));
  FEW_GOTO(few__data_spread(d->ctx, d->labels, d->n, d->n_classes, order));
  qsort(order + first, (size_t)n, sizeof *order, by_item);
  FEW_GOTO(copy_items(d, order + first, n, &part));
  FEW_GOTO(write(&part, path, 0, n, columns));
out:
  few__free(d->ctx, order);
  few__free(d->ctx, part.pixels);
  few__free(d->ctx, part.points);
  few__free(d->ctx, part.labels);
  return st;
}

static few_status check(const few_data *d, const char *path, int64_t first, int64_t n,
                        int64_t columns) {
  if (first >= 0 && n >= 1 && n <= d->n && first <= d->n - n && columns >= 0) return FEW_OK;
  return few__fail(d->ctx, FEW_E_INVALID, "%s: %lld items from %lld on, of %lld in %s", path,
                   (long long)n, (long long)first, (long long)d->n, d->spec);
}

few_status few_data_write(const few_data *d, const char *path, int64_t first, int64_t n,
                          int64_t columns) {
  if (!path) return few__fail(d->ctx, FEW_E_INVALID, "%s: no file to write: give a path", d->spec);
  FEW_TRY(check(d, path, first, n, columns));
  return write(d, path, first, n, columns);
}

few_status few_data_write_spread(const few_data *d, const char *path, int64_t first, int64_t n,
                                 int64_t columns) {
  FEW_TRY(check(d, path, first, n, columns));
  return d->labels && n < d->n ? write_spread(d, path, first, n, columns)
                               : write(d, path, first, n, columns);
}
