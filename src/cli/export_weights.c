/* export_weights.c - few export MODEL --out FILE.safetensors: a model file with weights of another
 * number type, and what the rounding costs.
 */
#include "export_weights.h"

#include <inttypes.h>
#include <math.h>
#include <sys/stat.h>

static int64_t bytes_of(const char *path) {
  struct stat s;
  return stat(path, &s) ? 0 : (int64_t)s.st_size;
}

static void print(const struct few_eval_report *before, const struct few_eval_report *after,
                  const char *from, const char *to) {
  printf("%-10s %12s %12s %9s\n", "", "before", "after", "+-");
  printf("%-10s %12" PRId64 " %12" PRId64 "\n", "bytes", bytes_of(from), bytes_of(to));
  for (int i = 0; before && after && i < before->n_numbers && i < after->n_numbers; i++) {
    const struct few_eval_number *a = &before->number[i], *b = &after->number[i];
    printf("%-10s %12.6g %12.6g", a->name, a->value, b->value);
    if (isfinite(b->error)) printf(" %9.3g", b->error);
    putchar('\n');
  }
}

static few_status measure(struct cli *cli, struct few_eval_opts e, const char *source,
                          struct few_eval_report **out) {
  e.source = source;
  const few_status st = few_eval(out, cli->ctx, &e);
  progress_clear(&cli->progress);
  return st;
}

int cli_export_weights(struct cli *cli, const few_model *m, const struct weights_export *w) {
  struct few_eval_report *before = NULL, *after = NULL;
  few_status st = few_model_save_as(m, w->out, w->type);
  if (!st && w->eval.reference) st = measure(cli, w->eval, w->source, &before);
  if (!st && w->eval.reference) st = measure(cli, w->eval, w->out, &after);
  if (!st && !w->quiet) print(before, after, w->source, w->out);
  few_eval_report_free(before);
  few_eval_report_free(after);
  return cli_status(cli, st);
}
