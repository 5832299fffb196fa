/* generator.h - parts of score distillation and adversarial training: images that the student
 * makes, and a fake network that learns their distribution. */
#ifndef FEW_SRC_GENERATOR_H
#define FEW_SRC_GENERATOR_H

#include "objective.h"

struct few_generator_opts {
  struct few_guidance_opts guidance; /* of the teacher's score; not read by the adversarial loss */
  double sigma_init;                 /* noise level at which the student starts */
  double mid_time, mid_share;        /* time of a second step, and the share of rows with one */
  double fake_p_mean, fake_p_std;    /* distribution of times of the fake network's loss */
};
#define FEW_GENERATOR_(S, field, deflt, min, max, help) \
  FEW_OPT_IN(S, gen, field, FEW_OPTION_REAL, deflt, min, max, NULL, help)
/* For option structs that begin with few_generator_opts. */
/* clang-format off */
#define FEW_GENERATOR_OPTIONS(S) \
  FEW_GENERATOR_(S, sigma_init, "80", 0.01, 1e4, \
                 "the student starts from noise at t = arctan(sigma_init/sigma_d)"), \
  FEW_GENERATOR_(S, mid_time, "1.1", 0.01, 1.57, "t of a second step, for two-step generators"), \
  FEW_GENERATOR_(S, mid_share, "0", 0, 1, "share of rows that are made in two steps")
#define FEW_GENERATOR_SCORE_OPTIONS(S) \
  FEW_GENERATOR_OPTIONS(S), \
  FEW_GUIDANCE_OPTIONS("1"), \
  FEW_GENERATOR_(S, fake_p_mean, "-0.8", -20, 20, \
                 "fake network: mean of ln(sigma_d tan t) of its own loss"), \
  FEW_GENERATOR_(S, fake_p_std, "1.6", 0.01, 20, \
                 "fake network: standard deviation of ln(sigma_d tan t)")
/* clang-format on */

/* Images of the student, [rows, ...], for the labels of the batch. Gradients pass to the student.
 * Objectives of a sum with equal options get the same node. */
few_node few__generate(struct few_loss *l, const struct few_generator_opts *o);
/* Adds the diffusion loss of the fake network on such images, with the student fixed. */
void few__fake_diffusion(struct few_loss *l, const struct few_generator_opts *o);
/* Divergences of vsd, and h(r) = f''(r) r^2 as a node, with r = e^d (vsd.c). */
enum few_divergence {
  FEW_REVERSE_KL,
  FEW_SOFTENED_KL,
  FEW_JS,
  FEW_HELLINGER,
  FEW_JEFFREYS,
  FEW_FORWARD_KL
};
few_node few__divergence_weight(few_graph *g, enum few_divergence f, few_node d);

/* The discriminator's logit d(x_t, t), [rows], from the activations of the fake network that was
 * evaluated last. Its parameters are in l->fake_head. Its best value under the logistic loss is the
 * log of the density of the data over that of the student's images, with noise at t. */
few_node few__discriminator(struct few_loss *l);
/* mean|x - D| of each row, at least 1e-5, without gradient: [rows, 1, ..]. */
few_node few__mean_distance(const struct few_loss *l, few_node x, few_node D);

/* For few_objective_def.use: the sampling times of such a generator. */
void few__generator_use(struct few_use *out, const struct few_generator_opts *o, double sigma_d);
few_status few__generator_check(few_ctx *ctx, const char *name, const struct few_generator_opts *o,
                                const struct few_fit *fit);

#endif
