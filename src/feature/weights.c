/* weights.c - see weights.h. What a file is shows in its first bytes: a zip archive or a pickle is
 * PyTorch's, all else is taken for safetensors, whose reader says what is wrong with it. */
#include "weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "io/file.h"

static const size_t max_bytes = (size_t)1 << 32;

few_status few__weights_parse(few_ctx *ctx, struct few_weights *out, const char *path,
                              const void *bytes, size_t n) {
  struct few_sha256 sha;
  *out = (struct few_weights){.path = few__strdup(ctx, path)};
  if (!out->path) return few__fail(ctx, FEW_E_MEMORY, "out of memory: weights");
  few__sha256_start(&sha);
  few__sha256_add(&sha, bytes, n);
  few__sha256_end(&sha, out->hash);
  few_status st = few__pth_is(bytes, n) ? few__pth_parse(ctx, &out->pth, path, bytes, n)
                                        : few__st_parse(ctx, &out->st, path, bytes, n);
  if (st) few__weights_free(ctx, out);
  return st;
}

few_status few__weights_read(few_ctx *ctx, struct few_weights *out, const char *path) {
  char *bytes;
  size_t n;
  *out = (struct few_weights){0};
  FEW_TRY(few__file_read(ctx, &bytes, &n, path, max_bytes));
  few_status st = few__weights_parse(ctx, out, path, bytes, n);
  few__free(ctx, bytes);
  return st;
}

void few__weights_free(few_ctx *ctx, struct few_weights *w) {
  few__free(ctx, w->path);
  few__st_free(ctx, &w->st);
  few__pth_free(ctx, &w->pth);
  *w = (struct few_weights){0};
}

static const struct few_st_tensor *find(const struct few_weights *w, const char *name) {
  const struct few_st_tensor *t = few__st_find(&w->st, name);
  return t ? t : few__pth_find(&w->pth, name);
}

static const char *shape_text(char out[160], int rank, const int64_t *dim) {
  size_t n = 1;
  out[0] = '[';
  out[1] = 0;
  for (int i = 0; i < rank; i++) {
    int k = snprintf(out + n, 160 - n, i ? ",%" PRId64 : "%" PRId64, dim[i]);
    if (k > 0 && n + (size_t)k < 150) n += (size_t)k;
  }
  snprintf(out + n, 160 - n, "]");
  return out;
}

few_status few__weights_take(few_ctx *ctx, const struct few_weights *w, const char *name, int rank,
                             const int64_t *dim, float **out) {
  char want[160], have[160];
  const struct few_st_tensor *t = find(w, name);
  *out = NULL;
  if (!t)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: no tensor `%s` of shape %s: these are weights of another network",
                     w->path, name, shape_text(want, rank, dim));
  bool same = t->rank == rank;
  for (int i = 0; same && i < rank; i++) same = t->dim[i] == dim[i];
  if (!same)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: tensor `%s` is %s, expected %s: these are weights of another network",
                     w->path, name, shape_text(have, t->rank, t->dim), shape_text(want, rank, dim));
  FEW_TRY(FEW_NEW(ctx, out, t->count));
  few__store_to_f32(t->store, t->data, t->count, *out);
  for (int64_t i = 0; i < t->count; i++) {
    if (isfinite((*out)[i])) continue;
    few__free(ctx, *out);
    *out = NULL;
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s: tensor `%s` has a value that is not finite: fetch the file again",
                     w->path, name);
  }
  return FEW_OK;
}
