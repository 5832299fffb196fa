/* weights.c - named arrays from a file. The first bytes decide: a zip archive or a pickle is
 * PyTorch's, and everything else is read as safetensors, whose reader reports what is wrong. */
#include "weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "io/feed.h"
#include "io/file.h"

static const size_t max_bytes = (size_t)1 << 32;

static few_status read_kind(few_ctx *ctx, struct few_weights *out, const char *path) {
  struct few_feed from;
  const uint8_t *head;
  size_t n;
  FEW_TRY(few__feed_open(ctx, &from, path));
  few_status st = few__feed_peek(&from, &head, &n);
  const bool pth = !st && few__pth_is(head, n);
  few__feed_close(&from);
  FEW_TRY(st);
  return pth ? few__pth_read(ctx, &out->pth, path, max_bytes)
             : few__st_read(ctx, &out->st, path, max_bytes);
}

few_status few__weights_read(few_ctx *ctx, struct few_weights *out, const char *path) {
  *out = (struct few_weights){0};
  FEW_TRY(few__file_check(ctx, path)); /* checked once, although it is opened more than once */
  out->path = few__strdup(ctx, path);
  few_status st = out->path ? read_kind(ctx, out, path)
                            : few__fail(ctx, FEW_E_MEMORY, "out of memory: weights");
  if (!st) st = few__sha256_file(ctx, out->hash, path);
  if (st) few__weights_free(ctx, out);
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
