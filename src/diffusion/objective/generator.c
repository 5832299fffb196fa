/* generator.c - the student as a generator of images, and the fake network that models them.
 *
 *   x = f(sigma_d z', t_1) = cos(t_1) sigma_d z' - sin(t_1) sigma_d F(z', t_1),
 *   z' ~ N(0, I),   tan t_1 = sigma_init / sigma_d.
 *
 *   papers                        here
 *   G(z), g_theta(z')             few__generate
 *   fake score, phi, mu_fake      FEW_FAKE, trained by few__fake_diffusion
 *   sigma_init                    sigma_init
 *
 * This is a consistency model's step from pure noise. A student that starts with the teacher's
 * weights first gives the teacher's denoised image there, which is nearly the mean of the data. A
 * generator of two steps (DMD2's simulated sampler, arXiv 2405.14867) also trains on a share of
 * rows that start from the state at the sampler's second step,
 *
 *   x_mid = cos(t_mid) x + sin(t_mid) sigma_d z'',   x without gradient,
 *
 * so that the second step is trained on the student's own images, as in sampling, and not on data.
 *
 * A student that takes a step size (meanflow, shortcut, flowmap) makes its images with the size of
 * the step from t_1 to 0.
 *
 * The fake network starts as the teacher and is trained on these x by the diffusion loss. Its score
 * is that of the student's distribution with noise at t (Diff-Instruct, arXiv 2305.18455; VSD,
 * arXiv 2305.16213).
 */
#include "generator.h"

#include <math.h>

#include "base/rng.h"

/* The size of a step from t to the image, in the student's unit. */
static few_node step_size(const struct few_loss *l, few_node t) {
  switch (l->spec->step_size) {
    case FEW_STEP_SIZE_ANGLE:
      return t;
    case FEW_STEP_SIZE_HALVINGS:
      return few_fill(l->g, 0, FEW_SHAPE(l->rows)); /* the whole way */
    default:
      return FEW_NONE;
  }
}

static few_node student_F(struct few_loss *l, few_node x, few_node t, few_node s, bool no_dropout) {
  struct few_net_input in =
      few_net_input_of(few_scale(l->g, x, 1 / l->spec->sigma_data), t, l->label);
  if (l->spec->guidance) in.guidance = s;
  in.step_size = step_size(l, t);
  in.no_dropout = no_dropout;
  return l->net(l, FEW_STUDENT, &in);
}

static few_node jump(struct few_loss *l, bool no_dropout, few_node x, few_node t, few_node s) {
  few_graph *g = l->g;
  const struct few_trig_state at = {.t = t,
                                    .cos = few_loss_rows(l, few_cos(g, t)),
                                    .sin = few_loss_rows(l, few_sin(g, t)),
                                    .x = x};
  return few_trig_denoised(l, &at, student_F(l, x, t, s, no_dropout));
}

/* This does not use few_loss_randn, because the objectives of a sum share their images. */
static few_node noise(const struct few_loss *l, uint32_t purpose) {
  few_node z = few_randn(l->g, purpose, few_node_shape(l->g, l->x0));
  return few_scale(l->g, z, l->spec->sigma_data);
}

few_node few__generate(struct few_loss *l, const struct few_generator_opts *o) {
  few_graph *g = l->g;
  assert(o->sigma_init > 0 && o->mid_share >= 0 && o->mid_share <= 1);
  few_node z = noise(l, FEW_RNG_GENERATOR), s = few_loss_guidance_scale(l);
  few_node t = few_fill(g, atan(o->sigma_init / l->spec->sigma_data), FEW_SHAPE(l->rows));
  if (o->mid_share <= 0) return jump(l, false, z, t, s);
  few_node x = jump(l, true, z, t, s); /* as the sampler has it */
  few_node second = few_less(g, few_randu(g, FEW_RNG_GENERATOR_PICK, FEW_SHAPE(l->rows)),
                             few_fill(g, o->mid_share, FEW_SCALAR));
  few_node mid = few_add(g, few_scale(g, few_stop(g, x), cos(o->mid_time)),
                         few_scale(g, noise(l, FEW_RNG_GENERATOR_MID), sin(o->mid_time)));
  few_node start = few_select(g, few_loss_rows(l, second), mid, z);
  return jump(l, false, start,
              few_select(g, second, few_fill(g, o->mid_time, FEW_SHAPE(l->rows)), t), s);
}

