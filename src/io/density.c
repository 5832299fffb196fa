/* density.c - the density of points in the plane, as an image.
 *
 * The image is a histogram on a square grid. Empty pixels are white. A pixel with c points has the
 * darkness log(1 + c) / log(1 + most), so that single points are visible beside dense regions. The
 * window is a square around the middle 99 % of both coordinates, wider by an eighth, so that
 * outliers do not shrink the rest. The second coordinate grows upwards.
 */
#include <math.h>
#include <stdlib.h>

#include "image.h"

enum { SIDE = 256 };

static int ascending(const void *a, const void *b) {
  float x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* The ends of the middle 99 % of coordinate `axis`. Points that are not finite are ignored. */
static void middle(const float *points, int64_t n, int64_t d, int axis, float *scratch,
                   double ends[2]) {
  int64_t m = 0;
  assert(n >= 0 && 0 <= axis && axis < d);
  for (int64_t i = 0; i < n; i++)
    if (isfinite(points[i * d + axis])) scratch[m++] = points[i * d + axis];
  ends[0] = ends[1] = 0;
  if (!m) return;
  qsort(scratch, (size_t)m, sizeof *scratch, ascending);
  ends[0] = (double)scratch[m / 200];
  ends[1] = (double)scratch[m - 1 - m / 200];
}

static void count(int32_t *counts, const float *points, int64_t n, int64_t d,
                  const struct few_window *v) {
  assert(v->width > 0 && d >= 2);
  for (int64_t i = 0; i < n; i++) {
    double x = ((double)points[i * d] - v->low[0]) / v->width * SIDE;
    double y = ((double)points[i * d + 1] - v->low[1]) / v->width * SIDE;
    if (x >= 0 && x < SIDE && y >= 0 && y < SIDE) counts[(SIDE - 1 - (int)y) * SIDE + (int)x]++;
  }
}

few_status few__density_window(few_ctx *ctx, struct few_window *out, const float *points, int64_t n,
                               int64_t d) {
  float *scratch;
  double ends[2][2];
  *out = (struct few_window){.width = 0};
  if (d < 2)
    return few__fail(ctx, FEW_E_INVALID,
                     "points of one dimension cannot be drawn: give a name that ends in .npy");
  FEW_TRY(FEW_NEW(ctx, &scratch, n));
  for (int a = 0; a < 2; a++) {
    middle(points, n, d, a, scratch, ends[a]);
    out->width = fmax(out->width, 1.25 * (ends[a][1] - ends[a][0]));
  }
  few__free(ctx, scratch);
  if (!(out->width > 0)) out->width = 1;
  for (int a = 0; a < 2; a++) out->low[a] = (ends[a][0] + ends[a][1] - out->width) / 2;
  return FEW_OK;
}

few_status few__image_density_in(few_ctx *ctx, struct few_image *out,
                                 const struct few_window *window, const float *points, int64_t n,
                                 int64_t d) {
  int32_t *counts, most = 1;
  *out = (struct few_image){0};
  FEW_TRY(FEW_NEW(ctx, &counts, SIDE * SIDE));
  few_status st = few__image_new(ctx, out, SIDE, SIDE, 1);
  if (!st) count(counts, points, n, d, window);
  for (int i = 0; !st && i < SIDE * SIDE; i++) most = counts[i] > most ? counts[i] : most;
  for (int i = 0; !st && i < SIDE * SIDE; i++)
    out->at[i] = (uint8_t)(255.5 - 255 * log1p(counts[i]) / log1p(most));
  few__free(ctx, counts);
  return st;
}

few_status few__image_density(few_ctx *ctx, struct few_image *out, const float *points, int64_t n,
                              int64_t d) {
  struct few_window window;
  *out = (struct few_image){0};
  FEW_TRY(few__density_window(ctx, &window, points, n, d));
  return few__image_density_in(ctx, out, &window, points, n, d);
}
