/* idx.c - IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist.
 *
 *   bytes 0, 1   zero
 *   byte  2      type of an entry: 0x08, an unsigned byte, is the only one supported
 *   byte  3      number of dimensions: images 3 [N,H,W] or 4 [N,H,W,C], labels 1 [N]
 *   then         the dimensions, 32 bits each, most significant byte first; then the entries
 *
 * The sizes in the header are compared with the size of the file, before the rest is read if the
 * file is not compressed. If a file is truncated, the skip policy keeps its complete items.
 * Bytes after the last item are an error under both policies, because then the header is wrong.
 */
#include "io/feed.h"
#include "io/file.h"
#include "io/gzip.h"
#include "reader.h"

enum { UNSIGNED_BYTE = 8, MAX_DIMS = 4 };

struct idx {
  uint8_t *bytes; /* the whole file */
  size_t size, header;
  int n_dims;
  int64_t dim[MAX_DIMS];
  int64_t complete; /* items that are not cut short, <= dim[0] */
};

static int64_t big_endian(const uint8_t *p) {
  return (int64_t)p[0] << 24 | (int64_t)p[1] << 16 | (int64_t)p[2] << 8 | (int64_t)p[3];
}

/* Parses the header at p, which is complete unless the file is shorter. */
static few_status parse_header(few_ctx *ctx, const char *path, int min_dims, int max_dims,
                               const uint8_t *p, struct idx *f) {
  if (f->size < 4)
    return few__fail(ctx, FEW_E_FORMAT, "%s: %zu bytes are too few for an IDX file", path, f->size);
  f->n_dims = p[3];
  if (p[0] || p[1] || p[2] != UNSIGNED_BYTE || f->n_dims < min_dims || f->n_dims > max_dims)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: begins %02x%02x%02x%02x, but IDX %s of bytes begin %s; check that this "
                     "is the right file",
                     path, p[0], p[1], p[2], p[3], max_dims == 1 ? "labels" : "images",
                     max_dims == 1 ? "00000801" : "00000803 or 00000804");
  f->header = 4 + 4 * (size_t)f->n_dims;
  if (f->size < f->header)
    return few__fail(ctx, FEW_E_FORMAT, "%s: ends at byte %zu, inside the header of %zu bytes; %s",
                     path, f->size, f->header, "fetch the file again");
  for (int i = 0; i < f->n_dims; i++) f->dim[i] = big_endian(p + 4 + 4 * i);
  for (int i = 1; i < f->n_dims; i++)
    if (f->dim[i] < 1 || f->dim[i] > FEW_DATA_MAX_SIDE)
      return few__fail(ctx, FEW_E_FORMAT, "%s: dimension %d is %lld, outside 1..%d: the header %s",
                       path, i, (long long)f->dim[i], FEW_DATA_MAX_SIDE, "is broken");
  return FEW_OK;
}

static int64_t item_bytes(const struct idx *f) {
  assert(f->n_dims >= 1 && f->size >= f->header);
  int64_t item = 1;
  for (int i = 1; i < f->n_dims; i++) item *= f->dim[i]; /* <= 2^45 */
  return item;
}

/* Bytes after the last item are an error under both policies. */
static few_status check_end(few_data *d, const char *path, const struct idx *f) {
  const int64_t more = (int64_t)(f->size - f->header) - f->dim[0] * item_bytes(f);
  if (more <= 0) return FEW_OK;
  return few__fail(d->ctx, FEW_E_FORMAT,
                   "%s: has %lld more bytes after its %lld items; the header is wrong or two "
                   "files were joined",
                   path, (long long)more, (long long)f->dim[0]);
}

/* Checks the header of an uncompressed file before the rest is read. */
static few_status look_at(few_data *d, const char *path, int min_dims, int max_dims) {
  struct few_feed from;
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_open(d->ctx, &from, path));
  struct idx f = {.size = (size_t)from.size};
  few_status st = few__feed_peek(&from, &head, &n);
  if (!st && !few__gzip_is(head, n)) {
    st = parse_header(d->ctx, path, min_dims, max_dims, head, &f);
    if (!st) st = check_end(d, path, &f);
  }
  few__feed_close(&from);
  return st;
}

