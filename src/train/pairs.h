/* pairs.h - images made by the teacher, each with the noise that it was made from.
 *
 * Image i and its noise depend only on (seed, i). So only the images are kept, a few thousand to a
 * file in the run directory, and a run that is killed while it makes them can resume. A teacher
 * that takes a guidance scale makes each image with its own scale, drawn uniformly from the
 * teacher's range. The file has the scale after the image, and the student takes it as an input.
 */
#ifndef FEW_SRC_TRAIN_PAIRS_H
#define FEW_SRC_TRAIN_PAIRS_H

#include "shard.h"

struct few_pairs;

/* FEW_E_INVALID if the teacher cannot make pairs: its sampler adds noise between steps. */
few_status few__pairs_check(few_ctx *ctx, const struct few_setup *setup);
/* Reads the pairs in `dir` and makes the rest; dir NULL: makes all and writes no file. All images
 * are kept in memory as floats. */
few_status few__pairs_open(few_ctx *ctx, struct few_pairs **out, const struct few_setup *setup,
                           const char *dir);
void few__pairs_close(struct few_pairs *p);

/* Fills rows->x, label, pair, and guidance if each pair has its own scale. The rows are items
 * position, position + 1 ... of an endless stream, which is all pairs in random order, then all
 * pairs in another order, and so on. */
void few__pairs_fill(const struct few_pairs *p, uint64_t seed, int64_t position,
                     const struct few_rows *rows);

#endif
