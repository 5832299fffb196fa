/* augment.c - the augmentation of EDM (Karras et al., arXiv 2206.00364, appendix F.2), which does
 * not leak: the network gets its parameters as labels, and zeros when it samples.
 *
 * Each transformation is done with a probability of its own, min(1, p times its factor), and its
 * parameters are then drawn; otherwise they are 0. z are standard normals. In this order:
 *
 *   transformation   parameters                        labels
 *   xflip, yflip     half of the images                1 if flipped
 *   rotate_int       turns = 0 .. 3                    turns is 1 or 2; turns is 2 or 3
 *   translate_int    u, v in (-1, 1), rounded to       the shifts / (max side): right, up
 *                    pixels of u max w, v max h
 *   scale            z: size 2^(scale_std z)           z
 *   rotate_frac      a in (-pi, pi) max                cos a - 1, sin a
 *   aniso            z, r: size 2^(+-aniso_std z)      z cos r, z sin r
 *                    along and across direction r
 *   translate_frac   z, z': by std w z and std h z'    z, z'
 *
 * The first four move pixels. The others are one affine map of the image, which warp.c computes. A
 * point p of the result, from the centre, comes from
 *
 *   p' = 2^(-scale_std z) R(a) R(-r) diag(1/s, s) R(r) (p - move),   R = (cos -sin; sin cos),
 *
 * with x to the right and y down, so a positive a turns the image counter-clockwise. The labels
 * of aniso are the same for (z, r) and (-z, r + pi), although one stretches where the other shrinks;
 * that is EDM's choice. A parameter depends on the seed and on the place in the stream, and not on
 * which other transformations are on.
 */
#include "augment.h"

#include <math.h>

#include "base/rng.h"

/* ---- Options ---- */

struct holder {
  struct few_augment_opts opts;
};
static const struct few_option table[] = {FEW_AUGMENT_OPTIONS(struct holder, opts), FEW_OPT_END};

few_status few__augment_check(const few_data *d, const struct few_augment_opts *o) {
  if (o->p == 0) return FEW_OK;
  for (const struct few_option *row = table; row->key; row++) {
    const double *value = (const void *)((const char *)o + row->offset);
    FEW_TRY(few__opts_range(d->ctx, row->key, *value, row->min, row->max));
  }
  if (d->kind != FEW_DATA_IMAGES)
    return few__fail(d->ctx, FEW_E_INVALID,
                     "augment: %s are points, and only images are augmented: leave augment out",
                     d->spec);
  if (o->rotate_int > 0 && d->h != d->w)
    return few__fail(d->ctx, FEW_E_INVALID,
                     "augment: %s are %d x %d, and only square images can be turned by 90 degrees: "
                     "leave augment_rotate_int at 0",
                     d->spec, d->w, d->h);
  return FEW_OK;
}

/* ---- Parameters ---- */

/* The random words of a row. A DO word decides whether the transformation is done. */
enum word {
  FLIP_X_DO,
  FLIP_X,
  FLIP_Y_DO,
  FLIP_Y,
  TURN_DO,
  TURN,
  SHIFT_DO,
  SHIFT_X,
  SHIFT_Y,
  SCALE_DO,
  SCALE,
  ROTATE_DO,
  ROTATE,
  STRETCH_DO,
  STRETCH,
  STRETCH_TURNED,
  STRETCH_ANGLE,
  MOVE_DO,
  MOVE_X,
  MOVE_Y,
  WORDS
};

static const double pi = 3.141592653589793;

/* In (-1, 1). */
static double even(uint32_t word) { return 2 * few__uniform_from_u32(word) - 1; }

