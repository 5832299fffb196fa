/* few/ext/objective.h - an objective of your own: what a network is trained for.
 *
 * An objective is a description, not a loop: which networks it needs, which numbers change with the
 * step, and a function that builds the loss of one shard as a graph. One trainer runs all of them.
 *
 *   static void build(struct few_loss *l, const void *opts);
 *   static const struct few_objective_def def = {.version = FEW_OBJECTIVE_DEF_VERSION,
 *       .name = "mine", .help = "...", .options = options, .options_size = sizeof(struct opts),
 *       .sampler = "heun", .build = build};
 *   few_ctx_add_objective(ctx, &def);
 *
 * Recipes then take objective = mine, also in sums, with its options as keys. A whole example is
 * examples/objective_robust.c. How stable this header is: few/ext/common.h.
 */
#ifndef FEW_EXT_OBJECTIVE_H
#define FEW_EXT_OBJECTIVE_H

#include "few/ext/net.h"
#include "few/ext/random.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { FEW_MAX_LOGS = 8, FEW_MAX_SCALARS = 4, FEW_MAX_TERMS = 4 };

/* The networks of a loss. Their input and output have the shape of the data.
 *
 * Dropout is on in the network that is trained: the student in `build`, the fake network in
 * `build_fake`. A target is computed without it (few_net_input.no_dropout), except where a paper
 * compares two values of the student under one mask: there the target, an average of the student,
 * has the student's masks.
 */
enum few_role {
  FEW_STUDENT, /* trained by the run; what is saved is its average */
  FEW_TEACHER, /* the recipe's `teacher`: frozen */
  FEW_TARGET,  /* the student's network with earlier weights: see few_objective_def.target */
  FEW_FAKE,    /* starts as the teacher, with the student's guidance input; trained beside the
                * student by `build_fake`, and frozen in `build` */
  FEW_ROLES
};

/* The loss of one shard while it is built. */
struct few_loss {
  few_graph *g;
  int64_t rows;
  const struct few_net_spec *spec;         /* of the student */
  const struct few_net_spec *teacher_spec; /* NULL: there is no teacher */
  const struct few_net_spec *fake_spec;    /* NULL: there is no fake network */
  double guidance_min, guidance_max; /* of the student's guidance input, where spec->guidance */
  int objective; /* index of this objective in a sum of them: see few_loss_randn */

  few_node x0;    /* [rows, ...] data with standard deviation sigma_data */
  few_node label; /* [rows] index; -1: dropped. FEW_NONE: the data have no classes */
  few_node pair;  /* [rows, ...] unit normals from which the teacher made x0; FEW_NONE: no pairs */
  few_node pair_guidance; /* [rows] guidance scale of each pair, if spec->guidance; else FEW_NONE */
  const few_node *scalar; /* [] each: the values of few_objective_def.schedule for this step */

  /* F of a network (few/ext/net.h): in->x has unit variance, in->t is TrigFlow's time in radians.
   * Gradients pass to the inputs; apply few_stop wherever the formula has a stop-gradient. Sets
   * `middle` to activations half way through the network, [rows, ...]. */
  few_node (*net)(struct few_loss *l, enum few_role who, const struct few_net_input *in);
  few_node middle;
  struct few_nn *head;      /* parameters of the loss itself: trained, not part of the model */
  struct few_nn *fake_head; /* parameters of the fake network's loss; frozen in the student's */
  void *user;               /* for the trainer only */

  /* Results. The loss is the sum of the terms, weighted by these weights or by a balancer's. */
  int n_terms;
  struct {
    const char *name;
    int objective;  /* index of the objective that added it */
    few_node value; /* [] mean over rows */
    double weight;
  } term[FEW_MAX_TERMS];
  few_node t; /* [rows] times of the rows, for logs by time; FEW_NONE: the loss has no times */
  int n_logs;
  struct {
    const char *name;
    int objective;
    few_node rows; /* [rows] */
  } log[FEW_MAX_LOGS];
};

/* The progress of a run. The stages of an objective follow one another and are equally long. */
struct few_clock {
  int64_t step, steps; /* of the run; step counts from 0 */
  int stage, stages;
  int64_t in_stage, stage_steps;
  double stretch; /* from 1: warm-ups are longer by this factor, after the run rolled back */
};

