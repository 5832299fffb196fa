/* transfer.c - from images to noise and on to other images (Su et al., "Dual Diffusion Implicit
 * Bridges", arXiv 2203.08382; with distilled encoders: Meng et al., arXiv 2210.03142, section 4.4).
 *
 * The flow of each model is a map between its images and the same noise. Up one and down another
 * keeps what noise stands for, the layout of an image, and changes the domain.
 */
#include "base/pace.h"
#include "io/npy.h"
#include "model/model.h"

few_status few_encode(few_model *m, const struct few_sample_opts *opts, const float *images,
                      const int32_t *label, float *noise, int *nfe) {
  const struct few_sample_path path = {.encode = true, .start = images, .label = label};
  return few__sample_run(m, opts, &path, noise, NULL, nfe);
}

few_status few_decode(few_model *m, const struct few_sample_opts *opts, const float *noise,
                      const int32_t *label, float *images, int *nfe) {
  const struct few_sample_path path = {.start = noise, .label = label};
  return few__sample_run(m, opts, &path, images, NULL, nfe);
}

static few_status check(const struct few_transfer_opts *o) {
  few_ctx *ctx = o->a->ctx;
  FEW_TRY(few__opts_check(ctx, "few_transfer_opts", o, FEW_TRANSFER_OPTS_VERSION));
  if (!o->b || o->b->ctx != ctx)
    return few__fail(ctx, FEW_E_INVALID, "transfer: give two models of one context");
  const struct few_net_spec *a = &o->a->spec, *b = &o->b->spec;
  FEW_TRY(few__opts_check(ctx, "few_sample_opts (encode)", o->encode, FEW_SAMPLE_OPTS_VERSION));
  FEW_TRY(few__opts_check(ctx, "few_sample_opts (decode)", o->decode, FEW_SAMPLE_OPTS_VERSION));
  if (o->encode->n != o->decode->n || o->encode->first != o->decode->first)
    return few__fail(ctx, FEW_E_INVALID,
                     "transfer: %lld images are encoded and %lld decoded: give the same n and "
                     "first",
                     (long long)o->encode->n, (long long)o->decode->n);
  if (a->h == b->h && a->w == b->w && a->c == b->c && a->points == b->points) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "transfer: the first model is of %lldx%lldx%lld, the second of %lldx%lldx%lld: "
                   "give two of one size",
                   (long long)a->h, (long long)a->w, (long long)a->c, (long long)b->h,
                   (long long)b->w, (long long)b->c);
}

/* Rows of both at once: images at .. at + n - 1 of those asked for. */
struct part {
  const struct few_transfer_opts *o;
  int64_t at, n, dims;
  struct few_progress_frame frame;
};

static few_status transfer_part(const struct part *p, const float *images, float *out, int *nfe) {
  struct few_sample_opts up = *p->o->encode, down = *p->o->decode;
  int nfe_up, nfe_down;
  up.n = down.n = p->n;
  up.first += p->at;
  down.first += p->at;
  up.finished = down.finished = NULL;
  const int32_t *from = p->o->from ? p->o->from + p->at : NULL;
  const int32_t *to = p->o->to ? p->o->to + p->at : NULL;
  float *x = out + p->at * p->dims;
  FEW_TRY(few_encode(p->o->a, &up, images + p->at * p->dims, from, x, &nfe_up));
  FEW_TRY(few_decode(p->o->b, &down, x, to, x, &nfe_down));
  if (nfe) *nfe = nfe_up + nfe_down;
  return FEW_OK;
}

/* Up and down with some images and then with the next, so that those are finished when the rest
 * is cancelled. The frame counts an image twice: on its way up and on its way down. */
static few_status transfer_all(const struct few_transfer_opts *o, const float *images, float *out,
                               int *nfe) {
  const struct few_net_spec *s = &o->a->spec;
  const int64_t n = o->encode->n;
  struct few_pace pace = {.unit = few__model_portion(o->a), .most = n, .seconds = 2};
  struct part p = {.o = o, .dims = s->h * s->w * s->c};
  p.frame = (struct few_progress_frame){"transferring", 0, 2 * n, few__now()};
  while (p.at < n) {
    p.n = few__pace_next(&pace, n - p.at);
    few__progress_frame(o->a->ctx, &p.frame);
    few_status st = transfer_part(&p, images, out, nfe);
    few__progress_frame(o->a->ctx, NULL);
    if (st == FEW_E_CANCELLED)
      return few__fail(o->a->ctx, st, "transferring stopped after %lld of %lld images",
                       (long long)p.at, (long long)n);
    FEW_TRY(st);
    p.at += p.n;
    p.frame.first = 2 * p.at;
    if (o->decode->finished) *o->decode->finished = p.at;
  }
  return FEW_OK;
}

/* What either would refuse is refused before any work. */
few_status few_transfer(const struct few_transfer_opts *o, const float *images, float *out,
                        int *nfe) {
  struct few_sample_choice c;
  if (!o || !o->a) return FEW_E_INVALID; /* without a model there is no context for a sentence */
  FEW_TRY(check(o));
  if (o->decode->finished) *o->decode->finished = 0;
  FEW_TRY(few__sample_choose(o->a, o->encode, true, &c));
  few__sample_choice_free(o->a, &c);
  FEW_TRY(few_sample_plan(o->b, o->decode, NULL, NULL));
  return transfer_all(o, images, out, nfe);
}

few_status few_noise_write(const few_model *m, const char *path, int64_t n, const float *noise) {
  const struct few_net_spec *s = &m->spec;
  const int64_t image[4] = {n, s->h, s->w, s->c}, points[2] = {n, s->c};
  if (n < 0 || !path || (n && !noise))
    return few__fail(m->ctx, FEW_E_INVALID, "noise: give a path, and what to write there");
  FEW_TRY(few__samples_check(m, path, 0, n, noise));
  return few__npy_write(m->ctx, path, FEW_STORE_F32, s->points ? 2 : 4, s->points ? points : image,
                        noise);
}
