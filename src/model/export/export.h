/* export.h - the graphs that few_export_onnx writes. */
#ifndef FEW_SRC_MODEL_EXPORT_EXPORT_H
#define FEW_SRC_MODEL_EXPORT_EXPORT_H

#include "few/export.h"
#include "model/run/sample.h"

enum { FEW_EXPORT_MOST_EVALS = 256 };

/* The noise of a recorded sampler: draws in the order of their first use. The graph's input for
 * draw[i] is "noise.i". */
struct few_export_draws {
  int *at;
  int n, cap;
};

/* A whole run of a sampler for `rows` images: *y is the images, [rows,h,w,c], as few_sample has
 * them. The inputs are "noise.0", "noise.1" .., and "label". */
few_status few__export_sampler(few_ctx *ctx, few_node *y, struct few_export_draws *draws,
                               few_graph *g, const few_model *m,
                               const struct few_sample_resolved *resolved,
                               const struct few_sample_opts *o, int64_t rows);

/* The denoiser. The inputs are "x", "sigma", "label", "guidance". */
few_node few__export_denoiser(few_graph *g, const few_model *m, double guidance, int64_t rows);

/* F, or F_u + guidance (F - F_u) with the network's output F_u without labels. */
few_node few__export_F(few_graph *g, const few_model *m, const char *prefix,
                       const struct few_net_input *in, double guidance);

#define FEW_EXPORT_GUIDE "guide:" /* prefix of the parameters of the model that guides */

#endif
