/* sample.h - sampling inside the library: resolved options, and runs whose evaluations are
 * observed. */
#ifndef FEW_SRC_MODEL_RUN_SAMPLE_H
#define FEW_SRC_MODEL_RUN_SAMPLE_H

#include "diffusion/sampler/sampler.h"
#include "few/sample.h"
#include "runner.h"

/* ---- sample_options.c ---- */

/* few_sample_opts for a model, with all defaults filled in. */
struct few_sample_resolved {
  const struct few_sampler_def *sampler;
  struct few_times_opts times;
  char *settings;        /* the sampler's options; owned */
  struct few_olss *olss; /* of a file; owned */
};
enum few_sample_way { FEW_TO_IMAGES, FEW_TO_NOISE };
/* Checks and resolves all options, before any work. */
few_status few__sample_resolve(few_ctx *ctx, struct few_sample_resolved *out, const few_model *m,
                               const struct few_sample_opts *o, enum few_sample_way way);
void few__sample_resolved_free(few_ctx *ctx, struct few_sample_resolved *s);
/* few_sample_plan without a runner. */
few_status few__sample_plan(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                            const char **sampler, int *steps);
/* Network evaluations per image that few_sample takes. */
few_status few__sample_evals(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                             int *out);

/* Whether F is the velocity field of a flow at every time, unlike F of a consistency student. */
bool few__model_has_field(few_ctx *ctx, const few_model *m);
/* FEW_E_INVALID if not; `what` begins the sentence: "a fitted schedule". */
few_status few__model_field_check(few_ctx *ctx, const few_model *m, const char *what);

/* ---- sample_args.c ---- */

/* Whether the option `o` of few_sample_options() differs from its default. False if its value is
 * not a member of few_sample_opts, as for lists and the model that guides. */
bool few__sample_differs(const struct few_sample_opts *opts, const struct few_option *o);

/* ---- sample.c ---- */

/* One evaluation of a run: x_t and F, [rows][dims], of images first .. first + rows - 1, for the
 * step from t to `to`. At the end F is NULL and x is the result. Rows before the first requested
 * image are included. */
struct few_sample_view {
  int64_t first, rows;
  double t, to;
  const float *x, *F;
};
/* How a run differs from a plain few_sample. */
struct few_sample_path {
  enum few_sample_way way;
  const float *start;    /* [n][dims]: unit noise, or images; NULL: noise is drawn */
  const int32_t *label;  /* [n], -1 for none; NULL: opts->label */
  const float *guidance; /* [n], of a model that takes a scale; NULL: opts->guidance */
  void (*see)(void *user, const struct few_sample_view *view); /* NULL: not called */
  void *user;
};
/* out[n][dims]: images, or unit noise. */
few_status few__sample_run(few_runner *r, const struct few_sample_opts *opts,
                           const struct few_sample_path *path, float *out, int32_t *labels,
                           int *nfe);

/* ---- watch.c ---- */

/* Calls opts->watch with a view of a run. */
few_status few__sample_watch(few_runner *r, const struct few_sample_opts *opts,
                             const struct few_sample_view *view, int evaluation);

/* ---- finite.c ---- */

/* How many of n samples of `dims` values have one that is not finite. Sets list to the first
 * `most` of them. */
int64_t few__samples_broken(int64_t n, int64_t dims, const float *x, int64_t *list, int64_t most);
/* FEW_E_DIVERGED if there are such samples; the message has their number and indices, and begins
 * with `what`. */
few_status few__samples_check(few_ctx *ctx, const few_model *m, const char *what, int64_t first,
                              int64_t n, const float *x);

/* ---- write.c ---- */

/* Values in [-1, 1] as few_sample_write has them: the byte nearest to (x + 1) 127.5, clipped. */
void few__sample_bytes(int64_t count, const float *samples, uint8_t *out);

#endif
