/* pairs.h - the teacher's own images, each with the noise that it came from.
 *
 * Image i belongs to (seed, i), and so does its noise: only the images are kept, in files of the
 * run directory, a few thousand in each, so that a run that is killed while it makes them goes on.
 * A teacher that takes a strength of guidance makes each with one of its own, uniform in its range,
 * which stands behind the image in the file and is the student's input.
 */
#ifndef FEW_SRC_TRAIN_PAIRS_H
#define FEW_SRC_TRAIN_PAIRS_H

#include "shard.h"

struct few_pairs;

/* FEW_E_INVALID where the teacher cannot make any: its sampler draws noise on the way. */
few_status few__pairs_check(few_ctx *ctx, const struct few_setup *setup);
/* Read the pairs that DIR holds and make the rest; dir NULL: make all, and keep no file. Memory: all
 * images as float. */
few_status few__pairs_open(few_ctx *ctx, struct few_pairs **out, const struct few_setup *setup,
                           const char *dir);
void few__pairs_close(struct few_pairs *p);

/* Rows at places position ... of an endless stream that goes over all pairs again and again, each
 * time in another order: rows->x, rows->label, rows->pair, and rows->strength where they have one.
 */
void few__pairs_fill(const struct few_pairs *p, uint64_t seed, int64_t position,
                     const struct few_rows *rows);

#endif