enum few_target {
  FEW_TARGET_NONE,
  FEW_TARGET_AVERAGE, /* follows the student: average = decay average + (1 - decay) student */
  FEW_TARGET_STAGE    /* the student at the beginning of the stage */
};

/* Facts about a run before it starts. few_objective_def.check refuses combinations that cannot
 * work. */
struct few_fit {
  const struct few_net_spec *student, *teacher; /* teacher NULL: none */
  int64_t steps, batch, shards;
  bool estimates_ratio; /* an objective of the sum does: few_objective_def.estimates_ratio */
};

/* How the trained student is sampled, if that depends on options or on the stage. */
enum { FEW_USE_MAX_TIMES = 1024 };
struct few_use {
  const char *sampler; /* initially the objective's */
  bool one_way;        /* its steps go in one direction only */
  bool encodes;        /* that direction is from images to noise */
  bool unlabelled;     /* the loss has rows without labels even if label_dropout is 0 */
  int n_times;         /* sampling times of its own, falling; initially none */
  double times[FEW_USE_MAX_TIMES];
};

/* Guidance scale of the teacher. If min < max, each row has its own scale, which is an input of the
 * student. */
struct few_guidance_opts {
  double guidance_min, guidance_max;
};
/* clang-format off */
#define FEW_GUIDANCE_OPTIONS(most) \
  FEW_OPT_REAL(struct few_guidance_opts, guidance_min, "1", 0, 100, \
               "smallest guidance scale of the teacher (1 + w in papers); 1: no guidance"), \
  FEW_OPT_REAL(struct few_guidance_opts, guidance_max, most, 0, 100, \
               "largest guidance scale of the teacher; if it is above guidance_min, the scale is " \
               "an input of the student")
/* clang-format on */

#define FEW_OBJECTIVE_DEF_VERSION 1
struct few_objective_def {
  int version;                      /* FEW_OBJECTIVE_DEF_VERSION */
  const char *name;                 /* "scd" */
  const char *source;               /* the paper; "" or NULL: none */
  const char *help;                 /* one line */
  const struct few_option *options; /* fields of the options struct; an empty table: none */
  size_t options_size;
  bool guides;        /* guides the teacher: options begin with struct few_guidance_opts */
  bool classifies;    /* trains networks that give logits, and no others */
  bool drops_labels;  /* trains networks that are guided later: label_dropout defaults to 0.1 */
  bool needs_teacher; /* evaluates the recipe's `teacher`, which stays as it is ... */
  bool (*teacherless)(const void *opts); /* ... except with such options; NULL: always */
  bool starts_as_teacher; /* the student starts with the weights of a teacher, if one is given */
  bool follows_flow; /* the student should map a noise to the same image as the teacher's flow */
  enum few_step_size step_size;           /* how the step size is given to the student */
  int64_t (*max_steps)(const void *opts); /* few_net_spec.max_steps; NULL: 0 */
  bool pairs; /* trains on the teacher's images and their noise: few_loss.pair */
  bool
      augments; /* x0 may be augmented, since every network is evaluated at noisy images of x0 only:
                  * of all rows, or of the first ones. The trainer then gives the networks the
                  * labels of augmentation */
  enum few_target target;
  const char *sampler; /* the one that suits the trained network */
  void (*use)(struct few_use *out, const void *opts, const struct few_clock *at,
              double sigma_d); /* may be NULL */
  /* FEW_E_INVALID for options that cannot work, before anything runs. May be NULL. */
  few_status (*check)(few_ctx *ctx, const void *opts, const struct few_fit *fit);
  /* Values of scalar[0..n_scalars). */
  int n_scalars;
  /* scalar[0] ramps up to 1. The trainer then warns if a run is shorter than the ramp. */
  bool warms_up;
  void (*schedule)(double *scalar, const void *opts, const struct few_clock *at);
  double (*target_decay)(const void *opts, const struct few_clock *at); /* FEW_TARGET_AVERAGE */
  int (*stages)(const void *opts);                                      /* NULL: one */
  void (*build)(struct few_loss *l, const void *opts); /* the student's loss, by few_loss_add */
  void (*build_fake)(struct few_loss *l, const void *opts); /* the fake network's; NULL: none */
  bool
      generates; /* trains images that the student makes in one step. In a sum, the student may take
                   * the step size of the first objective */
  /* Whether its phase of the fake network trains a discriminator whose logit estimates the log of
   * the density ratio of data and student. NULL: no. */
  bool (*estimates_ratio)(const void *opts);
};

