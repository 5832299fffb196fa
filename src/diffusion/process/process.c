/* process.c - processes.def as a table, and expressions that several processes need. */
#include "process.h"

static const struct few_process *const table[] = {
#define FEW_PROCESS(file, name, time_transform) &few__process_##file,
#include "processes.def"
#undef FEW_PROCESS
};

int few__process_count(void) { return FEW_COUNT(table); }

const struct few_process *few__process_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i];
}

int few__process_find(const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name)) return i;
  return -1;
}

double few__grid_last_sigma(const struct few_times_opts *o, double sigma_d) {
  return o->t_end > 0 ? sigma_d * tan(o->t_end) : o->sigma_min;
}

int few__grid_levels(const struct few_times_opts *o) {
  return o->t_end > 0 ? o->steps : o->steps - 1;
}

double few__process_grid(const struct few_process *p, const struct few_times_opts *o,
                         double sigma_d, int i) {
  assert(sigma_d > 0 && i >= 0 && i < o->steps);
  if (p->grid) return p->grid(o, sigma_d, i);
  const double end = p->time(sigma_d, few__process_trigflow.at(sigma_d, o->t_end));
  const struct few_mix state = p->at(sigma_d, few__grid_point(p->t_max, end, i, o->steps));
  return few__process_trigflow.time(sigma_d, state);
}

few_node few__process_angle(few_graph *g, few_node x, few_node y) {
  few_node length = few_sqrt(g, few_add(g, few_square(g, x), few_square(g, y)));
  return few_scale(g, few_atan(g, few_div(g, y, few_add(g, length, x))), 2);
}

few_node few__process_norm_squared(few_graph *g, double sigma_d, few_node t) {
  return few_add(g, few_square(g, few_cos(g, t)),
                 few_square(g, few_scale(g, few_sin(g, t), sigma_d)));
}

few_node few__process_unit_variance(few_graph *g, double sigma_d, few_node t) {
  few_node length = few_sqrt(g, few__process_norm_squared(g, sigma_d, t));
  return few_scale(g, few_recip(g, length), sigma_d);
}
