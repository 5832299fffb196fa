/* npy.c - arrays of NumPy as a set: uint8 [N,H,W] or [N,H,W,C] are images, float [N,D] points.
 * Float images are refused, because the file does not state their range.
 *
 * An .npz is a zip archive of such arrays. Values are its member arr_0, or its only member, and
 * labels are arr_1. numpy.savez gives these names, and the sample and reference files of
 * guided-diffusion (arXiv:2105.05233) have them. npz:FILE,VALUES,LABELS names other members.
 */
#include "io/npy.h"

#include <math.h>

#include "io/zip.h"
#include "reader.h"

/* Where an array is: in a file of its own, or in an archive. */
struct place {
  const char *path;    /* for messages too */
  const char *archive; /* NULL: `path` is a file */
  const char *member;  /* NULL: the only member */
};

static few_status read_array(few_ctx *ctx, const struct place *at, struct few_npy *out) {
  char *bytes;
  size_t n;
  if (!at->archive) return few__npy_read(ctx, out, at->path, FEW_DATA_MAX_BYTES);
  FEW_TRY(few__zip_read(ctx, &bytes, &n, at->archive, at->member, FEW_DATA_MAX_BYTES));
  few_status st = few__npy_parse(ctx, out, at->path, bytes, n);
  few__free(ctx, bytes);
  return st;
}

static bool is_float(enum few_store s) {
  return s == FEW_STORE_F16 || s == FEW_STORE_F32 || s == FEW_STORE_F64;
}

static few_status bad_side(few_data *d, const char *path, const struct few_npy *a, int axis,
                           int max) {
  return few__fail(d->ctx, FEW_E_FORMAT, "%s: axis %d has length %lld, outside 1..%d%s", path, axis,
                   (long long)a->dim[axis], max,
                   axis == 3 ? "; save images as [N,H,W,C]" : "; check the array's shape");
}

static few_status take_images(few_data *d, const char *path, struct few_npy *a) {
  for (int i = 1; i < a->rank; i++) {
    int max = i < 3 ? FEW_DATA_MAX_SIDE : FEW_DATA_MAX_CHANNELS;
    if (a->dim[i] < 1 || a->dim[i] > max) return bad_side(d, path, a, i, max);
  }
  d->kind = FEW_DATA_IMAGES;
  d->h = (int)a->dim[1];
  d->w = (int)a->dim[2];
  d->c = a->rank == 4 ? (int)a->dim[3] : 1;
  d->n = a->dim[0];
  d->pixels = a->data;
  a->data = NULL;
  return FEW_OK;
}

static few_status take_points(few_data *d, const char *path, const struct few_npy *a) {
  if (a->dim[1] < 1 || a->dim[1] > FEW_DATA_MAX_SIDE)
    return bad_side(d, path, a, 1, FEW_DATA_MAX_SIDE);
  d->kind = FEW_DATA_POINTS;
  d->h = d->w = 1;
  d->c = (int)a->dim[1];
  d->n = a->dim[0];
  FEW_TRY(FEW_NEW(d->ctx, &d->points, a->count));
  few__store_to_f32(a->store, a->data, a->count, d->points);
  return FEW_OK;
}

static few_status drop_infinite(few_data *d, const char *path, const struct few_data_opts *o) {
  int64_t kept = 0;
  for (int64_t i = 0; i < d->n; i++) {
    int c = 0;
    while (c < d->c && isfinite(d->points[i * d->c + c])) c++;
    if (c == d->c)
      few__data_move(d, i, kept++);
    else
      FEW_TRY(few__data_broken(d, o, 1, "%s: entry [%lld,%d] is not a finite float", path,
                               (long long)i, c));
  }
  d->n = kept;
  return FEW_OK;
}

static few_status take_values(few_data *d, const struct place *at) {
  const char *path = at->path;
  struct few_npy a = {0};
  few_status st = read_array(d->ctx, at, &a);
  if (st) return st;
  if (a.store == FEW_STORE_U8 && (a.rank == 3 || a.rank == 4))
    st = take_images(d, path, &a);
  else if (is_float(a.store) && a.rank == 2)
    st = take_points(d, path, &a);
  else
    st = few__fail(d->ctx, FEW_E_UNSUPPORTED,
                   "%s: %s of %d axes; save images as uint8 [N,H,W] or [N,H,W,C], points as float "
                   "[N,D]",
                   path, few__store_name(a.store), a.rank);
  few__npy_free(d->ctx, &a);
  return st;
}

