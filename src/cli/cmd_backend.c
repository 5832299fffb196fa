/* cmd_backend.c - few backend list: which backends work here, and which ops each lacks. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "few/backend.h"

struct backend_opts {
  struct common common;
};
static const struct few_option options[] = {OPT_HELP(struct backend_opts), FEW_OPT_END};

static const char text[] =
    "A recipe chooses a backend by its key `backend`, commands by --backend. A network is\n"
    "refused before anything runs if it needs an op for which the backend has no kernel.\n"
    "\n"
    "  few backend list\n";

/* Prints the ops for which the backend has no kernel. */
static void lacks(const char *name, bool f64) {
  const char *op = few_backend_lacks(name, f64, 0);
  if (!op) return;
  printf("%10s no kernel in %s for", "", f64 ? "f64" : "f32");
  for (int k = 0; (op = few_backend_lacks(name, f64, k)); k++) printf("%s %s", k ? "," : "", op);
  putchar('\n');
}

static int run(struct cli *cli, const void *opts) {
  (void)opts;
  if (strcmp(cli->operands[0], "list") != 0)
    return cli_usage("there is no few backend %s; use few backend list", cli->operands[0]);
  struct few_component c;
  for (int i = 0; few_component(&c, sizeof c, NULL, FEW_COMPONENT_BACKEND, i); i++) {
    struct few_backend_info b;
    few_backend_info(&b, sizeof b, c.name);
    printf("%-10s %s\n", b.name, b.help);
    if (b.missing) {
      printf("%10s not available: ", "");
      cli_say(stdout, b.missing);
      putchar('\n');
      continue;
    }
    printf("%10s kernels for %d of %d ops in f32, %d in f64\n", "", b.kernels[0], b.ops,
           b.kernels[1]);
    lacks(b.name, false);
    lacks(b.name, true);
  }
  return 0;
}

const struct command command_backend = {
    .name = "backend",
    .operands = "list",
    .help = "List the backends, whether each works here, and the ops it lacks.",
    .text = text,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .size = sizeof(struct backend_opts),
    .run = run};
