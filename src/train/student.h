/* student.h - the student as a model, for previews, measurements and files. Its weights are copied
 * from the state of the run when a model is needed.
 */
#ifndef FEW_SRC_TRAIN_STUDENT_H
#define FEW_SRC_TRAIN_STUDENT_H

#include "few/run.h"
#include "setup.h"
#include "state.h"

struct few_student {
  few_model *model;   /* its values are written by few__student_update */
  few_runner *runner; /* of the model */
};

/* Makes and checks the student of a setup. If the run `is_new`, that is, has no recipe in its
 * directory yet, options without effect are refused. */
few_status few__student_open(few_ctx *ctx, struct few_student *out, const struct few_setup *setup,
                             bool is_new);
void few__student_close(struct few_student *s);

/* Copies the student's weights, as they would be saved now, to the model. */
few_status few__student_update(const struct few_student *s, const struct few_setup *setup,
                               const struct few_run_state *state);
/* Copies the model, with its provenance; the caller frees it. FEW_E_DIVERGED if weights are not
 * finite. On failure *out may be incomplete, and must be freed too. */
few_status few__student_copy(few_ctx *ctx, few_model **out, const struct few_student *s,
                             const struct few_setup *setup, const struct few_run_state *state);

#endif
