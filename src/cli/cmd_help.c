/* cmd_help.c - few help [COMMAND]: what --help of a command shows, or the list of commands. */
#include "cli.h"

struct help_opts {
  struct common common;
};
static const struct opt options[] = {OPT_HELP(struct help_opts), OPT_END};

static int run(struct cli *cli, const void *opts) {
  (void)opts;
  if (cli->n_operands == 0) {
    cli_overview(stdout);
    return CLI_DONE;
  }
  const char *word = cli->operands[0];
  const struct command *c = cli_find(word);
  if (!c) return cli_no_command(word);
  cli_command_help(stdout, c);
  return CLI_DONE;
}

const struct command command_help = {.name = "help",
                                     .operands = "[COMMAND]",
                                     .help = "Explain a command, or list them all.",
                                     .max_operands = 1,
                                     .options = options,
                                     .size = sizeof(struct help_opts),
                                     .run = run};
