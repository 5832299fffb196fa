/* noise.c - noise in .npy files: the starts of samples. */
#include <math.h>

#include "io/npy.h"
#include "sample.h"

few_status few_noise_write(few_runner *r, const char *path, int64_t n, const float *noise) {
  const struct few_net_spec *s = &r->m->spec;
  const int64_t image[4] = {n, s->h, s->w, s->c}, points[2] = {n, s->c};
  if (n < 0 || !path || (n && !noise))
    return few__fail(r->ctx, FEW_E_INVALID, "noise: give a path, and the noise to write");
  FEW_TRY(few__samples_check(r->ctx, r->m, path, 0, n, noise));
  return few__npy_write(r->ctx, path, FEW_STORE_F32, s->points ? 2 : 4, s->points ? points : image,
                        noise);
}

static bool has_shape(const struct few_npy *a, int64_t b, int64_t c, int64_t d) {
  return a->rank == 4 && a->dim[1] == b && a->dim[2] == c && a->dim[3] == d;
}

/* Sets *planar for images [n,c,h,w]. */
static few_status check_shape(few_runner *r, const struct few_npy *a, const char *path,
                              bool *planar) {
  const struct few_net_spec *s = &r->m->spec;
  struct few_text shape = {0};
  *planar = false;
  if (s->points && a->rank == 2 && a->dim[1] == s->c) return FEW_OK;
  if (!s->points && has_shape(a, s->h, s->w, s->c)) return FEW_OK;
  *planar = !s->points && has_shape(a, s->c, s->h, s->w);
  if (*planar) return FEW_OK;
  for (int k = 0; k < a->rank; k++)
    few__text_add(r->ctx, &shape, "%s%lld", k ? "," : "", (long long)a->dim[k]);
  const few_status st =
      s->points ? few__fail(r->ctx, FEW_E_INVALID,
                            "%s: noise [%s], but this model needs [n,%lld]: give noise for it",
                            path, shape.at ? shape.at : "", (long long)s->c)
                : few__fail(r->ctx, FEW_E_INVALID,
                            "%s: noise [%s], but this model needs [n,%lld,%lld,%lld] or "
                            "[n,%lld,%lld,%lld]: give noise for it",
                            path, shape.at ? shape.at : "", (long long)s->h, (long long)s->w,
                            (long long)s->c, (long long)s->c, (long long)s->h, (long long)s->w);
  few__text_free(r->ctx, &shape);
  return st;
}

/* [n,c,area] to [n,area,c]. */
static void interleave(const float *in, int64_t n, int64_t c, int64_t area, float *out) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < c; k++)
      for (int64_t p = 0; p < area; p++) out[(i * area + p) * c + k] = in[(i * c + k) * area + p];
}

/* Converts the array to noise[n][h*w*c]. */
static few_status take(few_runner *r, const struct few_npy *a, const char *path, bool planar,
                       float *noise) {
  const struct few_net_spec *s = &r->m->spec;
  float *other = NULL;
  if (planar) FEW_TRY(FEW_NEW(r->ctx, &other, a->count));
  few__store_to_f32(a->store, a->data, a->count, planar ? other : noise);
  if (planar) interleave(other, a->dim[0], s->c, s->h * s->w, noise);
  few__free(r->ctx, other);
  for (int64_t i = 0; i < a->count; i++)
    if (!isfinite(noise[i]))
      return few__fail(r->ctx, FEW_E_FORMAT, "%s: a value is not finite: make the noise again",
                       path);
  return FEW_OK;
}

few_status few_noise_read(float *noise, int64_t *n, few_runner *r, const char *path) {
  struct few_npy a;
  bool planar;
  if (!path || !n)
    return few__fail(r->ctx, FEW_E_INVALID, "noise: give a path, and room for the number");
  *n = 0;
  FEW_TRY(few__npy_read(r->ctx, &a, path, SIZE_MAX));
  few_status st = check_shape(r, &a, path, &planar);
  if (!st && a.store != FEW_STORE_F32 && a.store != FEW_STORE_F64 && a.store != FEW_STORE_F16)
    st = few__fail(r->ctx, FEW_E_INVALID, "%s: noise of whole numbers: give real ones", path);
  if (!st && noise) st = take(r, &a, path, planar, noise);
  if (!st) *n = a.dim[0];
  few__npy_free(r->ctx, &a);
  return st;
}
