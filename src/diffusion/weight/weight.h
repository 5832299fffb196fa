/* weight.h - the weight of each time in a loss.
 *
 * Papers weight |x - x^|^2 by a function lambda of the signal-to-noise ratio. Here residuals are
 * those of F. Since x - x^ = -sigma_d s (F* - F), with c = cos t and s = sin t, a weight is the
 * factor
 *
 *   lambda |x - x^|^2 = w |F - F*|^2,   w = lambda sigma_d^2 s^2.
 *
 * The state is c x0 + sigma_d s eps with eps of unit variance: SNR = c^2/(sigma_d^2 s^2). Factors
 * are finite at both ends of t although most lambda are not.
 *
 * A weight is one file and one row in weights.def.
 */
#ifndef FEW_SRC_WEIGHT_H
#define FEW_SRC_WEIGHT_H

#include "base/base.h"
#include "few/graph.h"

struct few_weight_at {
  few_graph *g;
  few_node cos, noise; /* [rows] each: c and sigma_d s */
  double gamma;        /* min-snr's limit */
};

struct few_weight {
  const char *name, *source, *help;
  few_node (*factor)(const struct few_weight_at *at); /* w, [rows] */
};

int few__weight_count(void);
const struct few_weight *few__weight_at(int i);
few_status few__weight_find(few_ctx *ctx, const struct few_weight **out, const char *name);

/* w of the rows' times t [rows]. */
few_node few__weight_factor(few_graph *g, const struct few_weight *weight, double gamma,
                            double sigma_d, few_node t);

#endif
