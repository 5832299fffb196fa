/* cmd_version.c - few version. */
#include "cli.h"

struct version_opts {
  struct common common;
};
static const struct few_option options[] = {OPT_JSON(struct version_opts, "print a JSON object"),
                                            OPT_HELP(struct version_opts), FEW_OPT_END};

static int run(struct cli *cli, const void *opts) {
  const struct version_opts *o = opts;
  (void)cli;
  if (o->common.json) {
    struct json j = {.out = stdout};
    json_open(&j, NULL, '{');
    json_text(&j, "version", few_version());
    json_text(&j, "cpu_kernels", few_cpu_isa());
    json_close(&j);
  } else {
    printf("few %s\nCPU kernels: %s\n", few_version(), few_cpu_isa());
  }
  return CLI_DONE;
}

const struct command command_version = {.name = "version",
                                        .operands = "",
                                        .help = "Print the version of the program.",
                                        .options = options,
                                        .size = sizeof(struct version_opts),
                                        .run = run};
