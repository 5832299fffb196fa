/* animation.c - frames of images, or of the density of points, as an animated PNG. */
#include <stdio.h>

#include "io/apng.h"
#include "sample.h"

struct job {
  few_ctx *ctx;
  const struct few_net_spec *spec;
  const struct few_animation *a;
  struct few_window window; /* of points; the same in all frames */
  uint8_t *bytes;           /* of one frame's images */
};

static int64_t values(const struct job *j) {
  return j->a->n * j->spec->h * j->spec->w * j->spec->c;
}

static few_status draw(const struct job *j, int frame, struct few_image *out) {
  const struct few_net_spec *s = j->spec;
  const float *x = j->a->frames + frame * values(j);
  if (s->points) return few__image_density_in(j->ctx, out, &j->window, x, j->a->n, s->c);
  few__sample_bytes(values(j), x, j->bytes);
  return few__image_grid(j->ctx, out, j->bytes, (int)j->a->n, (int)s->h, (int)s->w, (int)s->c,
                         (int)j->a->columns);
}

static few_status write_frames(const struct job *j, const char *path) {
  static const int64_t most = 65535;
  const struct few_animation *a = j->a;
  struct few_apng *out = NULL;
  struct few_image im;
  char version[32];
  snprintf(version, sizeof version, "few %s", few_version());
  const struct few_png_text text = {"Software", version};
  FEW_TRY(draw(j, a->n_frames - 1, &im));
  few_status st = few__apng_open(j->ctx, &out, path, &im, &text, 1, a->n_frames);
  few__image_free(j->ctx, &im);
  for (int k = 0; !st && k < a->n_frames; k++) {
    const int64_t ms = k < a->n_frames - 1 ? a->milliseconds : 10 * a->milliseconds;
    st = draw(j, k, &im);
    if (!st) st = few__apng_frame(out, &im, (int)(ms < most ? ms : most));
    few__image_free(j->ctx, &im);
  }
  return few__apng_end(out, st);
}

few_status few_animation_write(few_runner *r, const char *path,
                               const struct few_animation *animation) {
  struct job j = {.ctx = r->ctx, .spec = &r->m->spec, .a = animation};
  FEW_TRY(few__opts_check(r->ctx, "few_animation", animation, FEW_ANIMATION_VERSION));
  if (!path || !animation->frames || animation->n_frames < 1 || animation->n < 1 ||
      animation->n > INT32_MAX || animation->columns < 0 || animation->columns > INT32_MAX ||
      animation->milliseconds < 0)
    return few__fail(r->ctx, FEW_E_INVALID,
                     "animation: give a path, and frames of at least one image");
  const int64_t all = animation->n_frames * animation->n;
  FEW_TRY(few__samples_check(r->ctx, r->m, path, 0, all, animation->frames));
  if (j.spec->points)
    FEW_TRY(few__density_window(r->ctx, &j.window, animation->frames, all, j.spec->c));
  FEW_TRY(FEW_NEW(r->ctx, &j.bytes, values(&j)));
  const few_status st = write_frames(&j, path);
  few__free(r->ctx, j.bytes);
  return st;
}
