/* objective.h - what a network is trained for: one file, one row in objectives.def.
 *
 * An objective is a description, not a loop. It says which networks it needs, which numbers change
 * with the step, and how the loss graph of one shard is built. One trainer runs them all; a teacher
 * is trained by the objective `diffusion` like any student by its own.
 */
#ifndef FEW_SRC_OBJECTIVE_H
#define FEW_SRC_OBJECTIVE_H

#include "io/option.h"
#include "net/net.h"

enum { FEW_MAX_LOGS = 8, FEW_MAX_SCALARS = 4 };

/* The loss of one shard, as it is being built. */
struct few_loss {
  few_graph *g;
  int64_t rows;
  const struct few_net_spec *spec;

  few_node x0;                      /* [rows, ...] data with standard deviation sigma_data */
  few_node label;                   /* [rows] index, dropped ones -1; FEW_NONE without classes */
  few_node scalar[FEW_MAX_SCALARS]; /* [] each: what objective->schedule gives this step */

  /* Apply a network. x has unit variance, t is [rows] in radians; label and guidance may be
   * FEW_NONE. The student is the one that is trained; the teacher is frozen and has no dropout. */
  few_node (*student)(struct few_loss *l, few_node x, few_node t, few_node label,
                      few_node guidance);
  few_node (*teacher)(struct few_loss *l, few_node x, few_node t, few_node label);
  struct few_nn *head; /* for parameters of the loss itself: trained, not part of the model */
  void *user;          /* the trainer's */

  /* Results. */
  few_node loss; /* [] mean over rows */
  few_node t;    /* [rows] times of the rows, for logs by time */
  int n_logs;
  struct {
    const char *name;
    few_node rows; /* [rows] */
  } log[FEW_MAX_LOGS];
};

struct few_objective_def {
  const char *name, *source, *help;
  const struct few_option *options;
  size_t options_size;
  bool classifies;        /* for networks that give logits, and only those */
  bool needs_teacher;     /* the recipe's `teacher` is frozen beside the student */
  bool starts_as_teacher; /* the student starts with the teacher's weights where one is given */
  const char *sampler;    /* what samples the result */
  /* May be NULL. Refuse a combination before anything runs. */
  few_status (*check)(few_ctx *ctx, const void *opts, const struct few_net_spec *teacher);
  /* The range of the student's guidance input; false: it has none. May be NULL: none. */
  bool (*guidance)(const void *opts, double *min, double *max);
  /* Values of scalar[0..n_scalars) at `step`; `stretch` >= 1 lengthens warm-ups (the guard). */
  int n_scalars;
  void (*schedule)(const void *opts, int64_t step, double stretch, double *scalar);
  void (*build)(struct few_loss *l, const void *opts);
};

int few__objective_count(void);
const struct few_objective_def *few__objective_at(int i);
const struct few_objective_def *few__objective_find(const char *name); /* NULL: none */

/* ---- Pieces that objectives share ---- */

/* TrigFlow at times drawn tan-lognormally: ln(sigma_d tan t) ~ N(p_mean, p_std^2). */
struct few_trig_draw {
  few_node t;        /* [rows] */
  few_node cos, sin; /* [rows, 1, ..]: broadcast against x */
  few_node z;        /* noise of standard deviation sigma_d */
  few_node x;        /* x_t = cos t x0 + sin t z */
  few_node v;        /* dx_t/dt = cos t z - sin t x0 */
};
struct few_trig_draw few__trig_draw(struct few_loss *l, double p_mean, double p_std);
/* [rows] as [rows, 1, ..] of the rank of x0. */
few_node few__loss_rows(const struct few_loss *l, few_node x);
/* Sum over everything but the batch: [rows, 1, ..]. */
few_node few__loss_row_sum(const struct few_loss *l, few_node x);
/* L = mean_rows( e^{w(t)} / D * |r|^2 - w(t) ) with w a learned head on the time embedding
 * (adaptive) or w = 0; also logs the unweighted |r|^2 / D as `name`. */
few_node few__loss_weighted(struct few_loss *l, few_node residual, few_node t, bool adaptive,
                            const char *name);
void few__loss_log(struct few_loss *l, const char *name, few_node rows);

#endif