void few__fake_diffusion(struct few_loss *l, const struct few_generator_opts *o) {
  few_graph *g = l->g;
  few_node x = few_stop(g, few__generate(l, o));
  l->t = few_timestep_lognormal(l, o->fake_p_mean, o->fake_p_std);
  const struct few_trig_state d = few_trig_state_at(l, x, l->t, FEW_RNG_NOISE);
  few_node F = few_loss_F(l, FEW_FAKE, d.x, d.t, l->label, few_loss_guidance_scale(l));
  few_node residual = few_sub(g, F, few_scale(g, d.v, 1 / l->spec->sigma_data));
  few_loss_add(l, "diffusion", few_loss_weighted(l, residual, d.t, true, "mse"), 1);
}

/* One linear layer of the activations at each position, averaged. */
few_node few__discriminator(struct few_loss *l) {
  few_graph *g = l->g;
  struct few_nn *nn = l->fake_head;
  struct few_shape s = few_node_shape(g, l->middle);
  if (s.rank < 2) return FEW_NONE; /* the network failed and recorded the error */
  const int64_t c = s.dim[s.rank - 1], positions = few_shape_count(s) / (l->rows * c);
  few_nn_push(nn, "discriminator");
  few_node h = few_nn_channel_norm(nn, l->middle, true, 1e-6);
  h = few_silu(g, few_nn_linear(nn, "hidden", h, c, 1, true));
  h = few_sum(g, few_reshape(g, h, FEW_SHAPE(l->rows, positions, c)), FEW_SHAPE(l->rows, 1, c));
  h = few_reshape(g, few_scale(g, h, 1 / (double)positions), FEW_SHAPE(l->rows, c));
  few_node y = few_nn_linear(nn, "out", h, 1, 0, true);
  few_nn_pop(nn);
  return few_reshape(g, y, FEW_SHAPE(l->rows));
}

few_node few__mean_distance(const struct few_loss *l, few_node x, few_node D) {
  few_graph *g = l->g;
  const double dims = (double)few_shape_count(few_node_shape(g, x)) / (double)l->rows;
  few_node sum = few_loss_row_sum(l, few_abs(g, few_sub(g, x, D)));
  return few_stop(g, few_max(g, few_scale(g, sum, 1 / dims), few_fill(g, 1e-5, FEW_SCALAR)));
}

void few__generator_use(struct few_use *out, const struct few_generator_opts *o, double sigma_d) {
  out->one_way = true;
  out->times[0] = atan(o->sigma_init / sigma_d);
  out->times[1] = o->mid_time;
  out->n_times = o->mid_share > 0 ? 2 : 1;
}

few_status few__generator_check(few_ctx *ctx, const char *name, const struct few_generator_opts *o,
                                const struct few_fit *fit) {
  if (fit->student->step_size == FEW_STEP_SIZE_SEGMENT)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: this student's steps end at the end of a segment, and this objective "
                     "makes images in one step: add it to another objective",
                     name);
  if (fit->student->step_size == FEW_STEP_SIZE_HALVINGS && o->mid_share > 0)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: this student's steps are powers of two, and the second step from "
                     "mid_time is none: give mid_share = 0",
                     name);
  if (o->mid_share > 0 && o->mid_time >= atan(o->sigma_init / fit->student->sigma_data))
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: mid_time %g is not below the start, arctan(sigma_init/sigma_d) = %g",
                     name, o->mid_time, atan(o->sigma_init / fit->student->sigma_data));
  return FEW_OK;
}