/* FEW_E_INVALID, with a message in few_error, if def is NULL, has another version or lacks a
 * member, or if its name is taken. */
FEW_API FEW_MUST_USE few_status few_ctx_add_objective(few_ctx *ctx,
                                                      const struct few_objective_def *def);

/* ---- Helpers for building a loss ----
 *
 * All of them add nodes to l->g. Times and other values per row are [rows]; to multiply an image
 * they are reshaped to [rows, 1, ..] (few_loss_rows). Gradients pass through everything unless a
 * comment says that it is stopped. */

/* ---- What the loss consists of ---- */

/* Adds a term `value` [] of the loss, the mean over rows. */
FEW_API void few_loss_add(struct few_loss *l, const char *name, few_node value, double weight);
/* Logs a value per row: `rows` is [rows] or [rows, 1, ..]. */
FEW_API void few_loss_log(struct few_loss *l, const char *name, few_node rows);

/* ---- Random numbers ----
 * Each objective of a sum has its own stream, so that their times and noises are independent. */
FEW_API few_node few_loss_randn(const struct few_loss *l, uint32_t purpose, struct few_shape shape);
FEW_API few_node few_loss_randu(const struct few_loss *l, uint32_t purpose, struct few_shape shape);

/* ---- Networks ---- */

/* F of a network at x_t; this call divides x_t by sigma_d. `guidance` [rows] is the guidance scale;
 * FEW_NONE if the network has no such input. */
FEW_API few_node few_loss_F(struct few_loss *l, enum few_role who, few_node x, few_node t,
                            few_node label, few_node guidance);
/* The same without dropout, for a target. */
FEW_API few_node few_loss_target_F(struct few_loss *l, enum few_role who, few_node x, few_node t,
                                   few_node label, few_node guidance);
/* The guidance scale of each row, [rows]: the scale of the row's pair, or one drawn uniformly from
 * the range of the student's input, or the recipe's fixed scale. FEW_NONE: no guidance. All
 * objectives of a sum get the same node. */
FEW_API few_node few_loss_guidance_scale(const struct few_loss *l);
/* The teacher's F at x_t with guidance scale s [rows]: F_none + s (F_label - F_none), or F with s
 * as an input if the teacher takes a guidance scale. s FEW_NONE: no guidance. */
FEW_API few_node few_loss_teacher(struct few_loss *l, few_node x, few_node t, few_node s);

/* ---- TrigFlow's state ---- */

struct few_trig_state {
  few_node t;        /* [rows] */
  few_node cos, sin; /* [rows, 1, ..] */
  few_node z;        /* noise of standard deviation sigma_d */
  few_node x;        /* x_t = cos(t) x0 + sin(t) z */
  few_node v;        /* dx_t/dt = cos(t) z - sin(t) x0 */
};
/* The state of images x0 at times t [rows], with noise of this purpose. */
FEW_API struct few_trig_state few_trig_state_at(const struct few_loss *l, few_node x0, few_node t,
                                                uint32_t purpose);
/* D = cos(t) x_t - sin(t) sigma_d F. */
FEW_API few_node few_trig_denoised(const struct few_loss *l, const struct few_trig_state *d,
                                   few_node F);

/* ---- Shapes and sums ---- */

/* [rows] as [rows, 1, ..] of the rank of x0. */
FEW_API few_node few_loss_rows(const struct few_loss *l, few_node x);
/* Sum over everything but the batch: [rows, 1, ..]. */
FEW_API few_node few_loss_row_sum(const struct few_loss *l, few_node x);

/* ---- Weighted mean squares ---- */

/* L = mean_rows( e^{w(t)}/D |r|^2 - w(t) ): w is a learned function of t (adaptive), or 0. Logs the
 * unweighted |r|^2/D as `name`. */
FEW_API few_node few_loss_weighted(struct few_loss *l, few_node residual, few_node t, bool adaptive,
                                   const char *name);
/* The same in two halves, so that the caller may multiply the rows by a weight in between.
 * few_loss_square: |r|^2/D of each row, [rows]. few_loss_mean: the mean over rows of e^w square -
 * w. */
FEW_API few_node few_loss_square(const struct few_loss *l, few_node residual);
FEW_API few_node few_loss_mean(struct few_loss *l, few_node square, few_node t, bool adaptive);