/* Reads a file, checks its header, and compares the size of the file with it. */
static few_status read_idx(few_data *d, const char *path, int min_dims, int max_dims,
                           const struct few_data_opts *o, struct idx *f) {
  if (few__path_is_file(path)) FEW_TRY(look_at(d, path, min_dims, max_dims));
  FEW_TRY(few__data_read_bytes(d, path, &f->bytes, &f->size));
  FEW_TRY(parse_header(d->ctx, path, min_dims, max_dims, f->bytes, f));
  FEW_TRY(check_end(d, path, f));
  f->complete = (int64_t)(f->size - f->header) / item_bytes(f);
  if (f->complete == f->dim[0]) return FEW_OK;
  return few__data_broken(d, o, f->dim[0] - f->complete,
                          "%s: truncated at byte %zu, inside item %lld of %lld", path, f->size,
                          (long long)f->complete, (long long)f->dim[0]);
}

static few_status take_images(few_data *d, const char *path, const struct few_data_opts *o) {
  struct idx f = {0};
  few_status st = FEW_OK;
  FEW_GOTO(read_idx(d, path, 3, 4, o, &f));
  d->kind = FEW_DATA_IMAGES;
  d->n = f.complete;
  d->h = (int)f.dim[1];
  d->w = (int)f.dim[2];
  d->c = f.n_dims == 4 ? (int)f.dim[3] : 1;
  memmove(f.bytes, f.bytes + f.header, f.size - f.header);
  d->pixels = f.bytes;
  return FEW_OK;
out:
  few__free(d->ctx, f.bytes);
  return st;
}

static few_status take_labels(few_data *d, const char *images, const char *path, int64_t n,
                              const struct few_data_opts *o) {
  struct idx f = {0};
  few_status st = FEW_OK;
  FEW_GOTO(read_idx(d, path, 1, 1, o, &f));
  if (f.dim[0] != n)
    FEW_GOTO(few__fail(d->ctx, FEW_E_FORMAT, "%s has %lld images, but %s has %lld labels; %s",
                       images, (long long)n, path, (long long)f.dim[0],
                       "give two files that belong together"));
  if (d->n > f.complete) d->n = f.complete;
  d->skipped = n - d->n; /* an item that lacks both image and label is one broken item */
  FEW_GOTO(FEW_NEW(d->ctx, &d->labels, d->n));
  for (int64_t i = 0; i < d->n; i++) d->labels[i] = f.bytes[f.header + (size_t)i];
out:
  few__free(d->ctx, f.bytes);
  return st;
}

few_status few__data_read_idx(few_data *d, const char *images, const char *labels, int n_classes,
                              const struct few_data_opts *o) {
  FEW_TRY(take_images(d, images, o));
  if (!labels) return FEW_OK;
  FEW_TRY(take_labels(d, images, labels, d->n + d->skipped, o));
  return few__data_check_labels(d, o, labels, n_classes);
}

few_status few__data_open_idx(few_data *d, const char *where, const struct few_data_opts *o) {
  struct few_data_paths p = {0};
  few_status st = FEW_OK;
  FEW_GOTO(few__data_no_split(d, o));
  FEW_GOTO(few__data_split_paths(d, where, &p));
  if (p.n > 2)
    FEW_GOTO(few__fail(d->ctx, FEW_E_INVALID, "%s: %d files; write idx:IMAGES or %s", d->spec, p.n,
                       "idx:IMAGES,LABELS"));
  FEW_GOTO(few__data_read_idx(d, p.at[0], p.n == 2 ? p.at[1] : NULL, 0, o));
out:
  few__data_free_paths(d->ctx, &p);
  return st;
}
