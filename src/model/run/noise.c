/* noise.c - the starts of samples: drawn, between two others, and in .npy files. */
#include <math.h>

#include "io/npy.h"
#include "sample.h"

few_status few_noise_draw(float *noise, few_runner *r, uint64_t seed, int64_t first, int64_t n) {
  const int64_t dims = r->m->spec.h * r->m->spec.w * r->m->spec.c;
  if (first < 0 || n < 0 || (n && !noise))
    return few__fail(r->ctx, FEW_E_INVALID,
                     "noise: %lld from %lld: give at least none, from 0, and room for them",
                     (long long)n, (long long)first);
  few_sampling_noise(
      noise, &(struct few_sampling){.rows = n, .dims = dims, .seed = seed, .first_row = first}, 0);
  return FEW_OK;
}

/* z(w) = (sin((1 - w) A) a + sin(w A) b) / sin A, where A is the angle between a and b (Shoemake,
 * SIGGRAPH 1985). High-dimensional noise lies near a sphere, which a straight line leaves. */
few_status few_noise_between(float *out, few_runner *r, int64_t n, const float *a, const float *b) {
  const int64_t dims = r->m->spec.h * r->m->spec.w * r->m->spec.c;
  double aa = 0, bb = 0, ab = 0;
  if (n < 2 || !out || !a || !b)
    return few__fail(r->ctx, FEW_E_INVALID, "noise: give two noises, and room for two or more");
  for (int64_t k = 0; k < dims; k++) {
    aa += (double)a[k] * (double)a[k];
    bb += (double)b[k] * (double)b[k];
    ab += (double)a[k] * (double)b[k];
  }
  const double angle = acos(fmax(-1, fmin(1, ab / sqrt(aa * bb)))), least = 1e-6;
  if (!(aa > 0 && bb > 0 && angle < acos(-1) - least))
    return few__fail(r->ctx, FEW_E_INVALID,
                     "noise: the two are opposite or zero, so no way between them is the shortest: "
                     "choose another one");
  for (int64_t i = 0; i < n; i++) {
    const double w = (double)i / (double)(n - 1);
    const double to = angle > least ? sin(w * angle) / sin(angle) : w;
    const double from = angle > least ? sin((1 - w) * angle) / sin(angle) : 1 - w;
    for (int64_t k = 0; k < dims; k++)
      out[i * dims + k] = (float)(from * (double)a[k] + to * (double)b[k]);
  }
  return FEW_OK;
}

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
