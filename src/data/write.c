/* write.c - items of a set as files to look at: a grid of pictures, a density of points,
 * or an array. */
#include "io/npy.h"
#include "io/png.h"
#include "reader.h"

static bool ends_in(const char *path, const char *suffix) {
  size_t n = strlen(path), k = strlen(suffix);
  return n > k && !strcmp(path + n - k, suffix);
}

static few_status write_grid(const few_data *d, const char *path, int64_t first, int64_t n,
                             int64_t columns) {
  if (n > INT32_MAX || columns > INT32_MAX)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: a grid of %lld pictures is too large", path,
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

static few_status write_array(const few_data *d, const char *path, int64_t first, int64_t n) {
  int64_t images[] = {n, d->h, d->w, d->c}, points[] = {n, d->c};
  if (d->kind == FEW_DATA_IMAGES)
    FEW_TRY(few__npy_write(d->ctx, path, FEW_STORE_U8, 4, images,
                           d->pixels + (size_t)first * few__data_item_bytes(d)));
  else
    FEW_TRY(few__npy_write(d->ctx, path, FEW_STORE_F32, 2, points, d->points + first * d->c));
  if (!d->labels) return FEW_OK;
  struct few_text name = {0};
  few__text_add(d->ctx, &name, "%.*s.labels.npy", (int)(strlen(path) - strlen(".npy")), path);
  few_status st = name.failed
                      ? few__fail(d->ctx, FEW_E_MEMORY, "out of memory for a file's name")
                      : few__npy_write(d->ctx, name.at, FEW_STORE_I32, 1, &n, d->labels + first);
  few__text_free(d->ctx, &name);
  return st;
}

few_status few_data_write(const few_data *d, const char *path, int64_t first, int64_t n,
                          int64_t columns) {
  if (first < 0 || n < 1 || n > d->n || first > d->n - n || columns < 0)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: %lld items from %lld on, of %lld in %s", path,
                     (long long)n, (long long)first, (long long)d->n, d->spec);
  if (ends_in(path, ".png")) return write_grid(d, path, first, n, columns);
  if (ends_in(path, ".npy")) return write_array(d, path, first, n);
  return few__fail(d->ctx, FEW_E_INVALID, "%s: end the name in .png (a grid) or .npy (an array)",
                   path);
}
