/* pairs.h - images that the teacher made, each with its noise.
 *
 * Image i and its noise follow from (seed, i). Only the images are kept, in files of the run
 * directory with a few thousand each, so that a run that is killed while it makes them can resume.
 * A teacher that takes a guidance scale makes each image with a scale of its own, uniform in its
 * range; the file has it after the image, and the student takes it as an input.
 */
#ifndef FEW_SRC_TRAIN_PAIRS_H
#define FEW_SRC_TRAIN_PAIRS_H

#include "shard.h"

struct few_pairs;

/* FEW_E_INVALID if the teacher cannot make pairs: its sampler adds noise between steps. */
few_status few__pairs_check(few_ctx *ctx, const struct few_setup *setup);
/* Read the pairs that DIR holds and make the rest; dir NULL: make all, and keep no file. Memory:
 * all images as float. */
few_status few__pairs_open(few_ctx *ctx, struct few_pairs **out, const struct few_setup *setup,
                           const char *dir);
void few__pairs_close(struct few_pairs *p);

/* Fill rows->x, label, pair, and guidance if each pair has a scale of its own. The rows are items
 * position, position + 1 ... of an endless stream: all pairs, then all pairs in another order, and
 * so on. */
void few__pairs_fill(const struct few_pairs *p, uint64_t seed, int64_t position,
                     const struct few_rows *rows);

#endif
