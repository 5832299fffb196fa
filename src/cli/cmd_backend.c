/* cmd_backend.c - few backend list: what computes here, and what each lacks. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "few/backend.h"

struct backend_opts {
  struct common common;
};
static const struct opt options[] = {OPT_HELP(struct backend_opts), OPT_END};

static const char text[] =
    "A recipe chooses one by its key `backend`, few bench by --backend. A network that needs\n"
    "an op for which a backend has no kernel is refused before anything runs.\n"
    "\n"
    "  few backend list\n";

/* The ops without a kernel, after what the line says already. */
static void lacks(int i, bool f64) {
  const char *op = few_backend_lacks(i, f64, 0);
  if (!op) return;
  printf("%10s no kernel in %s for", "", f64 ? "f64" : "f32");
  for (int k = 0; (op = few_backend_lacks(i, f64, k)); k++) printf("%s %s", k ? "," : "", op);
  putchar('\n');
}

static int run(struct cli *cli, const void *opts) {
  (void)opts;
  if (strcmp(cli->operands[0], "list") != 0)
    return cli_usage("backend %s: say few backend list", cli->operands[0]);
  for (int i = 0; i < few_backend_list_count(); i++) {
    const struct few_backend_info b = few_backend_list(i);
    printf("%-10s %s\n", b.name, b.help);
    if (b.missing) {
      printf("%10s not here: ", "");
      cli_say(stdout, b.missing);
      putchar('\n');
      continue;
    }
    printf("%10s kernels for %d of %d ops in f32, %d in f64\n", "", b.kernels[0], b.ops,
           b.kernels[1]);
    lacks(i, false);
    lacks(i, true);
  }
  return 0;
}

const struct command command_backend = {.name = "backend",
                                        .operands = "list",
                                        .help = "Show what computes here: processors, GPUs.",
                                        .text = text,
                                        .min_operands = 1,
                                        .max_operands = 1,
                                        .options = options,
                                        .size = sizeof(struct backend_opts),
                                        .run = run};
