/* flow.h - flow matching's coordinates as nodes of a graph, for formulas with average velocities.
 *
 * The straight path y_u = (1 - u) x0 + u eps is TrigFlow's state with another scale and time:
 *
 *   y_u = x_t / n(t),   u = sigma_d sin(t) / n(t),   n(t) = cos t + sigma_d sin t,
 *   v = eps - x0 = n(t) F + m(t) x_t,   m(t) = sin(t)/sigma_d - cos t
 *
 * (process/predict.h), and du/dt = sigma_d/n(t)^2. The last line also holds for averages over a
 * step from u down to r. If a network takes the step size as an input, its F is that of the whole
 * step: U = n F + m x_t is the average velocity, and y_r = y_u - (u - r) U is the DDIM step with F.
 * For a step of size 0, U is flow matching's velocity.
 */
#ifndef FEW_SRC_OBJECTIVE_FLOW_H
#define FEW_SRC_OBJECTIVE_FLOW_H

#include "objective.h"

/* Rows may be fewer than the shard's. t, u, step_size: [rows]; x, F, y, v: [rows, ...]. */
few_node few__flow_time(const struct few_loss *l, few_node u);  /* t of u in (0, 1] */
few_node few__flow_share(const struct few_loss *l, few_node t); /* u of t */
few_node few__flow_n(const struct few_loss *l, few_node t);     /* n(t), [rows] */
few_node few__flow_velocity(const struct few_loss *l, few_node x, few_node t, few_node F);
/* a [rows] as [rows, 1, ..], of the rank of x. */
few_node few__flow_rows(const struct few_loss *l, few_node a, few_node x);
/* F of a network that takes the step size; few__flow_target_F is for targets, without dropout. */
few_node few__flow_F(struct few_loss *l, enum few_role who, few_node x, few_node t, few_node label,
                     few_node step_size);
few_node few__flow_target_F(struct few_loss *l, enum few_role who, few_node x, few_node t,
                            few_node label, few_node step_size);

/* FEW_E_INVALID if the target is guided, and the data have no labels or the student is not trained
 * on rows without a label. */
few_status few__flow_check(few_ctx *ctx, const char *name, bool guided, const struct few_fit *fit);

#endif
