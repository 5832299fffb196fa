/* gauge.h - how far a student's images are from its teacher's, while it trains.
 *
 * The loss of a consistency student has no scale: the teacher's flow is in a tangent, so the number
 * stays where it is or falls for ever, whatever was learned. What the student is for can be seen:
 * from the same noise it should make the image that its teacher makes.
 */
#ifndef FEW_SRC_TRAIN_GAUGE_H
#define FEW_SRC_TRAIN_GAUGE_H

#include "setup.h"
#include "state.h"

typedef struct few_gauge few_gauge;

/* Draws the teacher's images, once. NULL where there is no teacher, or the student's objective is
 * not to follow its flow. Recipe and model are borrowed; the model's values are overwritten. */
few_status few__gauge_open(few_ctx *ctx, few_gauge **out, const struct few_setup *setup,
                           few_model *model);
void few__gauge_free(few_gauge *g); /* NULL is fine */

/* Root mean square of the differences between the averaged weights' images and the teacher's, in
 * deviations of the data: 0 is the goal, 1 what an empty image has, 1.4 another one. */
few_status few__gauge_read(few_gauge *g, const struct few_run_state *s, double *out);

#endif
