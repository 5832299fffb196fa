/* cifar.c - CIFAR-10's binary batches (Krizhevsky, 2009, https://www.cs.toronto.edu/~kriz/cifar):
 * records of 3,073 bytes: a label 0..9, then 32 x 32 red, green and blue planes. There is no
 * header, so only its size and its labels can show that a file is the wrong one.
 */
#include "io/file.h"
#include "reader.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, PIXELS = 3 * PLANE, RECORD = 1 + PIXELS };

static const char *const names[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                    "dog",      "frog",       "horse", "ship", "truck"};

static const char *const train_files[] = {"data_batch_1.bin", "data_batch_2.bin",
                                          "data_batch_3.bin", "data_batch_4.bin",
                                          "data_batch_5.bin"};
static const char *const test_files[] = {"test_batch.bin"};

/* Makes room for n more items. */
static few_status reserve(few_data *d, int64_t n) {
  assert(n >= 0 && d->n >= 0);
  size_t total = (size_t)(d->n + n);
  uint8_t *pixels = few__realloc(d->ctx, d->pixels, few__mul_size(total, PIXELS));
  if (pixels) d->pixels = pixels;
  int32_t *labels = few__realloc(d->ctx, d->labels, few__mul_size(total, sizeof *labels));
  if (labels) d->labels = labels;
  if (pixels && labels) return FEW_OK;
  return few__fail(d->ctx, FEW_E_MEMORY, "out of memory for %zu images; set a limit", total);
}

static void interleave(const uint8_t *planes, uint8_t *out) {
  for (int i = 0; i < PLANE; i++)
    for (int c = 0; c < 3; c++) out[3 * i + c] = planes[c * PLANE + i];
}

static few_status add_records(few_data *d, const char *path, const uint8_t *bytes, size_t size,
                              const struct few_data_opts *o) {
  int64_t n = (int64_t)(size / RECORD);
  if (size == 0) return few__fail(d->ctx, FEW_E_FORMAT, "%s is empty; fetch it again", path);
  FEW_TRY(reserve(d, n));
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *r = bytes + i * RECORD;
    if (r[0] >= FEW_COUNT(names)) {
      FEW_TRY(few__data_broken(d, o, 1, "%s: record %lld at byte %lld has label %d, not 0..9", path,
                               (long long)i, (long long)i * RECORD, r[0]));
      continue;
    }
    d->labels[d->n] = r[0];
    interleave(r + 1, d->pixels + d->n * PIXELS);
    d->n++;
  }
  if (size % RECORD == 0) return FEW_OK;
  return few__data_broken(d, o, 1,
                          "%s: %zu bytes are not a multiple of %d, so record %lld is cut short%s",
                          path, size, (int)RECORD, (long long)n,
                          size % (RECORD + 1) ? "" : " (CIFAR-100 has two labels per record)");
}

static few_status add_file(few_data *d, const char *path, const struct few_data_opts *o) {
  uint8_t *bytes = NULL;
  size_t size = 0;
  few_status st = few__data_read_bytes(d, path, &bytes, &size);
  if (!st) st = add_records(d, path, bytes, size, o);
  few__free(d->ctx, bytes);
  return st;
}

static few_status add_folder(few_data *d, const char *dir, const struct few_data_opts *o) {
  bool test = o->split == FEW_DATA_TEST;
  const char *const *files = test ? test_files : train_files;
  int n = test ? FEW_COUNT(test_files) : FEW_COUNT(train_files);
  for (int i = 0; i < n; i++) {
    char *path = NULL;
    FEW_TRY(few__path_join(d->ctx, &path, dir, files[i]));
    bool there = few__path_exists(path);
    few_status st = there ? add_file(d, path, o)
                          : few__fail(d->ctx, FEW_E_IO,
                                      "%s does not exist; to use some of the batches, name them: "
                                      "cifar:FILE,FILE",
                                      path);
    few__free(d->ctx, path);
    FEW_TRY(st);
  }
  return FEW_OK;
}

static few_status add_list(few_data *d, const char *list, const struct few_data_opts *o) {
  struct few_data_paths p = {0};
  few_status st = FEW_OK;
  FEW_GOTO(few__data_no_split(d, o));
  FEW_GOTO(few__data_split_paths(d, list, &p));
  for (int i = 0; i < p.n; i++) FEW_GOTO(add_file(d, p.at[i], o));
out:
  few__data_free_paths(d->ctx, &p);
  return st;
}

few_status few__data_open_cifar(few_data *d, const char *where, const struct few_data_opts *o) {
  d->kind = FEW_DATA_IMAGES;
  d->h = d->w = SIDE;
  d->c = 3;
  FEW_TRY(few__path_is_dir(where) ? add_folder(d, where, o) : add_list(d, where, o));
  d->n_classes = FEW_COUNT(names);
  return few__data_name_classes(d, names);
}