/* ---- Times ----
 *
 * A network that predicts F has no process of its own. What remains of a paper's process is the
 * distribution of training times, what the network predicts, and how errors are weighted. For the
 * times, put FEW_TIMESTEP_OPTIONS(struct opts, mean, std) into a table of options, and a member
 * `struct few_timestep_opts timestep` into the struct. */

/* Names of the processes, "|trigflow|edm|..": an option's choices begin after the first bar. */
FEW_API extern const char few_process_choices[];

enum few_timestep_times {
  FEW_TIMESTEP_OWN, /* those of the process's paper */
  FEW_TIMESTEP_LOGNORMAL,
  FEW_TIMESTEP_UNIFORM,
  FEW_TIMESTEP_LOGIT_NORMAL
};
struct few_timestep_opts {
  double p_mean, p_std;
  int process; /* an index into these choices */
  enum few_timestep_times times;
  double logit_mean, logit_std;
  double logsnr_min, logsnr_max;
  double noise_d, noise_d_high;
};

/* clang-format off */
#define FEW_TIMESTEP_OPTIONS(S, mean, std) \
  FEW_OPT_IN(S, timestep, p_mean, FEW_OPTION_REAL, mean, -20, 20, NULL, \
            "lognormal: mean of ln(sigma_d tan t), that is of EDM's ln(sigma)"), \
  FEW_OPT_IN(S, timestep, p_std, FEW_OPTION_REAL, std, 0.01, 20, NULL, \
            "lognormal: standard deviation of ln(sigma_d tan t)"), \
  FEW_OPT_IN(S, timestep, process, FEW_OPTION_CHOICE, "trigflow", 0, 0, few_process_choices + 1, \
            "process whose times are sampled: see few list processes"), \
  FEW_OPT_IN(S, timestep, times, FEW_OPTION_CHOICE, "own", 0, 0, \
            "own|lognormal|uniform|logit-normal", \
            "distribution of times; own: lognormal for trigflow and edm, uniform for the other " \
            "processes"), \
  FEW_OPT_IN(S, timestep, logit_mean, FEW_OPTION_REAL, "0", -20, 20, NULL, \
            "logit-normal: mean of ln(u/(1 - u)), u in (0, 1) the process's time"), \
  FEW_OPT_IN(S, timestep, logit_std, FEW_OPTION_REAL, "1", 0.01, 20, NULL, \
            "logit-normal: standard deviation of ln(u/(1 - u))"), \
  FEW_OPT_IN(S, timestep, logsnr_min, FEW_OPTION_REAL, "-20", -40, 0, NULL, \
            "vp: ln(SNR) at the noisy end"), \
  FEW_OPT_IN(S, timestep, logsnr_max, FEW_OPTION_REAL, "20", 0, 40, NULL, \
            "vp: ln(SNR) at the clean end"), \
  FEW_OPT_IN(S, timestep, noise_d, FEW_OPTION_REAL, "0", 0, 4096, NULL, \
            "vp: add 2 ln(noise_d/side) to ln(SNR): images are then as noisy as " \
            "images of side noise_d; 0: no"), \
  FEW_OPT_IN(S, timestep, noise_d_high, FEW_OPTION_REAL, "0", 0, 4096, NULL, \
            "vp: as noise_d, but at the noisy end; noise_d is then for the clean end, and shifts " \
            "between are interpolated; 0: noise_d at all times")
/* clang-format on */

/* FEW_E_INVALID for options that contradict each other or the data. */
FEW_API few_status few_timestep_check(few_ctx *ctx, const char *name,
                                      const struct few_timestep_opts *o,
                                      const struct few_net_spec *spec);
/* t of each row, [rows], in [0, pi/2]; random numbers of the purpose FEW_RNG_TIME. */
FEW_API few_node few_timestep_sample(const struct few_loss *l, const struct few_timestep_opts *o);
/* The same for ln(sigma_d tan t) ~ N(p_mean, p_std^2), the times of EDM and sCM. */
FEW_API few_node few_timestep_lognormal(const struct few_loss *l, double p_mean, double p_std);
/* The state of the data at such times, which also become l->t. */
FEW_API struct few_trig_state few_trig_sample(struct few_loss *l, double p_mean, double p_std);

#ifdef __cplusplus
}
#endif
#endif
