/* cmd_help.c - few help [COMMAND]: prints the help of a command, or the list of commands, as text,
 * a Markdown page, a manual page, or shell completion. */
#include "manual.h"

enum format { TEXT, MARKDOWN, MAN, BASH, ZSH, FISH };

struct help_opts {
  struct common common;
  enum format format;
};
#define S struct help_opts
static const struct few_option options[] = {
    OPT_CHOICE(S, format, "format", "text", "text|markdown|man|bash|zsh|fish",
               "text; all commands and components in Markdown; a manual page; or a completion "
               "script for a shell"),
    OPT_HELP(S), FEW_OPT_END};
#undef S

static const char text[] =
    "  few help sample                   the options of few sample\n"
    "  source <(few help --format bash)  completion in this bash\n"
    "  few help --format man sample | man -l -\n";

static int print_man(const struct command *c) {
  if (c)
    cli_man_command(stdout, c);
  else
    cli_man(stdout);
  return CLI_DONE;
}

static int run(struct cli *cli, const void *opts) {
  const enum format format = ((const struct help_opts *)opts)->format;
  const char *word = cli->n_operands ? cli->operands[0] : NULL;
  const struct command *c = word ? cli_find(word) : NULL;
  if (word && !c) return cli_no_command(word);
  if (word && format != TEXT && format != MAN)
    return cli_usage("help: only --format text and man take a COMMAND; leave out %s", word);
  switch (format) {
    case TEXT:
      if (c)
        cli_command_help(stdout, c);
      else
        cli_overview(stdout);
      return CLI_DONE;
    case MARKDOWN:
      return cli_status(cli, cli_markdown(cli, stdout));
    case MAN:
      return print_man(c);
    case BASH:
    case ZSH:
    case FISH:
      cli_completion(stdout, (enum cli_shell)(format - BASH));
  }
  return CLI_DONE;
}

const struct command command_help = {.name = "help",
                                     .operands = "[COMMAND]",
                                     .help = "Explain a command, or list them all.",
                                     .text = text,
                                     .max_operands = 1,
                                     .options = options,
                                     .size = sizeof(struct help_opts),
                                     .run = run};
