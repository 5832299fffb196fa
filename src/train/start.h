/* start.h - a run before its first step: the student's description, and the weights of all networks
 * that the run trains.
 */
#ifndef FEW_SRC_TRAIN_START_H
#define FEW_SRC_TRAIN_START_H

#include "checkpoint.h"
#include "phase.h"

/* Creates the student with random weights, which few__start_state replaces. Fails if its
 * description cannot be written to a file. */
few_status few__start_model(few_ctx *ctx, few_model **out, const struct few_setup *setup);

/* The state of a run of these networks at step 0. The heads must have been traced
 * (few__shards_create). `arrays` is borrowed. */
few_status few__start_state(struct few_run_state *out, const struct few_networks *w,
                            const struct few_arrays *arrays);

struct few_run_identity few__start_identity(const struct few_networks *w);

#endif
