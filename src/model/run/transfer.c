/* transfer.c - maps images to noise, and that noise to other images (Su et al., "Dual Diffusion
 * Implicit Bridges", arXiv 2203.08382; with distilled encoders: Meng et al., arXiv 2210.03142,
 * section 4.4).
 *
 * The flow of each model maps between its images and the same noise. Encoding with one model and
 * decoding with another keeps the layout of an image, which the noise determines, and changes its
 * domain.
 */
#include "base/pace.h"
#include "sample.h"

few_status few_encode(float *noise, int *nfe, few_runner *r, const struct few_sample_opts *opts,
                      const float *images, const int32_t *label) {
  const struct few_sample_path path = {.way = FEW_TO_NOISE, .start = images, .label = label};
  if (!noise || !images)
    return few__fail(r->ctx, FEW_E_INVALID, "encode: give images, and an array for their noise");
  return few__sample_run(r, opts, &path, noise, NULL, nfe);
}

few_status few_decode(float *images, int *nfe, few_runner *r, const struct few_sample_opts *opts,
                      const float *noise, const int32_t *label) {
  const struct few_sample_path path = {.start = noise, .label = label};
  if (!noise || !images)
    return few__fail(r->ctx, FEW_E_INVALID, "decode: give noise, and an array for the images");
  return few__sample_run(r, opts, &path, images, NULL, nfe);
}

static few_status check(const struct few_transfer_opts *o) {
  few_ctx *ctx = o->a->ctx;
  FEW_TRY(few__opts_check(ctx, "few_transfer_opts", o, FEW_TRANSFER_OPTS_VERSION));
  if (!o->b || o->b->ctx != ctx)
    return few__fail(ctx, FEW_E_INVALID, "transfer: give two runners of one context");
  const struct few_net_spec *a = &o->a->m->spec, *b = &o->b->m->spec;
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

/* Images at .. at + n - 1 of the call. */
struct part {
  const struct few_transfer_opts *o;
  int64_t at, n, dims;
  struct few_progress_frame frame;
};

static few_status transfer_part(const struct part *p, const float *images, float *out, int *nfe) {
  struct few_sample_opts up = *p->o->encode, down = *p->o->decode;
  assert(p->n >= 1 && p->at + p->n <= up.n && up.n == down.n);
  int nfe_up, nfe_down;
  up.n = down.n = p->n;
  up.first += p->at;
  down.first += p->at;
  up.finished = down.finished = NULL;
  const int32_t *from = p->o->from ? p->o->from + p->at : NULL;
  const int32_t *to = p->o->to ? p->o->to + p->at : NULL;
  float *x = out + p->at * p->dims;
  FEW_TRY(few_encode(x, &nfe_up, p->o->a, &up, images + p->at * p->dims, from));
  FEW_TRY(few_decode(x, &nfe_down, p->o->b, &down, x, to));
  if (nfe) *nfe = nfe_up + nfe_down;
  return FEW_OK;
}

/* Transfers images part by part, each completely before the next, so that finished parts are kept
 * if the rest is cancelled. Progress counts each image twice: when it is encoded and when it is
 * decoded. */
static few_status transfer_all(const struct few_transfer_opts *o, const float *images, float *out,
                               int *nfe) {
  const struct few_net_spec *s = &o->a->m->spec;
  const int64_t n = o->encode->n;
  struct few_pace pace = {.unit = few__runner_portion(o->a), .most = n, .seconds = 2};
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

/* All errors of encoding and decoding are reported before any work. */
few_status few_transfer(float *out, int *nfe, const struct few_transfer_opts *o,
                        const float *images) {
  struct few_sample_resolved s;
  if (!o || !o->a) return FEW_E_INVALID; /* no runner, so no context for a message */
  FEW_TRY(check(o));
  if (!out || !images)
    return few__fail(o->a->ctx, FEW_E_INVALID,
                     "transfer: give images, and an array for the results");
  if (o->decode->finished) *o->decode->finished = 0;
  FEW_TRY(few__sample_resolve(o->a->ctx, &s, o->a->m, o->encode, FEW_TO_NOISE));
  few__sample_resolved_free(o->a->ctx, &s);
  FEW_TRY(few_sample_plan(NULL, NULL, o->b, o->decode));
  return transfer_all(o, images, out, nfe);
}
