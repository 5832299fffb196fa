/* transfer.c - from pictures to noise and on to other pictures (Su et al., "Dual Diffusion Implicit
 * Bridges", arXiv 2203.08382; with distilled encoders: Meng et al., arXiv 2210.03142, section 4.4).
 *
 * The flow of each model is a map between its pictures and the same noise. Up one and down another
 * keeps what noise stands for, the layout of a picture, and changes the domain.
 */
#include "io/npy.h"
#include "model.h"

few_status few_encode(few_model *m, const struct few_sample_opts *opts, const float *pictures,
                      const int32_t *label, float *noise, int *nfe) {
  const struct few_sample_path path = {.encode = true, .start = pictures, .label = label};
  return few__sample_run(m, opts, &path, noise, NULL, nfe);
}

few_status few_decode(few_model *m, const struct few_sample_opts *opts, const float *noise,
                      const int32_t *label, float *pictures, int *nfe) {
  const struct few_sample_path path = {.start = noise, .label = label};
  return few__sample_run(m, opts, &path, pictures, NULL, nfe);
}

static few_status check(const struct few_transfer_opts *o) {
  few_ctx *ctx = o->a->ctx;
  const struct few_net_spec *a = &o->a->spec, *b = &o->b->spec;
  if (o->version != FEW_TRANSFER_OPTS_VERSION)
    return few__fail(ctx, FEW_E_INVALID, "transfer: options of another version of few");
  if (o->encode->n != o->decode->n || o->encode->first != o->decode->first)
    return few__fail(ctx, FEW_E_INVALID,
                     "transfer: %lld pictures are encoded and %lld decoded: give the same n and "
                     "first",
                     (long long)o->encode->n, (long long)o->decode->n);
  if (a->h == b->h && a->w == b->w && a->c == b->c && a->points == b->points) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "transfer: the first model is of %lldx%lldx%lld, the second of %lldx%lldx%lld: "
                   "give two of one size",
                   (long long)a->h, (long long)a->w, (long long)a->c, (long long)b->h,
                   (long long)b->w, (long long)b->c);
}

/* What the second would refuse is told before the first has worked. */
few_status few_transfer(const struct few_transfer_opts *o, const float *pictures, float *out,
                        int *nfe) {
  int up, down;
  FEW_TRY(check(o));
  FEW_TRY(few_sample_plan(o->b, o->decode, NULL, NULL));
  FEW_TRY(few_encode(o->a, o->encode, pictures, o->from, out, &up));
  FEW_TRY(few_decode(o->b, o->decode, out, o->to, out, &down));
  if (nfe) *nfe = up + down;
  return FEW_OK;
}

few_status few_noise_write(const few_model *m, const char *path, int64_t n, const float *noise) {
  const struct few_net_spec *s = &m->spec;
  const int64_t image[4] = {n, s->h, s->w, s->c}, points[2] = {n, s->c};
  return few__npy_write(m->ctx, path, FEW_STORE_F32, s->points ? 2 : 4, s->points ? points : image,
                        noise);
}
