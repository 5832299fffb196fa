/* objective.h - what a network is trained for: one file, one row in objectives.def.
 *
 * An objective is a description, not a loop. It says which networks it needs, which numbers change
 * with the step, and how the loss graph of one shard is built. One trainer runs them all; a teacher
 * is trained by the objective `diffusion` like any student by its own.
 */
#ifndef FEW_SRC_OBJECTIVE_H
#define FEW_SRC_OBJECTIVE_H

#include "base/option.h"
#include "diffusion/net/net.h"

enum { FEW_MAX_LOGS = 8, FEW_MAX_SCALARS = 4, FEW_MAX_TERMS = 4 };

/* The networks that a loss may ask. All have the shape of the data.
 *
 * Dropout belongs to what is trained: the student in `build`, the fake network in `build_fake`.
 * What a network says for a target is said without (few_net_input.no_dropout), but where a paper
 * compares two values of the student under one mask: there the target, an average, has the
 * student's masks.
 */
enum few_role {
  FEW_STUDENT, /* trained by the run; what is saved is its average */
  FEW_TEACHER, /* the recipe's `teacher`: frozen */
  FEW_TARGET,  /* the student's network with weights of before: see few_objective_def.target */
  FEW_FAKE,    /* starts as the teacher, with the student's guidance input; trained beside the
                * student by `build_fake`, and frozen in `build` */
  FEW_ROLES
};

/* The loss of one shard, as it is being built. */
struct few_loss {
  few_graph *g;
  int64_t rows;
  const struct few_net_spec *spec;         /* of the student */
  const struct few_net_spec *teacher_spec; /* NULL: there is no teacher */
  const struct few_net_spec *fake_spec;    /* NULL: there is no fake network */
  double guidance_min, guidance_max; /* of the student's guidance input, where spec->guidance */
  int objective; /* index of this objective in a sum of them: see few__loss_randn */

  few_node x0;    /* [rows, ...] data of standard deviation sigma_data */
  few_node label; /* [rows] index, dropped ones -1; FEW_NONE without classes */
  few_node pair;  /* [rows, ...] unit normals that the teacher turned into x0; FEW_NONE: no pairs */
  few_node pair_guidance; /* [rows] and by which guidance, where spec->guidance; else FEW_NONE */
  const few_node *scalar; /* [] each: what objective->schedule gives this step */

  /* F of a network (net.h) in TrigFlow's terms: the network is fed in->x, of unit variance, at time
   * in->t in radians. Gradients pass to its inputs: stop what the formula stops. `middle` is set to
   * activations half way through the network, [rows, ...]. */
  few_node (*net)(struct few_loss *l, enum few_role who, const struct few_net_input *in);
  few_node middle;
  struct few_nn *head;      /* for parameters of the loss itself: trained, not part of the model */
  struct few_nn *fake_head; /* those of the fake network's loss; frozen in the student's */
  void *user;               /* the trainer's */

  /* Results. What is trained is the weighted sum of the terms, or their balance. */
  int n_terms;
  struct {
    const char *name;
    int objective;  /* whose it is */
    few_node value; /* [] mean over rows */
    double weight;
  } term[FEW_MAX_TERMS];
  few_node t; /* [rows] times of the rows, for logs by time; FEW_NONE: none are drawn */
  int n_logs;
  struct {
    const char *name;
    int objective;
    few_node rows; /* [rows] */
  } log[FEW_MAX_LOGS];
};

/* Where a run is. A run of an objective with stages does them one after the other, equally long. */
struct few_clock {
  int64_t step, steps; /* of the run; step counts from 0 */
  int stage, stages;
  int64_t in_stage, stage_steps;
  double stretch; /* >= 1 lengthens warm-ups (the guard) */
};

enum few_target {
  FEW_TARGET_NONE,
  FEW_TARGET_AVERAGE, /* follows the student: average = decay average + (1 - decay) student */
  FEW_TARGET_STAGE    /* the student as it was when the stage began; first as it began itself */
};

/* What is known of a run before it begins, for refusing what cannot work. */
struct few_fit {
  const struct few_net_spec *student, *teacher; /* teacher NULL: none */
  int64_t steps, batch, shards;
};

/* How the student is used, where its options or the stage that it is in decide. */
enum { FEW_USE_MAX_TIMES = 1024 };
struct few_use {
  const char *sampler; /* given: the objective's */
  bool one_way;        /* its steps go one way alone: from noise to images, or ... */
  bool encodes;        /* ... from images to noise */
  bool unlabelled;     /* its loss has rows without their label, whatever label_dropout says */
  int n_times;         /* sampling times of its own, falling; given: none */
  double times[FEW_USE_MAX_TIMES];
};

/* Strengths of the teacher's guidance: one, or a range of which the student is told each row's. */
struct few_guidance_opts {
  double guidance_min, guidance_max;
};
/* clang-format off */
#define FEW_GUIDANCE_OPTIONS(most) \
  FEW_OPT_REAL(struct few_guidance_opts, guidance_min, "1", 0, 100, \
               "weakest guidance of the teacher, 1 + w; 1: none"), \
  FEW_OPT_REAL(struct few_guidance_opts, guidance_max, most, 0, 100, \
               "strongest; above guidance_min: an input of the student")
/* clang-format on */

struct few_objective_def {
  const char *name, *source, *help;
  const struct few_option *options;
  size_t options_size;
  bool guides;            /* the options begin with struct few_guidance_opts */
  bool classifies;        /* for networks that give logits, and only those */
  bool drops_labels;      /* what it trains is to be guided: label_dropout is 0.1 unless given */
  bool needs_teacher;     /* the recipe's `teacher` is frozen beside the student */
  bool starts_as_teacher; /* the student starts with the teacher's weights where one is given */
  bool follows_flow;      /* it is to make of a noise what the teacher's flow makes of it */
  enum few_step_size step_size; /* in which form the student takes the size of a step (net.h) */
  int64_t (*max_steps)(const void *opts); /* few_net_spec.max_steps; NULL: 0 */
  bool pairs; /* the data are the teacher's own, each with its noise: few_loss.pair */
  enum few_target target;
  const char *sampler; /* what samples the result */
  void (*use)(const void *opts, const struct few_clock *at, double sigma_d,
              struct few_use *out); /* may be NULL */
  /* May be NULL. Refuse a combination before anything runs. */
  few_status (*check)(few_ctx *ctx, const void *opts, const struct few_fit *fit);
  /* Values of scalar[0..n_scalars). */
  int n_scalars;
  bool warms_up; /* scalar[0] rises to 1, and a run that ends before is a slip */
  void (*schedule)(const void *opts, const struct few_clock *at, double *scalar);
  double (*target_decay)(const void *opts, const struct few_clock *at); /* FEW_TARGET_AVERAGE */
  int (*stages)(const void *opts);                                      /* NULL: one */
  void (*build)(struct few_loss *l, const void *opts); /* the student's loss, by few__loss_add */
  void (*build_fake)(struct few_loss *l, const void *opts); /* the fake network's; NULL: none */
};

int few__objective_count(void);
const struct few_objective_def *few__objective_at(int i);
const struct few_objective_def *few__objective_find(const char *name); /* NULL: none */

#endif
