/* manual.h - the option tables as reference pages and as shell completion. */
#ifndef FEW_SRC_CLI_MANUAL_H
#define FEW_SRC_CLI_MANUAL_H

#include "cli.h"

/* docs/commands.md: all commands, then all components with their options. */
few_status cli_markdown(struct cli *cli, FILE *out);

/* Prints the manual page few.1, or that of a command, few-NAME.1. */
void cli_man(FILE *out);
void cli_man_command(FILE *out, const struct command *c);

/* A script that the shell reads: options, choices, components and recipes are completed. */
enum cli_shell { CLI_BASH, CLI_ZSH, CLI_FISH };
void cli_completion(FILE *out, enum cli_shell shell);

#endif
