/* vp.h - the cosine schedule between two log-SNRs (vp.c), for code that works in its time u:
 * progressive and guided distillation, and their sampling times. */
#ifndef FEW_SRC_VP_H
#define FEW_SRC_VP_H

#include "few/graph.h"

struct few_cosine {
  double a, b; /* the angle arctan(sigma/alpha) is a u + b */
};
struct few_cosine few__cosine(double logsnr_min, double logsnr_max);
/* TrigFlow's t of u, 0 <= u <= 1. */
double few__cosine_time(struct few_cosine c, double sigma_d, double u);
/* The same as a node, u [rows]. logsnr_min must be -24 or more, where the angle is still below pi/2
 * in single precision. */
few_node few__cosine_time_node(few_graph *g, struct few_cosine c, double sigma_d, few_node u);

#endif
