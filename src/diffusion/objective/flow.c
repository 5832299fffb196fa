/* flow.c - see flow.h. */
#include "flow.h"

#include <stdio.h>

#include "diffusion/process/process.h"

/* From tan t = u / (sigma_d (1 - u)), in a form without the pole at u = 1. */
few_node few__flow_time(const struct few_loss *l, few_node u) {
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  few_node cot = few_div(g, few_affine(g, u, -sigma, sigma), u);
  return few_affine(g, few_atan(g, cot), -1, FEW_PI_2);
}

few_node few__flow_n(const struct few_loss *l, few_node t) {
  few_graph *g = l->g;
  return few_add(g, few_cos(g, t), few_scale(g, few_sin(g, t), l->spec->sigma_data));
}

few_node few__flow_share(const struct few_loss *l, few_node t) {
  const struct few_units units = {.sigma_d = l->spec->sigma_data};
  return few__process_flow.embedded_time(l->g, &units, t);
}

few_node few__flow_rows(const struct few_loss *l, few_node a, few_node x) {
  struct few_shape s = few_node_shape(l->g, x);
  for (int k = 1; k < s.rank; k++) s.dim[k] = 1;
  return few_reshape(l->g, a, s);
}

few_node few__flow_velocity(const struct few_loss *l, few_node x, few_node t, few_node F) {
  few_graph *g = l->g;
  few_node m = few_sub(g, few_scale(g, few_sin(g, t), 1 / l->spec->sigma_data), few_cos(g, t));
  few_node from_F = few_mul(g, few__flow_rows(l, few__flow_n(l, t), F), F);
  return few_add(g, from_F, few_mul(g, few__flow_rows(l, m, x), x));
}

static few_node evaluate(struct few_loss *l, enum few_role who, few_node x, few_node t,
                         few_node label, few_node step_size, bool no_dropout) {
  struct few_net_input in = few_net_input_of(few_scale(l->g, x, 1 / l->spec->sigma_data), t, label);
  in.step_size = step_size;
  in.no_dropout = no_dropout;
  return l->net(l, who, &in);
}

few_node few__flow_F(struct few_loss *l, enum few_role who, few_node x, few_node t, few_node label,
                     few_node step_size) {
  return evaluate(l, who, x, t, label, step_size, false);
}

few_node few__flow_target_F(struct few_loss *l, enum few_role who, few_node x, few_node t,
                            few_node label, few_node step_size) {
  return evaluate(l, who, x, t, label, step_size, true);
}

few_status few__flow_check(few_ctx *ctx, const char *name, bool guided, const struct few_fit *fit) {
  if (guided && !fit->student->classes)
    return few__fail(
        ctx, FEW_E_INVALID,
        "%s: guidance inside the target needs labels, and the data have none: train on "
        "labelled data (labels = yes), or leave guidance at 1",
        name);
  if (!guided) return FEW_OK;
  char why[96];
  snprintf(why, sizeof why, "%s: guidance inside the target", name);
  return few_net_check_unconditional(ctx, fit->student, "the student", why);
}
