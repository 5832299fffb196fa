/* toy.c - known distributions in the plane, for tests and for studying methods.
 *
 * Point i is a function of (seed, split, i): one Philox block gives four words, which are enough
 * for every toy. So a limit only sets the number of points: the first 100 of 1,000 points are the
 * 100 points of a limit of 100.
 *
 *   mixture       8 Gaussians of std 0.1 on the unit circle, all of weight 1/8; class = component
 *   moons         two interleaving half circles of radius 1, noise 0.08, centred; class = moon
 *   checkerboard  uniform on the 8 dark squares of a 4 x 4 board over [-1, 1]^2; no classes
 *   spiral        two arms r = theta / 3 pi, theta = 3 pi sqrt(u), noise 0.02; class = arm
 */
#include <math.h>

#include "base/rng.h"
#include "reader.h"

#define PI 3.14159265358979323846
#define HALF_ROOT 0.70710678118654752440

enum { RING = 8, DEFAULT_POINTS = 65536 };

static const double ring_weight[RING] = {.125, .125, .125, .125, .125, .125, .125, .125};
static const double ring_std[RING] = {.1, .1, .1, .1, .1, .1, .1, .1};
static const double ring_mean[RING * 2] = {
    1,  0, HALF_ROOT,  HALF_ROOT,  0, 1,  -HALF_ROOT, HALF_ROOT,
    -1, 0, -HALF_ROOT, -HALF_ROOT, 0, -1, HALF_ROOT,  -HALF_ROOT};

static const struct few_data_gaussians ring = {RING, 2, ring_weight, ring_mean, ring_std};

const struct few_data_gaussians *few_data_mixture(void) { return &ring; }

/* A draw function computes a point from its four words, and returns the class. */
static int32_t draw_mixture(const uint32_t w[4], double x[2]) {
  int i = (int)(w[0] >> 29); /* equal weights: the top three bits choose */
  x[0] = ring_mean[2 * i] + ring_std[i] * few__normal_from_u32(w[1]);
  x[1] = ring_mean[2 * i + 1] + ring_std[i] * few__normal_from_u32(w[2]);
  return i;
}

static int32_t draw_moons(const uint32_t w[4], double x[2]) {
  int32_t moon = (int32_t)(w[0] >> 31);
  double t = PI * few__uniform_from_u32(w[1]);
  x[0] = moon ? 0.5 - cos(t) : cos(t) - 0.5;
  x[1] = moon ? 0.25 - sin(t) : sin(t) - 0.25;
  x[0] += 0.08 * few__normal_from_u32(w[2]);
  x[1] += 0.08 * few__normal_from_u32(w[3]);
  return moon;
}

static int32_t draw_checkerboard(const uint32_t w[4], double x[2]) {
  uint32_t square = w[0] >> 29, row = square / 2, column = square % 2 * 2 + row % 2;
  x[0] = (column + few__uniform_from_u32(w[1])) / 2 - 1;
  x[1] = (row + few__uniform_from_u32(w[2])) / 2 - 1;
  return 0;
}

static int32_t draw_spiral(const uint32_t w[4], double x[2]) {
  int32_t arm = (int32_t)(w[0] >> 31);
  double r = sqrt(few__uniform_from_u32(w[1])), theta = 3 * PI * r, sign = arm ? -1 : 1;
  x[0] = sign * r * cos(theta) + 0.02 * few__normal_from_u32(w[2]);
  x[1] = sign * r * sin(theta) + 0.02 * few__normal_from_u32(w[3]);
  return arm;
}

static const struct toy {
  const char *name;
  int n_classes;
  int32_t (*draw)(const uint32_t w[4], double x[2]);
} toys[] = {
    {"mixture", RING, draw_mixture},
    {"moons", 2, draw_moons},
    {"checkerboard", 0, draw_checkerboard},
    {"spiral", 2, draw_spiral},
};

static void draw_all(few_data *d, const struct toy *t, const struct few_data_opts *o) {
  assert(d->c == 2 && d->points && !d->labels == !t->n_classes);
  struct few_rng r = {.seed = o->seed, .step = (uint64_t)o->split, .purpose = FEW_RNG_TOY};
  for (int64_t i = 0; i < d->n; i++) {
    uint32_t w[4];
    double x[2];
    r.row = (uint64_t)i;
    few__rng_block(&r, 0, w);
    int32_t label = t->draw(w, x);
    if (d->labels) d->labels[i] = label;
    for (int c = 0; c < 2; c++) d->points[2 * i + c] = (float)x[c];
  }
}

few_status few__data_open_toy(few_data *d, const char *where, const struct few_data_opts *o) {
  const struct toy *t = NULL;
  for (int i = 0; i < FEW_COUNT(toys); i++)
    if (!strcmp(toys[i].name, where)) t = &toys[i];
  if (!t)
    return few__fail(d->ctx, FEW_E_INVALID, "%s: there is no toy \"%s\"; use mixture, moons, %s",
                     d->spec, where, "checkerboard or spiral");
  d->kind = FEW_DATA_POINTS;
  d->h = d->w = 1;
  d->c = 2;
  d->n = o->limit ? o->limit : DEFAULT_POINTS;
  d->n_classes = t->n_classes;
  FEW_TRY(FEW_NEW(d->ctx, &d->points, 2 * d->n));
  if (t->n_classes) FEW_TRY(FEW_NEW(d->ctx, &d->labels, d->n));
  draw_all(d, t, o);
  return FEW_OK;
}
