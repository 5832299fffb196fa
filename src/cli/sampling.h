/* sampling.h - sampling options, for every command that samples a model. */
#ifndef FEW_SRC_CLI_SAMPLING_H
#define FEW_SRC_CLI_SAMPLING_H

#include "cli.h"

/* How often samples have each class. */
enum class_shares { SHARES_OF_DATA, SHARES_EVEN };

struct sampling {
  struct few_sample_opts opts;
  const char *autoguide; /* file of opts.autoguide */
  double autoguidance;   /* scale of autoguidance; 0: not given */
  struct few_real_list times, guidance_times;
  struct few_text_list set;
};
#define SAMPLING_INIT \
  { .opts = FEW_SAMPLE_OPTS_INIT }

/* For a struct S with a field `sampling`. */
/* clang-format off */
#define OPTS_SAMPLING(S) \
  OPT_INT(S, sampling.opts.steps, "steps", "K", "0", 0, 10000, \
          "steps from noise to image; 0: the sampler's default (few list samplers)"), \
  OPT_TEXT(S, sampling.opts.sampler, "sampler", "SAMPLER", NULL, \
           "how to get from noise to image: see few list samplers (default: the model's own)"), \
  OPT_TEXTS(S, sampling.set, "set", "KEY=VALUE", \
            "set an option of the sampler (few list samplers NAME); may be repeated"), \
  OPT_REALS(S, sampling.times, "times", "A,B,...", 0, 2, \
            "sampling times in radians, falling; replaces --steps"), \
  OPT_TEXT(S, sampling.opts.schedule, "schedule", "SCHEDULE", NULL, \
           "where sampling times come from: a name (few list schedules), or a file that few olss " \
           "wrote"), \
  OPT_REAL(S, sampling.opts.guidance, "guidance", "G", "1", 0, 100, \
           "guidance scale towards the label; 1: no guidance"), \
  OPT_REALS(S, sampling.guidance_times, "guidance-times", "LO,HI", 0, 2, \
            "use guidance only at times from LO to HI radians"), \
  OPT_TEXT(S, sampling.autoguide, "autoguide", "MODEL", NULL, \
           "autoguidance: guide away from this worse model of the same images"), \
  OPT_REAL(S, sampling.autoguidance, "autoguidance", "S", NULL, 0.001, 100, \
           "scale of autoguidance; 1: no guidance (default: 2)")
/* clang-format on */

/* For commands that draw samples to measure them. */
/* clang-format off */
#define OPT_LABELS(S, field) \
  OPT_CHOICE(S, field, "labels", "shares", "shares|even", \
             "how often samples have each class: as often as the reference (or, if that has no " \
             "labels, the training data), or all equally often")
/* clang-format on */

/* The model that --autoguide names; all NULL: it names none. */
struct sampling_guide {
  few_model *model;
  few_runner *runner;
};
/* Complete out from the options: as o->opts, with times, settings and the autoguide model. n, first,
 * label and seed are left to the caller. Texts and times stay those of o; *guide is for
 * sampling_close, also after a failure. An exit code. */
int sampling_open(struct cli *cli, const struct sampling *o, struct few_sample_opts *out,
                  struct sampling_guide *guide);
void sampling_close(struct sampling_guide *guide);

#endif
