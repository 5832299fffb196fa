/* bench_features.c - images per second and GFLOP/s of the feature networks, with one worker.
 *
 *   bench_features NAME=FILE@SIDE[x1] ...    e.g. inception=inception.pth@32 fashion@28x1
 *
 * Without arguments it times few's own network; run it in the folder of the sources. The result is
 * the fastest of several runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "eval/feature/feature.h"

enum { IMAGES = 16, RUNS = 5 };

static few_status time_one(few_ctx *ctx, const char *text) {
  char spec[1000];
  few_features *f;
  const char *at = strrchr(text, '@');
  const int64_t side = at ? atoi(at + 1) : 32, c = at && strstr(at, "x1") ? 1 : 3;
  const int64_t bytes = IMAGES * side * side * c;
  snprintf(spec, sizeof spec, "%.*s", (int)(at ? at - text : (long)strlen(text)), text);
  FEW_TRY(few__features_open(ctx, &f, spec));
  few_status st = few__features_fit(f, side, side, c);
  const struct few_features_info *i = few__features_info(f);
  uint8_t *pixels = malloc((size_t)bytes);
  float *rows = malloc((size_t)(IMAGES * i->dim) * sizeof *rows);
  double best = 1e9;
  for (int64_t k = 0; k < bytes; k++) pixels[k] = (uint8_t)(k * 2654435761u >> 24);
  for (int r = 0; r < RUNS && !st; r++) {
    const double start = few__now();
    st = few__features_run(f, IMAGES, side, side, c, pixels, rows, NULL, NULL);
    const double seconds = (few__now() - start) / IMAGES;
    best = seconds < best ? seconds : best;
  }
  if (!st)
    printf("%-16s %8.1f MFLOP %10.1f images/s %8.1f GFLOP/s\n", i->name, i->flops / 1e6, 1 / best,
           i->flops / best / 1e9);
  free(pixels);
  free(rows);
  few__features_free(f);
  return st;
}

int main(int argc, char **argv) {
  few_ctx *ctx;
  few_status st = FEW_OK;
  if (few_ctx_create(&ctx, NULL)) return 1;
  few_ctx_set_workers(ctx, 1);
  if (argc < 2) st = time_one(ctx, "fashion@28x1");
  for (int i = 1; i < argc && !st; i++) st = time_one(ctx, argv[i]);
  if (st) fprintf(stderr, "%s\n", few_error(ctx));
  few_ctx_free(ctx);
  return st ? 1 : 0;
}
