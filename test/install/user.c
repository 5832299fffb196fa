/* The smallest user of the library: user VERSION, where VERSION is that of the package. It makes a
 * network of points with random weights, and samples it. */
#include <few.h>
#include <stdio.h>
#include <string.h>

static few_status sample(few_ctx *ctx, int *nfe) {
  static const char *const settings[] = {"width=8", "layers=1"};
  struct few_model_opts net = FEW_MODEL_OPTS_INIT;
  struct few_sample_opts opts = FEW_SAMPLE_OPTS_INIT;
  few_model *model = NULL;
  few_runner *runner = NULL;
  float points[4 * 2];
  net.net = "mlp";
  net.n_settings = 2;
  net.settings = settings;
  net.c = 2;
  net.points = true;
  opts.n = 4;
  opts.steps = 3;
  few_status st = few_model_create(&model, ctx, &net);
  if (!st) st = few_runner_create(&runner, ctx, model);
  if (!st) st = few_sample(points, NULL, nfe, runner, &opts);
  if (st) fprintf(stderr, "%s\n", few_error(ctx));
  few_runner_free(runner);
  few_model_free(model);
  return st;
}

int main(int argc, char **argv) {
  few_ctx *ctx = NULL;
  int nfe = 0;
  few_status st = few_ctx_create(&ctx, NULL);
  if (!st) st = sample(ctx, &nfe);
  printf("few %s: %s, %d workers, %d evaluations\n", few_version(), few_status_name(st),
         st ? 0 : few_ctx_workers(ctx), nfe);
  few_ctx_free(ctx);
  if (few_version_number() != FEW_VERSION) return 2;
  if (argc > 1 && strcmp(argv[1], few_version()) != 0) return 3;
  return st ? 1 : 0;
}
