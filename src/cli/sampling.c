/* sampling.c - see sampling.h. */
#include "sampling.h"

#include <inttypes.h>

int sampling_open(struct cli *cli, const struct sampling *o, struct few_sample_opts *out) {
  const char *command = cli->command->name;
  if (o->times.n && o->steps && o->times.n != o->steps)
    return cli_usage("%s: --times has %d times and --steps says %" PRId64 "; give one of the two",
                     command, o->times.n, o->steps);
  if (o->guidance_times.n && o->guidance_times.n != 2)
    return cli_usage("%s: --guidance-times takes two times, LO,HI", command);
  out->steps = (int)o->steps;
  out->sampler = o->sampler;
  out->schedule = o->schedule;
  out->guidance = o->guidance;
  out->n_times = o->times.n;
  out->times = o->times.n ? o->times.at : NULL;
  out->n_settings = o->set.n;
  out->settings = o->set.at;
  if (o->guidance_times.n) out->guidance_from = o->guidance_times.at[0];
  if (o->guidance_times.n) out->guidance_to = o->guidance_times.at[1];
  out->autoguidance = o->autoguidance;
  return o->autoguide ? cli_status(cli, few_model_load(cli->ctx, &out->autoguide, o->autoguide))
                      : 0;
}
