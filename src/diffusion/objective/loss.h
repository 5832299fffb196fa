/* loss.h - helpers for building a loss: random numbers, networks, TrigFlow's state, weighted means.
 *
 * All of them add nodes to l->g. Times and other values per row are [rows]; to multiply an image
 * they are reshaped to [rows, 1, ..] (few__loss_rows). Gradients pass through everything unless a
 * comment says that it is stopped.
 */
#ifndef FEW_SRC_LOSS_H
#define FEW_SRC_LOSS_H

#include "objective.h"

/* ---- What the loss consists of ---- */

/* Add a term `value` [] of the loss, the mean over rows. */
void few__loss_add(struct few_loss *l, const char *name, few_node value, double weight);
/* Log a figure per row, `rows` of [rows] or [rows, 1, ..]. */
void few__loss_log(struct few_loss *l, const char *name, few_node rows);

/* ---- Random numbers ----
 * Each objective of a sum has its own stream, so that their times and noises are independent. */
few_node few__loss_randn(const struct few_loss *l, uint32_t purpose, struct few_shape shape);
few_node few__loss_randu(const struct few_loss *l, uint32_t purpose, struct few_shape shape);

/* ---- Networks ---- */

/* F of a network at x_t, which is divided by sigma_d here. `guidance` [rows] is the guidance scale;
 * FEW_NONE where the network has no such input. */
few_node few__loss_F(struct few_loss *l, enum few_role who, few_node x, few_node t, few_node label,
                     few_node guidance);
/* The same without dropout, for a target. */
few_node few__loss_target_F(struct few_loss *l, enum few_role who, few_node x, few_node t,
                            few_node label, few_node guidance);
/* The guidance scale of each row, [rows]: the one that the row's pair was made with, or uniform in
 * the range of the student's input, or the recipe's fixed scale. FEW_NONE: no guidance. The
 * objectives of a sum share it. */
few_node few__loss_guidance_scale(const struct few_loss *l);
/* The teacher's F at x_t with guidance scale s [rows]: F_none + s (F_label - F_none), or its own
 * guidance input where it has one. Without guidance where s is FEW_NONE. */
few_node few__loss_teacher(struct few_loss *l, few_node x, few_node t, few_node s);

/* ---- TrigFlow's state ---- */

struct few_trig_state {
  few_node t;        /* [rows] */
  few_node cos, sin; /* [rows, 1, ..] */
  few_node z;        /* noise of standard deviation sigma_d */
  few_node x;        /* x_t = cos(t) x0 + sin(t) z */
  few_node v;        /* dx_t/dt = cos(t) z - sin(t) x0 */
};
/* The state of images x0 at times t [rows], with noise of this purpose. */
struct few_trig_state few__trig_state(const struct few_loss *l, few_node x0, few_node t,
                                      uint32_t purpose);
/* D = cos(t) x_t - sin(t) sigma_d F. */
few_node few__trig_denoised(const struct few_loss *l, const struct few_trig_state *d, few_node F);

/* ---- Shapes and sums ---- */

/* [rows] as [rows, 1, ..] of the rank of x0. */
few_node few__loss_rows(const struct few_loss *l, few_node x);
/* Sum over everything but the batch: [rows, 1, ..]. */
few_node few__loss_row_sum(const struct few_loss *l, few_node x);

/* ---- Weighted mean squares ---- */

/* L = mean_rows( e^{w(t)}/D |r|^2 - w(t) ): w is a learned function of t (adaptive), or 0. Logs the
 * unweighted |r|^2/D as `name`. */
few_node few__loss_weighted(struct few_loss *l, few_node residual, few_node t, bool adaptive,
                            const char *name);
/* The same in two halves, for a caller that multiplies the rows by a weight (weight/weight.h) in
 * between: |r|^2/D of each row, [rows]; and the mean of e^w times such rows less w. */
few_node few__loss_square(const struct few_loss *l, few_node residual);
few_node few__loss_mean(struct few_loss *l, few_node square, few_node t, bool adaptive);

#endif