void few__augment_draw(struct few_augment *out, const few_data *d, const struct few_augment_opts *o,
                       uint64_t seed, int64_t position) {
  const struct few_rng r = {.seed = seed, .row = (uint64_t)position, .purpose = FEW_RNG_WARP};
  uint32_t w[WORDS];
  *out = (struct few_augment){0};
  for (uint32_t block = 0; block < WORDS / 4; block++) few__rng_block(&r, block, w + 4 * block);
#define DONE(word, factor) (few__uniform_from_u32(w[word]) < o->p * o->factor)
  if (DONE(FLIP_X_DO, xflip)) out->flip_x = w[FLIP_X] >> 31;
  if (DONE(FLIP_Y_DO, yflip)) out->flip_y = w[FLIP_Y] >> 31;
  if (DONE(TURN_DO, rotate_int)) out->turns = (int)(w[TURN] >> 30);
  if (DONE(SHIFT_DO, translate_int)) {
    out->right = lrint(even(w[SHIFT_X]) * d->w * o->translate_int_max);
    out->up = lrint(even(w[SHIFT_Y]) * d->h * o->translate_int_max);
  }
  if (DONE(SCALE_DO, scale)) out->scale = few__normal_from_u32(w[SCALE]);
  if (DONE(ROTATE_DO, rotate_frac)) out->angle = even(w[ROTATE]) * pi * o->rotate_frac_max;
  if (DONE(STRETCH_DO, aniso)) {
    out->stretch = few__normal_from_u32(w[STRETCH]);
    if (few__uniform_from_u32(w[STRETCH_TURNED]) < o->aniso_rotate_prob)
      out->stretch_angle = even(w[STRETCH_ANGLE]) * pi;
  }
  if (DONE(MOVE_DO, translate_frac)) {
    out->move[0] = few__normal_from_u32(w[MOVE_X]);
    out->move[1] = few__normal_from_u32(w[MOVE_Y]);
  }
#undef DONE
}

void few__augment_label(float out[FEW_AUGMENT_LABELS], const struct few_augment *a,
                        const few_data *d, const struct few_augment_opts *o) {
  const double right = d->w * o->translate_int_max, up = d->h * o->translate_int_max;
  const double label[FEW_AUGMENT_LABELS] = {a->flip_x,
                                            a->flip_y,
                                            a->turns == 1 || a->turns == 2,
                                            a->turns == 2 || a->turns == 3,
                                            a->right ? (double)a->right / right : 0,
                                            a->up ? (double)a->up / up : 0,
                                            a->scale,
                                            cos(a->angle) - 1,
                                            sin(a->angle),
                                            a->stretch * cos(a->stretch_angle),
                                            a->stretch * sin(a->stretch_angle),
                                            a->move[0],
                                            a->move[1]};
  for (int i = 0; i < FEW_AUGMENT_LABELS; i++) out[i] = (float)label[i];
}

/* ---- The map ---- */

static void times(double out[2][2], double a[2][2]) {
  const double b[2][2] = {{out[0][0], out[0][1]}, {out[1][0], out[1][1]}};
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) out[i][j] = b[i][0] * a[0][j] + b[i][1] * a[1][j];
}

static void times_turn(double out[2][2], double angle) {
  const double c = cos(angle), s = sin(angle);
  times(out, (double[2][2]){{c, -s}, {s, c}});
}

bool few__augment_warp(struct few_warp *out, const struct few_augment *a, const few_data *d,
                       const struct few_augment_opts *o) {
  const double size = exp2(-o->scale_std * a->scale), s = exp2(o->aniso_std * a->stretch);
  const double move[2] = {a->move[0] * o->translate_frac_std * d->w,
                          a->move[1] * o->translate_frac_std * d->h};
  *out = (struct few_warp){.flip_x = a->flip_x,
                           .flip_y = a->flip_y,
                           .turns = a->turns,
                           .right = a->right,
                           .up = a->up,
                           .turn = {{size, 0}, {0, size}}};
  times_turn(out->turn, a->angle);
  if (a->stretch != 0) {
    times_turn(out->turn, -a->stretch_angle);
    times(out->turn, (double[2][2]){{1 / s, 0}, {0, s}});
    times_turn(out->turn, a->stretch_angle);
  }
  for (int i = 0; i < 2; i++)
    out->move[i] = -(out->turn[i][0] * move[0] + out->turn[i][1] * move[1]);
  out->affine = a->scale != 0 || a->angle != 0 || a->stretch != 0 || move[0] != 0 || move[1] != 0;
  return out->affine || a->flip_x || a->flip_y || a->turns || a->right || a->up;
}
