/* sampling.c - see sampling.h. */
#include "sampling.h"

#include <assert.h>
#include <string.h>

const struct few_option *cli_options(struct cli_options *out, const struct command *c) {
  int n = 0;
  for (const struct few_option *o = c->options; o->key; o++) {
    const bool sampling = !strcmp(o->key, OPT_SAMPLING_KEY);
    for (const struct few_option *s = few_sample_options(); sampling && s->key; s++) {
      out->row[n] = *s;
      out->row[n++].offset += o->offset;
    }
    if (!sampling) out->row[n++] = *o;
    assert(n < CLI_OPTIONS_MAX);
  }
  out->row[n] = (struct few_option)FEW_OPT_END;
  return out->row;
}

int sampling_open(struct cli *cli, struct few_sample_args *args) {
  const few_status st = few_sample_args_open(args, cli->ctx);
  if (st != FEW_E_INVALID) return cli_status(cli, st);
  return cli_usage("%s: %s", cli->command->name, few_error(cli->ctx));
}
