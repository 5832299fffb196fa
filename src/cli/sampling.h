/* sampling.h - options of how a model is sampled, for every command that samples one as asked. */
#ifndef FEW_SRC_CLI_SAMPLING_H
#define FEW_SRC_CLI_SAMPLING_H

#include "cli.h"

struct sampling {
  int64_t steps;
  double guidance, autoguidance;
  const char *sampler, *schedule, *autoguide;
  struct opt_reals times, guidance_times;
  struct opt_texts set;
};

/* For a struct S with a field `sampling`. */
/* clang-format off */
#define OPTS_SAMPLING(S) \
  OPT_INT(S, sampling.steps, "steps", "K", "0", 0, 10000, \
          "steps from noise to image; 0: the sampler's own (few list samplers)"), \
  OPT_TEXT(S, sampling.sampler, "sampler", "NAME", NULL, \
           "see few list samplers; the model's own otherwise"), \
  OPT_TEXTS(S, sampling.set, "set", "KEY=VALUE", \
            "an option of the sampler (few list samplers NAME); may be repeated"), \
  OPT_REALS(S, sampling.times, "times", "A,B,...", 0, 2, \
            "the sampler's times in radians, falling; in place of --steps"), \
  OPT_TEXT(S, sampling.schedule, "schedule", "NAME", NULL, \
           "where the times come from: see few list schedules; or a file of few olss"), \
  OPT_REAL(S, sampling.guidance, "guidance", "G", "1", 0, 100, "towards the label; 1: none added"), \
  OPT_REALS(S, sampling.guidance_times, "guidance-times", "LO,HI", 0, 2, \
            "guide at times from LO to HI radians alone"), \
  OPT_TEXT(S, sampling.autoguide, "autoguide", "MODEL", NULL, \
           "guide away from this worse model of the same images"), \
  OPT_REAL(S, sampling.autoguidance, "autoguidance", "S", NULL, 0.001, 100, \
           "how far; 1: none; otherwise 2")
/* clang-format on */

/* How often samples have each class, for every command that draws some to be measured. */
/* clang-format off */
#define OPT_LABELS(S, field) \
  OPT_CHOICE(S, field, "labels", "shares", "shares|even", \
             "how often samples have each class: as often as what they are compared with, or else " \
             "the training data; or all equally often")
/* clang-format on */

/* The same as few_sample_opts: what they do not say is left as it is in *out. The texts and times
 * stay those of o; out->autoguide is the caller's to free, also after a failure. An exit code. */
int sampling_open(struct cli *cli, const struct sampling *o, struct few_sample_opts *out);

#endif
