/* sampling.c - see sampling.h. */
#include "sampling.h"

/* An option that would have no effect is a mistake. */
static int check(const char *command, const struct sampling *o) {
  const int steps = o->opts.steps;
  if (o->times.n && steps && o->times.n != steps)
    return cli_usage("%s: --times has %d times and --steps is %d; give only one of the two",
                     command, o->times.n, steps);
  if (o->guidance_times.n && o->guidance_times.n != 2)
    return cli_usage("%s: --guidance-times takes two times, LO,HI", command);
  if (o->guidance_times.n && o->opts.guidance == 1 && !o->autoguide)
    return cli_usage("%s: --guidance-times without guidance; give --guidance or --autoguide too",
                     command);
  if (o->autoguidance > 0 && !o->autoguide)
    return cli_usage("%s: --autoguidance needs a model; give --autoguide MODEL too", command);
  return CLI_DONE;
}

int sampling_open(struct cli *cli, const struct sampling *o, struct few_sample_opts *out,
                  struct sampling_guide *guide) {
  *guide = (struct sampling_guide){NULL, NULL};
  int code = check(cli->command->name, o);
  if (code) return code;
  *out = o->opts;
  out->n_times = o->times.n;
  out->times = o->times.n ? o->times.at : NULL;
  out->n_settings = o->set.n;
  out->settings = o->set.at;
  if (o->guidance_times.n) out->guidance_from = o->guidance_times.at[0];
  if (o->guidance_times.n) out->guidance_to = o->guidance_times.at[1];
  out->autoguidance = o->autoguidance > 0 ? o->autoguidance : 2;
  if (!o->autoguide) return CLI_DONE;
  few_status st = few_model_load(&guide->model, cli->ctx, o->autoguide);
  if (!st) st = few_runner_create(&guide->runner, cli->ctx, guide->model);
  out->autoguide = guide->runner;
  return cli_status(cli, st);
}

void sampling_close(struct sampling_guide *guide) {
  few_runner_free(guide->runner);
  few_model_free(guide->model);
}