static few_status take_labels(few_data *d, const char *values, const struct place *at) {
  const char *path = at->path;
  struct few_npy a = {0};
  double *label = NULL;
  few_status st = FEW_OK;
  FEW_GOTO(read_array(d->ctx, at, &a));
  if (a.rank != 1 || is_float(a.store))
    FEW_GOTO(few__fail(d->ctx, FEW_E_UNSUPPORTED, "%s: %s of %d axes; save labels as integers [N]",
                       path, few__store_name(a.store), a.rank));
  if (a.count != d->n)
    FEW_GOTO(few__fail(d->ctx, FEW_E_FORMAT, "%s has %lld items, but %s has %lld labels; %s",
                       values, (long long)d->n, path, (long long)a.count,
                       "give two files that belong together"));
  FEW_GOTO(FEW_NEW(d->ctx, &d->labels, d->n));
  FEW_GOTO(FEW_NEW(d->ctx, &label, d->n));
  few__store_to_f64(a.store, a.data, a.count, label);
  for (int64_t i = 0; i < d->n; i++)
    d->labels[i] = (int32_t)fmax(INT32_MIN, fmin(label[i], INT32_MAX));
out:
  few__free(d->ctx, label);
  few__npy_free(d->ctx, &a);
  return st;
}

/* Reads values and labels; labels NULL: none. */
static few_status take(few_data *d, const struct place *values, const struct place *labels,
                       const struct few_data_opts *o) {
  FEW_TRY(take_values(d, values));
  if (labels) {
    FEW_TRY(take_labels(d, values->path, labels));
    FEW_TRY(few__data_check_labels(d, o, labels->path, 0));
  }
  return d->points ? drop_infinite(d, values->path, o) : FEW_OK;
}

few_status few__data_open_npy(few_data *d, const char *where, const struct few_data_opts *o) {
  struct few_data_paths p = {0};
  few_status st = FEW_OK;
  FEW_GOTO(few__data_no_split(d, o));
  FEW_GOTO(few__data_split_paths(d, where, &p));
  if (p.n > 2)
    FEW_GOTO(few__fail(d->ctx, FEW_E_INVALID, "%s: %d files; write npy:FILE or npy:FILE,LABELS",
                       d->spec, p.n));
  struct place values = {.path = p.at[0]}, labels = {.path = p.n == 2 ? p.at[1] : NULL};
  FEW_GOTO(take(d, &values, labels.path ? &labels : NULL, o));
out:
  few__data_free_paths(d->ctx, &p);
  return st;
}

/* The text "FILE: MEMBER.npy", and a place whose names point into it. */
static few_status name_member(few_ctx *ctx, const char *file, const char *member,
                              struct few_text *text, struct place *out) {
  few__text_add(ctx, text, "%s: %s.npy", file, member);
  if (text->failed) return few__fail(ctx, FEW_E_MEMORY, "%s: out of memory", file);
  *out = (struct place){text->at, file, text->at + strlen(file) + 2};
  return FEW_OK;
}

few_status few__data_open_npz(few_data *d, const char *where, const struct few_data_opts *o) {
  struct few_data_paths p = {0};
  struct few_text text[2] = {{0}};
  struct place values = {0}, labels = {0};
  few_status st = FEW_OK;
  FEW_GOTO(few__data_no_split(d, o));
  FEW_GOTO(few__data_split_paths(d, where, &p));
  if (p.n > 3)
    FEW_GOTO(
        few__fail(d->ctx, FEW_E_INVALID, "%s: write npz:FILE or npz:FILE,VALUES,LABELS", d->spec));
  const char *file = p.at[0];
  values = (struct place){file, file, NULL};
  if (p.n > 1 || few__zip_has(file, "arr_0.npy"))
    FEW_GOTO(name_member(d->ctx, file, p.n > 1 ? p.at[1] : "arr_0", &text[0], &values));
  if (p.n > 2 || (p.n == 1 && few__zip_has(file, "arr_1.npy")))
    FEW_GOTO(name_member(d->ctx, file, p.n > 2 ? p.at[2] : "arr_1", &text[1], &labels));
  FEW_GOTO(take(d, &values, labels.path ? &labels : NULL, o));
out:
  few__text_free(d->ctx, &text[0]);
  few__text_free(d->ctx, &text[1]);
  few__data_free_paths(d->ctx, &p);
  return st;
}
