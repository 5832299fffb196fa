/* gauge.h - measures the distance of a student's images from its teacher's during training.
 *
 * The loss of a consistency student has no scale: it measures a tangent, and may stay constant or
 * fall for ever, however good the student is. The goal of the student has a scale: from the same
 * noise it should make the image that its teacher makes.
 */
#ifndef FEW_SRC_TRAIN_GAUGE_H
#define FEW_SRC_TRAIN_GAUGE_H

#include "few/run.h"
#include "setup.h"
#include "state.h"

typedef struct few_gauge few_gauge;

/* Sample the teacher's images, once. *out is NULL without a teacher, and for objectives that do not
 * follow its flow. Recipe and model are borrowed; the model's values are overwritten. */
few_status few__gauge_open(few_ctx *ctx, few_gauge **out, const struct few_setup *setup,
                           few_model *model, few_runner *runner);
void few__gauge_free(few_gauge *g); /* NULL is fine */

/* Root mean square difference between images of the averaged weights and the teacher's, in standard
 * deviations of the data. 0 is the goal; a constant image has 1, an unrelated one 1.4. */
few_status few__gauge_read(few_gauge *g, const struct few_run_state *s, double *out);

#endif
