/* set.h - the data of a set that metrics need, collected while the features are computed. */
#ifndef FEW_SRC_METRIC_SET_H
#define FEW_SRC_METRIC_SET_H

#include "few/ext/metric.h"
#include "moments.h"

struct few_eval_set_opts {
  const char *name; /* for messages: "runs/a.safetensors"; borrowed */
  unsigned needs;
  int64_t n; /* images of the set */
  int64_t dim, spatial, classes;
  int64_t keep;  /* most rows that are kept, a random choice that depends only on n and seed */
  int splits;    /* random parts, whose sizes differ by at most one, each with its own marginal */
  uint64_t seed; /* of the kept rows and of the splits */
  bool hold; /* keep logits, spatial features and labels of the kept images too, for error bars */
};

struct few_eval_set_split {
  int64_t n;
  double information; /* sum over images of sum_y p(y|x) log p(y|x) */
  double *p;          /* [classes] sum of p(y|x) */
};

struct few_eval_set {
  few_ctx *ctx;
  few_workers *w;
  struct few_eval_set_opts o;
  int64_t seen;
  few_moments *moments, *spatial;
  int64_t kept;   /* rows in `panels`: min(n, keep) */
  double *panels; /* as gram.h has them */
  struct few_eval_set_split *split;
  int64_t held; /* images held: min(n, keep) if o.hold, otherwise 0 */
  float *held_rows, *held_logits, *held_spatial;
  int32_t *held_labels;
  double *p; /* [classes] of one image; scratch */
  int64_t labelled, agree;
};

few_status few__eval_set_create(few_ctx *ctx, few_eval_set **out, few_workers *w,
                                const struct few_eval_set_opts *o);
void few__eval_set_free(few_eval_set *s); /* NULL is fine */

/* Adds the next n images. Arrays that the set does not need may be NULL. FEW_E_FORMAT for a value
 * that is not finite; the message names it. The result does not depend on how images are grouped
 * into calls. */
few_status few__eval_set_add(few_eval_set *s, int64_t n, const float *rows, const float *logits,
                             const float *spatial, const int32_t *labels);
void few__eval_set_end(few_eval_set *s); /* after all o.n images */

/* These write and read row `slot` of the kept rows. A set that is restored from a file is filled
 * only by few__eval_set_keep and few__moments_restore. */
void few__eval_set_keep(few_eval_set *s, int64_t slot, const float *row);
void few__eval_set_kept(const few_eval_set *s, int64_t slot, float *row);

#endif
