/* gauge.h - measures during training how far a student's images are from its teacher's.
 *
 * The loss of a consistency student does not show how good the student is: it measures a tangent,
 * and may stay constant or keep falling. The distance between the images that student and teacher
 * make from the same noise does show it.
 */
#ifndef FEW_SRC_TRAIN_GAUGE_H
#define FEW_SRC_TRAIN_GAUGE_H

#include "few/run.h"
#include "setup.h"
#include "state.h"

typedef struct few_gauge few_gauge;

/* Samples the teacher's images, once. *out is NULL without a teacher, and for objectives that do
 * not follow the teacher's flow. `setup`, `model` and its runner are borrowed; the model's values
 * are overwritten. */
few_status few__gauge_open(few_ctx *ctx, few_gauge **out, const struct few_setup *setup,
                           few_model *model, few_runner *runner);
void few__gauge_free(few_gauge *g); /* NULL is fine */

/* Root mean square difference between images of the averaged weights and the teacher's, in standard
 * deviations of the data. The goal is 0. If all images are the mean of the data, it is 1; if they
 * are unrelated to the teacher's, 1.4. */
few_status few__gauge_read(few_gauge *g, const struct few_run_state *s, double *out);

#endif
